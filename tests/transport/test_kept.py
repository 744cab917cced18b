"""Kept connections, with an engine that is scripted to the byte."""

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from rind.base.deadline import Deadline
from rind.transport import kept
from rind.transport.carrier import Disconnected, Request
from rind.transport.dial import PlainDialer
from rind.transport.kept import KeepingCarrier
from rind.transport.loop_wire import LoopWire

PING = Request("GET", "_ping")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK"


class Script:
    """An engine with a scripted answer for each request; it counts its connections."""

    def __init__(self, path: Path) -> None:
        self.url = f"unix://{path}"
        self.answers: list[bytes] = []
        self.connections = 0
        self.open = 0
        self.all_closed = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        self.all_closed.clear()
        while await reader.read(1000):
            answer = self.answers.pop(0)
            writer.write(answer)
            if not answer or b"close" in answer:
                break
        writer.close()
        self.open -= 1
        if not self.open:
            self.all_closed.set()


@pytest.fixture
async def script(tmp_path: Path) -> AsyncIterator[Script]:
    it = Script(tmp_path / "engine.sock")
    async with await asyncio.start_unix_server(it.serve, tmp_path / "engine.sock"):
        yield it
        await it.all_closed.wait()


@pytest.fixture
async def carrier(script: Script) -> AsyncIterator[KeepingCarrier]:
    it = KeepingCarrier(PlainDialer(script.url, LoopWire))
    yield it
    await it.aclose()


async def ask(carrier: KeepingCarrier, method: str = "GET") -> bytes:
    return (await carrier.request(Request(method, "x"), Deadline(10))).body


@pytest.mark.parametrize(
    ("first", "connections"),
    [
        (OK, 1),
        (b"HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nOK\r\n0\r\n\r\n", 1),
        (b"HTTP/1.1 204 No\r\n\r\n", 1),
        (OK.replace(b"Con", b"Connection: close\r\nCon", 1), 2),
        (OK.replace(b"1.1", b"1.0"), 2),
        (OK + b"HTTP/1.1 200 OK\r\n\r\nof nobody's request", 2),
    ],
    ids=["length", "chunks", "no-body", "close", "old", "surplus"],
)
async def test_the_answer_decides_whether_the_connection_is_kept(
    script: Script, carrier: KeepingCarrier, first: bytes, connections: int
) -> None:
    script.answers = [first, OK]
    await ask(carrier)
    assert await ask(carrier) == b"OK"
    assert script.connections == connections


async def test_each_concurrent_request_has_a_connection(
    script: Script, carrier: KeepingCarrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carrier, "_places", asyncio.Semaphore(3))
    script.answers = [OK] * 20
    await asyncio.gather(*(ask(carrier) for _ in range(20)))
    assert script.connections == 3


async def test_a_connection_that_the_engine_closed_is_not_used(
    script: Script, carrier: KeepingCarrier
) -> None:
    script.answers = [OK.replace(b"OK\r\nC", b"close\r\nC"), OK]
    await ask(carrier)
    await script.all_closed.wait()
    assert await ask(carrier, "POST") == b"OK"
    assert script.connections == 2


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_request_on_a_closing_connection_is_repeated_only_if_safe(
    script: Script, carrier: KeepingCarrier, method: str
) -> None:
    """The engine may already have executed the request, so only a GET is repeated."""
    script.answers = [OK, b"", OK]
    await ask(carrier)
    if method == "GET":
        assert await ask(carrier) == b"OK"
    else:
        with pytest.raises(Disconnected):
            await ask(carrier, method)
        assert script.answers == [OK]


async def test_a_request_that_is_cut_short_closes_its_connection(
    script: Script, carrier: KeepingCarrier
) -> None:
    script.answers = [OK, OK[:-1], OK]
    await ask(carrier)
    with pytest.raises(TimeoutError):
        await carrier.request(PING, Deadline(0.05))
    assert await ask(carrier) == b"OK"
    assert script.connections == 2


async def test_idle_connections_are_closed_after_a_time(
    script: Script, carrier: KeepingCarrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "IDLE", 0.02)
    script.answers = [OK] * 3
    await asyncio.gather(ask(carrier), ask(carrier))
    await script.all_closed.wait()
    monkeypatch.setattr(kept, "IDLE", 100)
    await ask(carrier)
    assert script.connections == 3
    await carrier.aclose()
    await carrier.aclose()
    await script.all_closed.wait()


async def test_a_connection_in_use_is_closed_after_its_answer(
    script: Script, carrier: KeepingCarrier
) -> None:
    script.answers = [OK]
    asking = asyncio.create_task(ask(carrier))
    await asyncio.sleep(0)
    await carrier.aclose()
    assert await asking == b"OK"
    await script.all_closed.wait()


def test_another_loop_is_refused() -> None:
    async def made() -> KeepingCarrier:
        return KeepingCarrier(PlainDialer("unix:///nowhere", LoopWire))

    carrier = asyncio.run(made())
    uses: list[Callable[..., Awaitable[object]]] = [carrier.request, carrier.send_upgrade]
    for use in uses:
        with pytest.raises(RuntimeError, match="connected in another event loop"):
            asyncio.run(use(PING, Deadline(10)))  # type: ignore[arg-type] # they are coroutines


async def test_what_was_never_closed_is_closed_with_its_carrier(script: Script) -> None:
    """Without a warning for each socket: warnings are errors here."""
    script.answers = [OK]
    carrier = KeepingCarrier(PlainDialer(script.url, LoopWire))
    assert await ask(carrier) == b"OK"
    assert carrier._sweep is not None
    carrier._sweep.cancel()  # it would keep the carrier for a while
    carrier._sweep = None
    del carrier
    gc.collect()
    await script.all_closed.wait()
