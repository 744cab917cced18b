"""The keywords of the library's functions: their types, and the errors for wrong ones.

:func:`takes` checks each call of a function before it connects or starts anything: the names of its
keywords, and their values by the types in a TypedDict.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from inspect import Parameter, Signature, iscoroutinefunction, signature
from types import UnionType
from typing import Any, Final, Literal, TypedDict, TypeVar, Union, get_args, get_origin

from rind.decide.plan import Command
from rind.decide.wanted import Wanted
from rind.execution.exec import KILL_AFTER
from rind.execution.stdio import PIPE, LocalFile

__all__ = [
    "AnywhereKeywords",
    "AnywhereOptions",
    "CommandOptions",
    "ConnectOptions",
    "FoundKeywords",
    "FoundOptions",
    "OpenKeywords",
    "OpenOptions",
    "RunKeywords",
    "RunOptions",
    "WantedFields",
    "check_keywords",
    "takes",
]

F = TypeVar("F", bound=Callable[..., Any])

_SAME: Final = {
    "args": "argv",
    "cmd": "argv",
    "cwd": "workdir",
    "environment": "env",
    "name": "container",
    "universal_newlines": "text",
}
"""The names that other libraries have for our keywords."""

_NEEDLESS: Final = {
    "capture_output": "output is captured by default",
    "close_fds": "a command inherits no files",
    "preexec_fn": "write script= with what is to be done first",
    "start_new_session": "each command has a session of its own",
}
"""Keywords of other libraries that need no counterpart, and why."""

_INSTEAD: Final = {
    "env": 'write env={"NAME": "value"}',
    "shell": 'write script="…" for a command line; shell is the path of the shell that runs it',
}
"""What to write instead of a value of the wrong type."""

_LEAST: Final = {"capture_limit": 0, "kill_after": 0, "limit": 1, "timeout": 0}
"""The smallest valid numbers."""

_OWN: Final[Mapping[str, Any]] = {
    "follow": bool,
    "host": str | None,
    "stopped": bool,
    "timeout": float | None,
}
"""The types of parameters that are not in a TypedDict."""

_NUMBERS: Final = {int: "__index__", float: "__float__"}
"""The methods of numbers of a type, which those of numpy have too."""

_STREAMS: Final = ("stdin", "stdout", "stderr")
""":class:`rind.execution.streams.Streams` checks their values, because it knows all three."""


class _Fields(TypedDict, total=False):
    """The fields of a :class:`~rind.decide.plan.Command` that do not select an overload."""

    script: str | None
    env: Mapping[str, str]
    user: str | None
    workdir: str | os.PathLike[str] | None
    shell: str | None
    pre_step: bool
    privileged: bool
    map_paths: bool | None
    ssh_agent: bool | None


class CommandOptions(_Fields, total=False):
    """The fields of a :class:`~rind.decide.plan.Command` that are keywords.

    Attributes:
        script: a script for the container's shell, in place of a program.
        env: variables by name.
        user: ``user[:group]``, ``host`` for the caller's uid and gid, or empty for the container's.
        workdir: a directory in the container, or ``auto`` for the one mounted from the caller's.
        shell: the path of the shell that runs the script and the pre-step.
        pre_step: whether to run the pre-step of the container's label.
        privileged: whether the command gets all capabilities.
        map_paths: whether to map paths in the words and in the output, by the bind mounts.
        ssh_agent: whether the program's ssh agent is in the container while the command runs.
        tty: whether the command has a TTY.
    """

    tty: bool


class OpenOptions(_Fields, total=False):
    """The keywords of :meth:`rind.target.Target.open_process` that do not select an overload."""

    size: tuple[int, int] | None
    limit: int
    on_exit: Literal["kill", "detach"]
    kill_after: float
    errors: str


class RunOptions(CommandOptions, total=False):
    """The keywords of :meth:`rind.target.Target.run` that do not select an overload.

    Attributes:
        script, env, user, workdir, shell, pre_step, privileged, map_paths, ssh_agent, tty: as in
            :class:`CommandOptions`.
        errors: the error handler of the encoding: "strict", "replace"..., as for :mod:`codecs`.
        timeout: in seconds; None for no limit.
        kill_after: seconds between SIGTERM and SIGKILL for a command that is ended.
        check: whether another exit status than 0 is an error.
        capture_limit: the most bytes of each stream; None for no limit.
        on_output: called with "stdout" or "stderr" and each part of the output as it arrives.
        stdin: DEVNULL, bytes, a file or a descriptor; None for ``input``, or for no input.
    """

    errors: str
    timeout: float | None
    kill_after: float
    check: bool
    capture_limit: int | None
    on_output: Callable[[Literal["stdout", "stderr"], Any], object] | None
    stdin: int | bytes | LocalFile | None


class WantedFields(TypedDict, total=False):
    """The fields of a :class:`~rind.decide.wanted.Wanted`.

    Attributes:
        label: the key of a label that the container must have; optional if ``service`` is set.
        container: its name, its ID or a unique prefix of the ID.
        service, project: its name in Compose or a swarm.
        index: the replica's number, or the node of a global service's task in a swarm.
        everywhere: whether to ignore the caller's working directory.
    """

    label: str
    container: str | None
    service: str | None
    project: str | None
    index: int | str | None
    everywhere: bool


class FoundOptions(RunOptions, WantedFields, total=False):
    """The keywords of :meth:`rind.SyncClient.run`, which name the container and the command."""


class AnywhereOptions(FoundOptions, total=False):
    """The keywords of :func:`rind.run`, which name the engine, the container and the command."""

    host: str | None
    context: str | None


class ConnectOptions(TypedDict, total=False):
    """The keywords of :func:`rind.connect`, except for the host."""

    context: str | None
    environ: Mapping[str, str] | None
    timeout: float


class _Selecting(TypedDict, total=False):
    """The keywords of a run that select an overload."""

    text: bool
    encoding: str | None
    input: Any
    stdout: int | LocalFile
    stderr: int | LocalFile


class OpenKeywords(OpenOptions, total=False):
    """All keywords of :meth:`rind.target.Target.open_process`."""

    tty: bool
    encoding: str | None
    stdin: int | bytes | LocalFile
    stdout: int | LocalFile
    stderr: int | LocalFile


class RunKeywords(_Selecting, RunOptions, total=False):
    """All keywords of :meth:`rind.target.Target.run`."""


class FoundKeywords(_Selecting, FoundOptions, total=False):
    """All keywords of :meth:`rind.SyncClient.run`."""


class AnywhereKeywords(_Selecting, AnywhereOptions, total=False):
    """All keywords of :func:`rind.run`."""


_DEFAULTS: Final[Mapping[str, object]] = {
    **dict.fromkeys(("encoding", "input", "timeout", "capture_limit", "on_output", "stdin")),
    **dict.fromkeys(("host", "context", "environ")),
    **dict.fromkeys(("text", "check"), False),
    **dict.fromkeys(("stdout", "stderr"), PIPE),
    "errors": "strict",
    "kill_after": KILL_AFTER,
    "env": {},
}
"""The defaults of :meth:`rind.target.Target.run`, for the functions that pass keywords on to it."""


def takes(keywords: type, *, like: Callable[..., Any] | None = None) -> Callable[[F], F]:
    """Check the keywords of each call of a function, and list them in its signature. A decorator.

    Args:
        keywords: their TypedDict. It need not have the function's own parameters.
        like: the function that receives them, and has their defaults; None for a run.
    """
    defaults: dict[str, object] = {**vars(Wanted), **vars(Command), **_DEFAULTS}
    if like is not None:
        defaults |= {name: one.default for name, one in signature(like).parameters.items()}

    def decorate(function: Any) -> Any:
        shown = _shown(function, keywords.__annotations__, defaults)
        kinds = {name: _OWN.get(name, Any) for name in shown.parameters}
        kinds |= keywords.__annotations__
        kinds |= dict.fromkeys(_STREAMS, Any)

        @wraps(function)
        def at_once(*args: Any, **given: Any) -> Any:
            check_keywords(function.__name__, given, kinds)
            return function(*args, **given)

        @wraps(function)
        async def awaited(*args: Any, **given: Any) -> Any:
            return await at_once(*args, **given)

        call: Any = awaited if iscoroutinefunction(function) else at_once
        call.__signature__ = shown
        return call

    return decorate


def _shown(
    function: Callable[..., Any], kinds: Mapping[str, Any], defaults: Mapping[str, object]
) -> Signature:
    """Return a function's signature with keywords in place of its ``**options``."""
    own = signature(function)
    named = [one for one in own.parameters.values() if one.kind is not Parameter.VAR_KEYWORD]
    if len(named) < len(own.parameters):
        named += [
            Parameter(name, Parameter.KEYWORD_ONLY, default=defaults[name], annotation=kind)
            for name, kind in kinds.items()
            if name not in own.parameters
        ]
    return own.replace(parameters=named)


def check_keywords(function: str, given: Mapping[str, object], kinds: Mapping[str, Any]) -> None:
    """Check the keywords of a call.

    Args:
        function: the name of the function that was called.
        given: the keywords in the call.
        kinds: the types of the function's keywords.

    Raises:
        TypeError: a keyword is unknown, or its value is of a wrong type.
        ValueError: a value is out of bounds.
    """
    for name, value in given.items():
        if name not in kinds:
            hint = _name_hint(name, kinds)
            raise TypeError(f"{function}() got an unexpected keyword argument {name!r}{hint}")
        kind = kinds[name]
        if not _fits(value, kind):
            error = ValueError if get_origin(kind) is Literal else TypeError
            what = _described(value, kind) + _value_hint(name, value, kind)
            raise error(f"{function}(): {name} must be {_words(kind)}, but is {what}")
        least: Any = _LEAST.get(name)
        if None not in (value, least) and not value >= least:  # "not >=" also rejects nan
            raise ValueError(f"{function}(): {name} must be at least {least}, but is {value!r}")


def _name_hint(name: str, names: Iterable[str]) -> str:
    if name in _NEEDLESS:
        return f": {_NEEDLESS[name]}"
    from difflib import get_close_matches

    same = [own for own in names if own == _SAME.get(name)]
    near = same or get_close_matches(name, names, 1)
    return f": did you mean {near[0]}?" if near else ""


def _value_hint(name: str, value: object, kind: Any) -> str:
    """Return a suggestion, beginning with a colon; empty if there is none."""
    if name in _INSTEAD:
        return f": {_INSTEAD[name]}"
    if isinstance(value, int) and not isinstance(value, bool) and _fits("", kind):
        return f': write {name}="{value}"'
    if isinstance(value, str) and value.isdecimal() and _fits(0, kind):
        return f": write {name}={value}"
    return ""


def _fits(value: object, kind: Any) -> bool:
    """Whether a value is of a type, as type checkers see it; a list may stand for a tuple."""
    origin, of = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return any(_fits(value, one) for one in of)
    if origin is tuple:
        return isinstance(value, tuple | list) and len(value) == len(of)
    if origin is Mapping:
        return isinstance(value, Mapping) and all(
            _fits(part, one) for pair in value.items() for part, one in zip(pair, of, strict=True)
        )
    if kind in _NUMBERS:
        return hasattr(value, _NUMBERS[kind]) and not isinstance(value, bool)
    if origin is Literal:
        return value in of
    return kind is Any or isinstance(value, origin or kind)


def _words(kind: Any) -> str:
    """Return a type's description for a message."""
    origin, of = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return " or ".join(map(_words, of))
    if origin is Literal:
        return " or ".join(map(repr, of))
    if origin is Mapping:
        return "a mapping of {} to {}".format(*map(_words, of))
    if origin is tuple:
        return f"a tuple of {len(of)} numbers"
    return "None" if kind is type(None) else str((origin or kind).__name__)


def _described(value: object, kind: Any) -> str:
    """Return a value's description for a message, without possible secrets."""
    if get_origin(kind) is not Mapping and isinstance(value, str | int | float | None):
        return repr(value)
    if isinstance(value, Mapping):
        parts = {type(part).__name__ for pair in value.items() for part in pair} - {"str"}
        return f"one with {' and '.join(sorted(parts))}"
    return f"of type {type(value).__name__}"
