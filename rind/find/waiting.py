"""Waits until containers can be used: they run, and are healthy if they have a health check."""

from __future__ import annotations

import asyncio
from typing import Final, TypeVar

from rind.decide.selection import AmbiguousError
from rind.errors import SelectionError, Unreachable
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

LOOK_AGAIN: Final = 1.0
"""Seconds between two requests to a swarm for its tasks: a manager sends no events about the
containers of other nodes."""

_FIT: Final = {"", "healthy"}
"""The health of a container that can be used: without a health check, or healthy."""


class _Missing(Exception):
    """The containers cannot be used yet. The text of the exception is the reason."""


async def until_fit(
    subscription: AbstractAsyncContextManager[AsyncIterator[None]],
    find: Callable[[], Awaitable[list[T]]],
    on_missing: Callable[[str], None],
    timeout: float | None,  # noqa: ASYNC109 # the error says what was missing
    *,
    is_managed: Callable[[], bool | None] = lambda: False,
) -> list[T]:
    """Return the targets that ``find`` returns, once all of them can be used.

    Args:
        subscription: to container events.
        find: is called first, and again after each event.
        on_missing: is called with the reason for waiting.
        timeout: in seconds; None for no limit.
        is_managed: returns whether the engine manages a swarm; None if that is unknown.

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
                    try:
                        return await _fit_for_use(find, is_managed)
                    except _Missing as exc:
                        missing = str(exc)
                    on_missing(missing)
                    change = change or waiting.spawn(_next(changes))
                    await asyncio.wait({change}, timeout=LOOK_AGAIN if is_managed() else None)
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
    find: Callable[[], Awaitable[list[T]]], is_managed: Callable[[], bool | None]
) -> list[T]:
    """Return the targets.

    Raises:
        _Missing: they cannot be used yet.
    """
    try:
        targets = await find()
    except (AmbiguousError, NoWayError):
        raise
    except SelectionError as exc:
        raise _Missing(str(exc)) from exc
    except Unreachable as exc:
        if not is_managed():
            raise
        # A swarm notices only after some seconds that a node is down.
        raise _Missing(str(exc)) from exc
    for target in targets:
        if target.container.health not in _FIT:
            name, health = target.container.name, target.container.health
            raise _Missing(f"the container {name} is not healthy ({health})")
    return targets
