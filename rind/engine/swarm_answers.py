"""What a swarm manager's answers mean, as in :mod:`rind.engine.answers`. Pure."""

from __future__ import annotations

import re
from datetime import datetime

from rind.engine.answers import labels_in, listed, number, object_in, text_in
from rind.model import NAME
from rind.swarm_model import Node, Service, Task
from rind.transport.carrier import WrongAnswer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

__all__ = ["read_nodes", "read_services", "read_tasks"]

_ID: Final = re.compile("[0-9a-z]{25}")
_CONTAINER_ID: Final = re.compile("[0-9a-f]{64}")
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
        labels.get(_HOST_LABEL, ""),
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
    if container and not _CONTAINER_ID.fullmatch(container):
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
    """Return a time of the engine's, of RFC 3339, in seconds since 1970; 0 for what is none."""
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
    """Return a host name that can be printed and looked up; empty for another."""
    return name if re.fullmatch(NAME, name) else ""
