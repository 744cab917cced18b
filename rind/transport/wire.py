"""Wires: connections for one request each. This module has the contract and the blocking kind.

A blocking wire never suspends, so a coroutine over it runs to its end without an event loop
(:func:`finish`). That lets the command line send requests before it has imported asyncio. The
event loop's kind is in :mod:`rind.transport.loop_wire`. TLS runs over either kind
(:mod:`rind.transport.tls`).
"""

from __future__ import annotations

import select
import time
from contextlib import nullcontext

from rind.base.light import socket
from rind.transport.carrier import Connection

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from contextlib import AbstractAsyncContextManager
    from typing import Any, Final, Protocol, Self, TypeVar

    from rind.base.deadline import Deadline
    from rind.transport.carrier import Tunnel

    T = TypeVar("T")

    Place = tuple[int, Any]
    """An address family, and an address for :meth:`socket.socket.connect`."""

    class Wire(Protocol):
        """A connection for one request.

        Attributes:
            deadline: when each method raises TimeoutError.
            tunnel: the tunnel that the connection goes through; None for a direct connection.
        """

        deadline: Deadline
        tunnel: Tunnel | None

        async def send(self, data: bytes) -> None:
            """Send all of ``data``."""

        async def receive(self) -> bytes:
            """Receive the bytes that have arrived, waiting for some; ``b""`` at end of stream."""

        def is_quiet(self) -> bool:
            """Whether the connection is open, and nothing has arrived on it."""

        def into(self, kind: WireKind) -> Wire:
            """Return a wire of another kind that takes over the connection."""

        def into_connection(self, early: bytes) -> Connection:
            """Return the connection, which the caller owns from now on.

            Args:
                early: the bytes that were received after the head of the ``101`` answer.
            """

        def close(self) -> None:
            """Close the connection, unless it was handed over. Idempotent."""

    class WireKind(Protocol):
        """A kind of wire: it blocks, or it waits in the event loop."""

        def __call__(self, sock: socket.socket, deadline: Deadline) -> Wire:
            """Return a wire over a connected socket."""

        async def open(self, place: Place, deadline: Deadline) -> Wire:
            """Connect to ``place`` before ``deadline``."""

        async def readable(self, fd: int) -> None:
            """Return when a descriptor can be read."""

        async def unblocked(self, function: Callable[[], T], deadline: Deadline) -> T:
            """Return the result of a function that blocks.

            Raises:
                TimeoutError: not before ``deadline``, if this kind of wire can abandon the call.
            """

        def lock(self) -> AbstractAsyncContextManager[object]:
            """Return a lock for callers that wait in this way."""


__all__ = ["READ_SIZE", "BaseWire", "BlockingWire", "finish", "tune"]

BUSY: Final = 0.01
"""Seconds between attempts to connect to a unix socket whose backlog is full (connect(2), EAGAIN):
no event says that it has room again."""

READ_SIZE: Final = 64 * 1024
"""Most bytes received at once."""


_KEEPALIVE: Final = {
    "TCP_KEEPIDLE" if hasattr(socket, "TCP_KEEPIDLE") else "TCP_KEEPALIVE": 20,  # as on macOS
    "TCP_KEEPINTVL": 20,
    "TCP_KEEPCNT": 3,
}
"""TCP keepalive: seconds of silence before the first probe, seconds between probes, and the number
of unanswered probes that ends the connection. ssh waits as long (:mod:`rind.transport.ssh`).
"""


def tune(sock: socket.socket) -> None:
    """Prepare a TCP socket for a command's stream: no Nagle delay, and keepalive.

    Each key is sent at once. Keepalive ends the stream if the engine's machine loses power, which
    TCP alone would never notice on an idle connection (tcp(7)).
    """
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def finish(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never suspends; return its result.

    Raises:
        RuntimeError: the coroutine suspends.
    """
    try:
        work.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    work.close()
    raise RuntimeError("the coroutine waits for an event loop, but none runs yet")


class BaseWire:
    """The base of both kinds: a socket that the wire owns until it is handed over."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self.deadline = deadline
        self.tunnel: Tunnel | None = None
        self._sock = sock
        self._owns_socket = True
        self._unread = b""

    def into(self, kind: WireKind) -> Wire:
        """Return a wire of another kind that takes over the connection."""
        wire = kind(self._released(), self.deadline)
        wire.tunnel = self.tunnel
        if isinstance(wire, BaseWire):
            wire.unread(self._unread)
        return wire

    def is_quiet(self) -> bool:
        """Whether the connection is open, and nothing has arrived on it."""
        try:
            self._sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return not self._unread
        except OSError:
            return False
        return False  # the end of the stream, or bytes that answer no request

    def unread(self, data: bytes) -> None:
        """Make :meth:`receive` return bytes again that it has returned already."""
        self._unread = data

    def into_connection(self, early: bytes) -> Connection:
        """Return the connection, which the caller owns from now on."""
        return Connection(self._released(), early, self.tunnel)

    def close(self) -> None:
        """Close the connection, unless it was handed over. Idempotent."""
        if self._owns_socket:
            self._sock.close()

    def _released(self) -> socket.socket:
        self._owns_socket = False
        return self._sock


class BlockingWire(BaseWire):
    """A wire whose methods block."""

    @classmethod
    async def open(cls, place: Place, deadline: Deadline) -> Self:
        """Connect to ``place`` before ``deadline``."""
        family, address = place
        wire = cls(socket.socket(family), deadline)
        try:
            wire._connect(address)
        except BaseException:
            wire.close()
            raise
        return wire

    def _connect(self, address: Any) -> None:
        while True:
            try:
                self._timed().connect(address)
            except BlockingIOError:
                time.sleep(BUSY)
            else:
                return

    @staticmethod
    async def readable(fd: int) -> None:
        """Return when a descriptor can be read."""
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        poll.poll()

    @staticmethod
    async def unblocked(function: Callable[[], T], deadline: Deadline) -> T:  # noqa: ARG004 # it cannot be abandoned
        """Return the result of a function that blocks."""
        return function()

    @staticmethod
    def lock() -> AbstractAsyncContextManager[object]:
        """Return a null lock: blocking callers never run concurrently."""
        return nullcontext()

    async def send(self, data: bytes) -> None:
        """Send all of ``data``."""
        self._timed().sendall(data)

    async def receive(self) -> bytes:
        """Receive the bytes that have arrived, waiting for some; ``b""`` at end of stream."""
        unread, self._unread = self._unread, b""
        return unread or self._timed().recv(READ_SIZE)

    def _timed(self) -> socket.socket:
        left = self.deadline.left
        if left == 0:  # settimeout(0) would make the socket non-blocking
            raise TimeoutError
        self._sock.settimeout(left)
        return self._sock
