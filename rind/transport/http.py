"""The part of HTTP/1.1 that an engine's answers need. Sans I/O: bytes in, heads and bodies out.

For the connections that Rind opens itself. To import an HTTP library takes longer than a request
over a new connection (http.client 25 ms, h11 21 ms, aiohttp 67 ms).
"""

from __future__ import annotations

import json

from rind.base.light import pattern
from rind.transport.carrier import SWITCHING, WrongAnswer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Final

    from rind.transport.carrier import Request

__all__ = ["Response", "chunk", "encoded"]

LONGEST_HEAD: Final = 64 * 1024
"""Most bytes of a status line and all headers; an engine's have fewer than 500."""

LONGEST_LINE: Final = 1024
"""Most bytes of the line before a chunk."""

_STATUS_LINE: Final = pattern(rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: ([^\0-\x1f\x7f]*))?")
_HEADER: Final = pattern(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\0-\x08\x0a-\x1f\x7f]*?)[ \t]*")
_CHUNK: Final = pattern(rb"([0-9a-fA-F]{1,15})[ \t]*(?:;.*)?")
_LENGTH: Final = pattern(r"[0-9]{1,18}")

_UNRESERVED: Final = frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
)
"""Bytes that a URL may contain without encoding (RFC 3986, 2.3)."""

_BODILESS: Final = {204, 304}


def encoded(
    request: Request,
    host: str,
    connection: str = "close",
    *,
    chunked: bool = False,
    headers: Sequence[tuple[str, str]] = (),
) -> bytes:
    """Encode a request.

    Args:
        request: the request.
        host: the value of the Host header.
        connection: "close" after the answer, "keep-alive", or "Upgrade" to raw TCP.
        chunked: whether its body follows, each part encoded by :func:`chunk`.
        headers: additional headers, as (name, value).
    """
    body = b"" if request.body is None else json.dumps(request.body).encode()
    lines = [
        f"{request.method} {_target(request)} HTTP/1.1",
        f"Host: {host}",
        "User-Agent: rind",
        f"Connection: {connection}",
    ]
    if connection == "Upgrade":
        lines += ["Upgrade: tcp"]
    lines += [f"{name}: {value}" for name, value in headers]
    if request.method == "POST":
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    if chunked:
        lines += ["Transfer-Encoding: chunked"]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode() + body


def chunk(data: bytes) -> bytes:
    """Encode a part of a body; an empty part ends the body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def _target(request: Request) -> str:
    query = "&".join(f"{name}={_percent_encoded(value)}" for name, value in request.params.items())
    return f"/{request.path}?{query}" if query else f"/{request.path}"


def _percent_encoded(text: str) -> str:
    # Not urllib.parse: importing it takes 3 ms.
    return "".join(chr(byte) if byte in _UNRESERVED else f"%{byte:02X}" for byte in text.encode())


class Response:
    """An answer as it arrives: :meth:`feed` it until it :attr:`is_complete`.

    Attributes:
        status: 0 until the head is complete.
        reason: the text after the status.
        headers: by name in lower case; of several with the same name, the last.
        is_complete: whether the whole answer was fed. A body without a length is complete only
            at the end of the connection: see :meth:`feed_eof`.
        rest: the bytes after a head that switches protocols.
    """

    def __init__(self) -> None:
        self.status = 0
        self.reason = ""
        self.headers: Mapping[str, str] = {}
        self.is_complete = False
        self.rest = b""
        self._buffer = bytearray()
        self._left: int | None = None  # bytes of the body or the chunk; None: up to the end
        self._is_chunked = False
        self._is_trailer = False
        self._is_old = False

    @property
    def may_continue(self) -> bool:
        """Whether the connection can have another request after this answer."""
        return (
            self.is_complete
            and not (self._is_old or self._buffer)
            and self._left is not None
            and self.headers.get("connection", "").lower() != "close"
        )

    def feed(self, data: bytes) -> bytes:
        """Return the part of the body in ``data``.

        Raises:
            WrongAnswer: the answer is not HTTP/1.1.
        """
        self._buffer += data
        if not self.status and not self._read_head():
            return b""
        if self._is_chunked:
            return self._read_chunks()
        taken = bytes(self._buffer if self._left is None else self._buffer[: self._left])
        del self._buffer[: len(taken)]
        if self._left is not None:
            self._left -= len(taken)
            self.is_complete = self._left == 0
        return taken

    def feed_eof(self) -> None:
        """Note that the connection has ended.

        Raises:
            WrongAnswer: the answer is incomplete.
        """
        if not self.is_complete and (not self.status or self._is_chunked or self._left):
            raise WrongAnswer("its answer ends too early")
        self.is_complete = True

    def _read_head(self) -> bool:
        """Read the head, if it is complete; return whether it is."""
        while not self.status:
            head, end, rest = self._buffer.partition(b"\r\n\r\n")
            if len(head) > LONGEST_HEAD:
                raise WrongAnswer(f"the head of its answer has more than {LONGEST_HEAD} bytes")
            if not end:
                return False
            self._buffer = rest
            first, *lines = bytes(head).split(b"\r\n")
            match = _STATUS_LINE.fullmatch(first)
            if match is None:
                raise WrongAnswer("its answer does not begin as HTTP/1.1 does")
            status = int(match[2])
            if status >= 200 or status == SWITCHING:  # noqa: PLR2004 # a 1xx is interim
                self.status, self.reason = status, (match[3] or b"").decode("latin-1")
                self._is_old = match[1] == b"0"
                self.headers = dict(map(_header, lines))
        self._find_framing()
        return True

    def _find_framing(self) -> None:
        """Determine where the body ends (RFC 9112, 6.3)."""
        coding = self.headers.get("transfer-encoding")
        length = self.headers.get("content-length")
        if self.status == SWITCHING:
            self.rest = bytes(self._buffer)
            self._buffer.clear()
            self._left = 0
        elif self.status in _BODILESS:
            self._left = 0
        elif coding is not None:
            if coding.lower() != "chunked":
                raise WrongAnswer(f"its answer has the transfer encoding {coding[:40]!r}")
            self._is_chunked, self._left = True, 0
        elif length is not None:
            if not _LENGTH.fullmatch(length):
                raise WrongAnswer(f"the length of its answer is {length[:40]!r}")
            self._left = int(length)
        self.is_complete = self._left == 0 and not self._is_chunked

    def _read_chunks(self) -> bytes:
        taken = bytearray()
        while self._buffer and not self.is_complete:
            if self._left:
                part = self._buffer[: self._left]
                del self._buffer[: self._left]
                self._left -= len(part)
                taken += part
                continue
            line, end, rest = self._buffer.partition(b"\n")
            if len(line) > LONGEST_LINE:
                raise WrongAnswer(f"a line of its answer has more than {LONGEST_LINE} bytes")
            if not end:
                break
            self._buffer = rest
            self._read_line(bytes(line).removesuffix(b"\r"))
        return bytes(taken)

    def _read_line(self, line: bytes) -> None:
        """Read a line between chunks: a size, the empty line after a chunk, or a trailer."""
        if self._is_trailer:
            self.is_complete = not line
        elif line:
            match = _CHUNK.fullmatch(line)
            if match is None:
                raise WrongAnswer("its answer has a chunk without a size")
            self._left = int(match[1], 16)
            self._is_trailer = self._left == 0


def _header(line: bytes) -> tuple[str, str]:
    match = _HEADER.fullmatch(line)
    if match is None:
        raise WrongAnswer("its answer has an invalid header")
    return match[1].decode("ascii").lower(), match[2].decode("latin-1")
