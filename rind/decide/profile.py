"""Reads a container's labels as its exec profile. Pure.

With the default key, a container may have the labels

    app.rind             the pre-step, which may be empty
    app.rind.shell       the shell that runs it, an absolute path or a name
    app.rind.user        user[:group], or "host" for the uid:gid that rind runs with
    app.rind.workdir     a path, or "auto" for the directory mounted from our working directory
    app.rind.command     the command to run if none is given
    app.rind.env.NAME    a variable for the command
    app.rind.pass-env    names of our variables to pass on, separated by spaces or commas
    app.rind.map-paths   "true" to map paths in the command and in its output
    app.rind.ssh-agent   "true" for the caller's ssh agent in the container while a command runs
    app.rind.shims       the project's shims, as the command line names them after --shim DIR

An unknown label is an error: otherwise a misspelt one would have no effect, and no message.

A dev container's metadata provide defaults, which these labels override
(:mod:`rind.decide.dev_container`).
"""

from __future__ import annotations

import re

from rind.base.light import pattern
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

_CONTROL: Final = pattern(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
"""Control characters except tab, newline and carriage return."""

_PLAIN: Final = (
    *("shell", "user", "workdir", "command", "pass-env", "map-paths", "ssh-agent", "shims"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A container's exec profile: its defaults for commands.

    Attributes:
        pre_step: a shell fragment to run before the command; None without the label.
        shell: an absolute path, or a name that the container's PATH finds.
        user: ``user[:group]``, ``host``, or empty for the container's own.
        workdir: an absolute path, ``auto``, or empty for the container's own.
        command: a shell script; empty for the shell itself.
        env: variables by name.
        pass_env: the names of our variables to pass on.
        map_paths: whether paths are mapped between this machine and the container.
        ssh_agent: whether commands get the caller's ssh agent.
        remote_env: a dev container's variables, whose values may refer to others.
        workspace: the path of a dev container's folder, used if no mount has it; empty if unknown.
        shims: the names of the project's shims, each with its options, as a shell splits them.
    """

    pre_step: str | None = None
    shell: str = DEFAULT_SHELL
    user: str = ""
    workdir: str = ""
    command: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    pass_env: tuple[str, ...] = ()
    map_paths: bool = False
    ssh_agent: bool = False
    remote_env: Mapping[str, str] = field(default_factory=dict)
    workspace: str = ""
    shims: str = ""


def read_profile(labels: Mapping[str, str], key: str = DEFAULT_LABEL) -> Profile:
    """Return the profile that a container's labels describe, those that begin with ``key``.

    Raises:
        SelectionError: a label is unknown, or its value is invalid.
    """
    prefix, plain, env = f"{key}.", {}, {}
    pre_step: str | None = None
    for label, raw in labels.items():
        value = raw.replace("\r\n", "\n").removesuffix("\r")  # from a file written on Windows
        if label != key and not label.startswith(prefix):
            continue
        if (found := _CONTROL.search(value)) is not None:
            # A shell that fails on it would print it on the user's terminal.
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
    metadata: dict[str, Any] = {}
    if DEV_FOLDER in labels:
        from rind.decide.dev_container import read_metadata  # few are dev containers

        metadata = read_metadata(labels)
    return Profile(
        pre_step=pre_step,
        shell=_shell(plain.get("shell", ""), f"{prefix}shell") or DEFAULT_SHELL,
        user=plain.get("user", metadata.get("user", "")),
        workdir=_workdir(plain.get("workdir", metadata.get("workdir", "")), f"{prefix}workdir"),
        command=plain.get("command", ""),
        env=env,
        pass_env=_names(plain.get("pass-env", ""), f"{prefix}pass-env"),
        map_paths=_flag(plain.get("map-paths", ""), f"{prefix}map-paths"),
        ssh_agent=_flag(plain.get("ssh-agent", ""), f"{prefix}ssh-agent"),
        remote_env=metadata.get("remote_env", {}),
        workspace=metadata.get("workspace", ""),
        shims=plain.get("shims", ""),
    )


def _unknown(name: str, prefix: str) -> str:
    from difflib import get_close_matches

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
