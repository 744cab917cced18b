"""From what a caller asks and a container's labels say, to what the engine is to execute. Pure."""

import os
import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Final, Self, TypedDict

from rind.command import PreStep, flaw, wrap, wrap_script
from rind.errors import UsageError
from rind.profile import Profile
from rind.selection import Container
from rind.workdir import container_path

__all__ = [
    "Command",
    "CommandOptions",
    "ExecConfig",
    "Host",
    "Word",
    "plan",
    "wants_local_workdir",
    "wants_own_workdir",
    "words",
]

Word = str | bytes | os.PathLike[str]
"""A word of a command, as :mod:`subprocess` takes it."""

NO_DETACH_KEYS: Final = ",".join(["ctrl-@", "ctrl-^"] * 8)
"""Detach keys that nobody types. There is no way to have none: empty means ctrl-p,ctrl-q to the
engine, which then holds back every Ctrl-P until the next key (moby/term, EscapeProxy). Whatever
the first key of the sequence is suffers that; Ctrl-@ is what programs wait for least."""


_AUTO: Final = "auto"

_WORDS: Final = re.compile(r"[\w@%+:,./-]+( +[\w@%+=:,./-]+)*")
"""Text that means the same to every shell: words between spaces."""


_BUILTINS: Final = frozenset(
    [
        *(".", ":", "alias", "cd", "command", "eval", "exec", "exit", "export", "read", "set"),
        *("source", "trap", "type", "ulimit", "umask", "unalias", "unset", "wait"),
    ]
)
"""Words that only a shell understands (POSIX, 2.14 and 1.6), and bash's source."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecConfig:
    """What an exec instance is created from (API: ``POST /containers/{id}/exec``).

    Attributes:
        env: ``NAME=value`` strings, added to the container's own environment.
        user: ``user[:group]``, by name or number; empty for the container's own.
        workdir: absolute; empty for the container's own.
        stdin, output: what will be attached.
        detach_keys: in docker's syntax, for a TTY.
    """

    argv: Sequence[str]
    tty: bool = False
    stdin: bool = True
    output: bool = True
    env: Sequence[str] = ()
    user: str = ""
    workdir: str = ""
    privileged: bool = False
    detach_keys: str = NO_DETACH_KEYS

    def with_defaults(self, variables: Mapping[str, str], *, unless: AbstractSet[str]) -> Self:
        """Add environment variables, but none that is set here or named in ``unless``.

        Raises:
            UsageError: no command can have such a variable.
        """
        taken = {it.partition("=")[0] for it in self.env} | unless
        added = [_variable(*it) for it in variables.items() if it[0] not in taken]
        return replace(self, env=[*self.env, *added])


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
    """

    argv: Sequence[Word] = ()
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


class CommandOptions(TypedDict, total=False):
    """The fields of a :class:`Command` that an embedder gives by keyword."""

    script: str | None
    env: Mapping[str, str]
    user: str | None
    workdir: str | os.PathLike[str] | None
    shell: str | None
    pre_step: bool
    privileged: bool
    tty: bool


@dataclass(frozen=True, slots=True)
class Host:
    """What this process may lend to a command: its working directory, variables and numbers."""

    cwd: PurePosixPath
    environ: Mapping[str, str]
    uid: int
    gid: int


def plan(command: Command, profile: Profile, container: Container, host: Host) -> ExecConfig:
    """Settle what the engine is to execute; the command's own wishes beat the profile's.

    ``env_defaults`` are left to :meth:`ExecConfig.with_defaults`: only the engine knows what else
    is set.

    Raises:
        UsageError: as :func:`rind.command.wrap`; no command can have one of the variables.
        TypeError: a word is no text.
    """
    passed = {name: host.environ[name] for name in profile.pass_env if name in host.environ}
    env = {**profile.env, **passed, **command.env}
    user = profile.user if command.user is None else command.user
    workdir = _workdir(command, profile)
    if workdir == _AUTO:
        workdir = container_path(host.cwd, container.mounts) or ""
    step = PreStep(
        text=profile.pre_step if command.pre_step else None,
        shell=command.shell or profile.shell,
        container=container.name,
        # What the caller asks for goes before where the pre-step goes.
        workdir=workdir if command.workdir is not None else "",
    )
    return ExecConfig(
        argv=_argv(command, profile, step),
        tty=command.tty,
        stdin=command.stdin,
        output=command.output,
        env=[_variable(*it) for it in env.items()],
        user=f"{host.uid}:{host.gid}" if user == "host" else user,
        workdir=workdir,
        privileged=command.privileged,
    )


def wants_local_workdir(command: Command, profile: Profile) -> bool:
    """Whether the command is to run where the container has our working directory."""
    return _workdir(command, profile) == _AUTO


def wants_own_workdir(command: Command) -> bool:
    """Whether the command is to run in a directory that counts from the container's own."""
    workdir = os.fspath(command.workdir or "")
    return bool(workdir) and workdir != _AUTO and not workdir.startswith("/")


def _workdir(command: Command, profile: Profile) -> str:
    return profile.workdir if command.workdir is None else os.fspath(command.workdir)


def _argv(command: Command, profile: Profile, step: PreStep) -> list[str]:
    script, argv = command.script, words(command.argv)
    if script is None and not argv:
        # Words are executed as they are: a shell in between would be in the way of Ctrl-C.
        if _WORDS.fullmatch(profile.command) and profile.command.split()[0] not in _BUILTINS:
            argv = profile.command.split()
        else:
            script = profile.command or None
    if script is not None:
        return wrap_script(script, argv, step)
    return wrap(argv or [step.shell], step)


def words(argv: Sequence[Word]) -> list[str]:
    """Give a command's words as text.

    Raises:
        UsageError: it is one string.
        TypeError: a word is no text.
    """
    if isinstance(argv, str):
        raise UsageError(f"a command is a list of words, but got {argv!r}: did you mean script=?")
    return [os.fsdecode(it) for it in argv]


def _variable(name: object, value: object) -> str:
    """Give what the engine takes. A value may be a secret, so no message has it."""
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
