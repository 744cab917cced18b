"""Wires: connections for one request each, and the kind that blocks.

A wire that blocks never suspends: a coroutine over it runs to its end without an event loop
(:func:`finish`), so the command line asks the engine before it has imported asyncio. The kind for
an event loop is in :mod:`rind.transport.loop_wire`; TLS goes over either
(:mod:`rind.transport.tls`).
"""

from __future__ import annotations

import select
import socket
import time
from contextlib import nullcontext

from rind.transport.carrier import Connection

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine
    from contextlib import AbstractAsyncContextManager
    from typing import Any, Final, Protocol, Self, TypeVar

    from rind.transport.carrier import Tunnel

    T = TypeVar("T")

    Place = tuple[int, Any]
    """An address family, and an address for :meth:`socket.socket.connect`."""

    class Wire(Protocol):
        """A connection for one request.

        Attributes:
            deadline: of each method, by :func:`time.monotonic`; then it raises TimeoutError.
            tunnel: what the connection leads through; None for nothing.
        """

        deadline: float
        tunnel: Tunnel | None

        async def send(self, data: bytes) -> None:
            """Send all of ``data``."""

        async def receive(self) -> bytes:
            """Receive what there is; ``b""`` at the end."""

        def into(self, kind: WireKind) -> Wire:
            """Return a wire of another kind that goes on with the connection instead."""

        def handed_over(self, early: bytes) -> Connection:
            """Return the connection, which is the caller's from now on.

            Args:
                early: the first bytes of what it was upgraded to.
            """

        def close(self) -> None:
            """Close it. Idempotent; does nothing once it is another's."""

    class WireKind(Protocol):
        """How wires wait: they block, or they leave the event loop to others."""

        def __call__(self, sock: socket.socket, deadline: float) -> Wire:
            """Return a wire over a connected socket."""

        async def open(self, place: Place, deadline: float) -> Wire:
            """Connect to a place."""

        async def readable(self, fd: int) -> None:
            """Return when a descriptor can be read."""

        def lock(self) -> AbstractAsyncContextManager[object]:
            """Return a lock among those who share what waits so."""


__all__ = ["READ_SIZE", "BaseWire", "BlockingWire", "finish", "tune"]

BUSY: Final = 0.01
"""Seconds between attempts to connect to a unix socket whose backlog is full (connect(2), EAGAIN):
there is no event for it."""

READ_SIZE: Final = 64 * 1024
"""Bytes to receive at once."""


_ALIVE: Final = {
    "TCP_KEEPIDLE" if hasattr(socket, "TCP_KEEPIDLE") else "TCP_KEEPALIVE": 20,  # as on macOS
    "TCP_KEEPINTVL": 20,
    "TCP_KEEPCNT": 3,
}
"""Seconds of silence after which the other machine is asked whether it is there, those between two
questions, and how many it may leave unanswered: as long as ssh waits
(:mod:`rind.transport.ssh`).
"""


def tune(sock: socket.socket) -> None:
    """Let a command's stream over TCP send each key at once, and end if the engine's machine does.

    Without the latter, a machine that has lost its power would be waited for without end (tcp(7)).
    """
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _ALIVE.items():
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def finish(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never suspends; return its result.

    Raises:
        RuntimeError: it suspends.
    """
    try:
        work.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    work.close()
    raise RuntimeError("it waits for an event loop, but there is none yet")


class BaseWire:
    """What wires of all kinds have: a socket that is theirs until it is another's."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self.deadline = deadline
        self.tunnel: Tunnel | None = None
        self._sock = sock
        self._is_ours = True

    def into(self, kind: WireKind) -> Wire:
        """Return a wire of another kind that goes on with the connection instead."""
        wire = kind(self._given(), self.deadline)
        wire.tunnel = self.tunnel
        return wire

    def handed_over(self, early: bytes) -> Connection:
        """Return the connection, which is the caller's from now on."""
        return Connection(self._given(), early, self.tunnel)

    def close(self) -> None:
        """Close it. Idempotent; does nothing once it is another's."""
        if self._is_ours:
            self._sock.close()

    def _given(self) -> socket.socket:
        self._is_ours = False
        return self._sock


class BlockingWire(BaseWire):
    """A wire that blocks."""

    @classmethod
    async def open(cls, place: Place, deadline: float) -> Self:
        """Connect to a place."""
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
    def lock() -> AbstractAsyncContextManager[object]:
        """Return no lock: who blocks is alone."""
        return nullcontext()

    async def send(self, data: bytes) -> None:
        """Send all of ``data``."""
        self._timed().sendall(data)

    async def receive(self) -> bytes:
        """Receive what there is; ``b""`` at the end."""
        return self._timed().recv(READ_SIZE)

    def _timed(self) -> socket.socket:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._sock.settimeout(left)
        return self._sock
