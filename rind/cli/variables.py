"""The variables that ``-e`` and ``--env-file`` ask for."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rind.errors import UsageError

__all__ = ["checked_variable", "environment"]


def environment(
    files: Sequence[str], variables: Sequence[str], env: Mapping[str, str]
) -> dict[str, str]:
    """Return the variables for the command: files first, then ``-e``, the last of a name counts.

    A name with no value takes it from ``env``, and is left out where that has none.

    Raises:
        UsageError: a file cannot be read, or has a line that is not a variable.
    """
    settled: dict[str, str] = {}
    for variable in [*(line for path in files for line in _read_env_file(path)), *variables]:
        name, equals, value = variable.partition("=")
        if equals:
            settled[name] = value
        elif name in env:
            settled[name] = env[name]
    return settled


def _read_env_file(path: str) -> list[str]:
    """Read a file as docker's --env-file does (docker/cli, opts/file.go)."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as exc:
        raise UsageError(f"cannot read the environment file {path}: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        byte = f"byte {exc.start} is {exc.object[exc.start]:#x}"
        raise UsageError(f"the environment file {path} is not UTF-8: {byte}") from exc
    lines = []
    for number, line in enumerate(text.split("\n"), 1):
        variable = line.removesuffix("\r").lstrip()
        if variable and not variable.startswith("#"):
            lines.append(checked_variable(variable, f"{path}, line {number}"))
    return lines


def checked_variable(variable: str, where: str) -> str:
    """Return ``variable``, a ``NAME`` or ``NAME=value`` that was seen at ``where``.

    Raises:
        UsageError: it cannot be one.
    """
    name = variable.partition("=")[0]
    if not name:
        raise UsageError(f"{where}: a variable needs a name before the equals sign")
    if name.split() != [name]:
        raise UsageError(f"{where}: the variable name {name!r} has white space in it")
    if "\0" in variable:
        raise UsageError(f"{where}: a variable cannot hold a NUL byte")
    return variable
