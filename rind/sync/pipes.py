"""The streams of a command as files that block: the raw files below Python's buffered ones.

As with :class:`subprocess.Popen`, a program uses an :class:`io.BufferedReader` or
:class:`io.BufferedWriter` above it, and for text an :class:`io.TextIOWrapper` above that.
"""

from __future__ import annotations

import io
from typing import Any

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import StreamReader
    from collections.abc import Callable
    from typing import IO

    from typing_extensions import Buffer

    from rind.execution.stdin import StdinWriter
    from rind.sync.portal import Portal

__all__ = ["RawReader", "RawWriter", "reader", "writer"]


class RawReader(io.RawIOBase):
    """A command's stdout or stderr.

    Args:
        portal: the loop of ``stream``.
        stream: the stream there.
    """

    def __init__(self, portal: Portal, stream: StreamReader) -> None:
        self._read: Callable[[int], bytes] = lambda size: portal.call(stream.read, size)

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        """Wait for bytes; return their number, 0 at the end."""
        with memoryview(buffer) as view:
            data = self._read(len(view))
            view[: len(data)] = data
        return len(data)

    def readall(self) -> bytes:
        """Return all bytes until the end."""
        return self._read(-1)

    def replace(self, rest: bytes) -> None:
        """Serve further reads from ``rest``, because the stream itself was read elsewhere."""
        self._read = io.BytesIO(rest).read


class RawWriter(io.RawIOBase):
    """A command's stdin.

    Args:
        portal: the loop of ``stream``.
        stream: the stream there.

    Attributes:
        waits: whether a write waits until the command accepts more.
    """

    def __init__(self, portal: Portal, stream: StdinWriter) -> None:
        self.waits = True
        self._portal = portal
        self._stream: StdinWriter | None = stream

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, data: Buffer, /) -> int:
        """Write all of ``data``; return its length.

        Raises:
            BrokenPipeError: the command accepts no more.
        """
        whole = bytes(data)
        if self._stream is not None:
            self._portal.call(self._write, self._stream, whole)
        return len(whole)

    async def _write(self, stream: StdinWriter, data: bytes) -> None:
        if self.waits:
            await stream.drain()  # first, so that an interrupted call has written nothing
        stream.write(data)

    def close(self) -> None:
        """End the stream. Idempotent."""
        stream, self._stream = self._stream, None
        try:
            if stream is not None:
                self._portal.call(self._end, stream)
        finally:
            super().close()

    async def _end(self, stream: StdinWriter) -> None:
        stream.close()

    def leave(self) -> None:
        """Discard all further writes: the command was left."""
        self._stream = None


def reader(raw: RawReader, size: int, decoding: tuple[str, str] | None) -> IO[Any]:
    """Return a buffered file for reading.

    Args:
        raw: the unbuffered file below it.
        size: of the buffer, in bytes.
        decoding: an encoding and an error handler, for text; None for bytes.
    """
    buffered = io.BufferedReader(raw, size)
    return buffered if decoding is None else io.TextIOWrapper(buffered, *decoding)


def writer(raw: RawWriter, size: int, decoding: tuple[str, str] | None) -> IO[Any]:
    """Return a buffered file for writing. Its parameters are those of :func:`reader`."""
    buffered = io.BufferedWriter(raw, size)
    if decoding is None:
        return buffered
    return io.TextIOWrapper(buffered, *decoding, write_through=True)
