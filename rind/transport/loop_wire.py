"""The wire that waits in an event loop."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self, TypeVar

from rind.base.readiness import readable
from rind.base.threads import in_thread
from rind.transport.wire import BUSY, READ_SIZE, BaseWire

if TYPE_CHECKING:
    from collections.abc import Callable

    from rind.base.deadline import Deadline

__all__ = ["LoopWire"]

T = TypeVar("T")


class LoopWire(BaseWire):
    """A wire that waits in the running event loop.

    Args:
        sock: its socket.
        deadline: when its methods time out; see :class:`~rind.transport.wire.Wire`.
    """

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        super().__init__(sock, deadline)
        sock.setblocking(False)

    @classmethod
    async def open(cls, place: tuple[int, Any], deadline: Deadline) -> Self:
        """Connect to ``place`` before ``deadline``."""
        family, address = place
        wire = cls(socket.socket(family), deadline)
        try:
            async with wire._limit():
                await wire._connect(family, address)
        except BaseException:
            wire.close()
            raise
        return wire

    @staticmethod
    async def readable(fd: int) -> None:
        """Return when a descriptor can be read."""
        await readable(fd)

    @staticmethod
    async def unblocked(function: Callable[[], T], deadline: Deadline) -> T:
        """Return the result of a function that blocks."""
        async with asyncio.timeout(deadline.left):
            return await in_thread(function)

    @staticmethod
    def lock() -> asyncio.Lock:
        """Return a lock for tasks."""
        return asyncio.Lock()

    async def send(self, data: bytes) -> None:
        """Send all of ``data``."""
        # The kernel takes nearly every request at once, so that it needs no time limit.
        try:
            sent = self._sock.send(data)
        except BlockingIOError:
            sent = 0
        if sent < len(data):
            async with self._limit():
                await asyncio.get_running_loop().sock_sendall(self._sock, data[sent:])

    async def receive(self) -> bytes:
        """Receive the bytes that have arrived, waiting for some; ``b""`` at end of stream."""
        unread, self._unread = self._unread, b""
        if unread:
            return unread
        # Bytes that have arrived need no time limit.
        with suppress(BlockingIOError):
            return self._sock.recv(READ_SIZE)
        async with self._limit():
            return await asyncio.get_running_loop().sock_recv(self._sock, READ_SIZE)

    async def _connect(self, family: int, address: Any) -> None:
        if family != socket.AF_UNIX:
            await asyncio.get_running_loop().sock_connect(self._sock, address)
            return
        # Not loop.sock_connect: it takes EAGAIN, a full backlog, for a connection in progress.
        while True:
            try:
                self._sock.connect(address)
            except BlockingIOError:
                await asyncio.sleep(BUSY)
            else:
                return

    def _limit(self) -> asyncio.Timeout:
        return asyncio.timeout(self.deadline.left)
