"""Shims: local programs named after commands, each of which runs its command in the container.

A shim without options is a link to Rind: the name by which Rind is called is the command. A shim
with options is a script that contains them, so an editor may call it by its path, from any
directory, without the variables of the user's shell.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from rind.cli.actions.plugin import NAME as PLUGIN
from rind.cli.parser import SHORT, parse
from rind.cli.translate import wanted_from
from rind.errors import SelectionError, UsageError
from rind.find.resolve import profile_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rind.cli.options import Options
    from rind.find.blocking import EarlyClient

__all__ = ["write_project_shims", "write_shims"]

_ALLOWED = frozenset(
    [
        *("--dap", "--lsp", "--map-paths", "--no-library-files", "--no-map-paths", "--no-pre-step"),
        *("--no-ssh-agent", "--no-stdin", "--no-tty", "--shell", "--tty", "--user", "--workdir"),
    ]
)
"""The options that a label may set for a shim. The others choose another container or engine, or
pass on data of this machine, such as its variables."""

_MARK = "# Written by rind --shim, which will overwrite it.\n"


def write_project_shims(client: EarlyClient, options: Options, say: Callable[[str], None]) -> None:
    """Write the shims that the project's container names in its label ``app.rind.shims``.

    The label is the project's, and the folder may be on the user's PATH. So a shim must not take
    the place of a program of this machine, and its options must not lead out of the container.

    Raises:
        SelectionError: there is no such container, or it has no such label.
        UsageError: as :func:`write_shims`, or an option is not allowed in the label.
    """
    container = client.find(wanted_from(options))[1].container
    label = f"{options.wanted.label}.shims"
    shims = _split(profile_of(container, options.wanted.label).shims, f"the label {label}")
    if not shims:
        raise SelectionError(
            f"{container.name} has no label {label}: name the shims after the folder, "
            "or in that label"
        )
    found = []
    for shim in shims:
        name, _, rest = shim.partition("=")
        _check_own(name, _split(rest, f"the options of the shim {name}"), label)
        if (there := _elsewhere(name, Path(options.shim))) is None:
            found.append(shim)
        else:
            again = shlex.join(["rind", "--shim", options.shim, shim])
            say(f"left out the shim {name}: {there} is on the PATH; to have both: {again}")
    if found:
        write_shims(options, found, say)


def write_shims(options: Options, shims: Sequence[str], say: Callable[[str], None]) -> None:
    """Write shims into a folder, all of them or none.

    Args:
        options: the folder, which is made if it is missing, and the options for all shims.
        shims: ``NAME``, ``NAME=OPTIONS``, or ``NAME=OPTIONS COMMAND...`` for a command with another
            name; the text after the equals sign is split as by a shell.
        say: prints a message to the user.

    Raises:
        UsageError: a name or an option is invalid, another file has the name, the folder cannot be
            written, or Rind was not called by the path of a program.
    """
    folder = Path(options.shim)
    target = _command(Path(sys.argv[0]))
    scripts = dict(_named(shim, options.typed, target) for shim in shims)
    failed = f"shims into {folder}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
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
    if set(scripts) == {PLUGIN}:
        return  # docker looks for it in its own folder, not on the PATH
    if options.verbosity >= 0 and folder.resolve() not in map(Path.resolve, _path()):
        say(f"{folder} is not on the PATH; add it with: {_addition(folder.resolve())}")


def _path() -> list[Path]:
    return [Path(word) for word in os.environ.get("PATH", "").split(os.pathsep) if word]


def _addition(folder: Path) -> str:
    """Return the line of a shell's start-up file that puts a folder on the PATH."""
    word = shlex.quote(str(folder))
    if Path(os.environ.get("SHELL", "")).name == "fish":
        return f"fish_add_path {word}"
    return f"export PATH={word}:$PATH"


def _elsewhere(name: str, folder: Path) -> str | None:
    """Return the program of this name on the PATH, except in the folder."""
    folders = [str(path) for path in _path() if path.resolve() != folder.resolve()]
    return shutil.which(name, path=os.pathsep.join(folders)) if folders else None


def _check_own(name: str, own: list[str], label: str) -> None:
    """Check that a shim's options, which the project chose, stay in the container."""
    words = parse(own, {}).words
    for word in own[: len(own) - len(words)]:
        option = SHORT[word].long if word in SHORT else word.partition("=")[0]
        if word.startswith("-") and option not in _ALLOWED:
            raise UsageError(
                f"the label {label} must not have {word} for the shim {name}: "
                f"it may have {', '.join(sorted(_ALLOWED))}"
            )


def _split(text: str, what: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as exc:
        raise UsageError(f"cannot split {what}: {text!r}: {str(exc).lower()}") from exc


def _named(shim: str, common: Sequence[str], target: Path) -> tuple[str, str | None]:
    """Return a shim's name and its script; None for a link."""
    name, _, rest = shim.partition("=")
    # Rind does not act as a shim under a name that begins with "rind": see :mod:`rind.cli.program`.
    if not name or name != Path(name).name or name.startswith(("rind", "-")):
        raise UsageError(
            f"invalid name for a shim: {name!r}: it must be a file's name that begins with neither "
            "rind nor a hyphen"
        )
    own = _split(rest, f"the options of the shim {name}")
    if name == PLUGIN and (common or own):
        raise UsageError(f"{PLUGIN} takes no options of its own: type them after docker rind")
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
    """Whether a path does not exist, or is a shim that Rind has written."""
    if path.is_symlink():
        return path.readlink() == target
    if not path.exists():
        return True
    try:
        # The mark is the second line, after the interpreter's.
        with path.open() as file:
            return [file.readline(100), file.readline(100)][1] == _MARK
    except (OSError, ValueError):
        return False
