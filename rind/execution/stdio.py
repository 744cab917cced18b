"""A command's stdin, stdout and stderr: asyncio's streams, or local descriptors.

The engine sends stdout and stderr over one connection, so an unread pipe blocks the other one too.
Read both, or send the unwanted one to ``DEVNULL``.
"""

import asyncio
import os
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from collections.abc import Awaitable, Callable, Iterable
from contextlib import ExitStack, suppress
from typing import Any, Final, Protocol, TypeVar

from rind.errors import Broken
from rind.terminal.descriptors import Sink, Source

__all__ = [
    "DEFAULT_LIMIT",
    "DEVNULL",
    "PIPE",
    "STDOUT",
    "Discard",
    "Duplicate",
    "File",
    "LocalFile",
    "Output",
    "OutputReader",
    "Pipe",
    "StdinWriter",
    "check_streams",
    "copy_bytes",
    "copy_in",
    "duplicated",
    "has_fileno",
    "output",
]

T = TypeVar("T")

DEFAULT_LIMIT: Final = 64 * 1024
"""Bytes: asyncio's own limit of a StreamReader."""


MOST_AT_ONCE: Final = 256 * 1024
"""Bytes to send to a command's stdin at once: more would hold up the event loop."""


class HasFileno(Protocol):
    """An object with a descriptor: a file, a socket, the end of a pipe."""

    def fileno(self) -> int:
        """Return the descriptor."""


LocalFile = int | HasFileno
"""A descriptor, or an object that has one. The caller keeps it; its flags are not changed."""


class Duplicate:
    """A duplicated descriptor: the caller may close theirs, and the number may be reused."""

    def __init__(self, file: LocalFile) -> None:
        self._fd = os.dup(file if isinstance(file, int) else file.fileno())

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._fd

    def close(self) -> None:
        """Close it. Idempotent."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def has_fileno(file: object) -> bool:
    """Return whether ``file`` is a :data:`LocalFile`; PIPE and the like are negative numbers."""
    return file >= 0 if isinstance(file, int) else hasattr(file, "fileno")


def check_streams(stdin: object, stdout: object, stderr: object) -> None:
    """Check that a command can have these streams.

    Raises:
        ValueError: it cannot; the message names the stream and what it may be.
    """
    asked = {
        "stdin": (stdin, "PIPE, DEVNULL, bytes", {PIPE, DEVNULL}),
        "stdout": (stdout, "PIPE, DEVNULL", {PIPE, DEVNULL}),
        "stderr": (stderr, "PIPE, DEVNULL, STDOUT", {PIPE, DEVNULL, STDOUT}),
    }
    for name, (where, words, numbers) in asked.items():
        number = isinstance(where, int) and where in numbers
        if not (number or has_fileno(where) or (name == "stdin" and isinstance(where, bytes))):
            raise ValueError(f"{name} must be {words}, a file or a descriptor, but is {where!r}")


def duplicated(
    stack: ExitStack,
    stdin: int | bytes | LocalFile,
    stdout: int | LocalFile,
    stderr: int | LocalFile,
) -> tuple[int | bytes | LocalFile, int | LocalFile, int | LocalFile]:
    """Return the streams with each file duplicated; the stack closes the duplicates.

    Raises:
        OSError: a descriptor is closed.
    """

    def own(stream: T) -> T | Duplicate:
        if isinstance(stream, bytes) or not has_fileno(stream):
            return stream
        file = Duplicate(stream)  # type: ignore[arg-type] # has_fileno has told it
        stack.callback(file.close)
        return file

    return own(stdin), own(stdout), own(stderr)


class StdinWriter(asyncio.StreamWriter):
    """A writer to a command's stdin. All of :class:`asyncio.StreamWriter`'s methods are its own.

    Args:
        send: sends bytes, and returns once they are sent; raises Broken if it cannot.
        send_eof: ends the stream.
        limit: the bytes that may be buffered before :meth:`drain` waits.
    """

    def __init__(
        self,
        send: Callable[[bytes], Awaitable[None]],
        send_eof: Callable[[], Awaitable[None]],
        limit: int = DEFAULT_LIMIT,
    ) -> None:
        self._send = send
        self._send_eof = send_eof
        self._limit = limit
        self._buffer = bytearray()
        self._ending = False
        self._ended = False
        self._broken: Broken | None = None
        self._changed = asyncio.Condition()
        self._wake = asyncio.Event()

    def __repr__(self) -> str:
        state = "ended" if self._ending else "broken" if self._broken else "open"
        return f"<StdinWriter {state} buffered={len(self._buffer)}>"

    def __del__(self) -> None:
        """Do nothing: the command's owner closes it."""

    @property
    def transport(self) -> asyncio.WriteTransport:
        """There is none of its own: the connection carries the output too.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError("a command's stdin has no transport of its own")

    def get_extra_info(self, name: str, default: Any = None) -> Any:  # noqa: ARG002 # see transport
        """Return the default: nothing is known of a stream in a container."""
        return default

    async def start_tls(self, *_args: Any, **_kwargs: Any) -> None:
        """Refuse: a program's stdin is no socket.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError("a command's stdin has no TLS")

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Buffer ``data``, and send it as soon as the command takes it.

        Raises:
            RuntimeError: the stream was ended.
        """
        if self._ending:
            raise RuntimeError("the command's stdin was ended already")
        if self._broken is None:
            self._buffer += data
            self._wake.set()

    def writelines(self, data: Iterable[bytes | bytearray | memoryview]) -> None:
        """Write each of ``data``."""
        for part in data:
            self.write(part)

    async def drain(self) -> None:
        """Wait until there is room for more.

        Raises:
            BrokenPipeError: the command takes no more: it has ended, or closed its stdin.
        """
        await self._until(lambda: len(self._buffer) <= self._limit)

    def can_write_eof(self) -> bool:
        """Return whether the stream can be ended by itself. It can."""
        return True

    def write_eof(self) -> None:
        """End the stream once what is buffered has been sent. Idempotent.

        With a TTY, it is Ctrl-D that is sent, which ends a program's input at a line's start.
        """
        self._ending = True
        self._wake.set()

    def close(self) -> None:
        """End the stream. For a command, a closed stdin is one that ends."""
        self.write_eof()

    def is_closing(self) -> bool:
        """Return whether the stream was ended, or the command takes no more."""
        return self._ending or self._broken is not None

    async def wait_closed(self) -> None:
        """Wait until all has been sent, and the end too.

        Raises:
            BrokenPipeError: the command takes no more.
        """
        await self._until(lambda: self._ended)

    async def break_off(self, why: str) -> None:
        """Refuse further data: the other end is closed. For the owner to call."""
        await self._break(Broken(why))

    async def pump(self) -> None:
        """Send written data until the end of the stream. The owner runs it as a task."""
        try:
            while self._buffer or not self._ending:
                await self._wake.wait()
                self._wake.clear()
                while self._buffer:
                    with memoryview(self._buffer) as view:
                        data = bytes(view[:MOST_AT_ONCE])
                    await self._send(data)
                    async with self._changed:
                        del self._buffer[: len(data)]
                        self._changed.notify_all()
            await self._send_eof()
            self._ended = True
        except Broken as exc:
            await self._break(exc)
        async with self._changed:
            self._changed.notify_all()

    async def _break(self, why: Broken) -> None:
        async with self._changed:
            if not self._ended:
                self._broken = why
                self._buffer.clear()
            self._changed.notify_all()

    async def _until(self, true: Callable[[], bool]) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self._broken is not None or true())
        if self._broken is not None:
            raise BrokenPipeError(str(self._broken)) from self._broken


class Output(Protocol):
    """Where a command's stdout or stderr goes."""

    def take(self, data: memoryview) -> bool:
        """Take a part; return whether there is room for more, else wait for it."""

    async def until_room(self) -> None:
        """Return once there is room for more."""

    def close(self, failure: Exception | None) -> None:
        """Take the end of the stream, or the failure in its place."""


class Discard:
    """Discards everything: DEVNULL."""

    def take(self, data: memoryview) -> bool:  # noqa: ARG002 # it is what it is for
        """Return that there is room."""
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
        """Write what is taken at once; return whether that is all."""
        self._left.append(data)
        return self._sink.write_at_once(self._left)

    async def until_room(self) -> None:
        """Return once all is written."""
        left, self._left = self._left, []
        await self._sink.write(*left)

    def close(self, failure: Exception | None) -> None:  # noqa: ARG002 # a file takes no failure
        """Close it: the reader of a pipe must see the end."""
        self._sink.close()
        self._file.close()


_readuntil: Final = asyncio.StreamReader.readuntil


class OutputReader(asyncio.StreamReader):
    """Raises a failure where the end would be, after all that was received before."""

    failure: Exception | None = None

    def exception(self) -> Exception | None:
        """Return the failure, if there is one."""
        return self.failure

    async def read(self, n: int = -1) -> bytes:
        """Read as :class:`asyncio.StreamReader` does."""
        return self._checked(await super().read(n), enough=n == 0)

    async def readline(self) -> bytes:
        """Read as :class:`asyncio.StreamReader` does, but for one coroutine less for each line."""
        try:
            return await _readuntil(self, b"\n")
        except asyncio.IncompleteReadError as exc:
            return self._checked(exc.partial)
        except asyncio.LimitOverrunError:
            return await super().readline()  # it is this error there too, and told as ever

    async def __anext__(self) -> bytes:
        # As above: two coroutines less.
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
    """Fills a StreamReader, and waits while that is full: asyncio's own backpressure.

    Attributes:
        reader: what the caller reads.
        full: is set while the reader must read before there can be more.
    """

    def __init__(self, limit: int = DEFAULT_LIMIT) -> None:
        super().__init__()
        self.full = asyncio.Event()
        self.reader = OutputReader(limit=limit)
        self.reader.set_transport(self)
        self._room = asyncio.Event()
        self._room.set()

    def pause_reading(self) -> None:
        """Stop receiving. For the reader to call."""
        self._room.clear()
        self.full.set()

    def resume_reading(self) -> None:
        """Receive again. For the reader to call."""
        self.full.clear()
        self._room.set()

    def take(self, data: memoryview) -> bool:
        """Feed the reader; return whether it wants more."""
        self.reader.feed_data(data)
        return self._room.is_set()

    async def until_room(self) -> None:
        """Return once the reader wants more."""
        await self._room.wait()

    def close(self, failure: Exception | None = None) -> None:
        """End the reader's stream, with a failure if it broke."""
        self.reader.failure = failure
        self.reader.feed_eof()


def output(where: int | LocalFile, limit: int) -> "Pipe | Discard | File":
    """Return the destination of a command's output, for PIPE, DEVNULL or a local file."""
    if where == PIPE:
        return Pipe(limit)
    if where == DEVNULL:
        return Discard()
    return File(where if isinstance(where, Duplicate) else Duplicate(where))


async def copy_in(
    file: Duplicate, send: Callable[[bytes], Awaitable[None]], end: Callable[[], Awaitable[None]]
) -> None:
    """Feed a command's stdin from a local file until that ends, or the command takes no more."""
    source = Source(file.fileno())
    try:
        with suppress(Broken):
            while data := await source.read():
                await send(data)
            await end()
    finally:
        source.close()


async def copy_bytes(
    data: bytes, send: Callable[[memoryview], Awaitable[None]], end: Callable[[], Awaitable[None]]
) -> None:
    """Feed a command's stdin with ``data``, or as much of it as the command takes."""
    with suppress(Broken):
        for start in range(0, len(data), MOST_AT_ONCE):
            await send(memoryview(data)[start : start + MOST_AT_ONCE])
        await end()
