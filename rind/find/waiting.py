"""Waits until what is found can be used: it runs, and is healthy if that is checked."""

from __future__ import annotations

import asyncio
from typing import Final, TypeVar

from rind.decide.selection import AmbiguousError
from rind.errors import SelectionError
from rind.execution.tasks import Tasks
from rind.find.elsewhere import NoWayError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from contextlib import AbstractAsyncContextManager
    from typing import Protocol

    from rind.model import Container

    class Found(Protocol):
        """What is found in a container."""

        container: Container


__all__ = ["until_fit"]

T = TypeVar("T", bound="Found")

_FIT: Final = {"", "healthy"}
"""The health of a container that can be used: not checked, or good."""


async def until_fit(
    subscription: AbstractAsyncContextManager[AsyncIterator[None]],
    find: Callable[[], Awaitable[list[T]]],
    told: Callable[[str], None],
    seconds: float | None,
    look_again: Callable[[], float | None],
) -> list[T]:
    """Return what is found once all of it can be used.

    Args:
        subscription: to what may change that.
        find: finds it, anew after each change.
        told: is called with what is missing.
        seconds: how long to wait; None for no limit.
        look_again: returns after how many seconds to find it anew without a change; None for never.

    Raises:
        AmbiguousError: several fit where one is wanted.
        NoWayError: it runs on a node that cannot be reached as things are.
        SelectionError: the time is over; it says what was missing.
        EngineError: the engine failed.
    """
    missing = "it is not known yet which containers run"
    limit = asyncio.timeout(seconds)
    waiting = Tasks()
    try:
        async with limit, subscription as changes:
            change: asyncio.Task[None] | None = None
            try:
                while True:
                    targets, missing = await _fit_for_use(find)
                    if not missing:
                        return targets
                    told(missing)
                    change = change or waiting.spawn(_next(changes))
                    await asyncio.wait({change}, timeout=look_again())
                    if change.done():
                        change.result()
                        change = None
            finally:
                await waiting.cancel()
    except TimeoutError:
        if not limit.expired():
            raise
        raise SelectionError(f"waited for {seconds:g} s: {missing}") from None


async def _next(changes: AsyncIterator[None]) -> None:
    await anext(changes)


async def _fit_for_use(
    find: Callable[[], Awaitable[list[T]]],
) -> tuple[list[T], str]:
    """Return what is found, and what is missing for its use; empty for nothing."""
    try:
        targets = await find()
    except (AmbiguousError, NoWayError):
        raise
    except SelectionError as exc:
        return [], str(exc)
    for target in targets:
        if target.container.health not in _FIT:
            name, health = target.container.name, target.container.health
            return [], f"the container {name} is not healthy ({health})"
    return targets, ""
