"""The variables of ``-e`` and ``--env-file``."""

from __future__ import annotations

from rind.decide.pre_step import flaw
from rind.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Final

__all__ = ["checked_variable", "environment"]

_LONGEST_FILE: Final = 2**24
"""Bytes. No command can have variables of more than 6 MiB (Linux's limit, execve(2))."""
_LONGEST_NAME: Final = 40
"""Characters of a name that a message shows."""


def environment(
    files: Sequence[str], variables: Sequence[str], env: Mapping[str, str]
) -> dict[str, str]:
    """Return the variables for the command: files first, then ``-e``; a name's last value counts.

    A name without a value takes it from ``env``, and is left out if it is not set there.

    Raises:
        UsageError: a file cannot be read, or has a line that is not a variable.
    """
    found: dict[str, str] = {}
    for variable in [*(line for path in files for line in _read_env_file(path)), *variables]:
        name, equals, value = variable.partition("=")
        if equals:
            found[name] = value
        elif name in env:
            found[name] = env[name]
    return found


def _read_env_file(path: str) -> list[str]:
    """Read a file as docker's --env-file does (docker/cli, opts/file.go)."""
    shown = path.encode(errors="backslashreplace").decode()
    named = f"the environment file {shown}"
    try:
        # The length is checked while reading: a pipe, such as a shell's <(command), has no size.
        with open(path, "rb") as file:
            data = file.read(_LONGEST_FILE + 1)
    except OSError as exc:
        raise UsageError(f"cannot read {named}: {exc.strerror}") from exc
    if len(data) > _LONGEST_FILE:
        raise UsageError(f"{named} is longer than {_LONGEST_FILE} bytes: is it the right one?")
    try:
        text = data.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as exc:
        byte = f"byte {exc.start} is {data[exc.start]:#x}"
        raise UsageError(f"{named} is not UTF-8: {byte}") from exc
    lines = []
    for number, line in enumerate(text.split("\n"), 1):
        variable = line.removesuffix("\r").lstrip()
        if variable and not variable.startswith("#"):
            lines.append(checked_variable(variable, f"{shown}, line {number}"))
    return lines


def checked_variable(variable: str, where: str) -> str:
    """Return ``variable``, a ``NAME`` or ``NAME=value`` found at ``where``.

    Raises:
        UsageError: it is invalid. The value may be a secret, so no message contains it.
    """
    name, equals, _ = variable.partition("=")
    shown = repr(name[:_LONGEST_NAME])
    if not name:
        raise UsageError(f"{where}: a variable needs a name before the equals sign")
    if name.split() != [name]:
        if not equals:  # it may be a secret, so the message omits it
            raise UsageError(
                f"{where}: a variable without an equals sign has white space in it: "
                "write NAME or NAME=value"
            )
        raise UsageError(f"{where}: the variable name {shown} has white space in it")
    if why := flaw(variable):
        raise UsageError(f"{where}: the variable {shown} {why}")
    return variable
