"""Destinations of a command's stdout and stderr: asyncio's readers, local files, or nothing.

The engine sends stdout and stderr over one connection, so an unread pipe blocks the other one too.
Read both, or send the unwanted one to ``DEVNULL``.
"""

import asyncio
from typing import Any, Final, Protocol

from rind.execution.stdio import DEFAULT_LIMIT, DEVNULL, PIPE, Duplicate, LocalFile
from rind.terminal.descriptors import Sink

__all__ = ["Discard", "File", "Output", "OutputReader", "Pipe", "output"]


class Output(Protocol):
    """The destination of a command's stdout or stderr."""

    def take(self, data: memoryview) -> bool:
        """Take a part. If this returns False, call :meth:`until_room` before the next one."""

    async def until_room(self) -> None:
        """Return once there is room for more."""

    def close(self, failure: Exception | None) -> None:
        """End the stream, with a failure if it broke."""


class Discard:
    """Discards everything: DEVNULL."""

    def take(self, data: memoryview) -> bool:  # noqa: ARG002 # its purpose
        """Return True: there is always room."""
        return True

    async def until_room(self) -> None:
        """Do nothing."""

    def close(self, failure: Exception | None) -> None:
        """Do nothing."""


class File:
    """A local file."""

    def __init__(self, file: Duplicate) -> None:
        self._file = file
        self._sink = Sink(file.fileno())
        self._left: list[memoryview] = []

    def take(self, data: memoryview) -> bool:
        """Write as much as is possible without blocking; return whether it was everything."""
        self._left.append(data)
        return self._sink.write_at_once(self._left)

    async def until_room(self) -> None:
        """Return once everything is written."""
        left, self._left = self._left, []
        await self._sink.write(*left)

    def close(self, failure: Exception | None) -> None:  # noqa: ARG002 # a file has no place for it
        """Close the file: if it is a pipe, its reader must see the end."""
        self._sink.close()
        self._file.close()


_readuntil: Final = asyncio.StreamReader.readuntil


class OutputReader(asyncio.StreamReader):
    """A StreamReader that can end with a failure: once all data is read, reading raises it."""

    failure: Exception | None = None

    def exception(self) -> Exception | None:
        """Return the failure, if there is one."""
        return self.failure

    async def read(self, n: int = -1) -> bytes:
        """Read as :class:`asyncio.StreamReader` does."""
        return self._checked(await super().read(n), enough=n == 0)

    async def readline(self) -> bytes:
        """Read as :class:`asyncio.StreamReader` does, with one coroutine less per line."""
        try:
            return await _readuntil(self, b"\n")
        except asyncio.IncompleteReadError as exc:
            return self._checked(exc.partial)
        except asyncio.LimitOverrunError:
            return await super().readline()  # raises asyncio's ValueError for too long a line

    async def __anext__(self) -> bytes:
        # As in readline(), but two coroutines less.
        try:
            return await _readuntil(self, b"\n")
        except asyncio.IncompleteReadError as exc:
            line = self._checked(exc.partial)
        except asyncio.LimitOverrunError:
            line = await super().readline()
        if not line:
            raise StopAsyncIteration
        return line

    async def readuntil(self, separator: Any = b"\n") -> bytes:
        """Read as :class:`asyncio.StreamReader` does."""
        try:
            return await super().readuntil(separator)
        except asyncio.IncompleteReadError as exc:
            self._checked(exc.partial)
            raise

    async def readexactly(self, n: int) -> bytes:
        """Read as :class:`asyncio.StreamReader` does."""
        try:
            return await super().readexactly(n)
        except asyncio.IncompleteReadError as exc:
            self._checked(exc.partial)
            raise

    def _checked(self, data: bytes, *, enough: bool = False) -> bytes:
        if self.failure is not None and not (data or enough):
            raise self.failure
        return data


class Pipe(asyncio.ReadTransport):
    """Feeds a StreamReader, whose own limit gives the backpressure.

    Attributes:
        reader: the caller's end.
        full: set while the reader is full: the caller must read before more is received.
    """

    def __init__(self, limit: int = DEFAULT_LIMIT) -> None:
        super().__init__()
        self.full = asyncio.Event()
        self.reader = OutputReader(limit=limit)
        self.reader.set_transport(self)
        self._room = asyncio.Event()
        self._room.set()

    def pause_reading(self) -> None:
        """Stop receiving. Called by the reader."""
        self._room.clear()
        self.full.set()

    def resume_reading(self) -> None:
        """Receive again. Called by the reader."""
        self.full.clear()
        self._room.set()

    def take(self, data: memoryview) -> bool:
        """Feed the reader; return whether it has room for more."""
        self.reader.feed_data(data)
        return self._room.is_set()

    async def until_room(self) -> None:
        """Return once the reader has room for more."""
        await self._room.wait()

    def close(self, failure: Exception | None = None) -> None:
        """End the reader's stream, with a failure if it broke."""
        self.reader.failure = failure
        self.reader.feed_eof()


def output(where: int | LocalFile, limit: int) -> "Pipe | Discard | File":
    """Return the destination for PIPE, DEVNULL or a local file.

    Args:
        where: one of these.
        limit: the limit of a pipe's reader, in bytes.
    """
    if where == PIPE:
        return Pipe(limit)
    if where == DEVNULL:
        return Discard()
    return File(where if isinstance(where, Duplicate) else Duplicate(where))
