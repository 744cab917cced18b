"""The language server protocol's base: messages in a stream, with their paths mapped. Sans I/O.

A message is a header (``Content-Length: N``) and N bytes of JSON (LSP 3.17, "Base Protocol"). Every
``file://`` URI in it is mapped: as a value, as a key (``changes``), and within a text that is shown
(Markdown). Of plain paths, only those in fields that have paths are. What a document holds is its
own: ``text`` and ``newText`` stay.
"""

from __future__ import annotations

import json
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

    from rind.decide.path_map import PathMap

__all__ = ["BrokenFrame", "MessageStream", "Messages", "mapped_message"]

LONGEST_HEADER: Final = 4096
"""Bytes; a header has less than 100."""
LONGEST_MESSAGE: Final = 256 * 1024 * 1024
"""Bytes; a document of this size is no source any more."""

_LENGTH: Final = re.compile(rb"content-length:[ \t]*([0-9]{1,12})[ \t]*", re.IGNORECASE)
_URI: Final = re.compile(r"file://[^\s\"'<>)\]}`|\\]*")
_DOCUMENTS: Final = {"text", "newText", "insertText"}
"""Fields whose text is a document's own, where the value is a string."""
_PATHS: Final = {"rootPath", "path", "fsPath", "cwd"}
"""Fields that have a plain path."""


_MARKS: Final = re.compile(rb"file:|[Pp]ath\"|\"cwd\"|\"processId\"")
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


def mapped_message(
    body: bytes,
    map_uri: Callable[[str], str],
    map_path: Callable[[str], str],
    *,
    hide_parent: bool = False,
) -> bytes:
    """Return a message with its paths mapped; the same bytes if there are none.

    Args:
        body: the JSON.
        map_uri: maps a ``file://`` URI.
        map_path: maps an absolute path.
        hide_parent: whether ``processId`` becomes null: a server that cannot see the process of
            that number ends itself.

    Raises:
        BrokenFrame: it is no JSON.
    """
    if not _MARKS.search(body):
        return body
    try:
        message: object = json.loads(body)
    except (ValueError, RecursionError) as exc:
        raise BrokenFrame(f"a message is no JSON: {exc}") from exc
    mapped = _Mapper(map_uri, map_path, hide_parent=hide_parent)(message)
    if mapped == message:
        return body
    return json.dumps(mapped, ensure_ascii=False, separators=(",", ":")).encode(
        errors="surrogatepass"
    )


class _Mapper:
    def __init__(
        self, map_uri: Callable[[str], str], map_path: Callable[[str], str], *, hide_parent: bool
    ) -> None:
        self._map_uri = map_uri
        self._map_path = map_path
        self._hide_parent = hide_parent

    def __call__(self, value: object, name: str = "") -> object:
        if isinstance(value, dict):
            return {self._key(key): self(item, key) for key, item in value.items()}
        if isinstance(value, list):
            return [self(item, name) for item in value]
        if isinstance(value, str):
            return self._text(value, name)
        return None if name == "processId" and self._hide_parent else value

    def _key(self, key: str) -> str:
        return self._map_uri(key) if key.startswith("file://") else key

    def _text(self, text: str, name: str) -> str:
        if name in _DOCUMENTS:
            return text
        if name in _PATHS and text.startswith("/"):
            return self._map_path(text)
        return _URI.sub(lambda match: self._map_uri(match[0]), text)


class MessageStream:
    """Maps a stream of messages.

    Args:
        paths: what to map.
        outward: whether it comes from the server.
    """

    def __init__(self, paths: PathMap, *, outward: bool) -> None:
        self._messages = Messages()
        self._map_uri = paths.uri_to_host if outward else paths.uri_to_container
        self._map_path = paths.to_host if outward else paths.to_container
        self._outward = outward

    def feed(self, data: bytes) -> bytes:
        """Return the messages that are whole now, mapped.

        Raises:
            BrokenFrame: the stream is not made of messages.
        """
        return b"".join(
            framed(
                mapped_message(body, self._map_uri, self._map_path, hide_parent=not self._outward)
            )
            for body in self._messages.feed(data)
        )

    def close(self) -> bytes:
        """Take the end of the stream; return nothing more.

        Raises:
            BrokenFrame: it is within a message.
        """
        self._messages.close()
        return b""
