"""Why a command was killed, from its container's events. Pure."""

from __future__ import annotations

from typing import Final

from rind.errors import ContainerGone

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from rind.errors import Ending

__all__ = ["EVENTS", "container_gone", "ending"]

_TOLD: Final[dict[str, Ending]] = {
    "destroy": "removed",
    "stop": "stopped",
    "oom": "out of memory",
    "kill": "killed",
    "die": "ended",
}
"""What a container's events tell, the first that is there. What is stopped or removed is sent a
signal (``kill``) too."""

EVENTS: Final = tuple(_TOLD)
"""The events that :func:`ending` tells by."""

_SAID: Final[dict[Ending, str]] = {
    "removed": "was removed",
    "stopped": "was stopped",
    "out of memory": "ran out of memory",
    "killed": "was killed",
    "ended": "has ended by itself",
}


def ending(actions: Collection[str]) -> tuple[Ending | None, bool]:
    """Return how a command was ended, by its container's events around its end.

    Args:
        actions: the events' names (API: ``GET /events``), in any order: ``stop`` comes after
            ``die`` on 20.10, and before it on 28.5.

    Returns:
        How, None where the container had no part in it, and whether its container was ended with
        it. Of the command alone, it can only be that the memory ran out.
    """
    if "die" in actions:
        return next(how for action, how in _TOLD.items() if action in actions), True
    return ("out of memory" if "oom" in actions else None), False


def container_gone(name: str, how: Ending) -> ContainerGone:
    """Return the error for a command that was killed with its container."""
    return ContainerGone(f"the command was killed with its container: {name} {_SAID[how]}", how)
