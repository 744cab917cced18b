"""Say why no container can be taken, and what to type instead. Pure.

The user may have misspelt a name, forgotten a label or not started a project; and of what runs in
other places, none is taken without being asked for (:mod:`rind.decide.selection`).
"""

from __future__ import annotations

from difflib import get_close_matches
from itertools import combinations

from rind.base.records import replace
from rind.decide.selection import (
    MOST_NAMED,
    NoContainerError,
    explain_state,
    fitting,
    in_order,
    service_names,
    spelt,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any, Final

    from rind.decide.selection import Narrowed, Wanted
    from rind.model import Caller, Container

__all__ = ["likely_names", "likely_names_of", "mislabelled", "no_such_container", "why_none"]

_RANKS: Final = {"running": 0, "paused": 1, "restarting": 2}
"""The states in the order in which a container is likely to be wanted; all others come last."""

_SEE_ALL: Final = "; see: docker ps --all"


def why_none(
    narrowed: Narrowed, wanted: Wanted, caller: Caller, everything: Sequence[Container]
) -> NoContainerError:
    """Return the error where none of the containers that the rule leaves runs.

    Args:
        narrowed: what the rule leaves.
        wanted: the conditions.
        caller: where the caller stands.
        everything: all containers of the engine, whatever their labels.
    """
    if narrowed.containers:
        state = _state_of(narrowed, wanted, caller)
        text = f"no running container{narrowed.where} has {wanted} ({state})"
    elif narrowed.where or narrowed.others:
        where, mends = _of_the_place(narrowed, wanted, caller, everything)
        text = f"no container{where} has {wanted}: {'; or '.join(mends) or 'see: rind --list'}"
    else:
        mend = _mend(wanted, caller, everything)
        text = f"no container on {caller.engine} has {wanted}: {mend}"
    return NoContainerError(text, is_final=narrowed.is_final)


def no_such_container(
    name: str, caller: Caller, everything: Sequence[Container], said: str
) -> NoContainerError:
    """Return the error for a container's name that the engine does not know, as it has said."""
    services = {service for one in everything for service in service_names(one)}
    if name in services:
        mend = f"{name} is a service: {spelt({'service': name}, caller)}"
    else:
        running = [one.name for one in everything if one.state == "running"]
        near = get_close_matches(name, running, 1)
        mend = likely_names(name, running) if near else ""
    return NoContainerError(f"{said} on {caller.engine}" + (f": {mend}" if mend else _SEE_ALL))


def likely_names_of(wanted: Wanted, everything: Sequence[Container], field: str) -> str:
    """Return what a service or a project may be meant to be; empty where it is a right one."""
    name = getattr(wanted, field)
    if name is None:
        return ""
    found = {one.project for one in everything}
    if field == "service":
        of_project = [one for one in everything if wanted.project in {None, one.project}]
        found = {service for one in of_project for service in service_names(one)}
    return "" if name in found else likely_names(name, found)


def likely_names(name: str, found: Iterable[str]) -> str:
    """Return what a name may be meant to be, and the names that there are; empty for none."""
    names = sorted({*found} - {""})
    near = get_close_matches(name, names, 1)
    there = ", ".join(names[:MOST_NAMED])
    if len(names) > MOST_NAMED:
        there += f" and {len(names) - MOST_NAMED} more"
    meant = f"did you mean {near[0]}? " if near else ""
    return f"{meant}there {'is' if len(names) == 1 else 'are'} {there}" if names else ""


def mislabelled(containers: Sequence[Container], label: str) -> str:
    """Say of containers that lack a label which one of theirs looks like it; empty for none."""
    for container in sorted(containers, key=in_order):
        if label in container.labels:
            continue
        for key in sorted(container.labels):
            if key.startswith(f"{label}."):
                return f"{container.name} has the label {key}, but not {label}: add that"
        # A letter that is wrong, missing or too many; of long ones, many are alike otherwise.
        alike = 1 - 1 / len(label) - 0.01
        if near := get_close_matches(label, container.labels, 1, alike):
            return f"{container.name} has the label {near[0]}: did you mean {label}?"
    return ""


def _state_of(narrowed: Narrowed, wanted: Wanted, caller: Caller) -> str:
    """Say what hinders the container that is likeliest to be wanted."""
    likeliest = min(
        narrowed.containers,
        key=lambda one: (_RANKS.get(one.state, len(_RANKS)), -one.created, in_order(one)),
    )
    if likeliest.state == "running":  # and is one of the one-offs that "all" leaves out
        chosen = spelt({"container": likeliest.name}, caller)
        return f"{likeliest.name} has it, but docker compose run made it; choose it with {chosen}"
    more = len(narrowed.containers) - 1
    others = f"; nor does any of {more} more run" if more else ""
    of_label = wanted.service is not None or wanted.label in likeliest.labels
    what = "has it" if of_label else "is the dev container there"
    return f"{likeliest.name} {what}, but {explain_state(likeliest)}{others}"


def _of_the_place(
    narrowed: Narrowed, wanted: Wanted, caller: Caller, everything: Sequence[Container]
) -> tuple[str, list[str]]:
    """Return the caller's place in words, and the remedies there and elsewhere."""
    folder = caller.compose_folder
    where = narrowed.where
    if not where:
        where = f" of the project in {folder}" if folder else f" of the checkout {caller.checkout}"
    ours = [container for container in everything if _is_ours(container, caller)]
    mends: list[str] = []
    if not ours:
        # Compose finds no file elsewhere.
        mends = ["start it with: docker compose up --detach"] if folder else []
    elif indexes := _indexes(ours, wanted):
        mends = [indexes]
    elif wanted.service is None:
        mends = [mislabelled(ours, wanted.label) or "put it on one, and start that anew"]
    elif names := likely_names(wanted.service, {one.service for one in ours}):
        mends = [names]
    running = [container for container in narrowed.others if container.state == "running"]
    if running:
        named = ", ".join(
            f"{spelt(_by_project(container, running), caller)} ({container.name})"
            for container in running[:MOST_NAMED]
        )
        mends.append(f"choose another project's with {named}")
    return where, mends


def _is_ours(container: Container, caller: Caller) -> bool:
    """Whether a container is of the caller's project."""
    if caller.project:
        return container.project == caller.project
    folder = caller.compose_folder
    return container.checkout == "ours" or (folder is not None and container.folder == folder)


def _indexes(containers: Sequence[Container], wanted: Wanted) -> str:
    """Return which indexes there are, where it is the index that none has; else empty."""
    if wanted.index is None:
        return ""
    fit = fitting(containers, replace(wanted, index=None))
    found = {one.index for one in fit if wanted.service or wanted.label in one.labels}
    return likely_names(str(wanted.index), found)


def _by_project(container: Container, others: Sequence[Container]) -> dict[str, Any]:
    """Return the fewest fields, one being the project, that choose one container of several."""
    for number in range(3):
        for more in combinations(("service", "index"), number):
            names = ("project", *more)
            mine = [getattr(container, name) for name in names]
            alike = [other for other in others if [getattr(other, name) for name in names] == mine]
            if all(mine) and len(alike) == 1:
                return {name: getattr(container, name) for name in names}
    return {"container": container.name}


def _mend(wanted: Wanted, caller: Caller, everything: Sequence[Container]) -> str:
    """Return a remedy where no container on the engine fits."""
    if wanted.service in {container.name for container in everything}:
        fields = {"container": wanted.service}
        return f"{wanted.service} is a container, and no service: {spelt(fields, caller)}"
    names = [likely_names_of(wanted, everything, field) for field in ("project", "service")]
    if found := next(filter(None, [_indexes(everything, wanted), *names]), ""):
        return found
    folder = caller.compose_folder
    if folder is not None and folder not in {container.folder for container in everything}:
        return f"the project in {folder} is not up; start it with: docker compose up --detach"
    if wanted.service is not None or wanted.project is not None:
        return "see: docker ps --all"
    if near := mislabelled(everything, wanted.label):
        return near
    one = spelt({"container": "NAME"}, caller) if not caller.is_program else "container="
    return f"put it on one (in a compose file, under labels:), or choose one with {one}"
