"""Messages of language servers and debug adapters in a stream, their paths mapped. Sans I/O.

A message is a header (``Content-Length: N``) and N bytes of JSON (LSP 3.17, "Base Protocol"; the
debug adapter protocol has the same). Of a language server's, every ``file://`` URI is mapped: as a
value, as a key (``changes``), and within a text that is shown (Markdown). Of plain paths, only
those in fields that have paths are; of a debug adapter's, nothing else is, for most of its texts
are the program's data. What a document holds is its own: ``text`` and ``newText`` stay.
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
"""Bytes; a header has less than 100."""
LONGEST_MESSAGE: Final = 256 * 1024 * 1024
"""Bytes; a document of this size is no source any more."""

_LENGTH: Final = re.compile(rb"content-length:[ \t]*([0-9]{1,12})[ \t]*", re.IGNORECASE)
_URI: Final = re.compile(r"file://[^\s\"'<>)\]}`|\\]*")
_DOCUMENTS: Final = {"text", "newText", "insertText"}
"""Fields whose text is a document's own, where the value is a string."""
_PATHS: Final[dict[str, set[str]]] = {
    "lsp": {"rootPath", "path", "fsPath", "cwd"},
    "dap": {"path", "program", "cwd", "file"},
}
"""Fields that have a plain path."""
_MARKS: Final = {
    "lsp": re.compile(rb"file:|[Pp]ath\"|\"cwd\"|\"processId\""),
    "dap": re.compile(rb"\"(path|program|cwd|file)\""),
}
"""What a message has in it in which something may be mapped."""


class BrokenFrame(ValueError):
    """The stream is not made of messages; it says why."""


class Messages:
    """Cuts a stream into messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._left: int | None = None  # of the body; None in a header

    def feed(self, data: bytes) -> list[bytes]:
        """Return the bodies of the messages that are whole now.

        Raises:
            BrokenFrame: a header is none.
        """
        self._buffer += data
        found: list[bytes] = []
        while True:
            if self._left is None:
                head, end, rest = self._buffer.partition(b"\r\n\r\n")
                if not end:
                    if len(head) > LONGEST_HEADER:
                        raise BrokenFrame(f"a header is longer than {LONGEST_HEADER} bytes")
                    _check_beginning(bytes(head))
                    return found
                self._left = _length(bytes(head))
                self._buffer = rest
            if len(self._buffer) < self._left:
                return found
            found.append(bytes(self._buffer[: self._left]))
            del self._buffer[: self._left]
            self._left = None

    def close(self) -> None:
        """Take the end of the stream.

        Raises:
            BrokenFrame: it is within a message.
        """
        if self._buffer or self._left is not None:
            raise BrokenFrame("the stream ends within a message")


def _check_beginning(head: bytes) -> None:
    """Check what there is of a header, so that what is none is told at once."""
    first = head.split(b"\r\n")[0][:8].lower()
    if not b"content-".startswith(first):
        raise BrokenFrame(f"a message begins with {head[:40]!r}, not with Content-Length")


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        if match := _LENGTH.fullmatch(line):
            if (length := int(match[1])) > LONGEST_MESSAGE:
                raise BrokenFrame(f"a message has {length} bytes")
            return length
    raise BrokenFrame(f"a header has no Content-Length: {head[:40]!r}")


def framed(body: bytes) -> bytes:
    """Return a message with its header."""
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


class MessageStream:
    """Maps a stream of messages.

    Args:
        paths: what to map.
        protocol: whose messages they are.
        outward: whether they come from the server.
    """

    def __init__(self, paths: PathMap, protocol: MessageProtocol, *, outward: bool) -> None:
        self._messages = Messages()
        self._map_uri = paths.uri_to_host if outward else paths.uri_to_container
        self._map_path = paths.to_host if outward else paths.to_container
        self._marks = _MARKS[protocol]
        self._paths = _PATHS[protocol]
        self._is_lsp = protocol == "lsp"
        # A server that cannot see the process of that number ends itself.
        self._hides_parent = self._is_lsp and not outward

    def feed(self, data: bytes) -> bytes:
        """Return the messages that are whole now, mapped.

        Raises:
            BrokenFrame: the stream is not made of messages.
        """
        return b"".join(framed(self._mapped(body)) for body in self._messages.feed(data))

    def close(self) -> bytes:
        """Take the end of the stream; return nothing more.

        Raises:
            BrokenFrame: it is within a message.
        """
        self._messages.close()
        return b""

    def _mapped(self, body: bytes) -> bytes:
        """Return a message with its paths mapped; the same bytes if there are none."""
        if not self._marks.search(body):
            return body
        try:
            message: object = json.loads(body)
        except (ValueError, RecursionError) as exc:
            raise BrokenFrame(f"a message is no JSON: {exc}") from exc
        mapped = self._value(message, "")
        if mapped == message:
            return body
        return json.dumps(mapped, ensure_ascii=False, separators=(",", ":")).encode(
            errors="surrogatepass"
        )

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
        return _URI.sub(lambda match: self._map_uri(match[0]), text)
