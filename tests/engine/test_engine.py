"""The requests, by each carrier, to real engines, and to a fake for faults."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from carriers import Carry, by_each_carrier, opened
from conftest import Containers, TestContainer, TestEngine
from faults import Fault, FaultProxy, fault_proxy

from rind.engine.engine import Engine
from rind.errors import Broken, Refused, Unreachable
from rind.model import ExecConfig


@pytest.fixture
async def client(engine: TestEngine, carry: Carry) -> AsyncIterator[Engine]:
    async with opened(engine.host, carry) as client:
        yield client


@by_each_carrier
async def test_containers_are_listed_by_label(client: Engine, containers: Containers) -> None:
    label = f"test.list.{uuid.uuid4().hex}"
    first = containers("busybox", "pre step", label=label)
    second = containers("busybox", label=label)
    second.kill()
    (up,) = await client.containers([label], up=True)
    assert (up.name, up.state, up.labels[label]) == (first.name, "running", "pre step")
    listed = await client.containers([label])
    (down,) = (container for container in listed if container.name != up.name)
    assert (down.name, down.state) == (second.name, "exited")
    assert down.status.startswith("Exited (137)")


@by_each_carrier
async def test_a_container_is_found_by_name(client: Engine, busybox: TestContainer) -> None:
    found = await client.container(busybox.name)
    assert (found.name, len(found.id)) == (busybox.name, 64)
    assert await client.container(found.id[:20]) == found
    with pytest.raises(Refused) as caught:
        await client.container("no-such-container")
    assert caught.value.http_status == 404


@by_each_carrier
async def test_a_failed_idle_connection_is_replaced(
    busybox: TestContainer, tmp_path: Path, carry: Carry
) -> None:
    def configure(proxy: FaultProxy) -> None:
        proxy.fault, proxy.at = Fault.RESET, 10**9

    async with (
        fault_proxy(busybox.engine.host, tmp_path, configure) as (url, proxy),
        opened(url, carry) as engine,
    ):
        container = await engine.container(busybox.name)
        proxy.at = proxy.relayed  # with the next request
        exec_id = await engine.create_exec(container.id, ExecConfig(argv=["true"]))
        assert proxy.struck.is_set()
        assert not (await engine.inspect_exec(exec_id)).running


@by_each_carrier
async def test_an_exec_instance_is_created_started_and_inspected(
    client: Engine, busybox: TestContainer
) -> None:
    container = await client.container(busybox.name)
    exec_id = await client.create_exec(container.id, ExecConfig(argv=["sh", "-c", "cat; exit 4"]))
    created = await client.inspect_exec(exec_id)
    assert (created.running, created.exit_code, created.pid) == (False, None, 0)
    stream = await client.start_exec(exec_id, tty=False)
    await stream.write(b"x")
    received = b""
    while len(received) < 9:
        received += await stream.read()
    assert received[8:] == b"x"
    # 20.10 reports the process late; a hang times out.
    while not (running := await client.inspect_exec(exec_id)).pid:
        assert (running.running, running.exit_code) == (True, None)
    stream.write_eof()
    assert await stream.read() == b""
    stream.close()
    async with asyncio.timeout(20):
        while (ended := await client.inspect_exec(exec_id)).running:
            pass
    assert ended.exit_code == 4
    assert ended.pid == running.pid


# --- a fake engine, for faults of no real one --------------------------------------------------

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def fake(tmp_path: Path, carry: Carry, *answers: bytes) -> AsyncIterator[Engine]:
    """Return an engine that answers a ping, and then each request with the next of ``answers``."""
    left = list(answers)
    serving: set[asyncio.Task[None] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.current_task())
        try:
            while request := await reader.readuntil(b"\r\n\r\n"):
                if request.startswith(b"GET /_ping"):
                    writer.write(b"HTTP/1.1 200 OK\r\nApi-Version: 1.51\r\n")
                    writer.write(b"Content-Length: 2\r\n\r\nOK")
                    continue
                writer.write(left.pop(0))
                break
        except asyncio.IncompleteReadError:
            pass
        writer.close()
        await writer.wait_closed()

    path = tmp_path / "engine.sock"
    server = await asyncio.start_unix_server(serve, path)
    async with server:
        async with opened(f"unix://{path}", carry) as engine:
            yield engine
        await asyncio.wait(filter(None, serving))  # until a kept connection has ended


def answer(body: object, status: str = "200 OK", kind: str = "application/json") -> bytes:
    data = json.dumps(body).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(data)}\r\n\r\n"
    return head.encode() + data


@pytest.mark.parametrize(
    "wrong", [answer([1]), answer({"a": 1}), answer([{"Id": "x"}]), answer("x", kind="text/html")]
)
@by_each_carrier
async def test_an_answer_of_the_wrong_shape_is_an_error(
    tmp_path: Path, carry: Carry, wrong: bytes
) -> None:
    async with fake(tmp_path, carry, wrong) as engine:
        with pytest.raises(Unreachable, match="does not answer as a Docker Engine does"):
            await engine.containers(["x"], up=True)


@by_each_carrier
async def test_a_container_may_be_removed_between_two_requests(
    tmp_path: Path, carry: Carry
) -> None:
    async with fake(tmp_path, carry, answer({"Id": "0" * 64}), answer([])) as engine:
        with pytest.raises(Refused, match="No such container: web") as caught:
            await engine.container("web")
    assert caught.value.http_status == 404


@by_each_carrier
async def test_an_engine_that_closes_before_it_answers_is_an_error(
    tmp_path: Path, carry: Carry
) -> None:
    async with fake(tmp_path, carry, b"", b"") as engine:
        with pytest.raises(Unreachable, match="closed the connection without an answer"):
            await engine.containers(["x"], up=True)


@by_each_carrier
async def test_a_start_without_an_upgrade_is_an_error(tmp_path: Path, carry: Carry) -> None:
    async with fake(tmp_path, carry, answer({})) as engine:
        with pytest.raises(Broken, match="answered 200 OK; is a proxy in between"):
            await engine.start_exec("x", tty=False)
