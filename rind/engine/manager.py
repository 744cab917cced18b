"""The requests to the manager of a swarm, about its services, nodes and tasks."""

from __future__ import annotations

import json
from contextlib import suppress
from http import HTTPStatus

from rind.engine.swarm_answers import read_nodes, read_services, read_tasks
from rind.errors import Refused
from rind.swarm_model import Swarm

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

    from rind.engine.engine import Engine
    from rind.swarm_model import Service

__all__ = ["NoManager", "ask_manager"]

_NO_SWARM: Final = {HTTPStatus.NOT_FOUND, HTTPStatus.NOT_ACCEPTABLE}
"""What a request about a swarm is answered with by Podman, and by moby before 1.12."""

_NO_MANAGER: Final = "not a swarm manager"
_WORKER: Final = "Worker nodes"
"""What the engine's text has, with HTTP status 503 (moby, daemon/cluster, errNoSwarm and
errNoManager); a swarm that is locked, or whose certificates have expired, has that status too."""


_TO_RUN: Final = ["ready", "running", "complete"]
"""The desired states of tasks that are to run: those that wait for their turn, as after a failure,
and a job's have the first and the last (SwarmKit, design/task_model.md)."""

_MOST_ATTEMPTS: Final = 3
"""How often it is asked, as a service may have been removed meanwhile."""


class _ServiceGone(Refused):
    """A service was removed after it was listed, for which the manager refuses a whole answer."""


class NoManager(Exception):
    """The engine manages no swarm.

    Attributes:
        is_worker: whether it is in one.
    """

    def __init__(self, *, is_worker: bool) -> None:
        super().__init__("the engine manages no swarm")
        self.is_worker = is_worker


async def ask_manager(
    engine: Engine, fits: Callable[[Service], bool], *, past: bool = False
) -> Swarm:
    """Ask for the services that fit, and if there are any, for their tasks and the nodes.

    API: ``GET /services``, ``GET /nodes``, ``GET /tasks``.

    Args:
        engine: which may be a manager or not.
        fits: whether a service does.
        past: whether to ask for tasks that are no longer to run, too. Of each replica, the
            manager keeps five, as a rule.

    Raises:
        NoManager: the engine is none.
        Refused: the swarm has no quorum (500), or is locked (503).
        EngineError: the engine failed.
    """
    for _ in range(_MOST_ATTEMPTS - 1):
        with suppress(_ServiceGone):
            return await _ask(engine, fits, past=past)
    return await _ask(engine, fits, past=past)


async def _ask(engine: Engine, fits: Callable[[Service], bool], *, past: bool) -> Swarm:
    with engine.errors():
        services = {service.id: service for service in filter(fits, await _services(engine))}
        if not services:
            return Swarm({}, {}, [])
        nodes = read_nodes(await engine.get("nodes"))
        filters = {"service": [*services], **({} if past else {"desired-state": _TO_RUN})}
        try:
            tasks = read_tasks(await engine.get("tasks", filters=json.dumps(filters)))
        except Refused as exc:
            if exc.http_status == HTTPStatus.NOT_FOUND:
                raise _ServiceGone(exc.http_status, exc.text) from exc
            raise
        return Swarm({node.id: node for node in nodes}, services, tasks)


async def _services(engine: Engine) -> list[Service]:
    try:
        return read_services(await engine.get("services"))
    except Refused as exc:
        if exc.http_status in _NO_SWARM or _NO_MANAGER in exc.text:
            raise NoManager(is_worker=_WORKER in exc.text) from exc
        raise
