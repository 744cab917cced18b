"""Commands in one container, many of them, on any event loop."""

import asyncio
import gc
import sys
import threading
import uuid
from collections.abc import Callable

import pytest
import uvloop
from conftest import TestContainer

import rind


async def test_a_timeout_has_the_partial_output_and_leaves_nothing(busybox: TestContainer) -> None:
    mark = str(uuid.uuid4().int % 10**8 + 10**8)
    script = f"echo part; trap '' TERM; sleep {mark} & sleep {mark}; sleep {mark}"
    with pytest.raises(rind.TimedOut) as caught:
        await rind.run(script=script, timeout=0.5, text=True, **busybox.where)
    exc = caught.value
    assert isinstance(exc, TimeoutError)
    assert (exc.stdout, exc.stderr, exc.timeout, exc.exit_status) == ("part\n", "", 0.5, 124)
    assert mark not in await asyncio.to_thread(busybox.engine.cli, "top", busybox.name)


async def test_a_cancelled_run_leaves_nothing(busybox: TestContainer) -> None:
    mark = str(uuid.uuid4().int % 10**8 + 10**8)
    async with rind.connect(busybox.engine.host) as client:
        target = await client.find(container=busybox.name)
        started = asyncio.Event()

        async def fail() -> None:
            await started.wait()
            raise ZeroDivisionError

        with pytest.raises(ExceptionGroup):  # noqa: PT012 # it is the group that is tested
            async with asyncio.TaskGroup() as group:
                group.create_task(target.run(["sleep", mark]))
                group.create_task(fail())
                async with target.open_process(["cat"]) as process:
                    assert process.stdin
                    assert process.stdout
                    process.stdin.write(b"x\n")
                    await process.stdout.readline()
                    started.set()
                    await process.wait()
    assert mark not in await asyncio.to_thread(busybox.engine.cli, "top", busybox.name)


async def test_two_hundred_at_once(busybox: TestContainer) -> None:
    """All run together, for long enough to be held by a leash, and end together."""
    commands = 200
    threads = threading.active_count()
    together = asyncio.Barrier(commands)
    async with rind.connect(busybox.engine.host) as client:
        target = await client.find(container=busybox.name)
        leash = target._reaper.leash(target.container.id, "")

        async def one(number: int) -> bool:
            script = f"echo ready; cat; echo {number} >&2; exit {number}"
            async with target.open_process(script=script) as process:
                assert process.stdout
                assert await process.stdout.readline() == b"ready\n"
                if await together.wait() == 0:
                    while len(leash._held) < commands:  # noqa: ASYNC110 # it has no event
                        await asyncio.sleep(0.02)
                await together.wait()
                expected = b"%d" % number * 1000, b"%d\n" % number
                return await process.communicate(expected[0]) == expected and (
                    process.returncode == number
                )

        assert all(await asyncio.gather(*map(one, range(commands))))
        assert not leash._held
    assert threading.active_count() == threads


def eager_loop() -> asyncio.AbstractEventLoop:
    # Not on uvloop: the two do not know each other's newest keywords.
    loop = asyncio.new_event_loop()
    if sys.version_info >= (3, 12):
        loop.set_task_factory(asyncio.eager_task_factory)
    return loop


@pytest.mark.parametrize("factory", [asyncio.new_event_loop, uvloop.new_event_loop, eager_loop])
@pytest.mark.parametrize("debug", [False, True])
def test_whatever_the_loop(
    busybox: TestContainer,
    factory: Callable[[], asyncio.AbstractEventLoop],
    debug: bool,  # noqa: FBT001 # a case
) -> None:
    async def work() -> None:
        asyncio.get_running_loop().slow_callback_duration = 60
        async with rind.connect(busybox.engine.host) as client:
            target = await client.find(container=busybox.name)
            done = await target.run(["cat"], input=b"x" * 10**6)
            assert done.stdout == b"x" * 10**6
            async with target.open_process(["sh", "-c", "read x; exit 5"]) as process:
                assert process.stdin
                process.stdin.write(b"\n")
                assert await process.wait() == 5
            with pytest.raises(rind.TimedOut):
                await target.run(["sleep", "1000"], timeout=0.1)

    for _ in range(2):
        with asyncio.Runner(debug=debug, loop_factory=factory) as runner:
            runner.run(work())
    gc.collect()
