"""Explain why no container was selected, and what to type instead. Pure.

The user may have misspelt a name, forgotten a label or not started a project. A container that
runs in another place is never selected unless it is named (:mod:`rind.decide.selection`).
"""

from __future__ import annotations

from difflib import get_close_matches
from itertools import combinations

from rind.base.records import replace
from rind.decide.selection import MOST_NAMED, NoContainerError, explain_state, in_order
from rind.decide.wanted import Wanted, matching, service_names, spelt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any, Final

    from rind.decide.selection import Narrowed
    from rind.model import Caller, Container

__all__ = ["label_note", "likely_names", "likely_names_of", "no_such_container", "why_none"]

_RANKS: Final = {"running": 0, "paused": 1, "restarting": 2}
"""The states of the container that was probably meant, likeliest first; all others come last."""


def why_none(
    narrowed: Narrowed, wanted: Wanted, caller: Caller, everything: Sequence[Container]
) -> NoContainerError:
    """Return the error for the case that none of the containers that the rule leaves is running.

    Args:
        narrowed: the containers that the rule leaves.
        wanted: the conditions.
        caller: the caller, whose working directory counts.
        everything: all containers of the engine, whatever their labels; only used if the rule
            leaves none.
    """
    if narrowed.containers:
        state = _why_unusable(narrowed, wanted, caller)
        text = f"no running container{narrowed.where} has {wanted} ({state})"
    elif narrowed.where or narrowed.others:
        where, remedies = _place_and_remedies(narrowed, wanted, caller, everything)
        text = f"no container{where} has {wanted}{_after('; or '.join(remedies), 'rind --list')}"
    else:
        remedy = _remedy(wanted, caller, everything)
        text = f"no container on {caller.engine} has {wanted}{_after(remedy)}"
    return NoContainerError(text, is_final=narrowed.is_final)


def no_such_container(
    name: str, caller: Caller, everything: Sequence[Container], said: str = ""
) -> NoContainerError:
    """Return the error for a container's name that the engine does not know.

    Args:
        name: the container's name.
        caller: for the message.
        everything: all containers of the engine.
        said: the engine's own message, if it has another reason.
    """
    services = {service for container in everything for service in service_names(container)}
    if name in services:
        remedy = f"{name} is a service; choose it with {spelt({'service': name}, caller)}"
    else:
        running = [container.name for container in everything if container.state == "running"]
        near = get_close_matches(name, running, 1)
        remedy = likely_names(name, running) if near else ""
    problem = f"no container on {caller.engine} has {Wanted(container=name)}"
    if said:
        problem = f"{said} on {caller.engine}"
    return NoContainerError(problem + _after(remedy))


def _after(remedy: str, see: str = "docker ps --all") -> str:
    """Return a remedy to append to a message; if it is empty, the command that shows more."""
    return f": {remedy}" if remedy else f"; see: {see}"


def likely_names_of(wanted: Wanted, everything: Sequence[Container], field: str) -> str:
    """Return a hint if no container has the wanted service or project; else an empty string.

    Args:
        wanted: the conditions.
        everything: all containers of the engine.
        field: ``service`` or ``project``.
    """
    name = getattr(wanted, field)
    if name is None:
        return ""
    found = {container.project for container in everything}
    if field == "service":
        of_project = [
            container for container in everything if wanted.project in {None, container.project}
        ]
        found = {service for container in of_project for service in service_names(container)}
    return "" if name in found else likely_names(name, found)


def likely_names(name: str, found: Iterable[str]) -> str:
    """Return a hint: the name most like ``name``, and those that exist; empty if none exists."""
    names = sorted({*found} - {""})
    near = get_close_matches(name, names, 1)
    there = ", ".join(names[:MOST_NAMED])
    if len(names) > MOST_NAMED:
        there += f" and {len(names) - MOST_NAMED} more"
    meant = f"did you mean {near[0]}?" if near else ""
    others = f"there {'is' if len(names) == 1 else 'are'} {there}" if names != near else ""
    return " ".join(filter(None, [meant, others]))


def label_note(containers: Sequence[Container], label: str) -> str:
    """Return a hint at a label that may be a misspelling of ``label``; empty if all look right."""
    for container in sorted(containers, key=in_order):
        if label in container.labels:
            continue
        for key in sorted(container.labels):
            if key.startswith(f"{label}."):
                return f"{container.name} has the label {key}, but not {label}: add that"
        # One letter may be wrong, missing or extra. Long labels with a common prefix would pass
        # difflib's default cutoff.
        cutoff = 1 - 1 / len(label) - 0.01
        if near := get_close_matches(label, container.labels, 1, cutoff):
            return f"{container.name} has the label {near[0]}: did you mean {label}?"
    return ""


def _why_unusable(narrowed: Narrowed, wanted: Wanted, caller: Caller) -> str:
    """Return why the container that was probably meant cannot be used."""
    likeliest = min(
        narrowed.containers,
        key=lambda container: (
            _RANKS.get(container.state, len(_RANKS)),
            -container.created,
            in_order(container),
        ),
    )
    if likeliest.state == "running":  # a one-off, which select_all() excludes
        option = spelt({"container": likeliest.name}, caller)
        return f"{likeliest.name} has it, but docker compose run made it; choose it with {option}"
    more = len(narrowed.containers) - 1
    others = f"; {more} more {'is' if more == 1 else 'are'} not running either" if more else ""
    has_it = wanted.service is not None or wanted.label in likeliest.labels
    fits = "has it" if has_it else "is the dev container there"
    return f"{likeliest.name} {fits}, but {explain_state(likeliest)}{others}"


def _place_and_remedies(
    narrowed: Narrowed, wanted: Wanted, caller: Caller, everything: Sequence[Container]
) -> tuple[str, list[str]]:
    """Return a description of the caller's place, and the remedies there and elsewhere."""
    folder = caller.compose_folder
    where = narrowed.where
    if not where:
        where = f" of the project in {folder}" if folder else f" of the checkout {caller.checkout}"
    ours = [container for container in everything if _is_ours(container, caller)]
    remedies: list[str] = []
    if not ours:
        # Without a Compose file here or above, "docker compose up" would fail.
        remedies = ["start it with: docker compose up --detach"] if folder else []
    elif indexes := _index_hint(ours, wanted):
        remedies = [indexes]
    elif wanted.service is None:
        remedies = [label_note(ours, wanted.label) or "put it on one and recreate that container"]
    elif names := likely_names(wanted.service, {container.service for container in ours}):
        remedies = [names]
    running = [container for container in narrowed.others if container.state == "running"]
    if running:
        named = ", ".join(
            f"{spelt(_by_project(container, running), caller)} ({container.name})"
            for container in running[:MOST_NAMED]
        )
        remedies.append(f"choose one of another project with {named}")
    return where, remedies


def _is_ours(container: Container, caller: Caller) -> bool:
    """Whether a container belongs to the caller's project or checkout."""
    if caller.project is not None:
        return container.project == caller.project
    folder = caller.compose_folder
    return container.checkout == "ours" or (folder is not None and container.folder == folder)


def _index_hint(containers: Sequence[Container], wanted: Wanted) -> str:
    """Return a hint at the existing indexes, if only the index does not fit; else empty."""
    if wanted.index is None:
        return ""
    fit = matching(containers, replace(wanted, index=None))
    found = {
        container.index for container in fit if wanted.service or wanted.label in container.labels
    }
    return likely_names(str(wanted.index), found)


def _by_project(container: Container, others: Sequence[Container]) -> dict[str, Any]:
    """Return the fewest fields, including the project, that distinguish a container from others."""
    for count in range(3):
        for more in combinations(("service", "index"), count):
            names = ("project", *more)
            mine = [getattr(container, name) for name in names]
            alike = [other for other in others if [getattr(other, name) for name in names] == mine]
            if all(mine) and len(alike) == 1:
                return {name: getattr(container, name) for name in names}
    return {"container": container.name}


def _remedy(wanted: Wanted, caller: Caller, everything: Sequence[Container]) -> str:
    """Return the remedy for the case that no container on the engine fits; empty for none."""
    if wanted.service in {container.name for container in everything}:
        option = spelt({"container": wanted.service}, caller)
        return f"{wanted.service} is a container, not a service; choose it with {option}"
    names = [likely_names_of(wanted, everything, field) for field in ("project", "service")]
    if found := next(filter(None, [_index_hint(everything, wanted), *names]), ""):
        return found
    folder = caller.compose_folder
    if folder is not None and folder not in {container.folder for container in everything}:
        return f"the project in {folder} is not up; start it with: docker compose up --detach"
    if wanted.service is not None or wanted.project is not None:
        return ""
    if near := label_note(everything, wanted.label):
        return near
    option = spelt({"container": "NAME"}, caller) if not caller.is_program else "container="
    return f"put it on one (in a compose file, under labels:), or choose one with {option}"
