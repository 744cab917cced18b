"""Select the container from the engine's list, by the caller's working directory. Pure.

Goal: never run a command in a container that the user did not mean. A wrong guess may empty
somebody's database; a refusal costs one line, which says what to type. So if the nearest container
is not running, the run is refused: a container farther away never replaces it.

Plan: one rule.

1. A named container or project decides, whatever the place; ``everywhere`` keeps all candidates.
   A service and an index only narrow the candidates.
2. Otherwise the *place* decides, and candidates in any state count. The place is the first of
   these that has candidates:

   a. the bind mounts that contain the paths among the command's words, if paths are mapped;
   b. the project that ``COMPOSE_PROJECT_NAME`` or ``COMPOSE_FILE`` names, which is the place even
      if it has no candidates;
   c. the deepest project folder or bind mount that contains the working directory;
   d. a project in the same checkout.

3. In a place, a running candidate is selected, or the run is refused.
4. Without a place, candidates in another project's folder, or in another checkout of the same
   repository, are excluded. Of the rest, one is selected if it is the only one running.

Containers of ``docker compose run`` (one-offs) count only if the place has no others.

The steps are separate functions because the later ones may need more requests to the engine:
:func:`narrow` applies the rule; :func:`select` and :func:`select_all` select among the containers
that it leaves; if none of these is running, :mod:`rind.decide.refusal` explains why.

Doubts: a project's label and a bind mount are only evidence of where a container belongs. Any
image can claim any folder, so the working directory selects only among containers that fit anyway.
"""

from __future__ import annotations

from rind.base.light import pattern
from rind.base.quoting import quoted
from rind.base.records import dataclass, replace
from rind.decide.nearness import around, deepest, depth, is_of_another_project, nearest, nearness
from rind.decide.profile import DEFAULT_LABEL
from rind.decide.wanted import choice, maps, matching, spelt
from rind.decide.workdir import below
from rind.errors import SelectionError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

    from rind.decide.wanted import Wanted
    from rind.model import Caller, Container

__all__ = [
    "AmbiguousError",
    "Narrowed",
    "NoContainerError",
    "Selected",
    "explain_state",
    "in_order",
    "is_dev_container",
    "may_be_a_dev_container",
    "narrow",
    "require_running",
    "select",
    "select_all",
]

MOST_NAMED: Final = 5
"""The most containers that an error names, to stay on one readable line."""

_NUMBER: Final = pattern(r"(?<![^-_.])([0-9]{1,9})(?![^-_.@])")
"""A number that is a whole part of a name, between hyphens, underscores or dots."""

_REMEDIES: Final = {
    "paused": "resume it{where} with: docker unpause {name}",
    "restarting": "see why with: docker logs {name}",
}


class NoContainerError(SelectionError):
    """No container fits, or none of those that fit is running.

    Attributes:
        is_final: whether the place has decided this. If not, a swarm's task may still be selected.
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


def in_order(container: Container) -> list[tuple[int, str]]:
    """Return a sort key that orders containers by title, with numbers compared as numbers."""
    parts = _NUMBER.split(container.title)
    # split() returns text and numbers in turn.
    return [(int(part), "") if index % 2 else (-1, part) for index, part in enumerate(parts)]


@dataclass(frozen=True, slots=True)
class Narrowed:
    """The candidates that the rule leaves.

    Attributes:
        containers: in any state, sorted by name.
        reason: why these, to complete ``it is …``; empty if no place decided.
        where: the place, to complete ``no running container …``, with a leading space.
        others: the candidates of another project or checkout, which were excluded.
        is_final: whether nothing elsewhere, such as a swarm's task, may replace them.
    """

    containers: Sequence[Container]
    reason: str = ""
    where: str = ""
    others: Sequence[Container] = ()
    is_final: bool = False

    @property
    def running(self) -> list[Container]:
        """The running ones of the containers."""
        return [container for container in self.containers if container.state == "running"]


@dataclass(frozen=True, slots=True)
class Selected:
    """The selected container.

    Attributes:
        reason: why it was selected, to complete ``it is …``.
        is_final: whether its place has decided, so that no swarm's task is looked for.
    """

    container: Container
    reason: str
    is_final: bool = False


def narrow(candidates: Sequence[Container], wanted: Wanted, caller: Caller) -> Narrowed:
    """Return the candidates that the rule leaves.

    Args:
        candidates: the containers that pass :attr:`Wanted.filters`, in any state, their folders
            renamed by :func:`rind.find.caller.placed`.
        wanted: the conditions.
        caller: the caller, whose working directory counts.

    Raises:
        SelectionError: the paths are in several containers.
    """
    fit = matching(candidates, wanted)
    if wanted.project is not None or wanted.everywhere:
        return Narrowed(_preferred(fit, wanted))
    place = _place(candidates, wanted, caller)
    if place is None:
        # Containers of a wanted service make a place even without the label.
        near = [container for container in fit if around(container, caller)]
        place = _place_of_folder(near, caller)
    if place is None:
        return _without_place(fit, wanted, caller)
    return replace(place, containers=_preferred(_within(place, fit, caller), wanted))


def _place(candidates: Sequence[Container], wanted: Wanted, caller: Caller) -> Narrowed | None:
    """Return the place, with all of its labelled containers and dev containers; None for no place.

    The wanted service and index are ignored here: they must not move the place. One-offs make a
    place only if no other containers do, because each of them may mount any folder.
    """
    labelled = [
        container
        for container in candidates
        if wanted.label in container.labels or container.local_folder
    ]
    regular = [container for container in labelled if not container.is_one_off]
    found = None
    for containers in (regular, labelled):
        here = _place_of_environment(containers, caller) or _place_of_folder(containers, caller)
        found = _place_of_paths(containers, wanted, here) or here
        if found is not None and found.containers:
            break
    return found


def _within(place: Narrowed, fit: Sequence[Container], caller: Caller) -> Sequence[Container]:
    """Return the wanted containers that belong to a place.

    A wanted service may lack the label, or a mount of the working directory. Then it belongs to the
    place through its project, or because one of its folders contains the working directory.
    """
    members = {container.id for container in place.containers}
    projects = {container.project for container in place.containers} - {""}
    if found := [container for container in fit if container.id in members]:
        return found
    if found := [container for container in fit if container.project in projects]:
        return nearest(found, caller)
    named = _place_of_environment(fit, caller)
    if named is not None:
        return named.containers  # folders do not count
    return nearest([container for container in fit if around(container, caller)], caller)


def may_be_a_dev_container(narrowed: Narrowed, wanted: Wanted, caller: Caller) -> bool:
    """Whether a dev container without the label may be nearer than the containers that are left.

    Only in a folder that configures one, so that other runs do not list dev containers.
    """
    named = (wanted.service, wanted.project, wanted.index, caller.project, caller.compose_file)
    if caller.dev_folder is None or wanted.everywhere or wanted.label != DEFAULT_LABEL:
        return False
    # A name, from an option or the environment, has decided already.
    if any(name is not None for name in named):
        return False
    if any(container.checkout == "ours" for container in narrowed.containers):
        return False
    # Containers that are as near as the configured folder, or nearer, win.
    near = [folder for container in narrowed.containers for folder in around(container, caller)]
    return all(below(folder, caller.dev_folder) is None for folder in near)


def is_dev_container(container: Container, caller: Caller) -> bool:
    """Whether it is the dev container of a folder that contains the working directory."""
    return container.local_folder in around(container, caller)


def select(narrowed: Narrowed, wanted: Wanted, caller: Caller) -> Selected | None:
    """Return the running container, or the nearest of several; None if none is running.

    Raises:
        AmbiguousError: several are equally near, or several are running ``everywhere``.
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
    problem = f"{len(running)} running containers{narrowed.where} have {wanted}"
    raise AmbiguousError(f"{problem}: choose one with {named}", running)


def select_all(narrowed: Narrowed, wanted: Wanted) -> list[Selected]:
    """Return all running containers except one-offs, sorted by name."""
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


def _preferred(containers: Sequence[Container], wanted: Wanted) -> list[Container]:
    """Return the containers that count, sorted by name.

    Labelled ones exclude those without the label; of the rest, regular ones exclude one-offs.
    """
    kept = [container for container in containers if wanted.label in container.labels] or containers
    return sorted(
        [container for container in kept if not container.is_one_off] or kept, key=in_order
    )


def _place_of_paths(
    containers: Sequence[Container], wanted: Wanted, here: Narrowed | None
) -> Narrowed | None:
    """Return the containers with the deepest mounts of the command's paths; None if none has any.

    If containers of the place ``here`` mount one of the paths, they win over deeper mounts.

    Raises:
        SelectionError: no container has the deepest mounts of all paths.
    """
    mapping = [container for container in containers if maps(container, wanted)]
    holders: dict[str, list[Container]] = {}
    for path in wanted.paths:
        depths = {
            container.id: depth([mount.source for mount in container.mounts], path)
            for container in mapping
        }
        ours = (
            [container for container in here.containers if depths.get(container.id)] if here else []
        )
        if found := ours or deepest(mapping, depths):
            holders[path] = found
            if ours:
                holders = {path: found}  # the other paths do not count
                break
    if not holders:
        return None
    common = set.intersection(
        *({container.id for container in found} for found in holders.values())
    )
    path, (first, *_) = next(iter(holders.items()))
    for other, found in holders.items():
        if not common and first.id not in {container.id for container in found}:
            raise SelectionError(
                f"the command's paths are in several containers: {first.name} has {path}, and "
                f"{found[0].name} has {other}: run the command once for each"
            )
    kept = [container for container in containers if container.id in common]
    where = f"that mounts {path}"
    return Narrowed(kept, f"the one {where}", f" {where}", is_final=True)


def _place_of_environment(containers: Sequence[Container], caller: Caller) -> Narrowed | None:
    """Return the containers of the project that the environment names; None if it names none."""
    if caller.project is not None:
        found = [container for container in containers if container.project == caller.project]
        which = f"of the project {caller.project}, which COMPOSE_PROJECT_NAME names"
    elif caller.compose_file is not None:
        found = [
            container for container in containers if caller.compose_file in container.config_files
        ]
        which = f"of the project of {caller.compose_file}, which COMPOSE_FILE names"
    else:
        return None
    others = [container for container in containers if container not in found]
    return Narrowed(nearest(found, caller), which, f" {which},", others)


def _place_of_folder(containers: Sequence[Container], caller: Caller) -> Narrowed | None:
    """Return the containers whose folder contains the working directory, the deepest folder only.

    Otherwise, return those elsewhere in the caller's checkout, or None.
    """
    if found := deepest(
        containers, {container.id: nearness(container, caller) for container in containers}
    ):
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


def _without_place(containers: Sequence[Container], wanted: Wanted, caller: Caller) -> Narrowed:
    """Return the candidates for no place: those of another project or checkout are excluded."""
    others = [
        container
        for container in containers
        if container.checkout == "another" or is_of_another_project(container, caller)
    ]
    rest = [container for container in containers if container not in others]
    return Narrowed(_preferred(rest, wanted), others=_preferred(others, wanted))


def require_running(container: Container) -> Container:
    """Return ``container`` if a command can be executed in it.

    Raises:
        SelectionError: it is paused, stopped or restarting.
    """
    if container.state != "running":
        raise SelectionError(f"the container {container.name} {explain_state(container)}")
    return container


def explain_state(container: Container) -> str:
    """Return why no command can be executed in a container, and the remedy."""
    remedy = _REMEDIES.get(container.state, "start it with: docker start {name}")
    if container.is_task and container.state != "paused":
        remedy = "the swarm starts another one"
    # Only "Exited (3) 5 minutes ago" says more than the state; "Up 5 minutes (Paused)" misleads.
    exited = container.state == "exited" and container.status
    state = exited[:1].lower() + exited[1:] if exited else f"is {container.state}"
    where = f" on {container.node}" if container.node else ""
    return f"{state}; {remedy.format(name=quoted(container.name), where=where)}"
