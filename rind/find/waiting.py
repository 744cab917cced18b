"""Waits until containers can be used: they run, and are healthy if they have a health check."""

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
        """A target, or another object with a container."""

        container: Container


__all__ = ["until_fit"]

T = TypeVar("T", bound="Found")

_FIT: Final = {"", "healthy"}
"""The health of a container that can be used: without a health check, or healthy."""


async def until_fit(
    subscription: AbstractAsyncContextManager[AsyncIterator[None]],
    find: Callable[[], Awaitable[list[T]]],
    on_missing: Callable[[str], None],
    timeout: float | None,  # noqa: ASYNC109 # the error says what was missing
    look_again: Callable[[], float | None],
) -> list[T]:
    """Return the targets that ``find`` returns, once all of them can be used.

    Args:
        subscription: to container events.
        find: is called first, and again after each event.
        on_missing: is called with the reason for waiting.
        timeout: in seconds; None for no limit.
        look_again: returns the seconds after which to call ``find`` without an event; None for
            never.

    Raises:
        AmbiguousError: several containers fit where one is wanted.
        NoWayError: a node's engine cannot be reached; waiting cannot help.
        SelectionError: the time is over; the message has the reason.
        EngineError: the engine failed.
    """
    missing = "the engine has not listed its containers yet"
    limit = asyncio.timeout(timeout)
    waiting = Tasks()
    try:
        async with limit, subscription as changes:
            change: asyncio.Task[None] | None = None
            try:
                while True:
                    targets, missing = await _fit_for_use(find)
                    if not missing:
                        return targets
                    on_missing(missing)
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
        raise SelectionError(f"waited for {timeout:g} s: {missing}") from None


async def _next(changes: AsyncIterator[None]) -> None:
    await anext(changes)


async def _fit_for_use(
    find: Callable[[], Awaitable[list[T]]],
) -> tuple[list[T], str]:
    """Return the targets, and a text that says why they cannot be used; empty if they can."""
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
