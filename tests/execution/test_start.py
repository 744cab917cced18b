"""Starts that are cut short; test_exec.py has complete ones."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import TestContainer
from faults import FaultProxy, fault_proxy

import rind
from rind.endpoint.endpoint import Endpoint
from rind.engine.engine import Engine
from rind.errors import Broken, ContainerGone, LeftRunning
from rind.execution.session import Session
from rind.execution.start import open_exec
from rind.model import ExecConfig
from rind.reaper.tree import Tree


async def test_a_command_that_cannot_be_created_is_an_error(busybox: TestContainer) -> None:
    async with Engine(Endpoint(busybox.engine.host, "the test")) as engine:
        container = await engine.container(busybox.name)
        gone = replace(container, id="0" * 64)
        session = Session(engine)
        with pytest.raises(ContainerGone, match="was not started"):
            await open_exec(session, gone, ExecConfig(argv=["true"]))
        assert not session.open
        assert not session.opening


async def test_leaving_before_the_engine_has_started_the_command_ends_it(
    busybox: TestContainer,
) -> None:
    async with Engine(Endpoint(busybox.engine.host, "the test")) as engine:
        container = await engine.container(busybox.name)

        async def one() -> None:
            config = ExecConfig(argv=["sleep", "656565"])
            async with await open_exec(Session(engine), container, config):
                raise ZeroDivisionError

        for _ in range(10):
            await asyncio.gather(*(one() for _ in range(4)), return_exceptions=True)
        # A missed command would be started soon after.
        await asyncio.to_thread(busybox.inside, "sleep 0.5")
        assert "656565" not in await asyncio.to_thread(busybox.engine.cli, "top", busybox.name)


async def test_cancelling_a_requested_start_ends_the_command(
    busybox: TestContainer, tmp_path: Path
) -> None:
    go_on = asyncio.Event()
    mark = "646464"

    def configure(proxy: FaultProxy) -> None:
        proxy.hold_starts_until = go_on

    async with (
        fault_proxy(busybox.engine.host, tmp_path, configure) as (url, proxy),
        Engine(Endpoint(url, "the test")) as engine,
    ):
        container = await engine.container(busybox.name)
        config = ExecConfig(argv=["sh", "-c", f"sleep {mark}; true"])
        starting = asyncio.create_task(open_exec(Session(engine), container, config))
        await proxy.holds_start.wait()
        starting.cancel()
        await asyncio.sleep(0.3)  # a clean-up that is too early would happen now
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await starting
        assert mark not in await asyncio.to_thread(busybox.engine.cli, "top", busybox.name)


async def unreachable(*_: object) -> bool:
    raise LeftRunning("the engine does not answer")


@pytest.mark.newest_engine
@pytest.mark.parametrize("is_cancelled", [True, False])
async def test_an_abandoned_start_reports_a_command_left_running(
    busybox: TestContainer, monkeypatch: pytest.MonkeyPatch, *, is_cancelled: bool
) -> None:
    begun = asyncio.Event()

    async def fail(*_: object, **__: object) -> None:
        begun.set()
        if is_cancelled:
            await asyncio.Event().wait()
        raise Broken("no upgrade")

    monkeypatch.setattr(Engine, "start_exec", fail)
    monkeypatch.setattr(Tree, "end", unreachable)
    monkeypatch.setattr("rind.execution.start.BOUND", 0.0)
    async with rind.connect(busybox.engine.host) as client:
        target = await client.find(container=busybox.name)
        starting = asyncio.create_task(target.start(rind.Command(argv=["true"])))
        await begun.wait()
        if is_cancelled:
            starting.cancel()
        with pytest.raises(LeftRunning, match="the engine does not answer") as caught:
            await starting
        assert is_cancelled or "no upgrade; it may be left running" in str(caught.value)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()  # the start that never ends
