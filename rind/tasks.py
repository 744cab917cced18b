"""Tasks that live no longer than what they work for."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["Tasks", "shielded"]

T = TypeVar("T")


class Tasks:
    """A set of tasks, whose failures are for whoever awaits them, and do not end the others."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    def spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Begin to work on something."""
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
            task.exception()  # else asyncio complains where nobody awaits it


async def shielded(task: asyncio.Task[None]) -> None:
    """Wait for a bounded clean-up to its end, even where we are cancelled meanwhile."""
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.gather(task, return_exceptions=True)
        raise
