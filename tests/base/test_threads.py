import asyncio
import threading

import pytest

from rind.base.threads import in_thread


async def test_the_functions_result_is_returned() -> None:
    assert await in_thread(threading.get_ident) != threading.get_ident()
    with pytest.raises(ZeroDivisionError):
        await in_thread(lambda: 1 / 0)


def test_a_loop_does_not_wait_for_an_abandoned_call() -> None:
    release, over = threading.Event(), threading.Event()

    def block() -> None:
        release.wait(5)
        over.set()

    async def abandon() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(in_thread(block), 0.01)

    asyncio.run(abandon())
    assert not over.is_set()
    release.set()
    assert over.wait(5)
