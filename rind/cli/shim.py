"""Shims: links by the name of a command that is to be run in the container."""

from collections.abc import Sequence
from pathlib import Path

from rind.errors import UsageError

__all__ = ["write_shims"]


def write_shims(folder: Path, names: Sequence[str], program: Path) -> None:
    """Write a link to ``program`` into a folder for each name, all of them or none.

    Raises:
        UsageError: there is no such folder, a name has no meaning, or something else has it.
    """
    if not names:
        raise UsageError("--shim needs the names of commands after the folder: --shim DIR NAME...")
    if not folder.is_dir():
        raise UsageError(f"--shim needs a folder to write into, but there is none at {folder}")
    target = program.absolute()
    links = [folder / name for name in names]
    for name, link in zip(names, links, strict=True):
        if name != link.name or name.startswith(("rind", "-")):
            raise UsageError(f"no name for a shim: {name!r}")
        if not _is_shim(link, target) and (link.exists() or link.is_symlink()):
            raise UsageError(f"{link} is there already, and is not a shim: remove it first")
    for link in links:
        if not _is_shim(link, target):
            link.symlink_to(target)


def _is_shim(link: Path, target: Path) -> bool:
    return link.is_symlink() and link.readlink() == target
