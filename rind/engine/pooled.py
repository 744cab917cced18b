"""Carries requests by aiodocker, which keeps connections for later ones.

The only importer of aiodocker and aiohttp; every private reach into them is here.
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
    # It asks for Path.home() as it is imported, to look for sockets where it is given no address;
    # a user with neither HOME nor an entry in the passwd file has none.
    os.environ["HOME"] = "/"
    try:
        import aiodocker
    finally:
        del os.environ["HOME"]

from rind.engine.answers import LONGEST_TEXT
from rind.errors import Broken
from rind.transport.carrier import (
    NOT_OPEN,
    OTHERWISE_FINE,
    Answer,
    Connection,
    Disconnected,
    WrongAnswer,
    check_body,
)
from rind.transport.dial import places

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Iterator, Sequence
    from typing import Final

    from rind.transport.carrier import Request

__all__ = ["PooledCarrier"]

_SWITCHING: Final = 101


class PooledCarrier:
    """Carries requests over aiodocker's connections, which are plain."""

    def __init__(self, url: str, headers: Sequence[tuple[str, str]] = ()) -> None:
        self._headers = dict(headers)
        self._loop = asyncio.get_running_loop()
        scheme, _, rest = url.partition("://")
        self._connector: aiohttp.BaseConnector
        if scheme == "unix":
            self._base = "http://docker"
            [(_, path)] = places(url)
            self._connector = aiohttp.UnixConnector(path)
        else:
            self._base = f"http://{rest}"
            self._connector = aiohttp.TCPConnector()
        # Given none, aiodocker would make one that heeds DOCKER_TLS_VERIFY, which is not for every
        # endpoint. Our paths name the version.
        with _own_errors():
            self._docker = aiodocker.Docker(url=url, connector=self._connector, api_version="v1.24")

    async def request(self, asked: Request, within: float) -> Answer:
        """Do as the contract says."""
        with _own_errors():
            async with asyncio.timeout(within):
                return await _whole(await self._send(asked))

    async def upload(self, asked: Request, parts: AsyncIterator[bytes], within: float) -> Answer:
        """Do as the contract says."""
        clock = asyncio.get_running_loop().time
        with _own_errors():
            async with asyncio.timeout(within) as limit:

                async def timed() -> AsyncIterator[bytes]:
                    async for part in parts:
                        limit.reschedule(clock() + within)
                        yield part
                    limit.reschedule(clock() + within)

                return await _whole(await self._send(asked, timed()))

    async def upgrade(self, asked: Request, within: float) -> Answer:
        """Do as the contract says."""
        with _own_errors():
            async with asyncio.timeout(within):
                # aiodocker's Exec.start can neither send ConsoleSize nor half-close.
                response = await self._send(asked, Connection="Upgrade", Upgrade="tcp")
                if response.status in OTHERWISE_FINE:
                    response.close()  # its body has no end before the command has
                    return _answer(response)
                if response.status != _SWITCHING:
                    return await _whole(response)
                return _answer(response, connection=_hijacked(response))

    @asynccontextmanager
    async def stream(
        self, asked: Request, within: float
    ) -> AsyncIterator[tuple[Answer, AsyncIterator[bytes]]]:
        """Do as the contract says."""
        with _own_errors():
            async with asyncio.timeout(within):
                response = await self._send(asked)
        try:
            yield _answer(response), _parts(response)
        finally:
            response.close()  # it has no end that could be waited for

    async def aclose(self) -> None:
        """Close the connections that are kept. Idempotent."""
        await self._docker.close()
        await self._connector.close()

    async def _send(
        self, asked: Request, parts: AsyncIterator[bytes] | None = None, **headers: str
    ) -> aiohttp.ClientResponse:
        """Send a request; return the answer, of which only the head has been read.

        aiodocker's own requests read an error's body to its end, whatever its size.
        """
        if asyncio.get_running_loop() is not self._loop:
            raise RuntimeError(
                "this client is connected in another event loop: "
                "connect one in the loop that uses it"
            )
        # A plain bytes object of more than a megabyte is a warning to aiohttp.
        body = None if asked.body is None else BytesIO(json.dumps(asked.body).encode())
        try:
            return await self._docker.session.request(
                asked.method,
                f"{self._base}/{asked.path}",
                params=asked.params,
                data=body if parts is None else parts,
                headers={
                    **self._headers,
                    "Accept-Encoding": "identity",
                    "Content-Type": "application/json" if parts is None else "application/x-tar",
                    **headers,
                },
                allow_redirects=False,
                auto_decompress=False,
            )
        except (AssertionError, RuntimeError, aiohttp.ClientConnectionError) as exc:
            # aiohttp says it in any of these ways, which depends on how far the request has come.
            if self._connector.closed:
                raise RuntimeError(NOT_OPEN) from exc
            raise


@contextmanager
def _own_errors() -> Iterator[None]:
    """Translate the errors of aiodocker and aiohttp into the contract's."""
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
    """Read an answer to its end."""
    data = bytearray()
    answer = _answer(response)
    try:
        check_body(answer.headers, 0)
        async for part in response.content.iter_any():
            data += part
            check_body(answer.headers, len(data))
    finally:
        response.release()  # closes a connection that has more to say
    return _answer(response, bytes(data))


async def _parts(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    with _own_errors():
        async for part in response.content.iter_any():
            yield part


def _hijacked(response: aiohttp.ClientResponse) -> Connection:
    """Take the connection of an upgraded response away from aiohttp.

    From here on, aiohttp knows nothing of the connection: it counts towards no pool limit, and
    closing it is ours.

    Raises:
        Broken: the connection is already gone, or is of a kind that has no plain socket.
    """
    connection = response.connection
    http = connection.protocol if connection is not None else None
    transport = http.transport if http is not None else None
    if http is None or transport is None or transport.is_closing():
        response.close()
        raise Broken("the engine closed the connection right after upgrading it")
    # What the engine sent along with the 101 waits in the protocol's tail; set_parser hands
    # it over (aiohttp's own websocket client gets it in the same way).
    early = _Tail()
    http.set_parser(early, None)
    sock: socket.socket = transport.get_extra_info("socket").dup()
    response.close()
    return Connection(sock, early.data)


class _Tail:
    """A payload parser in aiohttp's sense that keeps its input."""

    def __init__(self) -> None:
        self.data = b""

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        self.data += data
        return False, b""

    def feed_eof(self) -> None:
        """The socket will say it again."""
