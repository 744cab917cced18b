"""Tasks with the lifetime of their owner."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

__all__ = ["Tasks", "carried_out", "persistent", "shielded"]

MOST_BEGINNINGS: Final = 3
"""How often cancelled work starts again, at most."""

T = TypeVar("T")


class Tasks:
    """Tasks that fail independently; exceptions go to the awaiter."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    def __bool__(self) -> bool:
        """Whether any of them runs."""
        return bool(self._running)

    def spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start a task."""
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._forget)
        return task

    async def cancel(self) -> None:
        """Cancel all that still run, and return once they have ended."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # else asyncio warns if it is never awaited


async def shielded(task: asyncio.Future[None]) -> None:
    """Wait for a bounded clean-up, also if cancelled meanwhile, however often.

    One cancellation is raised then: nested time limits count theirs, and anyio's scopes go on until
    the task is out.
    """
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as exc:
            cancelled = exc
    if cancelled is not None:
        raise cancelled
    task.result()


async def carried_out(start: Callable[[], asyncio.Task[None]]) -> None:
    """Do what :func:`shielded` does, and start the task again if it never began.

    A loop that ends cancels all tasks, and one that was cancelled before it began never runs.

    Args:
        start: starts the clean-up, or returns the task of one that is under way.
    """
    cancelled: asyncio.CancelledError | None = None
    for _ in range(MOST_BEGINNINGS):
        task = start()
        try:
            await shielded(task)
        except asyncio.CancelledError as exc:
            cancelled = exc
        if not task.cancelled():
            break
    if cancelled is not None:
        raise cancelled


async def persistent(work: Callable[[], Coroutine[Any, Any, object]]) -> None:
    """Do bounded work, and start it again if the work itself is cancelled.

    A loop that ends cancels all tasks once, those that clean up too, and then waits for them.
    Ctrl-C is raised in whatever runs at that moment. If it is this work, the program gets the
    exception once, as if it had struck elsewhere, and the work goes on.
    """
    for _ in range(MOST_BEGINNINGS):
        try:
            await work()
        except asyncio.CancelledError:
            continue
        except (KeyboardInterrupt, SystemExit) as struck:
            asyncio.get_running_loop().call_soon(_raise, struck)
        else:
            return
    await work()


def _raise(exc: BaseException) -> None:
    raise exc
