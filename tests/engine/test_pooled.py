"""The use of private parts of aiodocker and aiohttp."""

import asyncio
import inspect
import subprocess
import sys
from pathlib import Path

import aiodocker
import aiohttp
import pytest
from aiohttp.client_proto import ResponseHandler
from conftest import TestEngine
from tls_peer import issued

from rind.base.deadline import Deadline
from rind.endpoint.endpoint import Endpoint
from rind.engine.pooled import CLOSED, PooledCarrier, _hijacked, docker_at, endpoint_of
from rind.errors import Broken, UsageError
from rind.transport.carrier import Request
from rind.transport.hijacked import HijackedStream


def test_a_user_without_a_home_can_import_it() -> None:
    program = """
import os, pwd

def unknown(uid):
    raise KeyError(uid)

pwd.getpwuid = unknown
del os.environ["HOME"]
import rind.engine.pooled
assert "HOME" not in os.environ
assert rind.engine.pooled.aiodocker.Docker
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_the_used_parts_of_aiodocker_exist() -> None:
    request = inspect.signature(aiohttp.ClientSession._request).parameters
    assert {"params", "data", "headers", "allow_redirects", "auto_decompress"} <= set(request)
    assert {"docker_host", "session"} <= set(aiodocker.Docker.__init__.__code__.co_names)


async def test_a_client_may_be_closed_during_a_request(engine: TestEngine) -> None:
    """aiohttp's outcome depends on how far the request has come."""
    for turns in range(20):
        docker = aiodocker.Docker(url=engine.host)
        carrier = PooledCarrier(docker)
        asking = asyncio.create_task(carrier.request(Request("GET", "version"), Deadline(10)))
        for _ in range(turns):
            await asyncio.sleep(0)
        await docker.close()
        try:
            assert (await asking).status == 200
        except ConnectionError:  # the request was sent
            pass
        except RuntimeError as exc:
            assert str(exc) == CLOSED  # noqa: PT017 # there may be no error


async def test_adopting_leaves_aiohttp_with_nothing(tmp_path: object) -> None:
    """Fails if aiohttp changes a private name that :func:`_hijacked` uses."""
    taken = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        # The first bytes of the stream arrive in one piece with the answer.
        writer.write(b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nearly")
        await taken.wait()
        writer.write((await reader.readexactly(4)).upper())
        assert await reader.read() == b""
        writer.write(b" and late")
        writer.close()
        await writer.wait_closed()

    path = f"{tmp_path}/sock"
    async with (
        await asyncio.start_unix_server(serve, path),
        aiohttp.ClientSession(connector=aiohttp.UnixConnector(path, limit=1)) as session,
    ):
        headers = {"Connection": "Upgrade", "Upgrade": "tcp"}
        response = await session.post("http://engine/x", headers=headers, read_until_eof=False)
        assert response.connection is not None
        assert isinstance(response.connection.protocol, ResponseHandler)
        stream = HijackedStream(_hijacked(response))
        taken.set()
        assert await stream.read() == b"early"
        await stream.write(b"ping")
        stream.write_eof()
        received = b""
        while data := await stream.read():
            received += data
        assert received == b"PING and late"
        stream.close()
        # The pool's only connection is available again.
        assert session.connector is not None
        assert not session.connector._acquired


async def test_adopting_a_closed_connection_is_an_error(tmp_path: object) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()
        await writer.wait_closed()

    path = f"{tmp_path}/sock"
    async with (
        await asyncio.start_unix_server(serve, path),
        aiohttp.ClientSession(connector=aiohttp.UnixConnector(path)) as session,
    ):
        response = await session.post("http://engine/x")
        await response.read()
        with pytest.raises(Broken, match="right after upgrading"):
            _hijacked(response)


async def test_the_endpoint_of_an_aiodocker_client_is_read(
    engine: TestEngine, tmp_path: Path
) -> None:
    async with aiodocker.Docker(url=engine.host) as docker:
        assert endpoint_of(docker) == Endpoint(engine.host, "docker")
    async with aiodocker.Docker(url="tcp://box:2375", api_version="v1.41") as docker:
        assert endpoint_of(docker) == Endpoint("tcp://box:2375", "docker", api_version=(1, 41))
    async with aiodocker.Docker(url="https://box:2376") as docker:
        with pytest.raises(UsageError, match=r"https://box:2376.* pass host= to"):
            endpoint_of(docker)
    tls = Endpoint("tcp://box:2376", "the test", issued(tmp_path))
    docker = docker_at(tls, (1, 41))
    assert (docker.docker_host, docker.api_version) == ("https://box:2376", "v1.41")
    await docker.session.close()
    with pytest.raises(UsageError, match="connection to ssh://box"):
        docker_at(Endpoint("ssh://box", "the test"), (1, 41))
