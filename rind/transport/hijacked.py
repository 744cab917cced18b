"""The hijacked stream: an exec's connection after ``101 UPGRADED``, raw bytes both ways.

Goal: lose no output, whatever happens to stdin. A command may exit before it has read its stdin;
its last output must still arrive. Memory is bounded, and stdin can be half-closed.

Neither usual tool does that. aiodocker's ``Stream`` cannot half-close, and it parses frames without
a bound. An asyncio transport closes both directions when a write fails.

Plan:
- Use the non-blocking socket itself, without a transport.
- Receive only on request, so that the kernel's buffers are the backpressure in both directions.
- Let the two directions fail apart: after a failed write, reading goes on to the end.
- Move bulk data within the event loop's callbacks (:meth:`HijackedStream.pump`), and stdin from
  a file or a pipe within the kernel (:meth:`HijackedStream.write_from`).

Doubts:
- The engine resets the connection both when a command exits with stdin unread, which is normal, and
  when the engine itself is killed. The two look alike here. So a reset counts as the end of the
  stream, and :attr:`HijackedStream.was_reset` tells the caller to ask the engine which it was.
- A cancelled write may have sent a part of its data: asyncio does not say how much.
"""

import asyncio
import errno
import os
import select
import socket
import stat
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final
from weakref import WeakSet

from rind.base.readiness import pump, readable
from rind.errors import Broken
from rind.transport.carrier import Connection
from rind.transport.wire import tune

__all__ = ["ABANDONED", "READ_SIZE", "HijackedStream"]

ABANDONED: Final = "the command was left before its output ended"

READ_SIZE: Final = 256 * 1024
"""Most bytes received at once, as in asyncio's own transports."""


_GONE: Final = {errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN}
"""The errors of writing to a socket whose other end is closed."""

READS_IN_TURN: Final = 8
"""Reads between two turns of other tasks, as a read that finds data never suspends: 2 MiB."""


class HijackedStream:
    """Raw bytes to and from one exec instance.

    One task may read while another writes.

    Attributes:
        was_reset: whether the engine reset the connection. It does so when a command exits with
            some of its stdin unread, and when the engine itself is killed.
        has_written: whether a write was attempted.
        last_written: the last byte that was written before; empty for none.
    """

    def __init__(self, connection: Connection) -> None:
        self._sock = sock = connection.sock
        sock.setblocking(False)
        if sock.family != socket.AF_UNIX:
            tune(sock)
        self._early = connection.early
        self._tunnel = connection.tunnel
        self._failure: OSError | None = None
        self._eof_sent = connection.eof_sent
        self._reads = 0
        self._users = 0
        self._closed = False
        self.was_reset = connection.was_reset
        self.last_written = connection.last_written
        self.has_written = bool(connection.last_written)
        _streams.add(self)

    async def read(self) -> bytes:
        """Receive at most ``READ_SIZE`` bytes, waiting for some; ``b""`` at end of stream.

        Raises:
            Broken: the connection failed.
        """
        if self._early:
            early, self._early = self._early, b""
            return early
        # A read that finds data never suspends: let the other pumps run now and then.
        self._reads += 1
        if self._reads % READS_IN_TURN == 0:
            await asyncio.sleep(0)
        with self._in_use():
            while True:
                # Not loop.sock_recv: cancelled after the bytes were received, it would lose them.
                with suppress(BlockingIOError):
                    return self._receive()
                await readable(self._sock.fileno())

    async def pump(self, take: Callable[[bytes], bool]) -> None:
        """Pass bytes to ``take`` as they arrive, at less cost than :meth:`read`.

        Returns when ``take`` returns False, and at the end of the stream. Call :meth:`read` then:
        at the end, it returns ``b""``. Also returns at once, without a call of ``take``, before
        :meth:`read` has returned the bytes that came with the upgrade.

        Args:
            take: receives the bytes; returns whether to go on. Its exceptions propagate.

        Raises:
            Broken: as :meth:`read`.
        """
        if not self._early:
            with self._in_use():
                await pump(self._sock.fileno(), self._receive, take)

    def _receive(self) -> bytes:
        try:
            data = self._sock.recv(READ_SIZE)
            # Our own shutdown, and a tunnel that broke, look like the end of the stream.
            failure = self._failure or (self._tunnel.failure if self._tunnel is not None else None)
            if not data and failure is not None:
                raise failure
        except BlockingIOError:
            raise
        except ConnectionResetError:
            # The kernel reports a reset only once, so note it for later.
            self.was_reset = True
            return b""
        except OSError as exc:
            raise Broken(f"the connection to the engine broke: {exc.strerror or exc}") from exc
        return data

    async def write(self, data: bytes | memoryview) -> None:
        """Send ``data``; return once the kernel has buffered all of it.

        Raises:
            Broken: the engine accepts no more. There may still be output to read.
        """
        self.has_written = True
        try:
            with self._in_use():
                await asyncio.get_running_loop().sock_sendall(self._sock, data)
        except OSError as exc:
            raise Broken(f"cannot send the command's stdin: {exc.strerror or exc}") from exc

    def write_at_once(self, data: bytes) -> int:
        """Send as much of ``data`` as possible without waiting; return the number of bytes sent.

        Never raises: after a failure it returns 0, and :meth:`write` raises the error.
        """
        self.has_written = True
        try:
            return 0 if self._closed else self._sock.send(data)
        except OSError:
            return 0

    async def write_from(self, fd: int) -> bool:
        """Send a file or a pipe to its end, within Linux's kernel (sendfile(2), splice(2)).

        Returns whether the kernel could do that. If not, the unsent bytes are still in ``fd``.
        Other kernels have no splice, and their sendfile leaves the file's position where it was.

        Args:
            fd: a regular file, or a non-blocking pipe.

        Raises:
            Broken: as :meth:`write`.
        """
        if sys.platform != "linux":
            return False
        self.has_written = True
        try:
            with self._in_use():
                return await _Splice(fd, self._sock).run()
        except OSError as exc:
            raise Broken(f"cannot send the command's stdin: {exc.strerror or exc}") from exc

    def write_eof(self) -> None:
        """Half-close: stop sending, keep receiving. Idempotent.

        Do not call it for a command with a TTY: dockerd would drop the command's output.
        """
        if self._eof_sent:
            return
        self._eof_sent = True
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError:
            # The engine has already closed the connection: reading reports that.
            return

    def give_up(self, failure: OSError) -> None:
        """Make reads and writes fail, also those in progress; reads say ``failure``."""
        self._failure = failure
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close both directions at once. Idempotent. Reads and writes in progress raise Broken."""
        self._closed = True
        if self._tunnel is not None:
            self._tunnel.close()
        if self._users == 0:
            self._sock.close()
            return
        # The event loop still waits for this socket, and its descriptor must not be reused
        # meanwhile: shut it down to wake the users, the last of which closes it.
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def forget(self) -> None:
        """Close the copy of the connection in a child that was just forked."""
        if self._tunnel is not None:
            self._tunnel.forget()
        self._sock.close()

    @contextmanager
    def _in_use(self) -> Iterator[None]:
        self._users += 1
        try:
            if self._closed:
                raise Broken("the command's stream was closed")
            yield
            if self._closed:
                raise Broken(ABANDONED)
        finally:
            self._users -= 1
            if self._closed and self._users == 0:
                self._sock.close()

    def __del__(self) -> None:
        if self._sock.fileno() >= 0:
            warnings.warn(f"unclosed {self!r}", ResourceWarning, source=self, stacklevel=1)
            self.close()


_streams: Final[WeakSet[HijackedStream]] = WeakSet()


def _forget_streams() -> None:
    for stream in _streams:
        stream.forget()


# A child may outlive this process. Its copies would keep the leash (:mod:`rind.reaper.leash`) and
# the commands' stdin open.
os.register_at_fork(after_in_child=_forget_streams)


class _Splice:
    """Moves bytes from a file or a pipe to a socket, within the event loop's callbacks.

    It waits for one descriptor at a time: the pipe to have bytes, or the socket to have room. A
    regular file always has bytes, so only the socket is waited for.
    """

    def __init__(self, fd: int, sock: socket.socket) -> None:
        self._fd = fd
        self._sock = sock.fileno()
        self._is_pipe = stat.S_ISFIFO(os.fstat(fd).st_mode)
        self._loop = asyncio.get_running_loop()
        self._done: asyncio.Future[bool] = self._loop.create_future()
        self._waits_for_pipe = False  # otherwise, for the socket

    async def run(self) -> bool:
        """Move all bytes; return whether the kernel could."""
        self._wait(for_pipe=self._is_pipe)
        try:
            return await self._done
        finally:
            self._stop()

    def _wait(self, *, for_pipe: bool) -> None:
        self._waits_for_pipe = for_pipe
        if for_pipe:
            self._loop.add_reader(self._fd, self._move)
        else:
            self._loop.add_writer(self._sock, self._move)

    def _stop(self) -> None:
        if self._waits_for_pipe:
            self._loop.remove_reader(self._fd)
        else:
            self._loop.remove_writer(self._sock)

    def _move(self) -> None:
        if self._done.done():
            return
        try:
            moved = self._move_once()
        except BlockingIOError:
            # splice does not say which of the two would block. If the socket has room, the pipe.
            for_pipe = self._is_pipe and _is_writable(self._sock)
            if for_pipe != self._waits_for_pipe:
                self._stop()
                self._wait(for_pipe=for_pipe)
        except OSError as exc:
            if exc.errno in _GONE:
                self._done.set_exception(exc)
            else:  # the kernel cannot, as EINVAL says of some kinds of files
                self._done.set_result(False)
        else:
            if moved == 0:
                self._done.set_result(True)

    def _move_once(self) -> int:
        if sys.platform != "linux":
            raise NotImplementedError
        if self._is_pipe:
            return os.splice(self._fd, self._sock, READ_SIZE, flags=os.SPLICE_F_NONBLOCK)
        return os.sendfile(self._sock, self._fd, None, READ_SIZE)


def _is_writable(fd: int) -> bool:
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    return bool(poll.poll(0))
