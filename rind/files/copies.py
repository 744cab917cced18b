"""Copies of a container's files on this machine, for editors to open: read-only, few, and not kept.

Each container has a folder of its own, in which its files have the paths that they have there. A
copy's modification time is the original's, so that both can be compared; its access time is its
last use. No other user can enter the folders, and each copy is a regular file that its owner may
only read. A copy is replaced as a whole, so that a reader never sees a part of it.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
import time
from contextlib import suppress
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

__all__ = ["Copies", "open_copies"]

MOST_FILES: Final = 512
"""Copies of one container's files."""
MOST_BYTES: Final = 64 * 1024 * 1024
"""Bytes of them."""
MOST_CONTAINERS: Final = 8
"""Containers with copies. With each new start of a Compose project, its containers are new ones."""
KEPT: Final = 30 * 24 * 3600.0
"""Seconds for which an unused copy is kept."""

_SHUT: Final = 0o700
_READ_ONLY: Final = 0o400
_NANO: Final = 10**9


def open_copies(cache: Path, container: str, container_id: str) -> Copies | None:
    """Return a container's copies, after removing those that are too old or too many.

    Args:
        cache: the folder of the user's caches; it is made if it is not there.
        container: the container's name.
        container_id: its ID, so that another container of the same name has copies of its own.

    Returns:
        None if there can be none: the folder cannot be made, or others can enter it.
    """
    base = cache / "rind" / "files"
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", f"{container[:64]}-{container_id[:12]}")
    try:
        base.parent.mkdir(mode=_SHUT, parents=True, exist_ok=True)
        _make_folder(base)
        if not _is_only_ours(base):
            return None
        folder = base.resolve() / name
        _make_folder(folder)
        os.utime(folder)
    except OSError:
        return None
    _sweep(base)
    return Copies(folder)


def _make_folder(path: Path) -> None:
    with suppress(FileExistsError):
        path.mkdir(_SHUT)


def _is_only_ours(folder: Path) -> bool:
    found = folder.lstat()
    is_shut = not found.st_mode & 0o077
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and is_shut


def _sweep(base: Path) -> None:
    """Remove the folders of containers that were not used for long, or are too many."""
    with suppress(OSError):
        used = sorted(
            ((folder.lstat().st_mtime, folder) for folder in base.iterdir()), reverse=True
        )
        for number, (when, folder) in enumerate(used):
            if number >= MOST_CONTAINERS or when < time.time() - KEPT:
                shutil.rmtree(folder, ignore_errors=True)


class Copies:
    """The copies of one container's files.

    Args:
        folder: a folder that only this user can enter.

    Attributes:
        paths: the copies' paths on this machine, by their paths in the container.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.paths: dict[str, str] = {}
        self.trim()

    def __repr__(self) -> str:
        return f"<Copies {self.folder.name}: {len(self.paths)}>"

    def stamp(self, path: str) -> str:
        """Return the size and the modification time of a copy, ``"12 1700000000"``; else empty.

        It counts as a use of the copy.
        """
        local = self._local(path)
        with suppress(OSError):
            found = os.lstat(local)
            os.utime(local, ns=(time.time_ns(), found.st_mtime_ns))
            return f"{found.st_size} {found.st_mtime_ns // _NANO}"
        return ""

    def store(self, path: str, content: bytes, modified: int) -> None:
        """Make or replace a copy; on a full disk, it stays as it was.

        Args:
            path: in the container: absolute, without ``..``.
            content: the file's.
            modified: the original's modification time, in seconds since the epoch.
        """
        local = self._local(path)
        try:
            for parent in reversed(local.relative_to(self.folder).parents):
                _make_folder(self.folder / parent)
            descriptor, temporary = tempfile.mkstemp(prefix=".rind-", dir=self.folder)
        except OSError:
            return
        try:
            with open(descriptor, "wb") as file:
                file.write(content)
            Path(temporary).chmod(_READ_ONLY)
            os.utime(temporary, ns=(time.time_ns(), modified * _NANO))
            Path(temporary).replace(local)
            self.paths[path] = str(local)
        except OSError:
            Path(temporary).unlink(missing_ok=True)

    def remove(self, path: str) -> None:
        """Remove a copy, if there is one."""
        self.paths.pop(path, None)
        with suppress(OSError):
            self._local(path).unlink()

    def trim(self) -> None:
        """Remove the copies that were not used for long, and those used longest ago, if too many.

        It notes those that are left, also those that another process made.
        """
        oldest = time.time() - KEPT
        files = sorted(self._files(self.folder), key=lambda file: file[1].st_atime, reverse=True)
        self.paths.clear()
        size = 0
        for number, (local, found) in enumerate(files):
            size += found.st_size
            if number >= MOST_FILES or size > MOST_BYTES or found.st_atime < oldest:
                self.remove(f"/{local.relative_to(self.folder)}")
            else:
                self.paths[f"/{local.relative_to(self.folder)}"] = str(local)

    def _local(self, path: str) -> Path:
        return self.folder / path.lstrip("/")

    def _files(self, folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
        """Yield all copies; remove empty folders on the way."""
        with suppress(OSError):
            for child in list(folder.iterdir()):
                found = child.lstat()
                if stat.S_ISDIR(found.st_mode):
                    yield from self._files(child)
                    with suppress(OSError):
                        child.rmdir()
                else:
                    yield child, found
