"""Reads a dev container's metadata as a profile. Pure.

VS Code and the devcontainer CLI put two labels on a container. ``devcontainer.local_folder`` is the
folder that they started it for. ``devcontainer.metadata`` is a JSON list with an entry for the
image, for each feature and for devcontainer.json (containers.dev, "reference implementation", image
metadata). The last entry that has a property wins; remoteEnv is merged by variable.

Their ``userEnvProbe``, which starts a login shell for each command, is not supported.
"""

from __future__ import annotations

import json

from rind.base.light import pattern
from rind.errors import SelectionError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from collections.abc import Mapping
    from typing import Any, Final

__all__ = ["METADATA", "read_metadata", "substituted"]

METADATA: Final = "devcontainer.metadata"

_REFERENCE: Final = pattern(
    r"\$\{(?:(?P<of>localEnv|containerEnv|env):(?P<name>[^}:]+)(?::(?P<default>[^}]*))?"
    r"|(?P<side>local|container)WorkspaceFolder(?P<base>Basename)?)\}"
)
"""A reference to a variable of this machine or the container, with an optional default; or to the
workspace folder's path on either side (containers.dev, json_reference, "Variables in
devcontainer.json")."""


def read_metadata(labels: Mapping[str, str]) -> dict[str, Any]:
    """Return the fields of a :class:`~rind.decide.profile.Profile` that the metadata set.

    Raises:
        SelectionError: the metadata are invalid.
    """
    text = labels.get(METADATA) or "[]"
    try:
        entries = json.loads(text)
    except (ValueError, RecursionError):
        raise SelectionError(f"the label {METADATA} is not JSON") from None
    entries = [entries] if isinstance(entries, dict) else entries
    if not isinstance(entries, list):
        raise _wrong("a JSON list of objects", entries)
    found: dict[str, Any] = {}
    env: dict[str, str | None] = {}
    for entry in entries:
        if not isinstance(entry, dict):
            raise _wrong("a JSON list of objects", entry)
        for name in ("remoteUser", "containerUser", "workspaceFolder"):
            if entry.get(name) is not None:
                found[name] = _text(entry[name], name)
        variables = entry.get("remoteEnv") or {}
        if not isinstance(variables, dict):
            raise _wrong("an object for remoteEnv", variables)
        for name, value in variables.items():
            env[name] = None if value is None else _text(value, f"remoteEnv.{name}")
    folder = found.get("workspaceFolder", "")
    return {
        "user": found.get("remoteUser") or found.get("containerUser") or "",
        "workdir": "auto",
        "workspace": folder if folder.startswith("/") else "",
        # None means to unset the variable, which no engine can do.
        "remote_env": {name: value for name, value in env.items() if value is not None},
    }


def substituted(
    text: str,
    local: Mapping[str, str],
    container: Mapping[str, str],
    folders: tuple[str, str] = ("", ""),
) -> str:
    """Return a value with its references replaced; an unset variable is its default, or empty.

    Args:
        text: the value.
        local: this machine's variables.
        container: the container's own variables.
        folders: the path of the workspace on this machine, and in the container.

    >>> substituted("${containerEnv:PATH}:/x", {}, {"PATH": "/bin"})
    '/bin:/x'
    """

    def value(match: re.Match[str]) -> str:
        if match["side"]:
            folder = folders[match["side"] == "container"]
            return folder.rpartition("/")[2] if match["base"] else folder
        variables = container if match["of"] == "containerEnv" else local
        return variables.get(match["name"], match["default"] or "")

    return _REFERENCE.sub(value, text)


def _text(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise _wrong(f"text for {name}", value)
    return value


def _wrong(needed: str, found: object) -> SelectionError:
    kind = type(found).__name__
    return SelectionError(f"the label {METADATA} needs {needed}, but has {kind}")
