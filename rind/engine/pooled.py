"""A carrier that uses the aiodocker client of a program, and an aiodocker client beside Rind.

Goal: Rind is at home in a program that uses aiodocker. Such a program has one client, with one
session and one pool of connections, for its images and logs and for its commands. Without one, Rind
does not load aiodocker: a request over its own carrier (:mod:`rind.transport.kept`) takes 0.56 of
the CPU time, one after the other or fifty at once, with aiohttp 3.14.

This is the only importer of aiodocker and aiohttp. All use of their private parts is here, in
:func:`_hijacked`; tests/engine/test_pooled.py fails if a new version changes them.

Doubt: the carrier takes over the socket of an upgraded connection. With TLS, its bytes are
encrypted, and asyncio's TLS cannot be half-closed, so a client that uses TLS is refused.
"""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import asynccontextmanager, contextmanager
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

from rind.endpoint.endpoint import Endpoint, parse_api_version
from rind.engine.answers import LONGEST_TEXT
from rind.errors import Broken, UsageError
from rind.transport.carrier import (
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

Docker = aiodocker.Docker

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Iterator
    from typing import Final

    from rind.base.deadline import Deadline
    from rind.transport.carrier import Request

__all__ = ["Docker", "PooledCarrier", "docker_at", "endpoint_of"]

_SWITCHING: Final = 101

CLOSED: Final = "the aiodocker client that was passed to connect() is closed"


def endpoint_of(docker: Docker) -> Endpoint:
    """Return the endpoint that an aiodocker client is connected to.

    Raises:
        UsageError: Rind cannot use its connections.
    """
    connector = docker.session.connector
    version = parse_api_version(docker.api_version.removeprefix("v"))  # None for "auto"
    if isinstance(connector, aiohttp.UnixConnector):  # aiodocker's for ssh is one too
        path = connector.path
        url = f"unix://@{path[1:]}" if path.startswith("\0") else f"unix://{path}"
        return Endpoint(url, "docker", api_version=version)
    scheme, _, rest = docker.docker_host.partition("://")
    if scheme not in {"tcp", "http"}:
        raise UsageError(
            f"Rind cannot use an aiodocker client of {scheme}://{rest}, as it cannot end a "
            "command's stdin there: pass host= to connect() instead"
        )
    return Endpoint(f"tcp://{rest}", "docker", api_version=version)


def docker_at(endpoint: Endpoint, api_version: tuple[int, int]) -> Docker:
    """Return a new aiodocker client of an endpoint. Close its session too.

    Raises:
        UsageError: aiodocker cannot reach it; or a file for TLS is missing or invalid.
    """
    scheme, _, rest = endpoint.url.partition("://")
    # With a connector, aiodocker obeys neither DOCKER_TLS_VERIFY nor the current context, which may
    # not apply to this endpoint.
    connector: aiohttp.BaseConnector
    url = endpoint.url
    if scheme == "ssh":
        raise UsageError(
            f"aiodocker cannot use Rind's connection to {endpoint.url}: install asyncssh, and make "
            "a client of your own with aiodocker.Docker(url=...)"
        )
    if scheme == "unix":
        [(_, path)] = places(url)
        connector, url = aiohttp.UnixConnector(path), "unix://localhost"  # any name will do
    elif endpoint.tls is None:
        connector = aiohttp.TCPConnector()
    else:
        from rind.transport.tls import tls_context

        connector, url = aiohttp.TCPConnector(ssl=tls_context(endpoint.tls)), f"https://{rest}"
    session = aiohttp.ClientSession(connector=connector, headers=dict(endpoint.headers))
    version = "v{}.{}".format(*api_version)
    return Docker(url=url, connector=connector, session=session, api_version=version)


class PooledCarrier:
    """Sends requests over the connections of an aiodocker client, which it leaves open."""

    def __init__(self, docker: Docker) -> None:
        self._docker = docker
        self._loop: asyncio.AbstractEventLoop | None = None
        is_unix = isinstance(docker.session.connector, aiohttp.UnixConnector)
        place = "docker" if is_unix else docker.docker_host.partition("://")[2]
        self._base = f"http://{place}"
        self._uploads = SocketCarrier(PlainDialer(endpoint_of(docker).url, LoopWire))

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
        """Do nothing: the connections are the client's, and the client is the program's."""

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
                    "Accept-Encoding": "identity",
                    "Content-Type": "application/json",
                    **headers,
                },
                allow_redirects=False,
                auto_decompress=False,
            )
        except (AssertionError, RuntimeError, aiohttp.ClientConnectionError) as exc:
            # After its end, aiohttp raises any of these, depending on the request's progress.
            if self._docker.session.closed:
                raise RuntimeError(CLOSED) from exc
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


class _Tail:
    """A payload parser, in aiohttp's sense, that only collects its input."""

    def __init__(self) -> None:
        self.data = b""

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        self.data += data
        return False, b""

    def feed_eof(self) -> None:
        """Do nothing: a read of the socket reports the end again."""
