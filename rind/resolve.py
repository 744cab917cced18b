"""Resolves a request: finds the container, and settles what is executed in it.

The decisions are pure (:mod:`rind.decide`); here they get what they need from the engine. Nothing
here needs an event loop: over a carrier that blocks, these coroutines never suspend.
"""

from __future__ import annotations

from rind.caller import aliases, localized
from rind.decide.plan import needs_defaults, plan, wants_local_workdir, wants_mapping, words
from rind.decide.profile import read_profile
from rind.decide.selection import (
    Selected,
    fitting,
    in_order,
    require_running,
    select,
    stands_elsewhere,
)
from rind.errors import Refused, SelectionError
from rind.model import COMPOSE
from rind.records import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rind.decide.plan import Command
    from rind.decide.profile import Profile
    from rind.decide.selection import Wanted
    from rind.engine.engine import Engine
    from rind.model import Caller, Container, ExecConfig

__all__ = ["find", "find_all", "is_elsewhere", "list_up", "profile_of", "settle"]


async def list_up(engine: Engine, wanted: Wanted) -> list[Container]:
    """List the containers that are up, paused ones too, and that could be wanted.

    Raises:
        SelectionError: there is no container of the wanted name.
        EngineError: the engine failed.
    """
    if wanted.container is not None:
        return [await _named(engine, wanted.container)]
    found = await engine.containers(wanted.filters, up=True)
    if not found and wanted.swarm_filters:
        found = await engine.containers(wanted.swarm_filters, up=True)
        found = fitting(found, wanted)
    return found


async def find(engine: Engine, caller: Caller, wanted: Wanted) -> Selected:
    """Find the one container to run in, and why.

    Raises:
        AmbiguousError: several fit.
        SelectionError: none does, or it is not running.
        EngineError: the engine failed.
    """
    if wanted.container is not None:
        return Selected(require_running(await _named(engine, wanted.container)), "named")
    up = fitting(await list_up(engine, wanted), wanted)
    down: list[Container] = []
    neighbours: list[Container] = []
    if len(up) > 1:
        up = localized(up, caller.cwd)
    elif not up:
        down = await engine.containers(wanted.filters, up=False)
        if caller.compose_folder is not None:
            neighbours = await engine.containers([f"{COMPOSE}.project"], up=True)
            neighbours = localized(neighbours, caller.cwd)
    return select(up, down, wanted, caller, neighbours)


async def find_all(engine: Engine, caller: Caller, wanted: Wanted) -> list[Selected]:
    """Find every running container that fits, by name, wherever the caller stands.

    Raises:
        SelectionError: none does.
        EngineError: the engine failed.
    """
    up = fitting(await list_up(engine, wanted), wanted)
    running = [container for container in up if container.state == "running"]
    if not running or wanted.container is not None:
        return [await find(engine, caller, wanted)]
    reason = f"one of {len(running)} with {wanted}"
    found = sorted(running, key=in_order)
    return [Selected(container, reason) for container in found]


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
    defaults = await engine.defaults(container.id) if needs_defaults(command) else None
    return plan(command, profile, container, caller, defaults)


async def _named(engine: Engine, name: str) -> Container:
    try:
        return await engine.container(name)
    except Refused as exc:
        text = f"{exc.text} on {engine.endpoint.url}; see: docker ps --all"
        raise SelectionError(text) from exc
