import asyncio

import pytest

from rind.base.deadline import Deadline


class OverError(Exception):
    """The time is over."""


async def test_without_a_limit_nothing_ends() -> None:
    deadline = Deadline(None)
    assert deadline.left is None
    async with deadline.limit(OverError):
        await asyncio.sleep(0)


async def test_a_time_that_is_over_ends_all_that_it_is_for() -> None:
    deadline = Deadline(0)
    assert deadline.left == 0
    for _ in range(2):
        with pytest.raises(OverError):
            async with deadline.limit(OverError):
                pytest.fail("it began")
    with pytest.raises(OverError):
        async with Deadline(0.001).limit(OverError):
            await asyncio.Event().wait()


async def test_a_timeout_of_the_work_is_its_own() -> None:
    with pytest.raises(TimeoutError, match="the work's"):
        async with Deadline(60).limit(OverError):
            raise TimeoutError("the work's")


def test_paused_the_time_does_not_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    deadline = Deadline(5)
    now += 2
    with deadline.paused():
        now += 1000
    assert deadline.left == 3
