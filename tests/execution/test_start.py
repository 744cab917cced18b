"""Tests of starts that are cut short; what a start gives is test_exec's."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import TestContainer
from faults import FaultProxy, fault_proxy

from rind.engine.endpoint import Endpoint
from rind.engine.engine import Engine
from rind.errors import StartError
from rind.execution.registry import Registry
from rind.execution.start import open_exec
from rind.model import ExecConfig
from rind.reaper.tree import Trees


async def test_a_command_that_cannot_be_created(busybox: TestContainer) -> None:
    async with Engine(Endpoint(busybox.engine.host, "the test")) as engine:
        container = await engine.container(busybox.name)
        gone = replace(container, id="0" * 64)
        registry = Registry()
        with pytest.raises(StartError):
            await open_exec(Trees(engine), registry, gone, ExecConfig(argv=["true"]))
        assert not registry.open
        assert not registry.opening


async def test_leaving_before_the_engine_has_started_the_command_ends_it(
    busybox: TestContainer,
) -> None:
    async with Engine(Endpoint(busybox.engine.host, "the test")) as engine:
        container = await engine.container(busybox.name)

        async def one() -> None:
            config = ExecConfig(argv=["sleep", "656565"])
            async with await open_exec(Trees(engine), Registry(), container, config):
                raise ZeroDivisionError

        for _ in range(10):
            await asyncio.gather(*(one() for _ in range(4)), return_exceptions=True)
        # One that was missed would be started soon after.
        await asyncio.to_thread(busybox.inside, "sleep 0.5")
        assert "656565" not in await asyncio.to_thread(busybox.engine.cli, "top", busybox.name)


async def test_cancelled_while_the_request_to_start_is_on_its_way(
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
        starting = asyncio.create_task(open_exec(Trees(engine), Registry(), container, config))
        await proxy.holds_start.wait()
        starting.cancel()
        await asyncio.sleep(0.3)  # for a clean-up that would be too early
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await starting
        assert mark not in await asyncio.to_thread(busybox.engine.cli, "top", busybox.name)
