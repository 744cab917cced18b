"""Resolves a request: finds the container, and settles what is executed in it.

The decisions are pure (:mod:`rind.decide`); here they get what they need from the engine. Nothing
here needs an event loop: over a carrier that blocks, these coroutines never suspend.
"""

from __future__ import annotations

from rind.base.records import replace
from rind.decide.nearness import stands_elsewhere
from rind.decide.plan import needs_defaults, plan, wants_local_workdir, wants_mapping, words
from rind.decide.profile import read_profile
from rind.decide.selection import (
    Selected,
    fitting,
    is_dev_container,
    maps,
    may_be_a_dev_container,
    narrow,
    require_running,
    select,
    select_all,
)
from rind.errors import Refused, SelectionError
from rind.find.caller import aliases, localized, placed
from rind.find.within import as_seen_here
from rind.model import DEV_FOLDER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rind.decide.plan import Command
    from rind.decide.profile import Profile
    from rind.decide.selection import Narrowed, NoContainerError, Wanted
    from rind.engine.engine import Engine
    from rind.model import Caller, Container, ExecConfig

__all__ = [
    "find",
    "find_all",
    "is_elsewhere",
    "list_candidates",
    "narrowed",
    "profile_of",
    "settle",
]


async def list_candidates(
    engine: Engine, caller: Caller, wanted: Wanted, *, up: bool = False
) -> list[Container]:
    """List the containers among which the rule chooses, in any state: also those of the place.

    Args:
        engine: an open one.
        caller: for the message where no container has the wanted name.
        wanted: the conditions.
        up: whether to list only those that are up, paused ones too.

    Raises:
        NoContainerError: no container has the wanted name.
        EngineError: the engine failed.
    """
    if wanted.container is not None:
        return [await _named(engine, caller, wanted.container)]
    found = await engine.containers(wanted.filters, up=up)
    if wanted.swarm_filters and not fitting(found, wanted):
        found += fitting(await engine.containers(wanted.swarm_filters, up=up), wanted)
    return await as_seen_here(engine, found)


async def find(engine: Engine, caller: Caller, wanted: Wanted) -> Selected:
    """Find the one container to run in, and why.

    Raises:
        AmbiguousError: several fit.
        NoContainerError: none does, or none of them runs.
        SelectionError: the named one is not running.
        EngineError: the engine failed.
    """
    if wanted.container is not None:
        named = await _named(engine, caller, wanted.container)
        return Selected(require_running(named), "named")
    left = await narrowed(engine, caller, wanted)
    selected = select(left, wanted, caller)
    if selected is None:
        raise await _why_none(engine, left, wanted, caller)
    return selected


async def find_all(engine: Engine, caller: Caller, wanted: Wanted) -> list[Selected]:
    """Find every running container that the rule leaves, by name; never none.

    Raises:
        NoContainerError: none is left, or none of them runs.
        SelectionError: the named one is not running.
        EngineError: the engine failed.
    """
    if wanted.container is not None:
        return [await find(engine, caller, wanted)]
    left = await narrowed(engine, caller, wanted)
    found = select_all(left, wanted)
    if not found:
        raise await _why_none(engine, left, wanted, caller)
    return found


async def narrowed(engine: Engine, caller: Caller, wanted: Wanted) -> Narrowed:
    """Ask for the candidates, and narrow them by the rule.

    Raises:
        SelectionError: the command's paths are in several containers.
        EngineError: the engine failed.
    """
    found = placed(await list_candidates(engine, caller, wanted), caller)
    if wanted.paths:
        found = [
            replace(one, mounts=aliases(one.mounts, wanted.paths)) if maps(one, wanted) else one
            for one in found
        ]
    left = narrow(found, wanted, caller)
    if may_be_a_dev_container(left, wanted, caller):
        known = {container.id for container in found}
        others = await as_seen_here(engine, await engine.containers([DEV_FOLDER]))
        others = placed(others, caller)
        found += [one for one in others if one.id not in known and is_dev_container(one, caller)]
        left = narrow(found, wanted, caller)
    return left


async def _why_none(
    engine: Engine, left: Narrowed, wanted: Wanted, caller: Caller
) -> NoContainerError:
    from rind.decide.refusal import why_none  # noqa: PLC0415 # only a refusal needs it

    everything: list[Container] = []
    if not left.containers:
        everything = placed(await as_seen_here(engine, await engine.containers([])), caller)
    return why_none(left, wanted, caller, everything)


def is_elsewhere(container: Container, caller: Caller) -> bool:
    """Whether the caller stands in a Compose project's folder, and the container is of another's.

    So is a swarm's task. Standing nowhere in particular is not elsewhere.
    """
    if caller.compose_folder is None or not (container.folder or container.node):
        return False
    if container.node:
        return True
    return stands_elsewhere(localized([container], caller.cwd)[0], caller)


def profile_of(container: Container, label: str) -> Profile:
    """Read what a container's labels say about commands.

    Raises:
        SelectionError: a label is unknown, or its value is invalid.
    """
    try:
        return read_profile(container.labels, label)
    except SelectionError as exc:
        raise SelectionError(f"{container.name}: {exc}") from exc


async def settle(
    engine: Engine, command: Command, container: Container, profile: Profile, caller: Caller
) -> ExecConfig:
    """Settle what the engine is to execute in a container.

    Raises:
        UsageError: a word of the command cannot be executed.
        EngineError: the engine failed.
    """
    if wants_local_workdir(command, profile) or wants_mapping(command, profile):
        container = localized([container], caller.cwd)[0]
    if wants_mapping(command, profile):
        from rind.decide.path_map import PathMap  # noqa: PLC0415 # rarely needed

        argv = words(command.argv)
        paths = PathMap(aliases(container.mounts, argv))
        command = replace(command, argv=[paths.word(word) for word in argv])
    defaults = await engine.defaults(container.id) if needs_defaults(command, profile) else None
    return plan(command, profile, container, caller, defaults)


async def _named(engine: Engine, caller: Caller, name: str) -> Container:
    try:
        [found] = await as_seen_here(engine, [await engine.container(name)])
    except Refused as exc:
        from rind.decide.refusal import no_such_container  # noqa: PLC0415 # as above

        everything = await engine.containers([])
        raise no_such_container(name, caller, everything, exc.text) from exc
    return found
