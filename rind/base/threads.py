"""Calls what blocks, in a thread of its own."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

__all__ = ["in_thread"]

T = TypeVar("T")


async def in_thread(function: Callable[[], T]) -> T:
    """Return the result of a function that blocks; the event loop goes on meanwhile.

    A cancelled call is abandoned. Not the loop's own threads: a loop and the program wait at their
    end for each of those, however long it still blocks.
    """
    loop = asyncio.get_running_loop()
    result: asyncio.Future[T] = loop.create_future()

    def settle(how: Callable[[Any], None], value: object) -> None:
        if not result.done():
            how(value)

    def call() -> None:
        try:
            done = partial(settle, result.set_result, function())
        except Exception as exc:  # noqa: BLE001 # it is raised below
            done = partial(settle, result.set_exception, exc)
        with suppress(RuntimeError):  # the loop was closed, and its tasks have ended
            loop.call_soon_threadsafe(done)

    threading.Thread(target=call, name="rind", daemon=True).start()
    return await result
