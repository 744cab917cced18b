"""A command's stdin: a writer, and functions that feed it from a local file or from bytes."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import suppress
from typing import Any, Final

from rind.errors import Broken
from rind.execution.stdio import DEFAULT_LIMIT, Duplicate
from rind.terminal.descriptors import Source

__all__ = ["StdinWriter", "copy_bytes", "copy_in"]

MOST_AT_ONCE: Final = 256 * 1024
"""Bytes to send to a command's stdin at once: more would delay the event loop's other tasks."""


class StdinWriter(asyncio.StreamWriter):
    """A writer to a command's stdin. It overrides all methods of :class:`asyncio.StreamWriter`.

    Args:
        send: sends bytes, and returns once they are sent; raises Broken if that fails.
        send_eof: ends the stream.
        limit: the number of bytes that may be buffered before :meth:`drain` waits.
        is_left: whether the command was left, so that nothing can be sent any more.
        send_at_once: sends as many bytes as it can without waiting; returns the rest.
        spawn: starts a task, which ends once nothing is buffered.
    """

    def __init__(  # noqa: PLR0913 # what a command offers
        self,
        send: Callable[[bytes], Awaitable[None]],
        send_eof: Callable[[], Awaitable[None]],
        limit: int = DEFAULT_LIMIT,
        is_left: Callable[[], bool] = lambda: False,
        *,
        send_at_once: Callable[[bytes], bytes] = bytes,
        spawn: Callable[[Coroutine[Any, Any, None]], object] = asyncio.create_task,
    ) -> None:
        self._send = send
        self._send_at_once = send_at_once
        self._spawn = spawn
        self._send_eof = send_eof
        self._limit = limit
        self._buffer = bytearray()
        self._ending = False
        self._ended = False
        self._broken: Broken | None = None
        self._is_left = is_left
        self._is_pumping = False
        self._waiters: list[asyncio.Future[None]] = []

    def __repr__(self) -> str:
        state = "ended" if self._ending else "broken" if self._broken else "open"
        return f"<StdinWriter {state} buffered={len(self._buffer)}>"

    def __del__(self) -> None:
        """Do nothing: the command's owner closes it."""

    @property
    def transport(self) -> asyncio.WriteTransport:
        """Not available: stdin shares its connection with the output.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError("a command's stdin has no transport")

    def get_extra_info(self, name: str, default: Any = None) -> Any:  # noqa: ARG002 # see transport
        """Return the default: a stream in a container has no extra information."""
        return default

    async def start_tls(self, *_args: Any, **_kwargs: Any) -> None:
        """Not available: a command's stdin is not a socket.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError("a command's stdin has no TLS")

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Buffer ``data``, and send it as soon as the command accepts it.

        Raises:
            RuntimeError: :meth:`write_eof` or :meth:`close` was called before, or the command's
                context or its client's was left.
        """
        if self._is_left():
            raise RuntimeError("cannot write to the command's stdin: the command was left")
        if self._ending:
            raise RuntimeError(
                "cannot write to the command's stdin: it was ended by write_eof() or close()"
            )
        if self._broken is not None:
            return
        self._buffer += data if self._buffer else self._send_at_once(bytes(memoryview(data)))
        if self._buffer:
            self._start_pump()

    def writelines(self, data: Iterable[bytes | bytearray | memoryview]) -> None:
        """Write each of ``data``."""
        for part in data:
            self.write(part)

    async def drain(self) -> None:
        """Wait until the buffer has room for more.

        Raises:
            BrokenPipeError: the command accepts no more: it has ended, or closed its stdin.
        """
        await self._until(lambda: len(self._buffer) <= self._limit)

    def can_write_eof(self) -> bool:
        """Return True: stdin can be ended while the output goes on."""
        return True

    def write_eof(self) -> None:
        """End the stream once the buffer has been sent. Idempotent.

        With a TTY this sends Ctrl-D, which ends a program's input at the start of a line.
        """
        self._ending = True
        self._start_pump()

    def close(self) -> None:
        """End the stream, as :meth:`write_eof` does. Idempotent."""
        self.write_eof()

    def is_closing(self) -> bool:
        """Whether the stream was ended, or the command accepts no more."""
        return self._ending or self._broken is not None or self._is_left()

    async def wait_closed(self) -> None:
        """Wait until the buffer and the end of the stream have been sent.

        Raises:
            BrokenPipeError: the command accepts no more.
        """
        await self._until(lambda: self._ended)

    async def break_off(self, why: str) -> None:
        """Refuse further data: the command's end is closed.

        Internal: the owner calls it.
        """
        self._break(Broken(why))

    def _start_pump(self) -> None:
        if not (self._is_pumping or self._ended or self._broken):
            self._is_pumping = True
            self._spawn(self._pump())

    async def _pump(self) -> None:
        """Send the buffer, and the end of the stream after it."""
        try:
            while self._buffer:
                with memoryview(self._buffer) as view:
                    data = bytes(view[:MOST_AT_ONCE])
                await self._send(data)
                del self._buffer[: len(data)]
                self._wake_waiters()
            if self._ending:
                await self._send_eof()
                self._ended = True
                self._wake_waiters()
        except Broken as exc:
            self._break(exc)
        self._is_pumping = False

    def _break(self, why: Broken) -> None:
        if not self._ended:
            self._broken = why
            self._buffer.clear()
        self._wake_waiters()

    def _wake_waiters(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():  # its task may have been cancelled
                waiter.set_result(None)

    async def _until(self, condition: Callable[[], bool]) -> None:
        while self._broken is None and not condition():
            self._waiters.append(waiter := asyncio.get_running_loop().create_future())
            await waiter
        if self._broken is not None:
            raise BrokenPipeError(str(self._broken)) from self._broken


async def copy_in(
    file: Duplicate, send: Callable[[bytes], Awaitable[None]], end: Callable[[], Awaitable[None]]
) -> None:
    """Feed a command's stdin from a local file, to its end or until the command accepts no more."""
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
    """Feed a command's stdin with ``data``, or with as much of it as the command accepts."""
    with suppress(Broken):
        for start in range(0, len(data), MOST_AT_ONCE):
            await send(memoryview(data)[start : start + MOST_AT_ONCE])
        await end()
