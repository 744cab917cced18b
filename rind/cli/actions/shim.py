"""Shims: local programs named after commands, each of which runs its command in the container.

A shim without options is a link to Rind: the name by which Rind is called is the command. A shim
with options is a script that contains them: an editor may call it by its path, from any directory,
without the variables of the user's shell.
"""

import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from rind.cli.parser import parse
from rind.errors import UsageError

__all__ = ["write_shims"]

_MARK = "# Written by rind --shim, which will overwrite it.\n"


def write_shims(folder: Path, options: Sequence[str], shims: Sequence[str], program: Path) -> None:
    """Write shims into a folder, all of them or none.

    Args:
        folder: the folder to write into.
        options: the options for all shims.
        shims: for each its name, or ``NAME=OPTIONS``, or ``NAME=OPTIONS COMMAND...`` for a command
            that is not called NAME; the text after the equals sign is split as a shell does.
        program: the path by which Rind was called.

    Raises:
        UsageError: there is no such folder, a name or an option is invalid, another file has the
            name, the folder cannot be written, or ``program`` cannot be run by its name.
    """
    if not shims:
        raise UsageError("--shim needs the names of commands after the folder: --shim DIR NAME...")
    if not folder.is_dir():
        raise UsageError(f"--shim needs a folder to write into, but {folder} is not a folder")
    target = _command(program)
    scripts = dict(_named(shim, options, target) for shim in shims)
    failed = f"shims into {folder}"
    try:
        with TemporaryDirectory(prefix=".rind-", dir=folder) as made:
            for name, script in scripts.items():
                failed = f"the shim {folder / name}"
                _make(Path(made, name), script, target)
                if not _is_free(folder / name, target):
                    raise UsageError(
                        f"{folder / name} exists already, and is not a shim: remove it first"
                    )
            for name in scripts:
                Path(made, name).replace(folder / name)
    except OSError as exc:
        raise UsageError(f"cannot write {failed}: {exc.strerror}") from exc


def _named(shim: str, common: Sequence[str], target: Path) -> tuple[str, str | None]:
    """Return a shim's name and its script; None for a link."""
    name, _, rest = shim.partition("=")
    # Called by a name that begins with "rind", Rind is no shim, see :mod:`rind.cli.program`.
    if not name or name != Path(name).name or name.startswith(("rind", "-")):
        raise UsageError(f"invalid name for a shim: {name!r}")
    try:
        own = shlex.split(rest)
    except ValueError as exc:
        raise UsageError(f"cannot split the options of the shim {name}: {rest!r}") from exc
    if not common and not own:
        return name, None
    parsed = parse([*common, *own], {})
    if parsed.action != "run" or parsed.command.script is not None:
        options = shlex.join([*common, *own])
        raise UsageError(
            f"the shim {name} must run a command by its name, but has the options: {options}"
        )
    command = parsed.words or [name]
    words = [str(target), *parsed.typed, "--", *command]
    return name, f'#!/bin/sh\n{_MARK}exec {shlex.join(words)} "$@"\n'


def _make(path: Path, script: str | None, target: Path) -> None:
    if script is None:
        path.symlink_to(target)
    else:
        path.write_text(script)
        path.chmod(0o755)


def _command(program: Path) -> Path:
    """Return the program that a shim must run; for ``python -m rind``, the one beside Python."""
    beside = Path(sys.executable).with_name("rind")
    for found in (program, beside, Path(shutil.which("rind") or program)):
        if found.name.startswith("rind") and os.access(found, os.X_OK) and found.is_file():
            return found.absolute()
    raise UsageError(f"{program} cannot be run by its name: install rind first, with pipx or pip")


def _is_free(path: Path, target: Path) -> bool:
    """Whether nothing has this path, or only a shim that Rind has written."""
    if path.is_symlink():
        return path.readlink() == target
    if not path.exists():
        return True
    try:
        # The mark is the second line, after the one that names the interpreter.
        with path.open() as file:
            return [file.readline(100), file.readline(100)][1] == _MARK
    except (OSError, ValueError):
        return False
