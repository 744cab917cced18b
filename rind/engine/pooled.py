"""A carrier that uses aiodocker, which keeps connections for later requests.

This is the only importer of aiodocker and aiohttp. All use of their private parts is here.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from io import BytesIO

import aiohttp

try:
    import aiodocker
except RuntimeError:
    # aiodocker calls Path.home() at import, for the sockets that it tries without an address. That
    # raises for a user with neither HOME nor an entry in the passwd file.
    os.environ["HOME"] = "/"
    try:
        import aiodocker
    finally:
        del os.environ["HOME"]

from rind.base.threads import in_thread
from rind.engine.answers import LONGEST_TEXT
from rind.errors import Broken
from rind.transport.carrier import (
    NOT_OPEN,
    NOT_UPGRADED,
    Answer,
    Connection,
    Disconnected,
    WrongAnswer,
    check_body,
)
from rind.transport.dial import PlainDialer, places
from rind.transport.loop_wire import LoopWire
from rind.transport.sockets import SocketCarrier

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence
    from typing import Final

    from rind.base.deadline import Deadline
    from rind.transport.carrier import Request

__all__ = ["PooledCarrier"]

_SWITCHING: Final = 101


class PooledCarrier:
    """Sends requests over aiodocker's connections, which are not encrypted."""

    def __init__(self, url: str, headers: Sequence[tuple[str, str]] = ()) -> None:
        self._headers = dict(headers)
        self._uploads = SocketCarrier(PlainDialer(url, LoopWire), headers)
        scheme, _, rest = url.partition("://")
        self._connector: aiohttp.BaseConnector
        if scheme == "unix":
            self._base = "http://docker"
            [(_, path)] = places(url)
            self._connector = aiohttp.UnixConnector(path)
        else:
            self._base = f"http://{rest}"
            self._connector = aiohttp.TCPConnector(resolver=_Resolver())
        # Without a connector, aiodocker would create one that obeys DOCKER_TLS_VERIFY, which does
        # not apply to every endpoint. The version is not used: our paths contain it.
        with _own_errors():
            self._docker = aiodocker.Docker(url=url, connector=self._connector, api_version="v1.24")

    def __del__(self) -> None:
        # A client that was never closed warns by itself; aiohttp would do so in its own words.
        self._connector._close()  # noqa: SLF001

    async def request(self, request: Request, deadline: Deadline) -> Answer:
        """Send a request; return the complete answer."""
        with _own_errors():
            async with asyncio.timeout(deadline.left):
                return await _whole(await self._send(request))

    async def upload(
        self, request: Request, parts: AsyncIterator[bytes], deadline: Deadline
    ) -> Answer:
        """Send a request with a body in parts; each part and the answer have the whole time.

        It has a connection of its own: aiohttp sends what it has buffered before it closes one, so
        a cancelled upload would go on, and the engine would keep the container locked.
        """
        return await self._uploads.upload(request, parts, deadline)

    async def upgrade(self, request: Request, deadline: Deadline) -> Answer:
        """Send a request to upgrade; the answer to a successful one has the raw connection."""
        with _own_errors():
            async with asyncio.timeout(deadline.left):
                # Not aiodocker's Exec.start, which can neither send ConsoleSize nor half-close.
                response = await self._send(request, Connection="Upgrade", Upgrade="tcp")
                if response.status in NOT_UPGRADED:
                    response.close()  # its body lasts as long as the command
                    return _answer(response)
                if response.status != _SWITCHING:
                    return await _whole(response)
                return _answer(response, connection=_hijacked(response))

    @asynccontextmanager
    async def stream(
        self, request: Request, deadline: Deadline
    ) -> AsyncIterator[tuple[Answer, AsyncIterator[bytes]]]:
        """Yield the answer and the parts of its body; only the head has a time limit."""
        with _own_errors():
            async with asyncio.timeout(deadline.left):
                response = await self._send(request)
        try:
            yield _answer(response), _parts(response)
        finally:
            response.close()  # the body may never end

    async def aclose(self) -> None:
        """Close the idle connections that aiodocker keeps. Idempotent."""
        await self._docker.close()
        await self._connector.close()

    async def _send(self, request: Request, **headers: str) -> aiohttp.ClientResponse:
        """Send a request; return the response with only its head read.

        aiodocker's own methods are not used: they read an error's whole body, of any size.
        """
        # aiohttp warns about a bytes object of more than a megabyte.
        body = None if request.body is None else BytesIO(json.dumps(request.body).encode())
        try:
            return await self._docker.session.request(
                request.method,
                f"{self._base}/{request.path}",
                params=request.params,
                data=body,
                headers={
                    **self._headers,
                    "Accept-Encoding": "identity",
                    "Content-Type": "application/json",
                    **headers,
                },
                allow_redirects=False,
                auto_decompress=False,
            )
        except (AssertionError, RuntimeError, aiohttp.ClientConnectionError) as exc:
            # After aclose(), aiohttp raises any of these, depending on the request's progress.
            if self._connector.closed:
                raise RuntimeError(NOT_OPEN) from exc
            raise


@contextmanager
def _own_errors() -> Iterator[None]:
    """Translate exceptions of aiodocker and aiohttp into those of the contract."""
    try:
        yield
    except aiohttp.ServerDisconnectedError as exc:
        raise Disconnected from exc
    except OSError:
        raise
    except aiohttp.ClientConnectionError as exc:
        raise ConnectionError(str(exc)) from exc
    except aiohttp.ClientError as exc:
        raise WrongAnswer((str(exc) or type(exc).__name__)[:LONGEST_TEXT]) from exc


def _answer(
    response: aiohttp.ClientResponse,
    body: bytes = b"",
    connection: Connection | None = None,
) -> Answer:
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status, response.reason or "", headers, body, connection)


async def _whole(response: aiohttp.ClientResponse) -> Answer:
    """Read a response to its end, within the limits of :func:`check_body`."""
    data = bytearray()
    answer = _answer(response)
    try:
        check_body(answer.headers, 0)
        async for part in response.content.iter_any():
            data += part
            check_body(answer.headers, len(data))
    finally:
        response.release()  # closes the connection if the body has unread bytes
    return _answer(response, bytes(data))


async def _parts(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    with _own_errors():
        async for part in response.content.iter_any():
            yield part


def _hijacked(response: aiohttp.ClientResponse) -> Connection:
    """Take the connection of an upgraded response over from aiohttp; the caller owns it.

    aiohttp forgets the connection, so that it does not count towards the pool's limit.

    Raises:
        Broken: the connection is already closed, or has no plain socket.
    """
    connection = response.connection
    http = connection.protocol if connection is not None else None
    transport = http.transport if http is not None else None
    if http is None or transport is None or transport.is_closing():
        response.close()
        raise Broken("the engine closed the connection right after upgrading it")
    # aiohttp keeps bytes that arrived with the 101 in the protocol's tail. set_parser passes them
    # to a parser, as it does for aiohttp's own websocket client.
    early = _Tail()
    http.set_parser(early, None)
    sock: socket.socket = transport.get_extra_info("socket").dup()
    response.close()
    return Connection(sock, early.data)


class _Resolver(aiohttp.abc.AbstractResolver):
    """Resolves host names without the loop's own threads: see :func:`in_thread`."""

    async def resolve(
        self, host: str, port: int = 0, family: int = socket.AF_UNSPEC
    ) -> list[aiohttp.abc.ResolveResult]:
        """Return the addresses of a host."""
        ask = partial(socket.getaddrinfo, host, port, family, socket.SOCK_STREAM)
        return [
            {
                "hostname": host,
                "host": str(address[0]),
                "port": port,
                "family": kind,
                "proto": proto,
                "flags": socket.AI_NUMERICHOST,
            }
            for kind, _, proto, _, address in await in_thread(ask)
        ]

    async def close(self) -> None:
        """Do nothing: it keeps nothing."""


class _Tail:
    """A payload parser, in aiohttp's sense, that only collects its input."""

    def __init__(self) -> None:
        self.data = b""

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        self.data += data
        return False, b""

    def feed_eof(self) -> None:
        """Do nothing: a read of the socket reports the end again."""
