import asyncio
import threading

import pytest

from rind.files.worker import Worker


def workers() -> list[threading.Thread]:
    """Return the threads of workers that have not ended."""
    return [thread for thread in threading.enumerate() if thread.name.startswith("rind-files")]


async def test_functions_run_in_a_thread_that_ends() -> None:
    async with Worker() as worker:
        assert await worker.run(threading.current_thread) in workers()
        with pytest.raises(ZeroDivisionError):
            await worker.run(divmod, 1, 0)
        worker.clean_up.callback(lambda: done.append(threading.current_thread()))
        done: list[threading.Thread] = []
        assert len(workers()) == 1
    assert not workers()
    assert done != [threading.current_thread()]


async def test_a_cancelled_worker_ends_after_its_function() -> None:
    began, goes_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()
    done: list[str] = []

    def step() -> None:
        loop.call_soon_threadsafe(began.set)
        goes_on.wait()
        done.append("step")

    async def work() -> None:
        async with Worker() as worker:
            worker.clean_up.callback(done.append, "clean-up")
            await worker.run(step)

    working = asyncio.create_task(work())
    await began.wait()
    for _ in range(3):
        working.cancel()
        await asyncio.sleep(0)
    assert not working.done()
    goes_on.set()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert done == ["step", "clean-up"]
    assert not workers()


async def test_a_failing_clean_up_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        async with Worker() as worker:
            worker.clean_up.callback(divmod, 1, 0)
    assert not workers()
