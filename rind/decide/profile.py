"""What a container's labels say about running a command in it. Pure.

With the default key, a container may have the labels

    app.rind             the pre-step, which may be empty
    app.rind.shell       the shell that runs it, an absolute path or a name
    app.rind.user        user[:group], or "host" for the uid:gid that rind runs with
    app.rind.workdir     a path, or "auto" for where the container has our working directory
    app.rind.command     what a bare rind runs
    app.rind.env.NAME    a variable for the command
    app.rind.pass-env    names of our variables to hand over, between spaces or commas
    app.rind.map-paths   "true" for our paths in the command and in its output

A misspelt one would be passed over in silence, so an unknown one is an error.

Of a dev container, what its own metadata say comes before (:mod:`rind.decide.dev_container`).
"""

from __future__ import annotations

import re

from rind.base.records import dataclass, field
from rind.errors import SelectionError
from rind.model import DEV_FOLDER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

__all__ = ["DEFAULT_LABEL", "DEFAULT_SHELL", "Profile", "read_profile"]

DEFAULT_LABEL: Final = "app.rind"
DEFAULT_SHELL: Final = "/bin/sh"

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
"""Control characters but for a tab and those at the end of a line."""

_PLAIN: Final = ("shell", "user", "workdir", "command", "pass-env", "map-paths")


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A container's own defaults for a command.

    Attributes:
        pre_step: a piece of shell to run before the command; None without the label.
        shell: an absolute path, or a name that the container's PATH finds.
        user: ``user[:group]``, ``host``, or empty for the container's own.
        workdir: an absolute path, ``auto``, or empty for the container's own.
        command: a shell script; empty for the shell itself.
        env: variables by name.
        pass_env: names.
        map_paths: whether paths are mapped between this machine and the container.
        remote_env: a dev container's variables, which may name others.
        workspace: where a dev container has its folder, if no mount says so; empty for unknown.
    """

    pre_step: str | None = None
    shell: str = DEFAULT_SHELL
    user: str = ""
    workdir: str = ""
    command: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    pass_env: tuple[str, ...] = ()
    map_paths: bool = False
    remote_env: Mapping[str, str] = field(default_factory=dict)
    workspace: str = ""


def read_profile(labels: Mapping[str, str], key: str = DEFAULT_LABEL) -> Profile:
    """Read a container's labels, those that begin with ``key``.

    Raises:
        SelectionError: a label is unknown, or its value is invalid.
    """
    prefix, plain, env = f"{key}.", {}, {}
    pre_step: str | None = None
    for label, raw in labels.items():
        value = raw.replace("\r\n", "\n").removesuffix("\r")  # of a file from Windows
        if label != key and not label.startswith(prefix):
            continue
        if (found := _CONTROL.search(value)) is not None:
            # A shell that cannot run it would print it on the user's terminal.
            raise SelectionError(f"the label {label} has the control character {found[0]!a} in it")
        if label == key:
            pre_step = value
            continue
        name = label.removeprefix(prefix)
        if name in _PLAIN:
            plain[name] = value
        elif name.startswith("env.") and name != "env.":
            env[name.removeprefix("env.")] = value
        else:
            raise SelectionError(_unknown(name, prefix))
    before: dict[str, Any] = {}
    if DEV_FOLDER in labels:
        from rind.decide.dev_container import read_metadata  # noqa: PLC0415 # most are none

        before = read_metadata(labels)
    return Profile(
        pre_step=pre_step,
        shell=_shell(plain.get("shell", ""), f"{prefix}shell") or DEFAULT_SHELL,
        user=plain.get("user", before.get("user", "")),
        workdir=_workdir(plain.get("workdir", before.get("workdir", "")), f"{prefix}workdir"),
        command=plain.get("command", ""),
        env=env,
        pass_env=_names(plain.get("pass-env", ""), f"{prefix}pass-env"),
        map_paths=_flag(plain.get("map-paths", ""), f"{prefix}map-paths"),
        remote_env=before.get("remote_env", {}),
        workspace=before.get("workspace", ""),
    )


def _unknown(name: str, prefix: str) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 # only a mistake needs it

    known = [*_PLAIN, "env.NAME"]
    near = get_close_matches(name, known, 1)
    hint = f"did you mean {prefix}{near[0]}?" if near else None
    return f"unknown label {prefix}{name}: " + (
        hint or f"there are {', '.join(prefix + label for label in known)}"
    )


def _absolute(value: str, label: str, or_auto: str = "") -> str:
    if value and not value.startswith("/"):
        raise SelectionError(f"the label {label} needs an absolute path{or_auto}, but is {value!r}")
    return value


def _shell(value: str, label: str) -> str:
    return _absolute(value, label, " or a name") if "/" in value else value


def _names(value: str, label: str) -> tuple[str, ...]:
    names = tuple(value.replace(",", " ").split())
    for name in names:
        if not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name):
            raise SelectionError(f"the label {label} needs names of variables, but has {name!r}")
    return names


def _flag(value: str, label: str) -> bool:
    if value not in {"", "true", "false"}:
        raise SelectionError(f"the label {label} needs true or false, but is {value!r}")
    return value == "true"


def _workdir(value: str, label: str) -> str:
    return value if value == "auto" else _absolute(value, label, " or auto")
