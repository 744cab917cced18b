"""The hijacked stream: an exec's connection after ``101 UPGRADED``, raw bytes both ways.

aiodocker's own ``Stream`` cannot half-close and parses frames without a bound, and any asyncio
transport closes both ways when a write fails: a command that ends before it has read its stdin
would lose the last of its output. So the socket is used as it is. Nothing is received before it is
asked for, which makes the kernel's own buffers the backpressure in both directions, and reading
goes on after writing has failed.
"""

import asyncio
import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from rind.errors import Broken

__all__ = ["LEFT", "READ_SIZE", "HijackedStream"]

LEFT: Final = "the command was left before its output ended"

READ_SIZE: Final = 256 * 1024
"""Most bytes received at once, as in asyncio's own transports."""


class HijackedStream:
    """Raw bytes to and from one exec instance.

    One task may read while another writes.

    Attributes:
        was_reset: the engine closed the connection without having read all that was sent. It
            does so when a command ends before its stdin does, and when it is killed itself.
        has_written: whether anything was sent.
    """

    def __init__(self, sock: socket.socket, early: bytes = b"") -> None:
        sock.setblocking(False)
        self._sock = sock
        self._early = early
        self._eof_sent = False
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
        await asyncio.sleep(0)
        try:
            with self._in_use():
                return await self._receive()
        except ConnectionResetError:
            self.was_reset = True
            return b""
        except OSError as exc:
            raise Broken(f"the connection to the engine broke: {exc}") from exc

    async def _receive(self) -> bytes:
        """Receive, but nothing where we are cancelled: with sock_recv, it could be lost."""
        loop = asyncio.get_running_loop()
        while True:
            with suppress(BlockingIOError):
                return self._sock.recv(READ_SIZE)
            readable: asyncio.Future[None] = loop.create_future()
            loop.add_reader(self._sock, _set, readable)
            try:
                await readable
            finally:
                loop.remove_reader(self._sock)

    async def write(self, data: bytes) -> None:
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

    def close(self) -> None:
        """Close both ways at once. Idempotent. Reads and writes that are under way raise Broken."""
        self._closed = True
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


def _set(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
