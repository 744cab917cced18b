"""Our own stdin, stdout and stderr, without blocking and without changing their flags.

The descriptors are shared with the shell that started us, and so is the flag ``O_NONBLOCK``: set on
a terminal, it makes the shell's next read fail. Instead, by kind of descriptor:

    pipe, terminal   open it again, which gives us flags of our own: through /proc on Linux;
                     elsewhere a terminal by its name, and a pipe not at all
    socket           MSG_DONTWAIT in each call (Node and others give their children sockets)
    regular file,    plain calls: it is always ready, and epoll rejects it
    /dev/null
    anything else    wait until it is ready, then one call of at most PIPE_BUF bytes

The methods that wait need an event loop, and load it; the others do without.

No threads: a thread that is blocked in a read cannot be stopped, and would take the keys that are
typed for the shell next.
"""

from __future__ import annotations

import errno
import os
import select
import stat
import sys
from contextlib import suppress

from rind.base.light import signal, socket
from rind.terminal.standard import is_null
from rind.terminal.tty import in_foreground, signals_handled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Final

    Buffer = bytes | memoryview

__all__ = ["Sink", "Source"]

READ_SIZE: Final = 64 * 1024
"""Bytes: the capacity of a Linux pipe (pipe(7))."""

_MOST_PARTS: Final = 1024
"""Parts in one write: Linux's IOV_MAX."""

_CONTROLLING: Final = "/dev/tty"

_GONE: Final = {errno.EPIPE, errno.ECONNRESET, errno.EIO}
"""Errors of a pipe, a socket and a terminal whose other end is closed."""


def _is_master(fd: int) -> bool:
    """Whether a terminal is the master of a PTY: opening that again makes a new PTY."""
    return os.fstat(fd).st_rdev == os.makedev(5, 2)  # pts(4)


def _opened_again(fd: int, flags: int) -> int:
    """Open a pipe or a terminal again, without blocking.

    Raises:
        OSError: it cannot be opened again.
    """
    flags |= os.O_NONBLOCK | os.O_NOCTTY
    if sys.platform != "linux":
        name = os.ttyname(fd)  # /dev/fd/N would share the flags (fd(4))
        if name == _CONTROLLING:
            return os.open(_controlling_name(), flags)
        own = os.open(name, flags)
        if os.fstat(own).st_rdev != os.fstat(fd).st_rdev:  # the master of another PTY
            os.close(own)
            raise FileNotFoundError
        return own
    return os.open(f"/proc/self/fd/{fd}", flags)


def _controlling_name() -> str:
    """Return the controlling terminal's own name: kqueue and poll(2) of macOS reject /dev/tty.

    Raises:
        OSError: no standard stream is that terminal.
    """
    for fd in (0, 1, 2):
        with suppress(OSError):
            os.tcgetpgrp(fd)  # it fails for a terminal that does not control us
            if (name := os.ttyname(fd)) != _CONTROLLING:
                return name
    raise FileNotFoundError


class _Descriptor:
    """An inherited descriptor, or a new one of ours for the same file."""

    def __init__(self, fd: int, flags: int) -> None:
        self._fd = fd
        self._socket: socket.socket | None = None
        self._blocks = True
        self._owned = False
        mode = os.fstat(fd).st_mode
        self._is_pipe = stat.S_ISFIFO(mode)
        self._always_ready = stat.S_ISREG(mode) or is_null(fd)
        if stat.S_ISSOCK(mode):
            self._socket = socket.socket(fileno=os.dup(fd))
            self._fd = self._socket.fileno()
            self._blocks = False
        elif self._is_pipe or (os.isatty(fd) and not _is_master(fd)):
            try:
                self._fd = _opened_again(fd, flags)
            except OSError:
                return  # a pipe on macOS, or another user's terminal
            self._owned = True
            self._blocks = False

    def close(self) -> None:
        """Close the descriptor of ours; the inherited one stays open. Idempotent."""
        if self._socket is not None:
            self._socket.close()
        if self._owned:
            self._owned = False
            os.close(self._fd)

    async def _wait(self, ready: Callable[[int], Awaitable[None]]) -> None:
        if self._always_ready:
            # This task never waits for its descriptor: let other tasks run.
            import asyncio

            await asyncio.sleep(0)
            return
        try:
            await ready(self._fd)
        except PermissionError:
            # It is always ready, as /dev/zero is.
            self._always_ready = True


class Source(_Descriptor):
    """Bytes from a local descriptor.

    Args:
        fd: an open descriptor.
        wait_for_foreground: do not read a terminal while we are in the background. A local command
            in the background is stopped only when it reads a key. We cannot know whether the remote
            command reads, so it runs on, and gets no keys until `fg` sends us SIGCONT.
    """

    def __init__(self, fd: int, *, wait_for_foreground: bool = False) -> None:
        super().__init__(fd, os.O_RDONLY)
        self._waits = wait_for_foreground and os.isatty(fd)

    @property
    def spliceable(self) -> int | None:
        """The descriptor, if it is a file or a pipe that does not block; else None."""
        is_pipe = self._owned and self._is_pipe
        return self._fd if is_pipe or self._always_ready else None

    async def read(self) -> bytes:
        """Return the available bytes; ``b""`` at the end. If cancelled, no bytes are lost."""
        import asyncio

        from rind.base.readiness import readable

        if not self._blocks and not self._waits:
            await asyncio.sleep(0)
            with suppress(BlockingIOError):
                return self.read_at_once()
        while True:
            await self._wait(readable)
            if self._waits and not in_foreground(self._fd):
                await _continued()
                continue
            with suppress(BlockingIOError):  # another reader of the same file was faster
                return self.read_at_once()

    async def pump(self, take: Callable[[bytes], bool]) -> None:
        """Pass bytes to ``take`` as they arrive, at less cost than :meth:`read`.

        Returns once ``take`` returns False, and at the end, which :meth:`read` confirms. Returns
        at once if a read might block.
        """
        if not self._blocks and not self._waits:
            from rind.base.readiness import pump

            await pump(self._fd, self.read_at_once, take)

    @property
    def may_block(self) -> bool:
        """Whether a read may block though poll(2) reports bytes, or would take keys from the shell.

        poll(2) of macOS rejects devices.
        """
        return self._waits or (self._blocks and not (self._always_ready or self._is_pipe))

    def read_at_once(self) -> bytes:
        """Return the available bytes; ``b""`` at the end.

        Raises:
            BlockingIOError: there are none.
        """
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
        """Write all of ``data``.

        Raises:
            BrokenPipeError: the reader has closed its end.
            OSError: writing failed, for example because the disk is full.
        """
        from rind.base.readiness import writable

        left = [memoryview(part) for part in data if part]
        while left:
            if self.write_at_once(left):
                return
            await self._wait(writable)
            if self._blocks:  # poll(2) may have rejected it
                with suppress(BlockingIOError):
                    self._drop_written(left)

    def write_at_once(self, data: list[memoryview], patience: float = 0.0) -> bool:
        """Write as much of ``data`` as is possible without blocking; return whether it was all.

        The written bytes are removed from ``data``.

        Args:
            data: the parts to write.
            patience: seconds to block each time until there is room for more.

        Raises:
            BrokenPipeError, OSError: as :meth:`write`.
        """
        may_block = self._blocks and not self._always_ready
        while data and not (may_block and not _has_room(self._fd, patience)):
            try:
                self._drop_written(data)
            except BlockingIOError:
                if not (patience and _has_room(self._fd, patience)):
                    break
        return not data

    def _drop_written(self, data: list[memoryview]) -> None:
        """Write once, and remove the written bytes from ``data``."""
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
            # A pipe that is ready accepts PIPE_BUF bytes without blocking, but not more.
            return os.write(self._fd, data[0][: select.PIPE_BUF])
        return os.writev(self._fd, data[:_MOST_PARTS])


def _has_room(fd: int, patience: float = 0.0) -> bool:
    """Whether a descriptor accepts PIPE_BUF bytes, within ``patience`` seconds."""
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    return any(events & ~select.POLLNVAL for _, events in poll.poll(patience * 1000))


def _drop(data: list[memoryview], size: int) -> None:
    """Remove the first ``size`` bytes from parts."""
    if len(data) == 1 and size == len(data[0]):  # the usual case
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
    import asyncio

    continued = asyncio.Event()
    with signals_handled(asyncio.get_running_loop(), {signal.SIGCONT: continued.set}):
        await continued.wait()
