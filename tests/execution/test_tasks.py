"""Tasks that end with their owner."""

import asyncio
import gc

import pytest

from rind.execution.tasks import Tasks, carried_out, persistent, shielded


async def test_cancelling_ends_all_tasks() -> None:
    tasks = Tasks()
    forever = [tasks.spawn(asyncio.Event().wait()) for _ in range(3)]
    done = tasks.spawn(asyncio.sleep(0, "result"))
    assert await done == "result"
    await tasks.cancel()
    assert all(task.cancelled() for task in forever)
    assert not tasks._running


async def test_an_exception_goes_to_the_awaiter() -> None:
    said: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, what: said.append(str(what)))
    tasks = Tasks()

    async def fail() -> None:
        raise ZeroDivisionError

    other = tasks.spawn(asyncio.Event().wait())
    with pytest.raises(ZeroDivisionError):
        await tasks.spawn(fail())
    await asyncio.wait({tasks.spawn(fail())})
    gc.collect()
    assert not said
    assert not other.done()
    await tasks.cancel()


async def test_a_clean_up_is_not_cancelled() -> None:
    go_on = asyncio.Event()
    cleaning = asyncio.create_task(_wait_for(go_on))
    waiting = asyncio.create_task(shielded(cleaning))
    for _ in range(5):
        await asyncio.sleep(0)
        waiting.cancel()
    await asyncio.sleep(0)
    assert not waiting.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert cleaning.done()
    assert not cleaning.cancelled()


async def test_two_cancellations_count_once_for_nested_time_limits() -> None:
    cleaning = asyncio.create_task(asyncio.sleep(0.1))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02) as outer, asyncio.timeout(0.01) as inner:
            await shielded(cleaning)
    assert cleaning.done()
    assert outer.expired()
    assert inner.expired()


async def test_cancelled_work_is_repeated() -> None:
    begun = 0

    async def work() -> None:
        nonlocal begun
        begun += 1
        await asyncio.sleep(0.01)

    task = asyncio.create_task(persistent(work))
    for _ in range(2):
        await asyncio.sleep(0)
        task.cancel()
    await task
    assert begun == 3


async def test_cancelled_work_is_repeated_only_a_few_times() -> None:
    task = asyncio.create_task(persistent(asyncio.Event().wait))
    for _ in range(10):
        await asyncio.sleep(0)
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def _wait_for(event: asyncio.Event) -> None:
    await event.wait()


@pytest.mark.parametrize("struck", [KeyboardInterrupt, SystemExit])
def test_ctrl_c_does_not_end_the_work_and_is_raised_once(
    struck: type[BaseException],
) -> None:
    done: list[str] = []

    async def work() -> None:
        await asyncio.sleep(0)
        done.append("a beginning")
        if len(done) == 1:
            raise struck
        await asyncio.sleep(0)
        done.append("the end")

    async def program() -> None:
        await shielded(asyncio.create_task(persistent(work)))

    runner = asyncio.Runner()
    with pytest.raises(struck):
        runner.run(program())
    runner.close()  # it waits for running work, and raises nothing
    assert done == ["a beginning", "a beginning", "the end"]


def test_a_clean_up_cancelled_before_its_first_step_is_repeated() -> None:
    done: list[str] = []

    async def work() -> None:
        await asyncio.sleep(0)
        done.append("the end")

    async def program() -> None:
        waiting = asyncio.create_task(carried_out(lambda: asyncio.create_task(persistent(work))))
        await asyncio.sleep(0)  # the task waits now, and the clean-up has not begun
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(program())
    assert done == ["the end"]
