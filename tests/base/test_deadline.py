import asyncio

import pytest

from rind.base.deadline import Deadline


class OverError(Exception):
    """The time is over."""


async def test_a_deadline_without_a_limit_never_expires() -> None:
    deadline = Deadline(None)
    assert deadline.left is None
    async with deadline.limit(OverError):
        await asyncio.sleep(0)


async def test_an_expired_deadline_ends_all_its_work() -> None:
    deadline = Deadline(0)
    assert deadline.left == 0
    for _ in range(2):
        with pytest.raises(OverError):
            async with deadline.limit(OverError):
                pytest.fail("it began")
    with pytest.raises(OverError):
        async with Deadline(0.001).limit(OverError):
            await asyncio.Event().wait()


async def test_a_timeout_raised_by_the_work_is_not_replaced() -> None:
    with pytest.raises(TimeoutError, match="the work's"):
        async with Deadline(60).limit(OverError):
            raise TimeoutError("the work's")


def test_a_paused_deadline_does_not_expire(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    deadline = Deadline(5)
    now += 2
    with deadline.paused():
        now += 1000
    assert deadline.left == 3
