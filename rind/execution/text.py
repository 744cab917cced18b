"""Text in place of bytes: a reader and a writer that wrap those of a command's streams.

As in :mod:`subprocess`, the reader translates newlines: CR LF, which a TTY writes, and CR become
LF. The writer encodes text and translates nothing. The reader returns the text before invalid bytes
first, and then raises.
"""

from __future__ import annotations

import codecs
from io import IncrementalNewlineDecoder

from rind.execution.stdio import DEFAULT_LIMIT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Final, Self

    from rind.execution.outputs import OutputReader
    from rind.execution.stdin import StdinWriter

__all__ = ["UTF_8", "Decoder", "TextReader", "TextWriter", "check_encoding"]

UTF_8: Final = "utf-8"
"""The default encoding of text."""


def check_encoding(encoding: str, errors: str) -> None:
    """Check the names of an encoding and of an error handler.

    Raises:
        ValueError: a name is unknown.
    """
    for kind, name, lookup in (
        ("encoding", encoding, "".encode),  # unlike codecs.lookup(), it takes no "hex" or "gzip"
        ("error handler", errors, codecs.lookup_error),
    ):
        try:
            lookup(name)
        except LookupError:
            raise ValueError(f"there is no {kind} {name!r}") from None


class Decoder:
    """Decodes bytes in parts, and translates newlines.

    Args:
        encoding: a name that :mod:`codecs` knows.
        errors: the name of an error handler that :mod:`codecs` knows.
    """

    def __init__(self, encoding: str = UTF_8, errors: str = "strict") -> None:
        decoder = codecs.getincrementaldecoder(encoding)(errors)
        self._newlines = IncrementalNewlineDecoder(decoder, translate=True)

    def feed(self, data: bytes | bytearray, *, final: bool = False) -> str:
        """Return the text of all characters that are complete.

        Args:
            data: the next bytes, cut anywhere.
            final: whether these are the last ones.

        Raises:
            UnicodeDecodeError: the bytes are invalid in this encoding.
        """
        return self._newlines.decode(data, final)

    def feed_to_error(
        self, data: bytes | bytearray, *, final: bool = False
    ) -> tuple[str, UnicodeDecodeError | None]:
        """Return what :meth:`feed` does; if it would raise, the text up to there, and the error."""
        before = self._newlines.getstate()
        try:
            return self.feed(data, final=final), None
        except UnicodeDecodeError as exc:
            # Counted from the end: the decoder may have kept bytes of earlier parts.
            valid = len(data) - (len(exc.object) - exc.start)
            if valid < 0:
                return "", exc
            self._newlines.setstate(before)
            return self.feed(data[:valid], final=True), exc


class TextReader:
    """Reads text, as an :class:`asyncio.StreamReader` reads bytes.

    It raises the reader's exceptions, and :class:`UnicodeDecodeError`. If the output ends too early
    it raises :class:`EOFError`, the base class of asyncio's IncompleteReadError. Counts and limits
    are in characters.

    Attributes:
        buffer: the reader of bytes below.
    """

    def __init__(
        self, reader: OutputReader, encoding: str, errors: str, limit: int = DEFAULT_LIMIT
    ) -> None:
        self.buffer = reader
        self._decoder = Decoder(encoding, errors)
        self._limit = limit
        self._text = ""
        self._at = 0
        self._at_eof = False
        self._failure: UnicodeDecodeError | None = None

    async def read(self, n: int = -1) -> str:
        """Return up to ``n`` characters, or all if ``n`` is negative; empty at the end."""
        while n < 0 and await self._fill():
            pass
        while n > 0 and self._at == len(self._text) and await self._fill():
            pass
        return self._take(len(self._text) if n < 0 else self._at + n)

    async def readexactly(self, n: int) -> str:
        """Return exactly ``n`` characters.

        Raises:
            EOFError: the output ended before.
        """
        while len(self._text) - self._at < n:
            if not await self._fill():
                raise EOFError(f"the output ended before {n} characters: {self._take(n)!r}")
        return self._take(self._at + n)

    async def readuntil(self, separator: str = "\n") -> str:
        """Return the text up to the separator, and the separator.

        Raises:
            EOFError: the output ended before.
            ValueError: there are more characters before the separator than the limit.
        """
        text = await self._read_until(separator)
        if not text.endswith(separator):
            raise EOFError(f"the output ended before {separator!r}: {text!r}")
        return text

    async def readline(self) -> str:
        """Return a line with its newline, which the last one may lack; empty at the end."""
        return await self._read_until("\n")

    def exception(self) -> Exception | None:
        """Return the failure, if there is one."""
        return self._failure or self.buffer.exception()

    def at_eof(self) -> bool:
        """Whether all of the output was read."""
        return self._at_eof and self._at == len(self._text)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        line = await self.readline()
        if not line:
            raise StopAsyncIteration
        return line

    async def _read_until(self, separator: str) -> str:
        start = self._at
        while (found := self._text.find(separator, start)) < 0:
            if len(self._text) - self._at > self._limit:
                raise ValueError(f"more than limit={self._limit} characters without {separator!r}")
            start = max(self._at, len(self._text) - len(separator) + 1)
            before = self._at
            if not await self._fill():
                return self._take(len(self._text))
            start -= before - self._at
        return self._take(found + len(separator))

    def _take(self, end: int) -> str:
        text = self._text[self._at : end]
        self._at += len(text)
        return text

    async def _fill(self) -> bool:
        """Read until there is more text; return False at the end."""
        while not self._at_eof:
            if self._failure is not None:
                raise self._failure
            data = await self.buffer.read(self._limit)
            text, self._failure = self._decoder.feed_to_error(data, final=not data)
            self._at_eof = not data and self._failure is None
            self._text, self._at = self._text[self._at :] + text, 0
            if text:
                return True
        return False


class TextWriter:
    """Writes text, as an :class:`asyncio.StreamWriter` writes bytes.

    It raises the writer's exceptions, and :class:`UnicodeEncodeError`. The stream is encoded as one
    text: it begins with one byte order mark, if the encoding has one.

    Attributes:
        buffer: the writer of bytes below.
    """

    def __init__(self, writer: StdinWriter, encoding: str, errors: str) -> None:
        self.buffer = writer
        self._encoder = codecs.getincrementalencoder(encoding)(errors)

    def write(self, text: str) -> None:
        """Buffer text, and send it as soon as the command accepts it."""
        self.buffer.write(self._encoder.encode(text))

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each of ``lines``. No newlines are added."""
        for line in lines:
            self.write(line)

    async def drain(self) -> None:
        """Wait until the buffer has room for more."""
        await self.buffer.drain()

    def can_write_eof(self) -> bool:
        """Return True: stdin can be ended while the output goes on."""
        return True

    def write_eof(self) -> None:
        """End the stream once the buffer has been sent. Idempotent."""
        if not self.buffer.is_closing():
            self.buffer.write(self._encoder.encode("", final=True))
        self.buffer.write_eof()

    def close(self) -> None:
        """End the stream, as :meth:`write_eof` does. Idempotent."""
        self.write_eof()

    def is_closing(self) -> bool:
        """Whether the stream was ended, or the command accepts no more."""
        return self.buffer.is_closing()

    async def wait_closed(self) -> None:
        """Wait until the buffer and the end of the stream have been sent."""
        await self.buffer.wait_closed()
