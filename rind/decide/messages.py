"""Maps the paths in a stream of language server or debug adapter messages. Sans I/O.

A message is a header (``Content-Length: N``) and N bytes of JSON (LSP 3.17, "Base Protocol"; the
debug adapter protocol uses the same format). In a language server's messages, every ``file://`` URI
is mapped: as a value, as a key (``changes``), and within displayed text (Markdown). Plain paths are
mapped only in fields that hold paths. In a debug adapter's messages, nothing but these fields is
mapped, because most of the other text is data of the debugged program. A document's own content
(``text`` and ``newText``) is never changed.
"""

from __future__ import annotations

import json
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from rind.decide.path_map import PathMap
    from rind.model import MessageProtocol

__all__ = ["BrokenFrame", "MessageStream", "Messages"]

LONGEST_HEADER: Final = 4096
"""Bytes; real headers have fewer than 100."""
LONGEST_MESSAGE: Final = 256 * 1024 * 1024
"""Bytes; no source file is as large."""

_LENGTH: Final = re.compile(rb"content-length:[ \t]*([0-9]{1,12})[ \t]*", re.IGNORECASE)
_URI: Final = re.compile(r"file://[^\s\"'<>)\]}`|\\]*")
"""A URI within displayed text."""
_ONE_URI: Final = re.compile(r"file://[^\s\"<>`|\\]*")
"""A value that is a URI; editors need not quote apostrophes and parentheses (RFC 3986, 3.3)."""
_DOCUMENTS: Final = {"text", "newText", "insertText"}
"""Fields whose strings are a document's own content."""
_PATHS: Final[dict[str, set[str]]] = {
    "lsp": {"rootPath", "path", "fsPath", "cwd"},
    "dap": {"path", "program", "cwd", "file"},
}
"""Fields that hold a plain path."""
_MARKS: Final = {
    "lsp": re.compile(rb"file:|[Pp]ath\"|\"cwd\"|\"processId\""),
    "dap": re.compile(rb"\"(path|program|cwd|file)\""),
}
"""A message without a match has nothing to map, and is not parsed."""


class BrokenFrame(ValueError):
    """The stream does not consist of messages; the error says why."""


class Messages:
    """Splits a stream into messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._length: int | None = None  # of the body; None until its header is complete

    def feed(self, data: bytes) -> list[bytes]:
        """Return the bodies of the messages that are now complete.

        Raises:
            BrokenFrame: a header is invalid.
        """
        self._buffer += data
        found: list[bytes] = []
        while True:
            if self._length is None:
                head, end, rest = self._buffer.partition(b"\r\n\r\n")
                if not end:
                    if len(head) > LONGEST_HEADER:
                        raise BrokenFrame(f"a header is longer than {LONGEST_HEADER} bytes")
                    _check_beginning(bytes(head))
                    return found
                self._length = _length(bytes(head))
                self._buffer = rest
            if len(self._buffer) < self._length:
                return found
            found.append(bytes(self._buffer[: self._length]))
            del self._buffer[: self._length]
            self._length = None

    def close(self) -> None:
        """Check that the stream has not ended within a message.

        Raises:
            BrokenFrame: it has.
        """
        if self._buffer or self._length is not None:
            raise BrokenFrame("the stream ends within a message")


def _check_beginning(head: bytes) -> None:
    """Check the beginning of an incomplete header, to report other output without waiting."""
    first = head.split(b"\r\n")[0][:8].lower()
    if not b"content-".startswith(first):
        raise BrokenFrame(f"a message begins with {head[:40]!r}, not with Content-Length")


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        if match := _LENGTH.fullmatch(line):
            if (length := int(match[1])) > LONGEST_MESSAGE:
                raise BrokenFrame(f"a message has {length} bytes, more than {LONGEST_MESSAGE}")
            return length
    raise BrokenFrame(f"a header has no Content-Length: {head[:40]!r}")


def framed(body: bytes) -> bytes:
    """Return a message with its header."""
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


class MessageStream:
    """Maps a stream of messages.

    Args:
        paths: the mounts whose paths to map.
        protocol: the protocol of the messages.
        outward: whether the messages come from the server, rather than the client.
    """

    def __init__(self, paths: PathMap, protocol: MessageProtocol, *, outward: bool) -> None:
        self._messages = Messages()
        self._map_uri = paths.uri_to_host if outward else paths.uri_to_container
        self._map_path = paths.to_host if outward else paths.to_container
        self._marks = _MARKS[protocol]
        self._paths = _PATHS[protocol]
        self._is_lsp = protocol == "lsp"
        # A server exits if it cannot see its client's process, which is outside the container.
        self._hides_parent = self._is_lsp and not outward

    def feed(self, data: bytes) -> bytes:
        """Return the messages that are now complete, with their paths mapped.

        Raises:
            BrokenFrame: the stream does not consist of messages.
        """
        return b"".join(self.written(*message) for message in self.parsed(data))

    def parsed(self, data: bytes) -> list[tuple[bytes, object]]:
        """Return the messages that are now complete, as bytes and as JSON values.

        The value is None if nothing in a message is to be mapped.

        Raises:
            BrokenFrame: the stream does not consist of messages.
        """
        return [(body, self._value_of(body)) for body in self._messages.feed(data)]

    def written(self, body: bytes, message: object) -> bytes:
        """Return a message of :meth:`parsed` with its paths mapped, and with its header."""
        mapped = self._value(message, "")
        if mapped != message:
            text = json.dumps(mapped, ensure_ascii=False, separators=(",", ":"))
            # Half a UTF-16 pair, which UTF-8 cannot encode, becomes an escape of JSON again.
            body = text.encode(errors="backslashreplace")
        return framed(body)

    def close(self) -> bytes:
        """Check that the stream has not ended within a message; return no more bytes.

        Raises:
            BrokenFrame: it has.
        """
        self._messages.close()
        return b""

    def _value_of(self, body: bytes) -> object:
        if not self._marks.search(body):
            return None
        try:
            return json.loads(body)
        except (ValueError, RecursionError) as exc:
            raise BrokenFrame(f"a message is not JSON: {exc}") from exc

    def _value(self, value: object, name: str) -> object:
        if isinstance(value, dict):
            return {self._key(key): self._value(item, key) for key, item in value.items()}
        if isinstance(value, list):
            return [self._value(item, name) for item in value]
        if isinstance(value, str):
            return self._text(value, name)
        return None if name == "processId" and self._hides_parent else value

    def _key(self, key: str) -> str:
        return self._map_uri(key) if self._is_lsp and key.startswith("file://") else key

    def _text(self, text: str, name: str) -> str:
        if name in self._paths:
            return self._map_path(text) if text.startswith("/") else self._map_uri(text)
        if not self._is_lsp or name in _DOCUMENTS:
            return text
        if _ONE_URI.fullmatch(text):
            return self._map_uri(text)
        return _URI.sub(lambda match: self._map_uri(match[0]), text)
