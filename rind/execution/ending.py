"""Finds out how a container ended, and with it its command.

Loads no event loop: it is also used for a start that fails before there is one.
"""

from __future__ import annotations

from contextlib import suppress
from http import HTTPStatus

from rind.errors import ContainerGone, EngineError, Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Final

    from rind.engine.engine import Engine
    from rind.errors import Ending, StartError
    from rind.model import Container

__all__ = ["EVENTS", "container_end", "container_gone", "ending", "why_not_started"]

_NOT_ENDED: Final = {"created", "running", "paused"}
"""States of a container that runs, or never ran."""

_BEFORE: Final = 2.0
"""Seconds before the request for a container's events in which its end is expected."""

_SOON: Final = 0.1
_LATE: Final = 1.0
"""Seconds after that request; longer if the container still seems to run, although its processes
have ended."""

_ENDINGS: Final[dict[str, Ending]] = {
    "destroy": "removed",
    "stop": "stopped",
    "oom": "out of memory",
    "kill": "killed",
    "die": "ended",
}
"""How a container ended, by its events. The first listed of those that occurred counts: a container
that is stopped or removed has a ``kill`` event too."""

EVENTS: Final = tuple(_ENDINGS)
"""The events that :func:`ending` interprets."""

_IN_WORDS: Final[dict[Ending, str]] = {
    "removed": "was removed",
    "stopped": "was stopped",
    "out of memory": "ran out of memory",
    "killed": "was killed",
    "ended": "has ended by itself",
}


def ending(actions: Collection[str]) -> tuple[Ending | None, bool]:
    """Return how a command was killed, by its container's events around its end.

    Args:
        actions: the events' names (API: ``GET /events``), in any order: ``stop`` comes after
            ``die`` on 20.10, and before it on 28.5.

    Returns:
        How it was killed, None if the container was not the cause; and whether its container ended
        too. If only the command was killed, the only possible cause is lack of memory.
    """
    if "die" in actions:
        return next(how for action, how in _ENDINGS.items() if action in actions), True
    return ("out of memory" if "oom" in actions else None), False


def container_gone(name: str, how: Ending) -> ContainerGone:
    """Return the error for a command that was killed with its container."""
    return ContainerGone(f"the command was killed with its container: {name} {_IN_WORDS[how]}", how)


async def container_end(engine: Engine, container: Container) -> Ending | None:
    """Return how a container ended, by its present state; None if it runs, or if unknown."""
    try:
        state = (await engine.container(container.id)).state
    except Refused as exc:
        return "removed" if exc.http_status == HTTPStatus.NOT_FOUND else None
    except EngineError:
        return None
    return None if state in _NOT_ENDED else "stopped"


async def why_not_started(
    engine: Engine, container: Container, failure: StartError
) -> StartError | ContainerGone:
    """Return the error for a command that was not started: the failure, unless its container ended.

    Engines have many messages for a container that ends during a start, so its state decides.
    """
    how = None if failure.printed else await container_end(engine, container)
    if how == "stopped" or (how is None and not failure.is_final):
        with suppress(EngineError):
            after = _SOON if how else _LATE
            told, has_ended = ending(await engine.events(container.id, EVENTS, _BEFORE, after))
            how = told if has_ended else how or await container_end(engine, container)
    if how is None:
        return failure
    what = f"the command was not started: {container.name} {_IN_WORDS[how]}"
    return ContainerGone(what, how, started=False)
