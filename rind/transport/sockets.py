"""A carrier that opens a connection for each request and needs no HTTP library.

A dialer opens the connections (:mod:`rind.transport.dial`).
"""

from __future__ import annotations

from contextlib import asynccontextmanager, suppress

from rind.base.deadline import Deadline
from rind.transport.carrier import NOT_UPGRADED, SWITCHING, Answer, Disconnected, check_body
from rind.transport.http import Response, chunk, encoded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from typing import Final

    from rind.transport.carrier import Connection, Request
    from rind.transport.dial import Dialer
    from rind.transport.wire import Wire

__all__ = ["SocketCarrier", "receive_head", "receive_upgrade", "receive_whole", "send"]

_REPEATABLE: Final = {"GET", "HEAD"}
"""Methods of requests that can be sent twice: they change nothing (RFC 9110, 9.2.1)."""


class SocketCarrier:
    """Sends each request over a new wire of its dialer.

    Attributes:
        dialer: opens the wires.
        headers: sent with every request, as (name, value).
        on_request: is called before each request is sent, with its method and path.
    """

    def __init__(
        self,
        dialer: Dialer,
        headers: Sequence[tuple[str, str]] = (),
        on_request: Callable[[str], object] = bool,
    ) -> None:
        self.dialer = dialer
        self.headers = headers
        self.on_request = on_request

    async def request(self, request: Request, deadline: Deadline) -> Answer:
        """Send a request; return the complete answer."""
        wire = await self._send(request, deadline)
        try:
            try:
                response, data = await receive_head(wire)
            except Disconnected:
                if wire.tunnel is None or (failure := wire.tunnel.failure) is None:
                    raise
                # An idle ssh may exit just as a new connection uses it: connect once more. The
                # engine may have received the request, though.
                if request.method not in _REPEATABLE:
                    raise failure from None
                wire.close()
                wire = await self._send(request, deadline)
                response, data = await receive_head(wire)
            return await receive_whole(wire, response, data)
        finally:
            wire.close()

    async def upload(
        self, request: Request, parts: AsyncIterator[bytes], deadline: Deadline
    ) -> Answer:
        """Send a request with a body in parts; each part and the answer have the whole time."""
        wire = await self._send(request, deadline, chunked=True)
        try:
            with suppress(BrokenPipeError, ConnectionResetError):  # see send()
                async for part in parts:
                    wire.deadline = deadline.restarted()
                    await wire.send(chunk(part))
                await wire.send(chunk(b""))
            wire.deadline = deadline.restarted()
            response, data = await receive_head(wire)
            return await receive_whole(wire, response, data)
        finally:
            wire.close()

    async def upgrade(self, request: Request, deadline: Deadline) -> Answer:
        """Send a request to upgrade; the answer to a successful one has the raw connection."""
        return await receive_upgrade(await self.send_upgrade(request, deadline))

    async def send_upgrade(self, request: Request, deadline: Deadline) -> Wire:
        """Send a request to upgrade; :func:`receive_upgrade` receives its answer on the wire."""
        return await self._send(request, deadline, "Upgrade")

    @asynccontextmanager
    async def stream(
        self, request: Request, deadline: Deadline
    ) -> AsyncIterator[tuple[Answer, AsyncIterator[bytes]]]:
        """Yield the answer and the parts of its body; only the head has a time limit."""
        wire = await self._send(request, deadline)
        try:
            response, data = await receive_head(wire)
            wire.deadline = Deadline(None)
            yield _answer(response), _parts(wire, response, data)
        finally:
            wire.close()

    async def aclose(self) -> None:
        """Do nothing: this carrier keeps no connections."""

    async def _send(
        self,
        request: Request,
        deadline: Deadline,
        connection: str = "close",
        *,
        chunked: bool = False,
    ) -> Wire:
        wire = await self._connected(deadline)
        try:
            await send(wire, self._encoded(request, connection, chunked=chunked))
        except BaseException:
            wire.close()
            raise
        return wire

    async def _connected(self, deadline: Deadline) -> Wire:
        """Return a new wire."""
        await self.dialer.ready()
        return await self.dialer.dial(deadline)

    def _encoded(self, request: Request, connection: str, *, chunked: bool = False) -> bytes:
        self.on_request(f"{request.method} /{request.path}")
        where = request, self.dialer.name, connection
        return encoded(*where, chunked=chunked, headers=self.headers)


async def send(wire: Wire, message: bytes) -> None:
    """Send a request, or as much of it as the engine takes.

    A server may answer before it has received the whole request, and then close the connection:
    sending fails, but the answer can still be received.
    """
    with suppress(BrokenPipeError, ConnectionResetError):
        await wire.send(message)


async def receive_upgrade(wire: Wire) -> Answer:
    """Receive the answer to :meth:`SocketCarrier.send_upgrade`.

    Closes the wire, unless its connection is handed over to the answer.
    """
    try:
        response, data = await receive_head(wire)
        if response.status in NOT_UPGRADED:
            return _answer(response)  # without its body, which lasts as long as the command
        if response.status != SWITCHING:
            return await receive_whole(wire, response, data)
        return _answer(response, connection=wire.into_connection(response.rest))
    finally:
        wire.close()


async def receive_head(wire: Wire) -> tuple[Response, bytes]:
    """Receive an answer's head; return it and the part of the body that arrived with it."""
    response, has_received = Response(), False
    while True:
        try:
            data = await wire.receive()
        except ConnectionResetError:
            data = b""
        if not data:
            if not has_received:
                raise Disconnected
            response.feed_eof()
        has_received = True
        part = response.feed(data)
        if response.status:
            return response, part


async def _parts(wire: Wire, response: Response, data: bytes) -> AsyncIterator[bytes]:
    """Yield the parts of a body, beginning with ``data``."""
    if data:
        yield data
    while not response.is_complete:
        if received := await wire.receive():
            yield response.feed(received)
        else:
            response.feed_eof()


async def receive_whole(wire: Wire, response: Response, data: bytes) -> Answer:
    """Receive the rest of a body that begins with ``data``; return the complete answer."""
    body = bytearray()
    check_body(response.headers, 0)
    async for part in _parts(wire, response, data):
        body += part
        check_body(response.headers, len(body))
    return _answer(response, bytes(body))


def _answer(response: Response, body: bytes = b"", connection: Connection | None = None) -> Answer:
    return Answer(response.status, response.reason, response.headers, body, connection)
