"""One supervised run and its ends, on real engines; the user's view is in tests/reaper."""

import asyncio
import signal
import uuid
from collections.abc import AsyncIterator
from functools import partial

import pytest
from conftest import TestContainer
from processes import sleepers

from rind.cli.running.supervisor import Supervisor, _settled
from rind.client import connect
from rind.decide.plan import Command
from rind.decide.wanted import Wanted
from rind.errors import ExitStatus
from rind.execution.exec import Exec
from rind.target import Target


@pytest.fixture
async def target(busybox: TestContainer) -> AsyncIterator[Target]:
    async with connect(busybox.engine.host, environ={}) as client:
        yield await client.find(Wanted(label=busybox.label))


async def say(text: str) -> None:
    raise AssertionError(text)


async def serve(process: Exec) -> int:
    while await process.read():
        pass
    return await process.wait()


@pytest.fixture
def mark() -> str:
    return str(uuid.uuid4().int % 10**8 + 10**8)


async def test_run_returns_the_commands_own_status(target: Target) -> None:
    assert (
        await Supervisor(target.container.name, 10, say).run(
            partial(target.start, Command(argv=["sh", "-c", "exit 5"])), serve
        )
        == 5
    )


async def test_a_run_ended_before_it_began_does_not_start(target: Target) -> None:
    run = Supervisor(target.container.name, 10, say)
    run.end(signal.SIGINT, 130)
    assert await run.run(partial(target.start, Command(argv=["false"])), serve) == 130


async def test_a_requested_start_is_ended(
    busybox: TestContainer, target: Target, mark: str
) -> None:
    run = Supervisor(target.container.name, 10, say, has_begun=True)
    assert run.left() == [target.container.name]
    run.end(signal.SIGINT, 130)
    start = partial(target.start, Command(argv=["sleep", mark]))
    assert await run.run(start, serve) == 130
    assert run.left() == []
    assert await asyncio.to_thread(sleepers, busybox, mark) == 0


@pytest.mark.parametrize("after", [0, 0.001, 0.01, 0.03, 0.1, 0.3])
async def test_a_run_can_be_ended_at_any_moment(
    busybox: TestContainer, target: Target, mark: str, after: float
) -> None:
    run = Supervisor(target.container.name, 10, say)
    task = asyncio.create_task(run.run(partial(target.start, Command(argv=["sleep", mark])), serve))
    await asyncio.sleep(after)
    run.end(signal.SIGTERM, 143)
    assert await task == 143
    assert await asyncio.to_thread(sleepers, busybox, mark) == 0


async def test_a_finished_runs_background_process_is_not_ended(
    busybox: TestContainer, target: Target, mark: str
) -> None:
    run = Supervisor(target.container.name, 10, say)
    command = Command(argv=["sh", "-c", f"sleep {mark} >/dev/null 2>&1 &"])
    assert await run.run(partial(target.start, command), serve) == 0
    others = asyncio.all_tasks()
    run.end(signal.SIGKILL, 137)
    run.forward(signal.SIGKILL)
    assert asyncio.all_tasks() == others, "a new task would send the signal"
    assert await asyncio.to_thread(sleepers, busybox, mark) == 1


@pytest.mark.parametrize(
    ("given", "own", "killed", "status"),
    [
        (130, 5, False, 5),
        (130, 0, False, 0),
        (130, None, False, 0),
        (130, 137, True, 130),
        (ExitStatus.TIMED_OUT, 0, False, 124),
        (ExitStatus.TIMED_OUT, 137, True, 137),
    ],
)
def test_the_status_of_an_ended_run(
    given: int,
    own: int | None,
    killed: bool,  # noqa: FBT001 # a case
    status: int,
) -> None:
    assert _settled(given, own, killed=killed) == status
