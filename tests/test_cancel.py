"""Commands that are cancelled more than once, at any moment: no process is left."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress

import anyio
import pytest
import uvloop
from conftest import TIMEOUT, TestContainer, wait_until
from processes import sleepers

import rind

RUNS = 32
AT_ONCE = 16
DENSE = 0.4
"""Seconds over which cancellations are spread: a start takes a tenth."""

Work = Callable[[], Awaitable[object]]


async def by_asyncio(work: Work, first: float, second: float) -> None:
    task = asyncio.ensure_future(work())
    for delay in (first, second):
        await asyncio.sleep(delay)
        task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def by_nested_limits(work: Work, first: float, second: float) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(first + second), asyncio.timeout(first):
            await work()


async def by_anyio(work: Work, first: float, second: float) -> None:
    with anyio.move_on_after(first + second), anyio.move_on_after(first):
        await work()


@pytest.mark.parametrize("cancelled", [by_asyncio, by_nested_limits, by_anyio])
@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_two_cancellations_leave_nothing(
    busybox: TestContainer,
    cancelled: Callable[[Work, float, float], Awaitable[None]],
    loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    mark = str(uuid.uuid4().int % 10**8 + 10**8)
    choose = random.Random(mark)

    async def all_of_them() -> None:
        turns = asyncio.Semaphore(AT_ONCE)
        async with rind.connect(busybox.engine.host) as client:
            web = await client.find(container=busybox.name)

            async def one() -> None:
                async with turns:
                    delays = choose.uniform(0, DENSE), choose.uniform(0, DENSE / 4)
                    await cancelled(lambda: web.run(["sleep", mark]), *delays)

            await asyncio.gather(*(one() for _ in range(RUNS)))

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(all_of_them())
    assert sleepers(busybox, mark) == 0


async def test_nested_limits_end_a_stubborn_command(busybox: TestContainer) -> None:
    mark = str(uuid.uuid4().int % 10**8 + 10**8)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.9), asyncio.timeout(0.7):
            await rind.run(
                script=f"trap '' TERM; sleep {mark} & sleep {mark}; wait",
                timeout=0.5,
                **busybox.where,
            )
    assert await asyncio.to_thread(sleepers, busybox, mark) == 0


async def test_cancelling_a_caller_ends_the_commands_of_its_tasks(busybox: TestContainer) -> None:
    mark = str(uuid.uuid4().int % 10**8 + 10**8)
    ready = asyncio.Event()

    async def embed() -> None:
        async with rind.connect(busybox.engine.host) as client:
            web = await client.find(container=busybox.name)
            neighbours = [asyncio.ensure_future(web.run(["sleep", mark])) for _ in range(4)]
            await asyncio.to_thread(wait_until, lambda: sleepers(busybox, mark) == 4)
            ready.set()
            await asyncio.wait(neighbours)

    task = asyncio.create_task(embed())
    await ready.wait()
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0.01)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(sleepers, busybox, mark) == 0


def test_two_interrupts_of_a_program_without_a_loop_leave_nothing(busybox: TestContainer) -> None:
    mark = str(uuid.uuid4().int % 10**8 + 10**8)
    script = f"trap '' INT TERM; sleep {mark} & echo ready >&2; sleep {mark}; wait"
    program = (
        "import rind, sys; _, script, host, name = sys.argv;"
        "rind.run_sync(script=script, stderr=2, host=host, container=name)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, script, busybox.engine.host, busybox.name],
        env={"PATH": os.environ["PATH"]},
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stderr
        assert process.stderr.readline() == b"ready\n"
        for _ in range(2):
            process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):  # it may end sooner
                process.wait(0.1)
        process.wait(TIMEOUT)
        assert b"KeyboardInterrupt" in process.stderr.read()
    assert sleepers(busybox, mark) == 0
