"""Requests to a swarm's manager for its services, nodes and tasks."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from datetime import datetime
from http import HTTPStatus

from rind.engine.answers import labels_in, listed, number, object_in, text_in
from rind.errors import Refused
from rind.model import NAME, Node, Service, Swarm, Task, is_full_id
from rind.transport.carrier import WrongAnswer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Final

    from rind.engine.engine import Engine

__all__ = ["NoManager", "ask_manager", "read_nodes", "read_services", "read_tasks"]

_NO_SWARM: Final = {HTTPStatus.NOT_FOUND, HTTPStatus.NOT_ACCEPTABLE}
"""The answers of Podman, and of moby before 1.12, to a request about a swarm."""

_NO_MANAGER: Final = "not a swarm manager"
_WORKER: Final = "Worker nodes"
"""Parts of the engine's text with HTTP status 503 (moby, daemon/cluster, errNoSwarm and
errNoManager). The status alone does not decide: a swarm that is locked, or whose certificates have
expired, has it too."""


_TO_RUN: Final = ["ready", "running", "complete"]
"""The desired states of tasks that are to run (SwarmKit, design/task_model.md). A task that waits
for its turn, for example after a failure, has "ready"; a job's task has "complete"."""

_MOST_ATTEMPTS: Final = 3
"""Attempts at a consistent answer: a service may be removed between two requests."""


class _ServiceGone(Refused):
    """A listed service was removed, and the manager therefore refuses to list any tasks."""


class NoManager(Exception):
    """The engine is not a swarm's manager.

    Attributes:
        is_worker: whether it is a worker node of a swarm.
    """

    def __init__(self, *, is_worker: bool) -> None:
        super().__init__("the engine manages no swarm")
        self.is_worker = is_worker


async def ask_manager(
    engine: Engine, fits: Callable[[Service], bool], *, past: bool = False
) -> Swarm:
    """Request the services that fit, their tasks and all nodes; empty if no service fits.

    API: ``GET /services``, ``GET /nodes``, ``GET /tasks``.

    Args:
        engine: an engine that may be a manager.
        fits: whether a service fits.
        past: whether to include tasks that are no longer to run. By default, a manager keeps five
            for each replica.

    Raises:
        NoManager: the engine is not a swarm's manager.
        Refused: the swarm has no quorum (500), or is locked (503).
        EngineError: the engine failed.
    """
    for _ in range(_MOST_ATTEMPTS - 1):
        with suppress(_ServiceGone):
            return await _ask(engine, fits, past=past)
    return await _ask(engine, fits, past=past)


async def _ask(engine: Engine, fits: Callable[[Service], bool], *, past: bool) -> Swarm:
    with engine.map_exceptions():
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


_ID: Final = re.compile("[0-9a-z]{25}")
_HOST_LABEL: Final = "app.rind.host"
_MOST_SLOTS: Final = 2**31


def read_nodes(data: bytes) -> list[Node]:
    """Read ``GET /nodes``."""
    return [_node(item) for item in listed(data, "the nodes")]


def read_services(data: bytes) -> list[Service]:
    """Read ``GET /services``."""
    return [_service(item) for item in listed(data, "the services")]


def read_tasks(data: bytes) -> list[Task]:
    """Read ``GET /tasks``."""
    return [_task(item) for item in listed(data, "the tasks")]


def _node(item: Mapping[str, object]) -> Node:
    labels = labels_in(object_in(item, "Spec"))
    return Node(
        _id(item, "ID"),
        _hostname(text_in(object_in(item, "Description"), "Hostname", "")),
        text_in(object_in(item, "Status"), "State", ""),
        labels.get(_HOST_LABEL),
    )


def _service(item: Mapping[str, object]) -> Service:
    spec = object_in(item, "Spec")
    name = text_in(spec, "Name")
    if not re.fullmatch(NAME, name):
        raise WrongAnswer("a service has no name")
    template = object_in(object_in(spec, "TaskTemplate"), "ContainerSpec")
    return Service(_id(item, "ID"), name, labels_in(spec), labels_in(template))


def _task(item: Mapping[str, object]) -> Task:
    status, spec = object_in(item, "Status"), object_in(item, "Spec")
    of_container = object_in(spec, "ContainerSpec")
    container = text_in(object_in(status, "ContainerStatus"), "ContainerID", "")
    if container and not is_full_id(container):
        raise WrongAnswer("a task's container has no ID")
    return Task(
        id=_id(item, "ID"),
        service_id=_id(item, "ServiceID"),
        node_id=text_in(item, "NodeID", ""),
        slot=number(item.get("Slot") or 0, "Slot", _MOST_SLOTS),
        state=text_in(status, "State", ""),
        desired=text_in(item, "DesiredState", ""),
        error=text_in(status, "Err", ""),
        container_id=container,
        labels=labels_in(of_container),
        image=text_in(of_container, "Image", "").partition("@")[0],
        created=_seconds(text_in(item, "CreatedAt", "")),
        changed=text_in(status, "Timestamp", ""),
    )


def _seconds(time: str) -> int:
    """Convert a time in RFC 3339 format to seconds since 1970; 0 if it is invalid."""
    try:
        return max(0, int(datetime.fromisoformat(time).timestamp()))
    except (ValueError, OverflowError):
        return 0


def _id(item: Mapping[str, object], field: str) -> str:
    found = text_in(item, field)
    if not _ID.fullmatch(found):
        raise WrongAnswer("an ID is not 25 letters and digits")
    return found


def _hostname(name: str) -> str:
    """Return ``name`` if it is safe to print and to resolve; otherwise ``""``."""
    return name if re.fullmatch(NAME, name) else ""
