"""Select the container, from the engine's list and where the caller stands. Pure.

The one rule. A wrong guess empties somebody's database, and a refusal costs a line that says what
to type; so a container is never taken in place of a nearer one that does not run.

1. The name of a container or a project decides. So does ``everywhere``: then the place does not
   matter. A service and an index only narrow the candidates.
2. Else the *place* decides, over the candidates in any state. The place is the first of these
   that has candidates: the mounts of the paths among the command's words; the project of
   ``COMPOSE_PROJECT_NAME`` or ``COMPOSE_FILE``, which is the place even without candidates; the
   deepest project's folder or bind mount that the caller stands in; a project in the same checkout.
3. In a place, a running candidate is taken, or the run is refused.
4. In no place, candidates of another project's folder, or of another checkout of the same
   repository, are left out. Of the rest, the only running one is taken.

Containers of ``docker compose run`` count only where the place has no others.

The steps are separate, for the second half costs requests: :func:`narrow` keeps what the rule
leaves, :func:`select` and :func:`select_all` take what runs of it, and where nothing does,
:mod:`rind.decide.refusal` says why.
"""

from __future__ import annotations

import re
from itertools import combinations

from rind.base.quoting import quoted
from rind.base.records import dataclass, replace
from rind.decide.nearness import around, deepest, depth, is_of_another_project, nearest, nearness
from rind.decide.profile import DEFAULT_LABEL
from rind.decide.workdir import below
from rind.errors import SelectionError
from rind.model import COMPOSE, STACK, SWARM

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Final

    from rind.model import Caller, Container

__all__ = [
    "AmbiguousError",
    "Narrowed",
    "NoContainerError",
    "Selected",
    "Wanted",
    "choice",
    "explain_state",
    "fitting",
    "in_order",
    "is_dev_container",
    "maps",
    "may_be_a_dev_container",
    "narrow",
    "require_running",
    "select",
    "select_all",
    "service_names",
    "spelt",
]

MOST_NAMED: Final = 5
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
        everywhere: whether it does not matter where the caller stands.
        paths: absolute paths of this machine. Those that the container mounts choose it, where
            paths are mapped.
        map_paths: whether they are; None where the container's label says so.
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
        """The engine's label filters, which leave all that could be wanted."""
        project = [] if self.project is None else [f"{COMPOSE}.project={self.project}"]
        if self.service is None:
            return [self.label, *project]
        # Of any service: a place may have containers, and none of the wanted one.
        return [f"{COMPOSE}.service", *project]

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


class NoContainerError(SelectionError):
    """No container fits, or none that does is running.

    Attributes:
        is_final: whether the place has decided so. Else a swarm's task may be taken.
    """

    def __init__(self, message: str, *, is_final: bool = False) -> None:
        super().__init__(message)
        self.is_final = is_final


class AmbiguousError(SelectionError):
    """Several containers fit.

    Attributes:
        candidates: the containers, by name.
    """

    def __init__(self, message: str, candidates: Sequence[Container]) -> None:
        super().__init__(message)
        self.candidates = candidates


def fitting(containers: Sequence[Container], wanted: Wanted) -> list[Container]:
    """Return the containers of the wanted index, service and project, wherever they are.

    A swarm's are not left by :attr:`Wanted.filters` alone.
    """
    return [
        container
        for container in containers
        if wanted.index is None or container.index == str(wanted.index)
        if wanted.project is None or container.project == wanted.project
        if wanted.service is None or wanted.service in service_names(container)
    ]


def in_order(container: Container) -> list[tuple[int, str]]:
    """Return a key to sort containers with: by name, or title, a replica's number as a number."""
    parts = _NUMBER.split(container.title)
    return [(int(part), "") if number % 2 else (-1, part) for number, part in enumerate(parts)]


def service_names(container: Container) -> set[str]:
    """Return a service's name, and the one that a swarm has for it, with the stack's before it."""
    return {container.service, container.labels.get(f"{SWARM}.service.name", "")}


@dataclass(frozen=True, slots=True)
class Narrowed:
    """The candidates that the rule leaves.

    Attributes:
        containers: in any state, by name.
        reason: why these, in words that complete ``it is``; empty where the place says nothing.
        where: the place, in words that complete ``no running container``.
        others: the candidates that were left out, of another project or checkout.
        is_final: whether nothing elsewhere, as a swarm's task, may be taken in their place.
    """

    containers: Sequence[Container]
    reason: str = ""
    where: str = ""
    others: Sequence[Container] = ()
    is_final: bool = False

    @property
    def running(self) -> list[Container]:
        """Those of the containers that run."""
        return [container for container in self.containers if container.state == "running"]


@dataclass(frozen=True, slots=True)
class Selected:
    """A container that was chosen.

    Attributes:
        reason: why, in words that complete ``it is``.
        is_final: whether its place has decided, so that no task of a swarm is looked for.
    """

    container: Container
    reason: str
    is_final: bool = False


def narrow(candidates: Sequence[Container], wanted: Wanted, caller: Caller) -> Narrowed:
    """Return what the rule leaves of the candidates.

    Args:
        candidates: the containers that :attr:`Wanted.filters` left, in any state, with their
            folders named as :func:`rind.find.caller.placed` does.
        wanted: the conditions.
        caller: where the caller stands.

    Raises:
        SelectionError: the paths are in several containers.
    """
    fit = fitting(candidates, wanted)
    if wanted.project is not None or wanted.everywhere:
        return Narrowed(_counting(fit, wanted))
    place = _place(candidates, wanted, caller)
    if place is None:
        near = [container for container in fit if around(container, caller)]
        place = _here(near, caller)
    if place is None:
        return _anywhere(fit, wanted, caller)
    return replace(place, containers=_counting(_within(place, fit, caller), wanted))


def _place(candidates: Sequence[Container], wanted: Wanted, caller: Caller) -> Narrowed | None:
    """Return all of the place: what has the label, whatever else is wanted; None for no place.

    One-offs make no place where others do: each may mount any folder.
    """
    labelled = [one for one in candidates if wanted.label in one.labels or one.local_folder]
    regular = [container for container in labelled if not container.is_one_off]
    found = None
    for containers in (regular, labelled):
        here = _of_the_environment(containers, caller) or _here(containers, caller)
        found = _with_paths(containers, wanted, here) or here
        if found is not None and found.containers:
            break
    return found


def _within(place: Narrowed, fit: Sequence[Container], caller: Caller) -> Sequence[Container]:
    """Return those of a place among the containers that are wanted.

    A service that is wanted may have no label, or no mount where the caller stands: then it is of
    the place by its project, or because the caller stands in its folder.
    """
    members = {container.id for container in place.containers}
    projects = {container.project for container in place.containers} - {""}
    if found := [container for container in fit if container.id in members]:
        return found
    if found := [container for container in fit if container.project in projects]:
        return nearest(found, caller)
    if caller.project or caller.compose_file:
        return []
    return nearest([container for container in fit if around(container, caller)], caller)


def may_be_a_dev_container(narrowed: Narrowed, wanted: Wanted, caller: Caller) -> bool:
    """Whether a dev container without the label may be nearer than the containers that are left.

    Only in a folder that configures one, so that no other run asks for dev containers.
    """
    named = (wanted.service, wanted.project, wanted.index, caller.project or None)
    if caller.dev_folder is None or wanted.everywhere or wanted.label != DEFAULT_LABEL:
        return False
    if caller.compose_file or any(name is not None for name in named):
        return False
    if any(container.checkout == "ours" for container in narrowed.containers):
        return False
    near = [folder for one in narrowed.containers for folder in around(one, caller)]
    return all(below(folder, caller.dev_folder) is None for folder in near)


def is_dev_container(container: Container, caller: Caller) -> bool:
    """Whether it is the dev container of a folder that the caller stands in."""
    return container.local_folder in around(container, caller)


def select(narrowed: Narrowed, wanted: Wanted, caller: Caller) -> Selected | None:
    """Choose the one container that runs; None where none does.

    Raises:
        AmbiguousError: several do.
    """
    running = narrowed.running
    if len(running) > 1 and not wanted.everywhere:
        running = nearest(running, caller)
    if not running:
        return None
    if len(running) == 1:
        return Selected(running[0], _reason(narrowed, running, wanted), narrowed.is_final)
    named = ", ".join(
        f"{spelt(choice(container, running), caller)} ({container.name})"
        for container in running[:MOST_NAMED]
    )
    if len(running) > MOST_NAMED:
        named += f", or one of {len(running) - MOST_NAMED} more"
        named += "" if caller.is_program else "; see: rind --list"
    what = f"{len(running)} running containers{narrowed.where} have {wanted}"
    raise AmbiguousError(f"{what}: choose one with {named}", running)


def select_all(narrowed: Narrowed, wanted: Wanted) -> list[Selected]:
    """Choose all running containers but one-offs, by name."""
    running = [container for container in narrowed.running if not container.is_one_off]
    reason = _reason(narrowed, running, wanted)
    return [Selected(container, reason, narrowed.is_final) for container in running]


def _reason(narrowed: Narrowed, running: Sequence[Container], wanted: Wanted) -> str:
    if narrowed.reason:
        return narrowed.reason
    if len(running) > 1:
        return f"one of {len(running)} with {wanted}"
    if len(narrowed.containers) == 1:
        return f"the only one with {wanted}"
    return f"the only one that runs, of {len(narrowed.containers)} with {wanted}"


def _counting(containers: Sequence[Container], wanted: Wanted) -> list[Container]:
    """Return by name those with the label, if any has it, and of these no one-offs, if others."""
    kept = [one for one in containers if wanted.label in one.labels] or containers
    return sorted([one for one in kept if not one.is_one_off] or kept, key=in_order)


def _with_paths(
    containers: Sequence[Container], wanted: Wanted, here: Narrowed | None
) -> Narrowed | None:
    """Return the containers that mount the command's paths the deepest; None where none does.

    Where those of the place mount one of the paths, they are the ones.
    """
    mapping = [container for container in containers if maps(container, wanted)]
    holders: dict[str, list[Container]] = {}
    for path in wanted.paths:
        depths = {one.id: depth([mount.source for mount in one.mounts], path) for one in mapping}
        ours = [one for one in here.containers if depths.get(one.id)] if here else []
        if found := ours or deepest(mapping, depths):
            holders[path] = found
            if ours:
                holders = {path: found}
                break
    if not holders:
        return None
    common = set.intersection(*({one.id for one in found} for found in holders.values()))
    path, (first, *_) = next(iter(holders.items()))
    for other, found in holders.items():
        if not common and first.id not in {one.id for one in found}:
            raise SelectionError(
                f"the command's paths are in several containers: {first.name} has {path}, and "
                f"{found[0].name} has {other}: run it for each by itself"
            )
    kept = [container for container in containers if container.id in common]
    where = f"that mounts {path}"
    return Narrowed(kept, f"the one {where}", f" {where}", is_final=True)


def maps(container: Container, wanted: Wanted) -> bool:
    """Whether paths are mapped in a container, as far as that is known before it is chosen."""
    if wanted.map_paths is None:
        return container.labels.get(f"{wanted.label}.map-paths") == "true"
    return wanted.map_paths


def _of_the_environment(containers: Sequence[Container], caller: Caller) -> Narrowed | None:
    """Return those of the project that the environment names; None where it names none."""
    if caller.project:
        found = [one for one in containers if one.project == caller.project]
        named = f"of the project {caller.project}, which COMPOSE_PROJECT_NAME names"
    elif caller.compose_file:
        found = [one for one in containers if caller.compose_file in one.config_files]
        named = f"of the project of {caller.compose_file}, which COMPOSE_FILE names"
    else:
        return None
    others = [one for one in containers if one not in found]
    return Narrowed(nearest(found, caller), named, f" {named},", others)


def _here(containers: Sequence[Container], caller: Caller) -> Narrowed | None:
    """Return those whose folder the caller stands in; None where that is no container's."""
    if found := deepest(containers, {one.id: nearness(one, caller) for one in containers}):
        folder = max(around(found[0], caller), key=len)
        return Narrowed(found, f"the one for {folder}", f" for {folder}", is_final=True)
    beside = [
        container
        for container in containers
        if container.checkout == "ours" and not is_of_another_project(container, caller)
    ]
    if not beside:
        return None
    where = f"{'of the checkout' if caller.repository else 'below'} {caller.checkout}"
    return Narrowed(beside, f"the one {where}", f" {where}", is_final=True)


def _anywhere(containers: Sequence[Container], wanted: Wanted, caller: Caller) -> Narrowed:
    """Return the candidates without those of another project or checkout."""
    others = [
        container
        for container in containers
        if container.checkout == "another" or is_of_another_project(container, caller)
    ]
    rest = [container for container in containers if container not in others]
    return Narrowed(_counting(rest, wanted), others=_counting(others, wanted))


def choice(container: Container, others: Sequence[Container]) -> dict[str, Any]:
    """Return the fewest fields of a :class:`Wanted` that choose one container among several."""
    for number in range(1, 4):
        for names in combinations(("service", "project", "index"), number):
            mine = [getattr(container, name) for name in names]
            alike = [other for other in others if [getattr(other, name) for name in names] == mine]
            if all(mine) and len(alike) == 1:
                return {name: getattr(container, name) for name in names}
    return {"container": container.name}


def spelt(fields: Mapping[str, Any], caller: Caller) -> str:
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
        raise SelectionError(f"the container {container.name} {explain_state(container)}")
    return container


def explain_state(container: Container) -> str:
    """Say why no command can be executed in a container, and what mends that."""
    mend = _MENDS.get(container.state, "start it with: docker start {name}")
    if container.is_task and container.state != "paused":
        mend = "the swarm starts another one"
    # Only "Exited (3) 5 minutes ago" says more than the state; "Up 5 minutes (Paused)" misleads.
    exited = container.state == "exited" and container.status
    seen = exited[:1].lower() + exited[1:] if exited else f"is {container.state}"
    where = f" on {container.node}" if container.node else ""
    return f"{seen}; {mend.format(name=quoted(container.name), where=where)}"
