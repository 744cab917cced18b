"""The connection to an engine: the API version, a silent engine, and closing."""

import asyncio
from pathlib import Path

import pytest
from carriers import Carry, by_each_carrier, opened
from conftest import TestEngine

from rind.endpoint.endpoint import Endpoint
from rind.engine.dialect import API_NEWEST, Dialect
from rind.engine.engine import Engine
from rind.errors import Unreachable
from rind.transport.dial import PlainDialer
from rind.transport.loop_wire import LoopWire
from rind.transport.sockets import SocketCarrier


@by_each_carrier
async def test_the_engines_api_version_is_used(engine: TestEngine, carry: Carry) -> None:
    theirs = engine.cli("version", "--format", "{{.Server.APIVersion}}")
    async with opened(engine.host, carry) as client:
        dialect = client.dialect
    assert dialect.api_version == min(tuple(map(int, theirs.split("."))), API_NEWEST)
    assert dialect.takes_console_size == (dialect.api_version >= (1, 42))


@by_each_carrier
async def test_a_silent_engine_is_an_error(
    tmp_path: Path, carry: Carry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rind.engine.api.PING_TIMEOUT", 0.05)
    path = tmp_path / "silent.sock"

    served = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        await writer.wait_closed()
        served.set()

    async with await asyncio.start_unix_server(serve, path):
        with pytest.raises(Unreachable, match="does not answer"):
            async with opened(f"unix://{path}", carry):
                raise AssertionError
        await served.wait()


async def test_using_a_closed_engine_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="not connected"):
        await Engine(Endpoint("unix:///x", "the test")).containers(["x"], up=True)


def test_a_client_of_another_loop_sends_nothing() -> None:
    carrier = SocketCarrier(PlainDialer("unix:///nowhere", LoopWire))
    engine = Engine(Endpoint("unix:///nowhere", "the test"), carrier, Dialect())
    asyncio.run(engine.__aenter__())
    with pytest.raises(RuntimeError, match="connected in another event loop"):
        asyncio.run(engine.version())
