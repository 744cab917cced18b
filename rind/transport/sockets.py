"""Carries each request on a connection of its own, without a library to load.

What it connects by is a dialer's matter (:mod:`rind.transport.dial`).
"""

from __future__ import annotations

import time
from contextlib import asynccontextmanager, suppress

from rind.transport.carrier import OTHERWISE_FINE, Answer, Disconnected, check_body
from rind.transport.http import Response, chunk, encoded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from typing import Final

    from rind.transport.carrier import Connection, Request
    from rind.transport.dial import Dialer
    from rind.transport.wire import Wire

__all__ = ["SocketCarrier", "upgraded"]

_SWITCHING: Final = 101


class SocketCarrier:
    """Carries requests over the wires of a dialer.

    Attributes:
        dialer, headers: as they were given.
    """

    def __init__(self, dialer: Dialer, headers: Sequence[tuple[str, str]] = ()) -> None:
        self.dialer = dialer
        self.headers = headers

    async def request(self, asked: Request, within: float) -> Answer:
        """Do as the contract says."""
        wire = await self._send(asked, within)
        try:
            try:
                response, data = await _head(wire)
            except Disconnected:
                # A line that was idle may end just when it is used again.
                if wire.tunnel is None or wire.tunnel.failure is None:
                    raise
                wire.close()
                wire = await self._send(asked, within)
                response, data = await _head(wire)
            return await _whole(wire, response, data)
        finally:
            wire.close()

    async def upload(self, asked: Request, parts: AsyncIterator[bytes], within: float) -> Answer:
        """Do as the contract says."""
        wire = await self._send(asked, within, chunked=True)
        try:
            with suppress(BrokenPipeError, ConnectionResetError):  # as in _send()
                async for part in parts:
                    wire.deadline = time.monotonic() + within
                    await wire.send(chunk(part))
                await wire.send(chunk(b""))
            wire.deadline = time.monotonic() + within
            response, data = await _head(wire)
            return await _whole(wire, response, data)
        finally:
            wire.close()

    async def upgrade(self, asked: Request, within: float) -> Answer:
        """Do as the contract says."""
        return await upgraded(await self.ask_upgrade(asked, within))

    async def ask_upgrade(self, asked: Request, within: float) -> Wire:
        """Do the first half of :meth:`upgrade`: send the request."""
        return await self._send(asked, within, upgrade="tcp")

    @asynccontextmanager
    async def stream(
        self, asked: Request, within: float
    ) -> AsyncIterator[tuple[Answer, AsyncIterator[bytes]]]:
        """Do as the contract says."""
        wire = await self._send(asked, within)
        try:
            response, data = await _head(wire)
            wire.deadline = float("inf")
            yield _answer(response), _parts(wire, response, data)
        finally:
            wire.close()

    async def aclose(self) -> None:
        """Do nothing: no connection is kept."""

    async def _send(
        self, asked: Request, within: float, upgrade: str = "", *, chunked: bool = False
    ) -> Wire:
        await self.dialer.ready()
        wire = await self.dialer.dial(time.monotonic() + within)
        try:
            # Who answers before the whole request is there may close the connection then.
            with suppress(BrokenPipeError, ConnectionResetError):
                request = encoded(
                    *(asked, self.dialer.name, upgrade), chunked=chunked, headers=self.headers
                )
                await wire.send(request)
        except BaseException:
            wire.close()
            raise
        return wire


async def upgraded(wire: Wire) -> Answer:
    """Do the second half of :meth:`SocketCarrier.upgrade`: receive the answer.

    The wire is closed then, unless it is the answer's connection.
    """
    try:
        response, data = await _head(wire)
        if response.status in OTHERWISE_FINE:
            return _answer(response)  # its body has no end before the command has
        if response.status != _SWITCHING:
            return await _whole(wire, response, data)
        return _answer(response, connection=wire.handed_over(response.rest))
    finally:
        wire.close()


async def _head(wire: Wire) -> tuple[Response, bytes]:
    """Receive an answer's head; return it, and the part of the body that came with it."""
    response, anything = Response(), False
    while True:
        try:
            data = await wire.receive()
        except ConnectionResetError:
            data = b""
        if not data:
            if not anything:
                raise Disconnected
            response.feed_eof()
        anything = True
        part = response.feed(data)
        if response.status:
            return response, part


async def _parts(wire: Wire, response: Response, data: bytes) -> AsyncIterator[bytes]:
    """Yield a body's parts."""
    if data:
        yield data
    while not response.is_complete:
        if received := await wire.receive():
            yield response.feed(received)
        else:
            response.feed_eof()


async def _whole(wire: Wire, response: Response, data: bytes) -> Answer:
    """Receive the rest of an answer."""
    body = bytearray()
    check_body(response.headers, 0)
    async for part in _parts(wire, response, data):
        body += part
        check_body(response.headers, len(body))
    return _answer(response, bytes(body))


def _answer(response: Response, body: bytes = b"", connection: Connection | None = None) -> Answer:
    return Answer(response.status, response.reason, response.headers, body, connection)
