"""A carrier for an event loop that keeps its connections for later requests.

Goal: the least work for a request, because a program may send thousands of them. A kept connection
saves opening another, and the TLS handshake.

Plan: one request at a time on a connection, the most recently used connection first. An idle one
is closed after :data:`IDLE` seconds, and is checked before its use: a restarted engine has closed
it. A request that starts a command, or has an endless answer, gets a new connection.

Doubt: an engine may close a connection just as a request is sent on it. A GET is then repeated on
a new connection; any other request fails, and its sender decides.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from rind.transport.carrier import Disconnected
from rind.transport.sockets import SocketCarrier, receive_head, receive_whole, send

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rind.base.deadline import Deadline
    from rind.transport.carrier import Answer, Request
    from rind.transport.dial import Dialer
    from rind.transport.wire import Wire

__all__ = ["KeepingCarrier"]

IDLE: Final = 15.0
"""Seconds for which an idle connection is kept, as by aiohttp."""

MOST_AT_ONCE: Final = 100
"""Concurrent requests, as by aiohttp: further ones wait. A process may open 1024 descriptors by
default, and each command has one."""


class KeepingCarrier(SocketCarrier):
    """Sends requests over wires that it keeps, in one event loop."""

    def __init__(self, dialer: Dialer, headers: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(dialer, headers)
        self._idle: list[tuple[float, Wire]] = []  # with the time of the last use, the oldest first
        self._loop = asyncio.get_running_loop()
        self._places = asyncio.Semaphore(MOST_AT_ONCE)
        self._sweep: asyncio.TimerHandle | None = None
        self._is_closed = False

    def __del__(self) -> None:
        # A client that was never closed warns by itself; its sockets would do so in Python's words.
        for _, wire in self._idle:
            wire.close()

    async def request(self, request: Request, deadline: Deadline) -> Answer:
        """Send a request; return the complete answer."""
        self._check_loop()
        async with self._places:
            if (wire := self._kept()) is not None:
                wire.deadline = deadline
                try:
                    return await self._exchange(wire, request)
                except Disconnected:
                    if request.method != "GET":
                        raise
            return await self._exchange(await self._connected(deadline), request)

    async def send_upgrade(self, request: Request, deadline: Deadline) -> Wire:
        """Send a request to upgrade, over a new wire."""
        async with self._places:
            return await super().send_upgrade(request, deadline)

    async def aclose(self) -> None:
        """Close the idle connections; those in use are closed after their answers. Idempotent."""
        self._is_closed = True
        self._close_idle(before=self._loop.time())

    async def _connected(self, deadline: Deadline) -> Wire:
        self._check_loop()
        return await super()._connected(deadline)

    def _check_loop(self) -> None:
        if asyncio.get_running_loop() is not self._loop:
            raise RuntimeError(
                "this client is connected in another event loop: "
                "connect one in the loop that uses it"
            )

    async def _exchange(self, wire: Wire, request: Request) -> Answer:
        """Send a request over a wire, and receive the answer; then keep the wire, or close it."""
        may_continue = False
        try:
            await send(wire, self._encoded(request, "keep-alive"))
            response, data = await receive_head(wire)
            answer = await receive_whole(wire, response, data)
            may_continue = response.may_continue and not self._is_closed
        finally:
            if may_continue:
                self._keep(wire)
            else:
                wire.close()
        return answer

    def _kept(self) -> Wire | None:
        """Return an idle wire whose connection is still open, if there is one."""
        while self._idle:
            _, wire = self._idle.pop()
            if wire.is_quiet():
                return wire
            wire.close()
        return None

    def _keep(self, wire: Wire) -> None:
        self._idle.append((self._loop.time(), wire))
        if self._sweep is None:
            self._sweep = self._loop.call_later(IDLE, self._close_old)

    def _close_old(self) -> None:
        self._close_idle(before=self._loop.time() - IDLE)
        if self._idle:
            when = self._idle[0][0] + IDLE
            self._sweep = self._loop.call_at(when, self._close_old)

    def _close_idle(self, before: float) -> None:
        """Close the wires that were last used before a time, and cancel the timer."""
        while self._idle and self._idle[0][0] <= before:
            self._idle.pop(0)[1].close()
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
