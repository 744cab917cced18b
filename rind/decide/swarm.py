"""The tasks of a swarm that could be wanted, as the containers that they are. Pure."""

from __future__ import annotations

from rind.decide.selection import fitting
from rind.model import STACK, SWARM, Container

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from rind.decide.selection import Wanted
    from rind.swarm_model import Node, Swarm, Task

__all__ = ["last_error", "node_of", "tasks_up"]

_LOST = {"down", "disconnected"}
"""States of a node whose tasks only seem to run."""


def tasks_up(swarm: Swarm, wanted: Wanted) -> list[Container]:
    """Return the running tasks that fit, named as their containers are."""
    return [
        container
        for task, container in _fitting(swarm, wanted)
        if task.state == "running" and task.container_id
        if (node := swarm.nodes.get(task.node_id)) and node.state not in _LOST
    ]


def node_of(swarm: Swarm, container: Container) -> Node | None:
    """Return the node that a task of the swarm is on; None for what is no task of it."""
    return swarm.nodes.get(container.labels.get(f"{SWARM}.node.id", ""))


def last_error(swarm: Swarm, wanted: Wanted) -> str:
    """Say why no task runs that fits: the last one's state and error; empty if there is none."""
    found = sorted(_fitting(swarm, wanted), key=lambda pair: pair[0].changed)
    if not found:
        return ""
    task, container = found[-1]
    node = swarm.nodes.get(task.node_id)
    if node is not None and node.state in _LOST:
        return f"{container.title}, but its node is {node.state}"
    why = f": {task.error}" if task.error else ""
    return f"{container.title or container.name} is {task.state}{why}"


def _fitting(swarm: Swarm, wanted: Wanted) -> Iterator[tuple[Task, Container]]:
    pairs = {
        container.name: (task, container)
        for task in swarm.tasks
        if (container := _as_container(swarm, task)) is not None
        if wanted.service is not None or wanted.label in container.labels
    }
    for container in fitting([container for _, container in pairs.values()], wanted):
        yield pairs[container.name]


def _as_container(swarm: Swarm, task: Task) -> Container | None:
    """Return what the engine of a task's node calls its container; None if its service has gone."""
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
    return Container(task.container_id, name, task.state, task.state, labels, node=hostname)
