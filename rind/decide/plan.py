"""Turn a caller's command and a container's profile into an exec configuration. Pure."""

from __future__ import annotations

import os
from functools import partial

from rind.base.light import pattern
from rind.base.records import dataclass, field
from rind.decide.pre_step import PreStep, flaw, wrap, wrap_script
from rind.decide.workdir import container_path, joined
from rind.errors import UsageError
from rind.model import Defaults, ExecConfig

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Final, Protocol

    from rind.decide.profile import Profile
    from rind.model import Caller, Container, MessageProtocol

__all__ = [
    "BARE",
    "BUILTINS",
    "Command",
    "Word",
    "Words",
    "needs_defaults",
    "plan",
    "wants_local_workdir",
    "wants_mapping",
    "wants_ssh_agent",
    "words",
]

Word = str | bytes | os.PathLike[str]
"""A word of a command, of the types that :mod:`subprocess` accepts."""

if TYPE_CHECKING:

    class Words(Protocol):
        """A sequence of words; a string is rejected, although it is a sequence of strings."""

        def __getitem__(self, index: int, /) -> Word: ...
        def __contains__(self, value: object, /) -> bool: ...
        def __len__(self) -> int: ...
        def __iter__(self) -> Iterator[Word]: ...


class _Bare(tuple[str, ...]):
    """No words, on purpose: an empty list is more likely a mistake of the caller."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "BARE"


BARE: Final = _Bare()
"""The words of a call that leaves them out: it runs the profile's command."""

_AUTO: Final = "auto"
_HOST: Final = "host"

_LOGIN: Final = pattern(r"[\w@.-]{1,64}")
"""A user's name that is safe in shell text; any other is not passed on."""

_WORDS: Final = pattern(r"[\w@%+:,./-]+( +[\w@%+=:,./-]+)*")
"""Words between spaces, without shell syntax. The first has no ``=``, so it is no assignment."""


BUILTINS: Final = frozenset(
    [
        *(".", ":", "alias", "cd", "command", "eval", "exec", "exit", "export", "read", "set"),
        *("source", "trap", "type", "ulimit", "umask", "unalias", "unset", "wait"),
    ]
)
"""Commands that only a shell can execute (POSIX, 2.14 and 1.6), and bash's source."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command, and the caller's options for it. For None, the container's profile decides.

    Attributes:
        argv: the words; leave them out for the profile's command. With a script, its parameters.
        script: a script for the container's shell.
        env: variables by name.
        env_defaults: variables by name, each set only if neither the container nor anything else
            sets it.
        user: ``user[:group]``, ``host`` for our own uid and gid, or empty for the container's.
        workdir: a path, relative to the container's own working directory; ``auto`` for the
            directory that is mounted from ours, or empty for the container's own.
        shell: an absolute path.
        pre_step: whether to run the pre-step.
        tty: whether the command has a TTY.
        stdin, output: whether to attach it.
        map_paths: whether to map paths in the words and in the output, by the bind mounts. With a
            TTY, until the program takes the screen or a key is typed. If set, ``workdir`` defaults
            to ``auto``.
        ssh_agent: whether the caller's ssh agent is in the container while the command runs, at the
            socket that ``SSH_AUTH_SOCK`` names there. Not for a command that is started detached.
        protocol: ``lsp`` for a language server or ``dap`` for a debug adapter, to map the paths in
            its messages; implies ``map_paths``. Empty for any other command.
        hint: a remedy for the message that the first word is not a program.
    """

    argv: Words = BARE
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
    ssh_agent: bool | None = None
    protocol: MessageProtocol = ""
    hint: str = ""


def plan(
    command: Command,
    profile: Profile,
    container: Container,
    caller: Caller,
    defaults: Defaults | None = None,
) -> ExecConfig:
    """Return the exec configuration for a command; its own options override the profile's.

    Args:
        command: the command, with the caller's options.
        profile: the container's profile.
        container: the container, its mounts renamed by :func:`rind.find.caller.localized`.
        caller: provides the working directory, variables, uid and gid.
        defaults: the container's own settings; only needed if :func:`needs_defaults` returns True.

    Raises:
        UsageError: a variable is invalid, or :func:`words` or
            :func:`rind.decide.pre_step.wrap` raised it.
        TypeError: a word is of a wrong type.
    """
    defaults = defaults or Defaults()
    passed = {name: caller.environ[name] for name in profile.pass_env if name in caller.environ}
    refer = partial(_substituted, profile, container, caller, defaults)
    remote = {name: refer(value) for name, value in profile.remote_env.items()}
    env = {**remote, **profile.env, **passed, **command.env}
    unset = {
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
        # The caller's directory overrides a "cd" in the pre-step; the profile's does not.
        workdir=workdir if command.workdir is not None else "",
        hint=command.hint,
        login=_login(caller) if user == _HOST and command.pre_step and "HOME" not in env else "",
    )
    agent = caller.environ.get("SSH_AUTH_SOCK", "")
    return ExecConfig(
        argv=_argv(command, profile, step),
        tty=command.tty,
        stdin=command.stdin,
        output=command.output,
        env=[_variable(name, value) for name, value in {**env, **unset}.items()],
        user=f"{caller.uid}:{caller.gid}" if user == _HOST else user,
        workdir=workdir,
        privileged=command.privileged,
        mapped=container.mounts if wants_mapping(command, profile) else (),
        protocol=command.protocol,
        ssh_agent=agent if wants_ssh_agent(command, profile) else None,
        needs_ssh_agent=bool(command.ssh_agent),
    )


def needs_defaults(command: Command, profile: Profile) -> bool:
    """Whether the plan depends on the container's own variables or working directory."""
    workdir = os.fspath(command.workdir or _AUTO)
    texts = [profile.user, *profile.remote_env.values()]
    refers = any("${containerEnv:" in text for text in texts)
    return bool(command.env_defaults) or refers or not (workdir == _AUTO or workdir.startswith("/"))


def wants_local_workdir(command: Command, profile: Profile) -> bool:
    """Whether the command runs in the directory that is mounted from our working directory."""
    return _workdir(command, profile) == _AUTO


def wants_mapping(command: Command, profile: Profile) -> bool:
    """Whether to map paths."""
    if command.protocol:
        return True
    return profile.map_paths if command.map_paths is None else command.map_paths


def wants_ssh_agent(command: Command, profile: Profile) -> bool:
    """Whether the command gets the caller's ssh agent."""
    return profile.ssh_agent if command.ssh_agent is None else command.ssh_agent


def _login(caller: Caller) -> str:
    """Return the caller's login name, or its uid; empty for root, which every container has."""
    names = [caller.environ.get(name, "") for name in ("LOGNAME", "USER")]
    found = next(filter(_LOGIN.fullmatch, names), str(caller.uid))
    return found if caller.uid else ""


def _substituted(
    profile: Profile, container: Container, caller: Caller, defaults: Defaults, text: str
) -> str:
    """Return a value of a dev container's metadata with its references replaced."""
    if "${" not in text or not container.local_folder:
        return text
    from rind.decide.dev_container import substituted  # few are dev containers

    local = container.local_folder
    folders = local, profile.workspace or container_path(local, container.mounts) or ""
    return substituted(text, caller.environ, defaults.variables, folders)


def _workdir(command: Command, profile: Profile) -> str:
    if command.workdir is not None:
        return os.fspath(command.workdir)
    return profile.workdir or (_AUTO if wants_mapping(command, profile) else "")


def _argv(command: Command, profile: Profile, step: PreStep) -> list[str]:
    script, argv = command.script, words(command.argv, command.script)
    if script is None and not argv:
        # Plain words are executed without a shell, which would interfere with Ctrl-C.
        if _WORDS.fullmatch(profile.command) and profile.command.split()[0] not in BUILTINS:
            argv = profile.command.split()
        else:
            script = profile.command or None
    if script is not None:
        return wrap_script(script, argv, step)
    return wrap(argv or [step.shell], step)


def words(argv: Words | str, script: str | None = None) -> Sequence[str]:
    """Return a command's words as text, read once from an iterator; :data:`BARE` as it is.

    Raises:
        UsageError: the command is one string or path, or has no word and no script.
        TypeError: a word is of a wrong type.
    """
    if isinstance(argv, _Bare):
        return argv
    if isinstance(argv, str | bytes | os.PathLike):
        raise UsageError(f"a command is a list of words, but got {argv!r}: did you mean script=?")
    listed = [os.fsdecode(word) for word in argv]
    if not listed and script is None:
        raise UsageError(
            "a command needs at least one word: without argv=, the container's default command runs"
        )
    return listed


def _variable(name: object, value: object) -> str:
    """Return ``NAME=value``. A value may be a secret, so no message has it."""
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
