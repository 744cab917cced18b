"""Selects among a swarm's tasks, represented as containers. Pure."""

from __future__ import annotations

import re

from rind.base.quoting import quoted
from rind.base.records import replace
from rind.decide.wanted import matching
from rind.model import STACK, SWARM, Container

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rind.decide.wanted import Wanted
    from rind.model import Service, Swarm, Task

__all__ = ["has_wanted", "is_name", "last_error", "merged", "node_id_of", "starting", "tasks_up"]

_LOST = {"down", "disconnected"}
"""States of a node whose tasks are not reachable, although the manager still reports them."""

_UP = {"running", "starting"}
"""States of a task whose container, if it exists, is up; when starting, it is not healthy yet."""

_ID = re.compile("[0-9a-f]{12,64}")
"""A container's ID, or the prefix of it that docker shows."""

_STARTING = {"assigned", "accepted", "preparing", "ready", "starting"}
"""States of a task that has a node, but is not running yet (SwarmKit, api/types.proto)."""


def has_wanted(service: Service, wanted: Wanted) -> bool:
    """Whether tasks of a service may fit; an empty wanted label fits every service."""
    stack = service.labels.get(STACK, "")
    names = {service.name, service.name.removeprefix(f"{stack}_")}
    if wanted.container is not None:
        # A task is named web.1.ID or web.1@node2; the name of a service has no dot.
        name = wanted.container.partition("@")[0].partition(".")[0]
        return name in names or _ID.fullmatch(wanted.container) is not None
    if wanted.project is not None and wanted.project != stack:
        return False
    if wanted.service is None:
        return wanted.label in {"", *service.container_labels}
    return wanted.service in names


def tasks_up(swarm: Swarm, wanted: Wanted) -> list[Container]:
    """Return the running tasks that fit, under the names of their containers."""
    return [
        container
        for task, container in _matching(swarm, wanted)
        if task.state in _UP and task.container_id
        if (node := swarm.nodes.get(task.node_id)) and node.state not in _LOST
    ]


def merged(local: Sequence[Container], swarm: Swarm, wanted: Wanted) -> list[Container]:
    """Return the local containers and the tasks that fit, without duplicates.

    A local container that is a task gets its node. One that is a task of the swarm's services, but
    not up, is left out: the swarm is stopping it.
    """
    tasks = {task.id: task for task in tasks_up(swarm, wanted)}
    names = {service.name for service in swarm.services.values()}
    here = [
        replace(container, node=tasks.pop(container.id).node)
        if container.id in tasks
        else container
        for container in local
        if container.id in tasks or container.labels.get(f"{SWARM}.service.name") not in names
    ]
    return [*here, *tasks.values()]


def starting(swarm: Swarm, wanted: Wanted) -> list[Container]:
    """Return the tasks that fit, have a node and are not running yet."""
    return [container for task, container in _matching(swarm, wanted) if task.state in _STARTING]


def is_name(name: str) -> bool:
    """Whether a container's name may be that of a task: its name, its title or its ID."""
    return name.count(".") > 1 or "@" in name or _ID.fullmatch(name) is not None


def node_id_of(container: Container) -> str | None:
    """Return the ID of the node that a task is on; None for any other container."""
    return container.labels.get(f"{SWARM}.node.id")


def last_error(swarm: Swarm, wanted: Wanted) -> str:
    """Return why no matching task is running: the last one's error or state; empty for no service.

    A task with an error takes precedence over later ones without.
    """
    found = sorted(
        _matching(swarm, wanted), key=lambda pair: (bool(pair[0].error), pair[0].changed)
    )
    if not found:
        names = sorted(quoted(service.name) for service in swarm.services.values())
        return f"{names[0]} has no such task; see: docker service ps {names[0]}" if names else ""
    task, container = found[-1]
    node = swarm.nodes.get(task.node_id)
    if not task.error and node is not None and node.state in _LOST:
        return f"{container.title} has it, but its node is {node.state}"
    if task.state in _UP and task.desired == "shutdown":
        return f"{container.title} is being stopped"
    why = f": {task.error}" if task.error else ""
    return f"{container.title} has the state {task.state}{why}"


def _matching(swarm: Swarm, wanted: Wanted) -> Iterator[tuple[Task, Container]]:
    pairs = {
        container.name: (task, container)
        for task in swarm.tasks
        if (container := _as_container(swarm, task)) is not None
        if wanted.container is None or _is_named(container, wanted.container)
    }
    for container in matching([container for _, container in pairs.values()], wanted):
        yield pairs[container.name]


def _is_named(container: Container, name: str) -> bool:
    by_id = _ID.fullmatch(name) is not None and container.id.startswith(name)
    return by_id or name in {container.name, container.title}


def _as_container(swarm: Swarm, task: Task) -> Container | None:
    """Return a task as the engine of its node lists its container; None if its service is gone."""
    service = swarm.services.get(task.service_id)
    if service is None:
        return None
    node = swarm.nodes.get(task.node_id)
    name = f"{service.name}.{task.slot or task.node_id}.{task.id}"
    labels = {
        **task.labels,
        f"{SWARM}.service.name": service.name,
        f"{SWARM}.task.name": name,
        f"{SWARM}.node.id": task.node_id,
    }
    if STACK in service.labels:
        labels[STACK] = service.labels[STACK]
    hostname = (node.hostname or node.id) if node else ""
    return Container(
        task.container_id,
        name,
        "running" if task.state in _UP else task.state,
        task.state,
        labels,
        image=task.image,
        created=task.created,
        node=hostname,
    )
