"""Carries each request on a connection of its own, without a library to load.

A wire that blocks never suspends: a coroutine over it runs to its end without an event loop
(:func:`finish`), so the command line asks the engine before it has imported asyncio. The wire for
an event loop is in :mod:`rind.engine.wire`.
"""

from __future__ import annotations

import socket
import time
from contextlib import asynccontextmanager, suppress

from rind.engine.carrier import Answer, Disconnected, check_body
from rind.engine.http import Response, chunk, encoded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
    from typing import Any, Final, Protocol, Self, TypeVar

    from rind.engine.carrier import Request

    T = TypeVar("T")

    Place = tuple[int, Any]
    """An address family, and an address for :meth:`socket.socket.connect`."""

    Opener = Callable[[Place, float], Awaitable["Wire"]]
    """Connects a wire to a place, until a deadline."""

    class Wire(Protocol):
        """A connection for one request.

        Attributes:
            deadline: of each method, by :func:`time.monotonic`; then it raises TimeoutError.
        """

        deadline: float

        async def send(self, data: bytes) -> None:
            """Send all of ``data``."""

        async def receive(self) -> bytes:
            """Receive what there is; ``b""`` at the end."""

        def detach(self) -> socket.socket:
            """Return the socket, which is the caller's from now on."""

        def close(self) -> None:
            """Close it. Idempotent; does nothing once it is detached."""


__all__ = ["READ_SIZE", "BaseWire", "BlockingWire", "SocketCarrier", "finish", "places", "upgraded"]

READ_SIZE: Final = 64 * 1024
"""Bytes to receive at once."""

_SWITCHING: Final = 101


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


def places(url: str) -> list[Place]:
    """Return where an endpoint's URL leads. Blocks while a name is resolved.

    Raises:
        OSError: the name cannot be resolved.
    """
    scheme, _, rest = url.partition("://")
    if scheme == "unix":
        return [(socket.AF_UNIX, rest)]
    host, _, port = rest.rpartition(":")
    found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
    return [(family, address) for family, _, _, _, address in found]


class BaseWire:
    """What wires of all kinds have: a socket that is theirs until it is detached."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self.deadline = deadline
        self._sock = sock
        self._is_ours = True

    def detach(self) -> socket.socket:
        """Return the socket, which is the caller's from now on."""
        self._is_ours = False
        return self._sock

    def close(self) -> None:
        """Close it. Idempotent; does nothing once it is detached."""
        if self._is_ours:
            self._sock.close()


class BlockingWire(BaseWire):
    """A wire that blocks."""

    @classmethod
    async def open(cls, place: Place, deadline: float) -> Self:
        """Connect to a place."""
        family, address = place
        wire = cls(socket.socket(family), deadline)
        try:
            wire._timed().connect(address)
        except BaseException:
            wire.close()
            raise
        return wire

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


class SocketCarrier:
    """Carries requests over wires of one kind.

    Args:
        url: the endpoint's.
        opener: makes the wires.
        place: where the URL leads, as another carrier has found it.
    """

    def __init__(self, url: str, opener: Opener, place: Place | None = None) -> None:
        self.place = place
        self._url = url
        self._opener = opener
        # To a unix socket's owner, any name is one.
        self._host = "docker" if url.startswith("unix:") else url.partition("://")[2]

    async def request(self, asked: Request, within: float) -> Answer:
        """Do as the contract says."""
        wire = await self._send(asked, within)
        try:
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
        wire = await self._connected(time.monotonic() + within)
        try:
            # Who answers before the whole request is there may close the connection then.
            with suppress(BrokenPipeError, ConnectionResetError):
                await wire.send(encoded(asked, self._host, upgrade, chunked=chunked))
        except BaseException:
            wire.close()
            raise
        return wire

    async def _connected(self, deadline: float) -> Wire:
        known = places(self._url) if self.place is None else [self.place]
        for number, place in enumerate(known, 1):
            try:
                wire = await self._opener(place, deadline)
            except OSError:
                if number == len(known):
                    raise
            else:
                self.place = place
                return wire
        raise Disconnected  # a name without an address


async def upgraded(wire: Wire) -> Answer:
    """Do the second half of :meth:`SocketCarrier.upgrade`: receive the answer.

    The wire is closed then, unless it is the answer's connection.
    """
    try:
        response, data = await _head(wire)
        if response.status != _SWITCHING:
            return await _whole(wire, response, data)
        return _answer(response, connection=(wire.detach(), response.rest))
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


def _answer(
    response: Response, body: bytes = b"", connection: tuple[socket.socket, bytes] | None = None
) -> Answer:
    return Answer(response.status, response.reason, response.headers, body, connection)
