"""Text in place of bytes: readers and a writer over those of :mod:`rind.execution.stdio`.

As in :mod:`subprocess`, newlines are translated in what is read: CR LF, which a TTY writes, and CR
become LF. What is written is encoded, and nothing else.
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
"""The encoding of text for which none is given."""


def check_encoding(encoding: str, errors: str) -> None:
    """Check the names of an encoding and of what is done about errors.

    Raises:
        ValueError: there is none of that name.
    """
    for kind, name, lookup in (
        ("encoding", encoding, codecs.lookup),
        ("error handler", errors, codecs.lookup_error),
    ):
        try:
            lookup(name)
        except LookupError:
            raise ValueError(f"there is no {kind} {name!r}") from None


class Decoder:
    """Decodes bytes in parts, and translates newlines.

    Args:
        encoding: as :mod:`codecs` has it.
        errors: the same.
    """

    def __init__(self, encoding: str = UTF_8, errors: str = "strict") -> None:
        decoder = codecs.getincrementaldecoder(encoding)(errors)
        self._newlines = IncrementalNewlineDecoder(decoder, translate=True)

    def feed(self, data: bytes | bytearray, *, final: bool = False) -> str:
        """Return the text that is complete.

        Raises:
            UnicodeDecodeError: the bytes are none in this encoding.
        """
        return self._newlines.decode(data, final)


class TextReader:
    """Reads text, as an :class:`asyncio.StreamReader` reads bytes.

    It raises what that raises, and :class:`UnicodeDecodeError`; for an end that comes too early,
    :class:`EOFError`, of which asyncio's error is one. Counts and limits are in characters.
    """

    def __init__(
        self, reader: OutputReader, encoding: str, errors: str, limit: int = DEFAULT_LIMIT
    ) -> None:
        self._reader = reader
        self._decoder = Decoder(encoding, errors)
        self._limit = limit
        self._text = ""
        self._at = 0
        self._at_eof = False

    async def read(self, n: int = -1) -> str:
        """Read up to ``n`` characters, or all until the end; empty at the end."""
        while n < 0 and await self._fill():
            pass
        while n > 0 and self._at == len(self._text) and await self._fill():
            pass
        return self._take(len(self._text) if n < 0 else self._at + n)

    async def readexactly(self, n: int) -> str:
        """Read ``n`` characters.

        Raises:
            EOFError: the end came before.
        """
        while len(self._text) - self._at < n:
            if not await self._fill():
                raise EOFError(f"the output ended before {n} characters: {self._take(n)!r}")
        return self._take(self._at + n)

    async def readuntil(self, separator: str = "\n") -> str:
        """Read up to the separator, with it.

        Raises:
            EOFError: the end came before.
        """
        text = await self._read_until(separator)
        if not text.endswith(separator):
            raise EOFError(f"the output ended before {separator!r}: {text!r}")
        return text

    async def readline(self) -> str:
        """Read a line, with its newline; the last may have none; empty at the end."""
        return await self._read_until("\n")

    def exception(self) -> Exception | None:
        """Return the failure, if there is one."""
        return self._reader.exception()

    def at_eof(self) -> bool:
        """Return whether all was read."""
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
        """Have more text, and return whether there is any."""
        while not self._at_eof:
            data = await self._reader.read(self._limit)
            text = self._decoder.feed(data, final=not data)
            self._at_eof = not data
            self._text, self._at = self._text[self._at :] + text, 0
            if text:
                return True
        return False


class TextWriter:
    """Writes text, as an :class:`asyncio.StreamWriter` writes bytes.

    It raises what that raises, and :class:`UnicodeEncodeError`.
    """

    def __init__(self, writer: StdinWriter, encoding: str, errors: str) -> None:
        self._writer = writer
        self._encoding = encoding
        self._errors = errors

    def write(self, text: str) -> None:
        """Buffer text, and send it as soon as the command takes it."""
        self._writer.write(text.encode(self._encoding, self._errors))

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each of ``lines``, which end as they do."""
        for line in lines:
            self.write(line)

    async def drain(self) -> None:
        """Wait until there is room for more."""
        await self._writer.drain()

    def can_write_eof(self) -> bool:
        """Return whether the stream can be ended by itself. It can."""
        return True

    def write_eof(self) -> None:
        """End the stream once what is buffered has been sent. Idempotent."""
        self._writer.write_eof()

    def close(self) -> None:
        """End the stream."""
        self._writer.close()

    def is_closing(self) -> bool:
        """Return whether the stream was ended, or the command takes no more."""
        return self._writer.is_closing()

    async def wait_closed(self) -> None:
        """Wait until all has been sent, and the end too."""
        await self._writer.wait_closed()
