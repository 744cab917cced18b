"""How a container's events explain a killed command; test_target.py has real ones."""

from typing import Any, cast

import pytest

from rind.errors import ContainerGone, StartError
from rind.execution.ending import ending, why_not_started
from rind.model import Container


@pytest.mark.parametrize(
    ("actions", "told"),
    [
        ([], (None, False)),
        (["kill"], (None, False)),
        (["oom"], ("out of memory", False)),
        (["oom", "die"], ("out of memory", True)),
        (["kill", "die"], ("killed", True)),
        (["kill", "die", "stop"], ("stopped", True)),
        (["kill", "stop", "die"], ("stopped", True)),
        (["kill", "kill", "die", "destroy"], ("removed", True)),
        (["die"], ("ended", True)),
    ],
)
def test_events_give_the_ending(actions: list[str], told: tuple[str | None, bool]) -> None:
    assert ending(actions) == told


class Engine:
    """An engine that reports its container's end only by events."""

    def __init__(self, state: str, events: list[str]) -> None:
        self._web = Container("0" * 64, "web", state, "", {})
        self._events = events

    async def container(self, _: str) -> Container:
        return self._web

    async def events(self, *_: object) -> list[str]:
        return self._events


@pytest.mark.parametrize(
    ("state", "events", "is_final", "how"),
    [
        ("running", ["kill", "die"], False, "killed"),
        ("running", ["oom"], False, None),
        ("running", ["kill", "die"], True, None),
        ("paused", [], False, None),
        ("exited", [], True, "stopped"),
        ("exited", ["die"], True, "ended"),
    ],
)
async def test_the_cause_of_a_failed_start_is_found(
    state: str, events: list[str], how: str | None, *, is_final: bool
) -> None:
    engine = cast("Any", Engine(state, events))
    failure = StartError("no", 125, is_final=is_final)
    found = await why_not_started(engine, await engine.container(""), failure)
    assert (found.how if isinstance(found, ContainerGone) else None) == how
    assert found.exit_status == 125
