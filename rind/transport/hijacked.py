"""The hijacked stream: an exec's connection after ``101 UPGRADED``, raw bytes both ways.

aiodocker's own ``Stream`` cannot half-close and parses frames without a bound, and any asyncio
transport closes both ways when a write fails: a command that ends before it has read its stdin
would lose the last of its output. So the socket is used as it is. Nothing is received before it is
asked for, which makes the kernel's own buffers the backpressure in both directions, and reading
goes on after writing has failed.
"""

import asyncio
import errno
import os
import select
import socket
import stat
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from rind.base.readiness import hand_on, readable
from rind.errors import Broken
from rind.transport.carrier import Connection
from rind.transport.wire import tune

__all__ = ["LEFT", "READ_SIZE", "HijackedStream"]

LEFT: Final = "the command was left before its output ended"

READ_SIZE: Final = 256 * 1024
"""Most bytes received at once, as in asyncio's own transports."""


_GONE: Final = {errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN}
"""The errors of a socket whose other end is closed."""

READS_IN_TURN: Final = 8
"""Reads one after the other that need not wait, before others have their turn: 2 MiB at most."""


class HijackedStream:
    """Raw bytes to and from one exec instance.

    One task may read while another writes.

    Attributes:
        was_reset: the engine closed the connection without having read all that was sent. It
            does so when a command ends before its stdin does, and when it is killed itself.
        has_written: whether anything was sent.
    """

    def __init__(self, connection: Connection) -> None:
        sock = connection.sock
        sock.setblocking(False)
        if sock.family != socket.AF_UNIX:
            tune(sock)
        self._sock = sock
        self._early = connection.early
        self._tunnel = connection.tunnel
        self._failure: OSError | None = None
        self._eof_sent = False
        self._reads = 0
        self._users = 0
        self._closed = False
        self.was_reset = False
        self.has_written = False

    async def read(self) -> bytes:
        """Receive what there is, ``READ_SIZE`` bytes at most; ``b""`` is the end of the stream.

        Raises:
            Broken: the connection failed.
        """
        if self._early:
            early, self._early = self._early, b""
            return early
        # Where there is something, nothing waits: let the other pumps have their turn.
        self._reads += 1
        if self._reads % READS_IN_TURN == 0:
            await asyncio.sleep(0)
        with self._in_use():
            while True:
                # Nothing is received by a task that is cancelled: with sock_recv, it could be lost.
                with suppress(BlockingIOError):
                    return self._receive()
                await readable(self._sock.fileno())

    async def hand_on(self, take: Callable[[bytes], bool]) -> None:
        """Hand on what arrives, at less cost than :meth:`read`.

        Returns once ``take`` returns False, and at the end of the stream, which :meth:`read`
        confirms.

        Args:
            take: gets what :meth:`read` would return. What it raises is raised.

        Raises:
            Broken: as :meth:`read`.
        """
        if not self._early:
            with self._in_use():
                await hand_on(self._sock.fileno(), self._receive, take)

    def _receive(self) -> bytes:
        try:
            data = self._sock.recv(READ_SIZE)
            failure = self._failure or (self._tunnel.failure if self._tunnel is not None else None)
            if not data and failure is not None:
                raise failure
        except BlockingIOError:
            raise
        except ConnectionResetError:
            self.was_reset = True
            return b""
        except OSError as exc:
            raise Broken(f"the connection to the engine broke: {exc}") from exc
        return data

    async def write(self, data: bytes | memoryview) -> None:
        """Send ``data``; return once the kernel has all of it.

        Raises:
            Broken: the engine takes no more. There may still be something to read.
        """
        self.has_written = True
        try:
            with self._in_use():
                await asyncio.get_running_loop().sock_sendall(self._sock, data)
        except OSError as exc:
            raise Broken(f"the engine takes no more of the command's stdin: {exc}") from exc

    def write_at_once(self, data: bytes) -> int:
        """Send as much of ``data`` as is taken at once; return how many bytes that are.

        What has failed is left to :meth:`write`.
        """
        self.has_written = True
        try:
            return 0 if self._closed else self._sock.send(data)
        except OSError:
            return 0

    async def write_from(self, fd: int) -> bool:
        """Send all that a file or a pipe has, to its end, from kernel to kernel.

        Returns False, with nothing sent any more, if the kernel cannot do that.

        Args:
            fd: a regular file, or a pipe that does not block.

        Raises:
            Broken: as :meth:`write`.
        """
        self.has_written = True
        try:
            with self._in_use():
                return await _Splice(fd, self._sock).run()
        except OSError as exc:
            raise Broken(f"the engine takes no more of the command's stdin: {exc}") from exc

    def write_eof(self) -> None:
        """Half-close: nothing more will be sent; receiving goes on. Idempotent.

        Never with a TTY: dockerd then drops the command's output.
        """
        if self._eof_sent:
            return
        self._eof_sent = True
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError:
            # The other side is gone already: reading will say so.
            return

    def give_up(self, failure: OSError) -> None:
        """Let reads and writes fail so, those that are under way too."""
        self._failure = failure
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close both ways at once. Idempotent. Reads and writes that are under way raise Broken."""
        self._closed = True
        if self._tunnel is not None:
            self._tunnel.close()
        if self._users == 0:
            self._sock.close()
            return
        # An event loop must not wait for a socket that is closed: its last user closes it.
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    @contextmanager
    def _in_use(self) -> Iterator[None]:
        self._users += 1
        try:
            if self._closed:
                raise Broken("the command's stream was closed")
            yield
            if self._closed:
                raise Broken(LEFT)
        finally:
            self._users -= 1
            if self._closed and self._users == 0:
                self._sock.close()

    def __del__(self) -> None:
        if self._sock.fileno() >= 0:
            warnings.warn(f"unclosed {self!r}", ResourceWarning, source=self, stacklevel=1)
            self.close()


class _Splice:
    """Moves bytes from a file or a pipe to a socket within the event loop's callbacks."""

    def __init__(self, fd: int, sock: socket.socket) -> None:
        self._fd = fd
        self._sock = sock.fileno()
        self._is_pipe = stat.S_ISFIFO(os.fstat(fd).st_mode)
        self._loop = asyncio.get_running_loop()
        self._done: asyncio.Future[bool] = self._loop.create_future()
        self._waits_for_pipe = False

    async def run(self) -> bool:
        """Move all; return whether the kernel can."""
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
            if self._is_pipe:
                flags = os.SPLICE_F_NONBLOCK
                moved = os.splice(self._fd, self._sock, READ_SIZE, flags=flags)
            else:
                moved = os.sendfile(self._sock, self._fd, None, READ_SIZE)
        except BlockingIOError:
            # It does not say which of the two it is.
            for_pipe = self._is_pipe and _is_writable(self._sock)
            if for_pipe != self._waits_for_pipe:
                self._stop()
                self._wait(for_pipe=for_pipe)
        except OSError as exc:
            if exc.errno in _GONE:
                self._done.set_exception(exc)
            else:
                self._done.set_result(False)
        else:
            if moved == 0:
                self._done.set_result(True)


def _is_writable(fd: int) -> bool:
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    return bool(poll.poll(0))
