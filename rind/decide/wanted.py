"""The conditions that a container must meet, and which containers meet them. Pure.

The caller's place does not count here: see :mod:`rind.decide.selection`.
"""

from __future__ import annotations

from itertools import combinations

from rind.base.quoting import quoted
from rind.base.records import dataclass
from rind.decide.profile import DEFAULT_LABEL
from rind.model import COMPOSE, STACK, SWARM

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from rind.model import Caller, Container

__all__ = ["Wanted", "choice", "maps", "matching", "service_names", "spelt"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The conditions that a container must meet; one that meets them *fits*.

    Attributes:
        label: the key of a label that it must have; optional if ``service`` is set.
        container: its name, its ID or a unique prefix of the ID; all other conditions are ignored.
        service, project: its name in Compose or a swarm.
        index: the replica's number, or the node of a global service's task in a swarm.
        everywhere: whether to ignore the caller's working directory.
        paths: absolute paths on this machine. If paths are mapped, the containers that mount them
            are the place.
        map_paths: whether paths are mapped; None to follow the container's label.
    """

    label: str = DEFAULT_LABEL
    container: str | None = None
    service: str | None = None
    project: str | None = None
    index: int | str | None = None
    everywhere: bool = False
    paths: Sequence[str] = ()
    map_paths: bool | None = None

    @property
    def filters(self) -> list[str]:
        """The label filters for the engine's list, which must keep every candidate.

        Internal: a client asks its engine with them.
        """
        project = [] if self.project is None else [f"{COMPOSE}.project={self.project}"]
        if self.service is None:
            return [self.label, *project]
        # Any service: a place counts even if the wanted service has no container there.
        return [f"{COMPOSE}.service", *project]

    @property
    def swarm_filters(self) -> list[str]:
        """The label filters for a swarm's tasks on this engine; empty if ``filters`` finds them.

        With a service or a project, ``filters`` has Compose's labels, which tasks lack.

        Internal: a client asks its engine with them.
        """
        if self.service is None and self.project is None:
            return []
        label = f"{SWARM}.service.name" if self.service is not None else self.label
        return [label, *([] if self.project is None else [f"{STACK}={self.project}"])]

    def __str__(self) -> str:
        """Describe it for the user, as in ``the label app.rind and the project shop``."""
        if self.container is not None:
            return f"the name {quoted(self.container)}"
        conditions = {"service": self.service, "project": self.project, "index": self.index}
        parts = [
            f"the {name} {quoted(str(value))}"
            for name, value in conditions.items()
            if value is not None
        ]
        return " and ".join(
            parts if self.service is not None else [f"the label {self.label}", *parts]
        )


def matching(containers: Sequence[Container], wanted: Wanted) -> list[Container]:
    """Return the containers with the wanted index, service and project, in any place.

    This repeats the engine's filters, because Compose's labels are not those of a swarm's tasks.
    """
    return [
        container
        for container in containers
        if wanted.index is None or container.index == str(wanted.index)
        if wanted.project is None or container.project == wanted.project
        if wanted.service is None or wanted.service in service_names(container)
    ]


def service_names(container: Container) -> set[str]:
    """Return the names of a container's service; a swarm's also with the stack's name before it."""
    return {container.service, container.labels.get(f"{SWARM}.service.name", "")}


def maps(container: Container, wanted: Wanted) -> bool:
    """Whether a container would have paths mapped, judged before its profile is read."""
    if wanted.map_paths is None:
        return container.labels.get(f"{wanted.label}.map-paths") == "true"
    return wanted.map_paths


def choice(container: Container, others: Sequence[Container]) -> dict[str, Any]:
    """Return the fewest fields of a :class:`Wanted` that distinguish a container from others."""
    for count in range(1, 4):
        for names in combinations(("service", "project", "index"), count):
            mine = [getattr(container, name) for name in names]
            alike = [other for other in others if [getattr(other, name) for name in names] == mine]
            if all(mine) and len(alike) == 1:
                return {name: getattr(container, name) for name in names}
    return {"container": container.name}


def spelt(fields: Mapping[str, Any], caller: Caller) -> str:
    """Return fields as the caller would write them: as keyword arguments, or as options."""
    if caller.is_program:
        return ", ".join(f"{name}={value!r}" for name, value in fields.items())
    return " ".join(f"--{name} {quoted(str(value))}" for name, value in fields.items())
