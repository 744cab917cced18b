"""Our own stdin, stdout and stderr, without blocking and without touching their flags.

The descriptors are shared with the shell that started us, and ``O_NONBLOCK`` belongs to what is
shared: set on a terminal, it makes the shell's next read fail. What each kind gets instead:

    pipe, terminal   opened again through /proc, which gives flags of our own
    socket           MSG_DONTWAIT, call by call (Node and others give their children sockets)
    regular file     plain calls: epoll refuses it, for it is always ready
    anything else    ready first, then one call of at most PIPE_BUF bytes

No thread: one that is blocked in a read could not be ended, and would eat the shell's next keys.
"""

import asyncio
import errno
import os
import select
import signal
import socket
import stat
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from rind.base.readiness import hand_on, readable, writable
from rind.terminal.tty import in_foreground, signals_handled

__all__ = ["Sink", "Source"]

Buffer = bytes | memoryview

READ_SIZE: Final = 64 * 1024
"""Bytes: the capacity of a Linux pipe (pipe(7))."""

_MOST_PARTS: Final = 1024
"""Parts of one write: Linux's IOV_MAX."""

_GONE: Final = {errno.EPIPE, errno.ECONNRESET, errno.EIO}
"""The errors of a pipe, a socket and a terminal whose other end is closed."""


def _is_master(fd: int) -> bool:
    """Whether a terminal is the master of a PTY: opened again, it would be another PTY's."""
    return os.fstat(fd).st_rdev == os.makedev(5, 2)  # pts(4)


class _Descriptor:
    """An inherited descriptor, or our own opening of the same thing."""

    def __init__(self, fd: int, flags: int) -> None:
        self._fd = fd
        self._socket: socket.socket | None = None
        self._blocks = True
        self._owned = False
        mode = os.fstat(fd).st_mode
        self._always_ready = stat.S_ISREG(mode)
        if stat.S_ISSOCK(mode):
            self._socket = socket.socket(fileno=os.dup(fd))
            self._fd = self._socket.fileno()
            self._blocks = False
        elif stat.S_ISFIFO(mode) or (os.isatty(fd) and not _is_master(fd)):
            try:
                self._fd = os.open(f"/proc/self/fd/{fd}", flags | os.O_NONBLOCK | os.O_NOCTTY)
            except OSError:
                return  # no /proc, or another user's terminal
            self._owned = True
            self._blocks = False

    def close(self) -> None:
        """Close what this opened; the inherited descriptor stays open. Idempotent."""
        if self._socket is not None:
            self._socket.close()
        if self._owned:
            self._owned = False
            os.close(self._fd)

    async def _wait(self, ready: Callable[[int], Awaitable[None]]) -> None:
        if self._always_ready:
            # Nothing will ever make this task wait: let the others have their turn.
            await asyncio.sleep(0)
            return
        try:
            await ready(self._fd)
        except PermissionError:
            # It never makes one wait, as /dev/zero.
            self._always_ready = True


class Source(_Descriptor):
    """Bytes from a local descriptor.

    Args:
        fd: an open one.
        wait_for_foreground: leave a terminal's keys alone while they are the shell's. A local
            command in the background is stopped when it reads one, but only then; we cannot know
            whether the remote one reads, so it runs on until `fg` sends us SIGCONT.
    """

    def __init__(self, fd: int, *, wait_for_foreground: bool = False) -> None:
        super().__init__(fd, os.O_RDONLY)
        self._waits = wait_for_foreground and os.isatty(fd)

    @property
    def spliceable(self) -> int | None:
        """A file, or a pipe that does not block, by its descriptor; None for anything else."""
        is_pipe = self._owned and stat.S_ISFIFO(os.fstat(self._fd).st_mode)
        return self._fd if is_pipe or self._always_ready else None

    async def read(self) -> bytes:
        """Return what there is; ``b""`` at the end. Takes nothing when it is cancelled."""
        if not self._blocks and not self._waits:
            await asyncio.sleep(0)
            with suppress(BlockingIOError):
                return self._read()
        while True:
            await self._wait(readable)
            if self._waits and not in_foreground(self._fd):
                await _continued()
                continue
            with suppress(BlockingIOError):  # another reader of the same thing was faster
                return self._read()

    async def hand_on(self, take: Callable[[bytes], bool]) -> None:
        """Hand on what there is, as it comes, at less cost than :meth:`read`.

        Returns once ``take`` returns False, at the end, which :meth:`read` confirms, and at once
        where a read may block.
        """
        if not self._blocks and not self._waits:
            await hand_on(self._fd, self._read, take)

    def _read(self) -> bytes:
        try:
            if self._socket is not None:
                return self._socket.recv(READ_SIZE, socket.MSG_DONTWAIT)
            return os.read(self._fd, READ_SIZE)
        except BlockingIOError:
            raise
        except OSError as exc:
            if exc.errno in _GONE:
                return b""
            raise


class Sink(_Descriptor):
    """Bytes to a local descriptor."""

    def __init__(self, fd: int) -> None:
        super().__init__(fd, os.O_WRONLY)

    async def write(self, *data: Buffer) -> None:
        """Return once all of ``data`` has been taken.

        Raises:
            BrokenPipeError: the reader has gone away.
            OSError: it cannot be written, for want of space for example.
        """
        left = [memoryview(part) for part in data if part]
        while left:
            if self._blocks:
                await self._wait(writable)
                with suppress(BlockingIOError):
                    self._drop_written(left)
            elif not self.write_at_once(left):
                await self._wait(writable)

    def write_at_once(self, data: list[memoryview]) -> bool:
        """Write as much of ``data`` as is taken at once, and remove it there; whether it was all.

        Nothing of it where a write might block.

        Raises:
            BrokenPipeError, OSError: as :meth:`write`.
        """
        if self._blocks and not self._always_ready:
            return not data
        with suppress(BlockingIOError):
            while data:
                self._drop_written(data)
        return not data

    def _drop_written(self, data: list[memoryview]) -> None:
        try:
            _drop(data, self._write(data))
        except BlockingIOError:
            raise
        except OSError as exc:
            if exc.errno in _GONE:
                raise BrokenPipeError(exc.errno, exc.strerror) from exc
            raise

    def _write(self, data: list[memoryview]) -> int:
        if self._socket is not None:
            return self._socket.sendmsg(data[:_MOST_PARTS], (), socket.MSG_DONTWAIT)
        if self._blocks and not self._always_ready:
            # A pipe that is ready takes PIPE_BUF bytes without blocking, no more.
            return os.write(self._fd, data[0][: select.PIPE_BUF])
        return os.writev(self._fd, data[:_MOST_PARTS])


def _drop(data: list[memoryview], size: int) -> None:
    """Drop the first bytes of parts."""
    if len(data) == 1 and size == len(data[0]):  # as a rule
        data.clear()
        return
    done = 0
    while done < len(data) and size >= len(data[done]):
        size -= len(data[done])
        done += 1
    del data[:done]
    if size:
        data[0] = data[0][size:]


async def _continued() -> None:
    """Wait for SIGCONT."""
    continued = asyncio.Event()
    with signals_handled(asyncio.get_running_loop(), {signal.SIGCONT: continued.set}):
        await continued.wait()
