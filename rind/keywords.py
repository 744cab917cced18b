"""The keywords of the library's functions: their types, and the errors for wrong ones."""

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Literal, TypedDict

from rind.execution.stdio import LocalFile

__all__ = [
    "AnywhereOptions",
    "CommandOptions",
    "FoundOptions",
    "OpenOptions",
    "RunOptions",
    "WantedFields",
    "check_keywords",
]

_SAME: Final = {
    "cwd": "workdir",
    "environment": "env",
    "name": "container",
    "universal_newlines": "text",
}
"""The names that other libraries have for our keywords."""


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


class CommandOptions(_Fields, total=False):
    """The fields of a :class:`~rind.decide.plan.Command` that are given by keyword."""

    tty: bool


class OpenOptions(_Fields, total=False):
    """The keywords of :meth:`rind.target.Target.open_process` that do not select an overload."""

    size: tuple[int, int] | None
    limit: int
    on_exit: Literal["kill", "detach"]
    kill_after: float
    errors: str


class RunOptions(CommandOptions, total=False):
    """The keywords of :meth:`rind.target.Target.run` that do not select an overload."""

    errors: str
    timeout: float | None
    kill_after: float
    check: bool
    capture_limit: int | None
    on_output: Callable[[Literal["stdout", "stderr"], Any], object] | None
    stdin: int | bytes | LocalFile | None


class WantedFields(TypedDict, total=False):
    """The fields of a :class:`~rind.decide.wanted.Wanted`."""

    label: str
    container: str | None
    service: str | None
    project: str | None
    index: int | str | None
    everywhere: bool


class FoundOptions(RunOptions, WantedFields, total=False):
    """The keywords of :meth:`rind.SyncClient.run`: they name the container and the command."""


class AnywhereOptions(FoundOptions, total=False):
    """The keywords of :func:`rind.run`: they name the engine, the container and the command."""

    host: str | None
    context: str | None


def check_keywords(function: str, given: Iterable[str], known: type) -> None:
    """Check the names of keywords.

    Args:
        function: the name of the function that was called.
        given: the names of the keywords in the call.
        known: the TypedDict of the function's keywords.

    Raises:
        TypeError: a keyword is unknown.
    """
    names = known.__annotations__
    for name in given:
        if name not in names:
            from difflib import get_close_matches

            near = [_SAME[name]] if name in _SAME else get_close_matches(name, names, 1)
            hint = f": did you mean {near[0]}?" if near else ""
            raise TypeError(f"{function}() got an unexpected keyword argument {name!r}{hint}")
