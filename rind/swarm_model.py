"""What a swarm's manager tells, as data; apart from :mod:`rind.model`, for a start needs none."""

from __future__ import annotations

from rind.base.records import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Node", "Service", "Swarm", "Task"]


@dataclass(frozen=True, slots=True)
class Node:
    """A machine of a swarm.

    Attributes:
        state: ready, down, unknown or disconnected.
        host: how its engine is reached, by its label ``app.rind.host``; empty for unsaid.
    """

    id: str
    hostname: str
    state: str
    host: str = ""


@dataclass(frozen=True, slots=True)
class Service:
    """A service of a swarm.

    Attributes:
        name: the stack's is before it, if it is of one.
        labels: its own.
        container_labels: those that its containers get.
    """

    id: str
    name: str
    labels: Mapping[str, str]
    container_labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Task:
    """One run of a service's container, on one node.

    Attributes:
        node_id: empty before it has one.
        slot: its number among the replicas; 0 of a global service.
        state, desired: as ``running``; see SwarmKit's task model.
        error: why it has failed; empty for no reason.
        container_id: empty before it has one.
        labels: those that the container has from the service.
        image: its name, without a digest.
        created: in seconds since 1970; 0 for unsaid.
        changed: when its state has, as the engine writes a time; later is greater.
    """

    id: str
    service_id: str
    node_id: str
    slot: int
    state: str
    desired: str
    error: str
    container_id: str
    labels: Mapping[str, str]
    image: str
    created: int
    changed: str


@dataclass(frozen=True, slots=True)
class Swarm:
    """What a manager knows of some services: the nodes and these, each by its ID, and the tasks."""

    nodes: Mapping[str, Node]
    services: Mapping[str, Service]
    tasks: Sequence[Task]
