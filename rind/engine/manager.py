"""The requests to the manager of a swarm, about its services, nodes and tasks."""

from __future__ import annotations

import json
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
    with engine.errors():
        try:
            listed = await engine.get("services")
        except Refused as exc:
            if exc.http_status in _NO_SWARM or _NO_MANAGER in exc.text:
                raise NoManager(is_worker=_WORKER in exc.text) from exc
            raise
        services = {service.id: service for service in filter(fits, read_services(listed))}
        if not services:
            return Swarm({}, {}, [])
        nodes = read_nodes(await engine.get("nodes"))
        filters = {"service": [*services], **({} if past else {"desired-state": ["running"]})}
        tasks = read_tasks(await engine.get("tasks", filters=json.dumps(filters)))
        return Swarm({node.id: node for node in nodes}, services, tasks)
