"""Select the container, from the engine's list and where the caller stands. Pure."""

from __future__ import annotations

import re
from itertools import combinations

from rind.decide.profile import DEFAULT_LABEL
from rind.decide.workdir import below, parts
from rind.errors import SelectionError
from rind.model import COMPOSE, STACK, SWARM
from rind.quoting import quoted
from rind.records import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Final

    from rind.model import Caller, Container

__all__ = [
    "AmbiguousError",
    "Selected",
    "Wanted",
    "choice",
    "fitting",
    "in_order",
    "nearest",
    "require_running",
    "select",
    "service_names",
    "stands_elsewhere",
]

_MOST_NAMED: Final = 5
"""Most containers that an error names, to stay on one readable line."""

_NUMBER: Final = re.compile(r"(?<![^-_.])([0-9]{1,9})(?![^-_.@])")
"""What is between two of a name's hyphens, underlines and dots, if it is a number."""

_MENDS: Final = {
    "paused": "resume it{where} with: docker unpause {name}",
    "restarting": "see why with: docker logs {name}",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The conditions that a container must meet.

    Attributes:
        label: the key that it has; one that is asked for by its service need not have it.
        container: its name, its ID or a unique prefix of that; then nothing else matters.
        service, project: as Compose knows it, or a swarm.
        index: the replica's number, or the node of a global service's task in a swarm.
    """

    label: str = DEFAULT_LABEL
    container: str | None = None
    service: str | None = None
    project: str | None = None
    index: int | str | None = None

    @property
    def filters(self) -> list[str]:
        """The engine's label filters, which leave all that could be wanted."""
        asked = {"service": self.service, "project": self.project}
        found = [f"{COMPOSE}.{name}={value}" for name, value in asked.items() if value is not None]
        return found if self.service is not None else [self.label, *found]

    @property
    def swarm_filters(self) -> list[str]:
        """The same for the tasks of a swarm on this engine; empty where that is no other."""
        if self.service is None and self.project is None:
            return []
        label = f"{SWARM}.service.name" if self.service is not None else self.label
        return [label, *([] if self.project is None else [f"{STACK}={self.project}"])]

    def __str__(self) -> str:
        """Describe it for the user, as in ``the label app.rind and the project shop``."""
        if self.container is not None:
            return f"the name {self.container}"
        asked = {"service": self.service, "project": self.project, "index": self.index}
        parts = [f"the {name} {value}" for name, value in asked.items() if value is not None]
        return " and ".join(
            parts if self.service is not None else [f"the label {self.label}", *parts]
        )


class AmbiguousError(SelectionError):
    """Several containers fit.

    Attributes:
        candidates: the containers, by name.
    """

    def __init__(self, message: str, candidates: Sequence[Container]) -> None:
        super().__init__(message)
        self.candidates = candidates


def fitting(containers: Sequence[Container], wanted: Wanted) -> list[Container]:
    """Return the containers of the wanted index; of these, those with the label, if any has it.

    Of the wanted service and project too: a swarm's are not left by :attr:`Wanted.filters` alone.
    """
    fit = [
        container
        for container in containers
        if wanted.index is None or container.index == str(wanted.index)
        if wanted.project is None or container.project == wanted.project
        if wanted.service is None or wanted.service in service_names(container)
    ]
    return [container for container in fit if wanted.label in container.labels] or fit


def in_order(container: Container) -> list[tuple[int, str]]:
    """Return a key to sort containers with: by name, or title, a replica's number as a number."""
    parts = _NUMBER.split(container.title)
    return [(int(part), "") if number % 2 else (-1, part) for number, part in enumerate(parts)]


def service_names(container: Container) -> set[str]:
    """Return a service's name, and the one that a swarm has for it, with the stack's before it."""
    return {container.service, container.labels.get(f"{SWARM}.service.name", "")}


def nearest(containers: Sequence[Container], caller: Caller) -> list[Container]:
    """Return those whose project or mount the caller stands in the deepest; all if in none.

    The containers' folders must be named as the caller's is, see :mod:`rind.caller`.
    """
    nearness = {container.id: _nearness(container, caller.cwd) for container in containers}
    most = max(nearness.values(), default=0)
    return [container for container in containers if nearness[container.id] == most]


@dataclass(frozen=True, slots=True)
class Selected:
    """A container that was chosen, and why, in words that complete ``it is``."""

    container: Container
    reason: str


def select(
    up: Sequence[Container],
    down: Sequence[Container],
    wanted: Wanted,
    caller: Caller,
    neighbours: Sequence[Container] = (),
) -> Selected:
    """Choose one container among those that :attr:`Wanted.filters` left.

    Args:
        up: those that the engine lists as up, paused ones included.
        down: the others. Like what follows, they only serve the explanation, where none is up.
        wanted: the conditions.
        caller: where the caller stands.
        neighbours: what is up of any Compose project.

    Raises:
        AmbiguousError: several fit.
        SelectionError: none is up, or the one that is cannot be used.
    """
    found, reason = _narrowed(up, wanted, caller)
    if len(found) == 1:
        return Selected(require_running(found[0]), reason)
    if found:
        named = ", ".join(
            f"{_spelt(choice(container, found), caller)} ({container.name})"
            for container in found[:_MOST_NAMED]
        )
        if len(found) > _MOST_NAMED:
            named += f", or one of {len(found) - _MOST_NAMED} more"
            named += "" if caller.is_program else "; see: rind --list"
        what = "running containers" if found[0].state == "running" else "containers"
        raise AmbiguousError(f"{len(found)} {what} have {wanted}: choose one with {named}", found)
    raise _none_is_up(down, wanted, caller, neighbours)


def _narrowed(
    up: Sequence[Container], wanted: Wanted, caller: Caller
) -> tuple[list[Container], str]:
    """Return the best of the containers that fit, by name; where it is one, with the reason."""

    def of_project(containers: Sequence[Container]) -> list[Container]:
        return [
            container
            for container in containers
            if caller.project and container.project == caller.project
        ]

    def near(containers: Sequence[Container]) -> list[Container]:
        return nearest(containers, caller)

    def running(containers: Sequence[Container]) -> list[Container]:
        return [container for container in containers if container.state == "running"]

    found = fitting(up, wanted)
    total, reason = len(found), f"the only one with {wanted}"
    for how, narrower in (
        ("of the project that COMPOSE_PROJECT_NAME names", of_project),
        ("the nearest to the working directory", near),
        ("the only one that is not paused", running),
    ):
        if len(found) > 1:
            found = narrower(found) or found
            reason = f"{how}, of {total} with {wanted}"
    return sorted(found, key=in_order), reason


def _none_is_up(
    down: Sequence[Container],
    wanted: Wanted,
    caller: Caller,
    neighbours: Sequence[Container],
) -> SelectionError:
    stopped = sorted(fitting(down, wanted), key=in_order)
    if stopped:
        seen = "; ".join(
            f"{container.name} has it, but {_explain(container)}" for container in stopped
        )
        return SelectionError(f"no running container has {wanted} ({seen})")
    folder = caller.compose_folder
    if folder is not None and folder not in {container.folder for container in neighbours}:
        mend = f"the project in {folder} is not up; start it with: docker compose up --detach"
    elif wanted.service is None:
        one = "container=" if caller.is_program else "--container NAME"
        mend = f"put it on one (in a compose file, under labels:), or choose one with {one}"
    else:
        mend = "see: docker ps --all"
    return SelectionError(f"no container on {caller.engine} has {wanted}: {mend}")


def stands_elsewhere(container: Container, caller: Caller) -> bool:
    """Return whether we are in a Compose project's folder, and the container is of another's."""
    if caller.project and container.project == caller.project:
        return False
    folder = caller.compose_folder
    other = bool(container.folder) and folder is not None and folder != container.folder
    return other and not _nearness(container, caller.cwd)


def choice(container: Container, others: Sequence[Container]) -> dict[str, Any]:
    """Return the fewest fields of a :class:`Wanted` that choose one container among several."""
    for number in range(1, 4):
        for names in combinations(("service", "project", "index"), number):
            mine = [getattr(container, name) for name in names]
            alike = [other for other in others if [getattr(other, name) for name in names] == mine]
            if all(mine) and len(alike) == 1:
                return {name: getattr(container, name) for name in names}
    return {"container": container.name}


def _spelt(fields: Mapping[str, Any], caller: Caller) -> str:
    """Return a choice as the caller would write it."""
    if caller.is_program:
        return ", ".join(f"{name}={value!r}" for name, value in fields.items())
    return " ".join(f"--{name} {quoted(str(value))}" for name, value in fields.items())


def require_running(container: Container) -> Container:
    """Return ``container`` if a command can be executed in it.

    Raises:
        SelectionError: it is paused, stopped or restarting.
    """
    if container.state != "running":
        raise SelectionError(f"the container {container.name} {_explain(container)}")
    return container


def _nearness(container: Container, cwd: str) -> int:
    """Count the parts of the container's deepest folder that we are in; 0 for none."""
    folders = [mount.source for mount in container.mounts]
    if container.folder:
        folders.append(container.folder)
    # One more for the root directory, which is a folder too.
    inside = [len(parts(folder)) + 1 for folder in folders if below(cwd, folder) is not None]
    return max(inside, default=0)


def _explain(container: Container) -> str:
    mend = _MENDS.get(container.state, "start it with: docker start {name}")
    if container.is_task and container.state != "paused":
        mend = "the swarm starts another one"
    # Only "Exited (3) 5 minutes ago" says more than the state; "Up 5 minutes (Paused)" misleads.
    exited = container.state == "exited" and container.status
    seen = exited[:1].lower() + exited[1:] if exited else f"is {container.state}"
    where = f" on {container.node}" if container.node else ""
    return f"{seen}; {mend.format(name=quoted(container.name), where=where)}"
