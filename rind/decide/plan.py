"""Turn a caller's command and a container's profile into an exec configuration. Pure."""

from __future__ import annotations

import os
import re
from functools import partial

from rind.base.records import dataclass, field
from rind.decide.pre_step import PreStep, flaw, wrap, wrap_script
from rind.decide.workdir import container_path, joined
from rind.errors import UsageError
from rind.model import Defaults, ExecConfig

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Final, Protocol

    from rind.decide.profile import Profile
    from rind.model import Caller, Container, MessageProtocol

__all__ = [
    "BUILTINS",
    "Command",
    "Word",
    "Words",
    "needs_defaults",
    "plan",
    "wants_local_workdir",
    "wants_mapping",
    "words",
]

Word = str | bytes | os.PathLike[str]
"""A word of a command, as :mod:`subprocess` takes it."""

if TYPE_CHECKING:

    class Words(Protocol):
        """A sequence of words; a string is none, though it is one of strings."""

        def __getitem__(self, index: int, /) -> Word: ...
        def __contains__(self, value: object, /) -> bool: ...
        def __len__(self) -> int: ...
        def __iter__(self) -> Iterator[Word]: ...


_AUTO: Final = "auto"
_HOST: Final = "host"

_LOGIN: Final = re.compile(r"[\w@.-]{1,64}")
"""A user's name; any other is not handed over."""

_WORDS: Final = re.compile(r"[\w@%+:,./-]+( +[\w@%+=:,./-]+)*")
"""Text that means the same to every shell: words between spaces."""


BUILTINS: Final = frozenset(
    [
        *(".", ":", "alias", "cd", "command", "eval", "exec", "exit", "export", "read", "set"),
        *("source", "trap", "type", "ulimit", "umask", "unalias", "unset", "wait"),
    ]
)
"""Words that only a shell understands (POSIX, 2.14 and 1.6), and bash's source."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What a caller asks for. What is None is left to the container's profile.

    Attributes:
        argv: the words; none for the profile's command. With a script, its parameters.
        script: for the container's shell.
        env: variables by name.
        env_defaults: variables that are set unless the container or something else sets them.
        user: ``user[:group]``, ``host`` for our own numbers, or empty for the container's.
        workdir: a path, counted from the container's own working directory; ``auto`` for where
            the container has ours, or empty for its own.
        shell: an absolute path.
        pre_step: whether to run it.
        tty, stdin, output: what is attached.
        map_paths: whether paths in the words and in the output are mapped, by the bind mounts;
            with a TTY, in the words only. Where no workdir is given, it is ``auto`` then.
        protocol: of a language server (``lsp``) or a debug adapter (``dap``), whose messages have
            the paths; it maps too. Empty for any other command.
        hint: what to do instead, for the message that its first word is no program.
    """

    argv: Words = ()
    script: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    env_defaults: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    workdir: str | os.PathLike[str] | None = None
    shell: str | None = None
    pre_step: bool = True
    privileged: bool = False
    tty: bool = False
    stdin: bool = True
    output: bool = True
    map_paths: bool | None = None
    protocol: MessageProtocol = ""
    hint: str = ""


def plan(
    command: Command,
    profile: Profile,
    container: Container,
    caller: Caller,
    defaults: Defaults | None = None,
) -> ExecConfig:
    """Settle what the engine executes; the command's own wishes override the profile's.

    Args:
        command: what the caller asks for.
        profile: what the container's labels say.
        container: where it runs, its mounts named as the caller names them.
        caller: lends its working directory, variables and numbers.
        defaults: the container's own; only needed where :func:`needs_defaults` says so.

    Raises:
        UsageError: as :func:`rind.decide.pre_step.wrap`; a variable is invalid.
        TypeError: a word is no text.
    """
    defaults = defaults or Defaults()
    passed = {name: caller.environ[name] for name in profile.pass_env if name in caller.environ}
    refer = partial(_substituted, profile, container, caller, defaults)
    remote = {name: refer(value) for name, value in profile.remote_env.items()}
    env = {**remote, **profile.env, **passed, **command.env}
    lent = {
        name: value
        for name, value in command.env_defaults.items()
        if name not in env and name not in defaults.variables
    }
    user = refer(profile.user) if command.user is None else command.user
    workdir = _workdir(command, profile)
    if workdir == _AUTO:
        workdir = container_path(caller.cwd, container.mounts) or profile.workspace
    elif workdir:
        workdir = joined(defaults.workdir, workdir)
    step = PreStep(
        text=profile.pre_step if command.pre_step else None,
        shell=command.shell or profile.shell,
        container=container.name,
        # The caller's directory overrides the one that the pre-step changes to.
        workdir=workdir if command.workdir is not None else "",
        hint=command.hint,
        login=_login(caller) if user == _HOST and command.pre_step and "HOME" not in env else "",
    )
    return ExecConfig(
        argv=_argv(command, profile, step),
        tty=command.tty,
        stdin=command.stdin,
        output=command.output,
        env=[_variable(name, value) for name, value in {**env, **lent}.items()],
        user=f"{caller.uid}:{caller.gid}" if user == _HOST else user,
        workdir=workdir,
        privileged=command.privileged,
        mapped=container.mounts if wants_mapping(command, profile) and not command.tty else (),
        protocol=command.protocol,
    )


def needs_defaults(command: Command, profile: Profile) -> bool:
    """Whether the plan depends on the container's own variables or working directory."""
    workdir = os.fspath(command.workdir or _AUTO)
    texts = [profile.user, *profile.remote_env.values()]
    refers = any("${containerEnv:" in text for text in texts)
    return bool(command.env_defaults) or refers or not (workdir == _AUTO or workdir.startswith("/"))


def wants_local_workdir(command: Command, profile: Profile) -> bool:
    """Whether the command is to run where the container has our working directory."""
    return _workdir(command, profile) == _AUTO


def wants_mapping(command: Command, profile: Profile) -> bool:
    """Whether paths are to be mapped."""
    if command.protocol:
        return True
    return profile.map_paths if command.map_paths is None else command.map_paths


def _login(caller: Caller) -> str:
    """Return the caller's name; empty for root, whom every container knows."""
    names = [caller.environ.get(name, "") for name in ("LOGNAME", "USER")]
    found = next(filter(_LOGIN.fullmatch, names), str(caller.uid))
    return found if caller.uid else ""


def _substituted(
    profile: Profile, container: Container, caller: Caller, defaults: Defaults, text: str
) -> str:
    """Return a text of a dev container's metadata without references."""
    if "${" not in text or not container.local_folder:
        return text
    from rind.decide.dev_container import substituted  # noqa: PLC0415 # most are none

    local = container.local_folder
    folders = local, profile.workspace or container_path(local, container.mounts) or ""
    return substituted(text, caller.environ, defaults.variables, folders)


def _workdir(command: Command, profile: Profile) -> str:
    if command.workdir is not None:
        return os.fspath(command.workdir)
    return profile.workdir or (_AUTO if wants_mapping(command, profile) else "")


def _argv(command: Command, profile: Profile, step: PreStep) -> list[str]:
    script, argv = command.script, words(command.argv)
    if script is None and not argv:
        # Words are executed as they are: a shell in between would be in the way of Ctrl-C.
        if _WORDS.fullmatch(profile.command) and profile.command.split()[0] not in BUILTINS:
            argv = profile.command.split()
        else:
            script = profile.command or None
    if script is not None:
        return wrap_script(script, argv, step)
    return wrap(argv or [step.shell], step)


def words(argv: Words | str) -> list[str]:
    """Return a command's words as text.

    Raises:
        UsageError: it is one string.
        TypeError: a word is no text.
    """
    if isinstance(argv, str):
        raise UsageError(f"a command is a list of words, but got {argv!r}: did you mean script=?")
    return [os.fsdecode(word) for word in argv]


def _variable(name: object, value: object) -> str:
    """Return ``NAME=value``. A value may be a secret, so no message repeats it."""
    if not (isinstance(name, str) and isinstance(value, str)):
        kind = type(value if isinstance(name, str) else name).__name__
        raise UsageError(f"the variable {name!a} must be text, but is of type {kind}")
    text = f"{name}={value}"
    why = flaw(text) if name else "has no name"
    if "=" in name:
        why = "has an equals sign in its name"
    if why:
        raise UsageError(f"the variable {name!a} {why}")
    return text
