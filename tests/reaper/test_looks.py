"""Looks that serve several commands, on real engines; test_scripts.py tests the script."""

import asyncio
import signal
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest
from conftest import TestContainer

import rind
from rind.endpoint.endpoint import Endpoint
from rind.engine.engine import Engine
from rind.reaper.looks import CannotLook, Look, Looks

if TYPE_CHECKING:
    from rind.model import ExecConfig

COMMANDS = 40


async def test_one_look_serves_all_concurrent_callers(
    busybox: TestContainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with rind.connect(busybox.engine.host) as client, AsyncExitStack() as stack:
        target = await client.find(container=busybox.name)
        opened = [
            await stack.enter_async_context(target.open_process(["sleep", "1000"]))
            for _ in range(COMMANDS)
        ]
        created = 0
        create_exec = Engine.create_exec

        async def counted(engine: Engine, container_id: str, config: "ExecConfig") -> str:
            nonlocal created
            created += 1
            return await create_exec(engine, container_id, config)

        monkeypatch.setattr(Engine, "create_exec", counted)
        killed = await asyncio.gather(*(process.end(signal.SIGTERM, 10) for process in opened))
        assert killed == [False] * COMMANDS
        assert [await process.wait() for process in opened] == [143] * COMMANDS
    # A look for each command would make 40 or more.
    assert created < COMMANDS / 2


async def test_a_cancelled_caller_delays_no_other(busybox: TestContainer) -> None:
    async with rind.connect(busybox.engine.host) as client:
        looks = Looks(client._engine, busybox.name, "", asyncio.Semaphore(1))
        leaving = asyncio.create_task(looks.take(0, "0" * 32, None))
        staying = asyncio.create_task(looks.take(0, "1" * 32, None))
        await asyncio.sleep(0)
        leaving.cancel()
        assert await staying == Look(0, 0, 0, has_root=False)
        await looks.until_idle()


async def test_a_failure_is_raised_in_every_caller(busybox: TestContainer) -> None:
    async with rind.connect(busybox.engine.host) as client:
        looks = Looks(client._engine, "no-such-container", "", asyncio.Semaphore(1))
        asked = (looks.take(0, digit * 32, None) for digit in "ab")
        for wrong in await asyncio.gather(*asked, return_exceptions=True):
            assert isinstance(wrong, rind.Refused)


def test_ctrl_c_in_a_look_wakes_every_caller(
    busybox: TestContainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def struck(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("rind.reaper.looks.run_script", struck)
    loop = asyncio.new_event_loop()

    async def ask() -> None:
        engine = Engine(Endpoint(busybox.engine.host, "the test"))
        await Looks(engine, busybox.name, "", asyncio.Semaphore(1)).take(0, "0" * 32, None)

    asking = loop.create_task(ask())
    with pytest.raises(KeyboardInterrupt):
        loop.run_until_complete(asking)
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(asyncio.wait_for(asking, 10))
    loop.close()


class Printed:
    """An engine whose exec instance has printed these bytes."""

    def __init__(self, data: bytes) -> None:
        self._parts = [data]

    async def create_exec(self, *_: object) -> str:
        return "0" * 64

    async def start_exec(self, *_: object, **__: object) -> "Printed":
        return self

    async def read(self) -> bytes:
        return self._parts.pop() if self._parts else b""

    def close(self) -> None:
        pass


async def test_an_engines_error_in_the_stream_is_the_reason() -> None:
    engine = Printed(b"\3\0\0\0\0\0\0\7no luck")
    looks = Looks(engine, "0" * 64, "", asyncio.Semaphore(1))  # type: ignore[arg-type] # see above
    with pytest.raises(CannotLook, match=r"can signal the command \(no luck"):
        await looks.take(0, "0" * 32, None)


async def test_a_look_cancelled_before_its_start_wakes_its_callers() -> None:
    engine = Engine(Endpoint("unix:///nowhere", "the test"))
    looks = Looks(engine, "0" * 64, "", asyncio.Semaphore(1))
    taking = asyncio.create_task(looks.take(0, "0" * 32, None))
    await asyncio.sleep(0)
    assert looks._looking is not None
    looks._looking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking
