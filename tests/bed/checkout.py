"""The paths of this checkout, its locks, and files that are made once."""

from __future__ import annotations

import fcntl
import os
import shutil
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bed.say import Trouble, say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[2]
BED = ROOT / ".bed"
VENV = ROOT / ".venv"

# The locks are on files that always exist. A separate lock file would have to be removed by
# `--down` while another process waits for it.
DEMO = ROOT / "tests" / "demo"
SUITE = ROOT / "tests" / "run"
SHARED = ROOT / "tests" / "bed"


def digest(*parts: object) -> str:
    """Name a recipe: 8 hex digits that change when any of its parts does."""
    return f"{zlib.crc32(repr(parts).encode()):08x}"


# In the names of this checkout's engines, cgroups and run-time files, apart from any other's.
NAME = f"rind-{digest(str(ROOT))}"


@contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Lock *path* against every other process of this checkout.

    A forked child holds the lock too, until both have released it. Nested calls have no effect.

    Raises:
        Trouble: another process holds the lock, and *wait* is false.
    """
    if path in _held:
        yield
        return
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not wait:
                raise Trouble(f"{path.relative_to(ROOT)} is running in this checkout") from None
            say(f"waiting for another process that uses {path.relative_to(ROOT)}")
            fcntl.flock(handle, fcntl.LOCK_EX)
        _held.add(path)
        yield
    finally:
        _held.discard(path)
        os.close(handle)


_held: set[Path] = set()


def once(path: Path, make: Callable[[Path], None]) -> Path:
    """Return *path*, made by *make* unless it exists; after an interruption, it does not exist.

    *make* receives a temporary path beside it.
    """
    if not path.exists():
        with locked(SHARED):
            if not path.exists():
                partial = path.with_name(f"{path.name}.partial")
                remove(partial)
                partial.parent.mkdir(parents=True, exist_ok=True)
                make(partial)
                partial.rename(path)
    return path


def remove(path: Path) -> None:
    """Remove a file or a tree, if it exists."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_script(path: Path, command: str) -> Path:
    """Write a program that runs a shell's *command* with its arguments; return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    remove(path)
    path.write_text(f'#!/bin/sh\n{command} "$@"\n')
    path.chmod(0o755)
    return path
