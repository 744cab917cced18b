"""Settles the command to execute in a container, by its labels and by the place of the caller.

The decisions are pure (:mod:`rind.decide`); this module fetches their input from the engine. As in
:mod:`rind.find.finder`, nothing here needs an event loop.
"""

from __future__ import annotations

from rind.base.records import replace
from rind.decide.nearness import is_foreign
from rind.decide.plan import needs_defaults, plan, wants_local_workdir, wants_mapping, words
from rind.decide.profile import read_profile
from rind.errors import SelectionError
from rind.find.caller import aliases, localized

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rind.decide.plan import Command
    from rind.decide.profile import Profile
    from rind.engine.engine import Engine
    from rind.model import Caller, Container, ExecConfig

__all__ = ["is_elsewhere", "profile_of", "settle"]


def is_elsewhere(container: Container, caller: Caller) -> bool:
    """Whether the caller stands in a Compose project's folder, and the container is of another's.

    True also for a swarm's task. False where the caller stands in no project's folder.
    """
    if caller.compose_folder is None or not (container.folder or container.node):
        return False
    if container.node:
        return True
    return is_foreign(localized([container], caller.cwd)[0], caller)


def profile_of(container: Container, label: str) -> Profile:
    """Read the profile that a container's labels give to its commands.

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
    """Settle the command that the engine executes in a container.

    Raises:
        UsageError: a word of the command cannot be executed.
        EngineError: the engine failed.
    """
    if wants_local_workdir(command, profile) or wants_mapping(command, profile):
        container = localized([container], caller.cwd)[0]
    argv = words(command.argv, command.script)
    if argv and wants_mapping(command, profile):
        from rind.decide.path_map import PathMap

        paths = PathMap(aliases(container.mounts, argv))
        argv = [paths.word(word) for word in argv]
    command = replace(command, argv=argv)
    defaults = await engine.defaults(container.id) if needs_defaults(command, profile) else None
    return plan(command, profile, container, caller, defaults)
