"""Shims: links named after commands; called by one, Rind runs that command in the container."""

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from rind.errors import UsageError

__all__ = ["write_shims"]


def write_shims(folder: Path, names: Sequence[str], program: Path) -> None:
    """Write a link to ``program`` into a folder for each name, all of them or none.

    Raises:
        UsageError: there is no such folder, a name is invalid, something else has it, the folder
            cannot be written, or ``program`` cannot be run by its name.
    """
    if not names:
        raise UsageError("--shim needs the names of commands after the folder: --shim DIR NAME...")
    if not folder.is_dir():
        raise UsageError(f"--shim needs a folder to write into, but there is none at {folder}")
    target = _command(program)
    links = [folder / name for name in names]
    written: list[Path] = []
    link = folder
    try:
        for name, link in zip(names, links, strict=True):
            if name != link.name or name.startswith(("rind", "-")):
                raise UsageError(f"no name for a shim: {name!r}")
            if not _is_shim(link, target) and (link.exists() or link.is_symlink()):
                raise UsageError(f"{link} is there already, and is not a shim: remove it first")
        for link in links:
            if not _is_shim(link, target):
                link.symlink_to(target)
                written.append(link)
    except OSError as exc:
        for other in written:
            other.unlink()
        raise UsageError(f"cannot write the link {link}: {exc.strerror}") from exc


def _command(program: Path) -> Path:
    """Return the program that a link must lead to: of ``python -m rind``, the one beside Python."""
    beside = Path(sys.executable).with_name("rind")
    for found in (program, beside, Path(shutil.which("rind") or program)):
        if found.name.startswith("rind") and os.access(found, os.X_OK) and found.is_file():
            return found.absolute()
    raise UsageError(f"{program} cannot be run by its name: install rind first, with pipx or pip")


def _is_shim(link: Path, target: Path) -> bool:
    return link.is_symlink() and link.readlink() == target
