"""Packs files and trees as tar archives, and unpacks them, in parts of bounded size.

The engine's archive API sends and takes such archives. :mod:`tarfile` encodes and decodes the
headers only: without a thread, it cannot read a stream that arrives in parts. Archives to unpack
are treated as hostile: files are written only below a fresh directory, and never through a link.
"""

from __future__ import annotations

import io
import os
import re
import stat
import tarfile
from contextlib import closing
from pathlib import PurePosixPath
from typing import IO, Final

from rind.errors import Broken
from rind.files.exclude import Exclude

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

__all__ = ["PART", "Unpacker", "pack"]

PART: Final = 256 * 1024
"""Bytes to read, send or unpack at once."""

_BLOCK: Final = tarfile.BLOCKSIZE
_MOST_EXTENDED: Final = 1024 * 1024
"""The largest extended header in bytes; it holds a long name or link name for the next header."""

_EXTENDED: Final = {tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK}
_RECORD: Final = re.compile(rb"([0-9]{1,8}) ([\x21-\x3c\x3e-\x7e]+)=")
"""The start of a pax record, ``LENGTH NAME=VALUE\\n`` (pax(1))."""

_LATEST: Final = 2.0**40
"""Seconds since the epoch: a limit for modification times that every file system accepts."""

_PERMISSIONS: Final = 0o777
"""The mode bits of unpacked files: no set-user-ID, no sticky bit."""


def pack(
    path: Path, name: str, owner: tuple[int, int] | None = None, exclude: Exclude | None = None
) -> Generator[bytes]:
    """Yield the parts of an archive of a file, or of a directory and everything below it.

    Links are packed as links. Sockets are left out. Closing the generator closes its file.

    Args:
        path: the file or directory.
        name: its name in the archive.
        owner: the user ID and group ID of all members; None for those of the local files.
        exclude: the paths to leave out, relative to ``path``.

    Raises:
        OSError: a file cannot be read, or shrank while it was read.
    """
    batch: list[bytes] = []
    size = 0
    with closing(_packed(path, name, owner, exclude or Exclude())) as parts:
        for part in parts:
            batch.append(part)
            size += len(part)
            if size >= PART:
                yield b"".join(batch)
                batch.clear()
                size = 0
    yield b"".join([*batch, b"\0" * _BLOCK * 2])


def _packed(
    path: Path, name: str, owner: tuple[int, int] | None, exclude: Exclude
) -> Generator[bytes]:
    """Yield headers and contents, of any size up to :data:`PART`."""
    left: list[tuple[Path, tuple[str, ...]]] = [(path, ())]
    with tarfile.open(fileobj=io.BytesIO(), mode="w", format=tarfile.PAX_FORMAT) as tar:
        while left:
            file, names = left.pop()
            if stat.S_ISSOCK(file.lstat().st_mode):
                continue
            info = tar.gettarinfo(file, "/".join([name, *names]))
            info.uname = info.gname = ""
            if owner is not None:
                info.uid, info.gid = owner
            yield info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
            if info.isreg():
                yield from _content(file, info.size)
            elif info.isdir():
                # A stack: the last path is packed next.
                children = sorted(file.iterdir(), reverse=True)
                below = [(child, (*names, child.name)) for child in children]
                left += [child for child in below if child[1] not in exclude]


def _content(path: Path, size: int) -> Iterator[bytes]:
    left = size
    with path.open("rb") as file:
        while left:
            data = file.read(min(PART, left))
            if not data:
                raise OSError(f"{path} became shorter while it was read")
            left -= len(data)
            yield data
    if padding := -size % _BLOCK:
        yield b"\0" * padding


class Unpacker:
    """Unpacks an archive that arrives in parts.

    :meth:`close` makes the links after all files have been written, so that no file is written
    through a link. It also sets the directories' permissions: a read-only one could not be filled.

    Args:
        folder: a fresh directory that nothing else uses.

    Attributes:
        written: the number of bytes written to files so far.
    """

    def __init__(self, folder: Path) -> None:
        self.written = 0
        self._folder = folder
        self._data = bytearray()
        self._is_whole = False
        self._links: list[tarfile.TarInfo] = []
        self._folders: list[tarfile.TarInfo] = []
        self._work = self._unpack()

    def feed(self, data: bytes | bytearray) -> None:
        """Unpack a part. Bytes after the end of the archive are dropped.

        Raises:
            Broken: the archive is damaged, or has a member that no engine would send.
            OSError: a file cannot be written.
        """
        if not self._is_whole:
            self._data += data
            next(self._work, None)

    def close(self) -> None:
        """Make the links, and set the permissions and times of directories.

        Raises:
            Broken: the archive is incomplete, or a member is below a link.
            OSError: a link cannot be made, or a directory cannot be changed.
        """
        self._work.close()
        if not self._is_whole:
            raise Broken("the engine's archive ends too early")
        links = {self._path(link.name): link for link in self._links}
        for path, link in links.items():
            if not links.keys().isdisjoint(path.parents):
                raise _damaged("a link has something below it")
            if link.islnk():
                # Before the symbolic links, so that its target can only be a file of this archive.
                path.hardlink_to(self._path(link.linkname))
        for path, link in links.items():
            if link.issym():
                path.symlink_to(link.linkname)
        for folder in reversed(self._folders):
            path = self._path(folder.name)
            path.chmod(folder.mode & _PERMISSIONS)
            os.utime(path, (folder.mtime, folder.mtime))

    def abort(self) -> None:
        """Close the file that is being written. Idempotent."""
        self._work.close()

    def _unpack(self) -> Generator[None]:
        """Unpack the archive. Each bare ``yield`` waits for the next part."""
        extended: dict[str, str] = {}
        while any(block := (yield from self._take(_BLOCK))):
            try:
                info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
            except tarfile.HeaderError as exc:
                raise _damaged(str(exc)) from exc
            if info.type in _EXTENDED:
                if not 0 <= info.size <= _MOST_EXTENDED:
                    raise _damaged("a name is too long")
                extended |= _extension(info, (yield from self._take(info.size)))
                yield from self._take(-info.size % _BLOCK)
            else:
                yield from self._member(_with(info, extended))
                extended = {}
        self._is_whole = True
        self._data.clear()

    def _take(self, size: int) -> Generator[None, None, bytes]:
        """Return the next ``size`` bytes, once they have arrived."""
        while len(self._data) < size:
            yield
        with memoryview(self._data) as view:
            taken = bytes(view[:size])
        del self._data[:size]
        return taken

    def _member(self, info: tarfile.TarInfo) -> Generator[None]:
        path = self._path(info.name)
        if info.isdir():
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._folders.append(info)
        elif info.issym() or info.islnk():
            self._links.append(info)
        elif info.isreg():
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as file:
                yield from self._content(info.size, file)
                os.fchmod(file.fileno(), info.mode & _PERMISSIONS)
            os.utime(path, (info.mtime, info.mtime))
        else:
            raise Broken(f"{info.name!r} is a device or a pipe, which cannot be copied")

    def _content(self, size: int, file: IO[bytes]) -> Generator[None]:
        left = size
        while left:
            data = yield from self._take(min(left, max(1, len(self._data))))
            file.write(data)
            left -= len(data)
            self.written += len(data)
        yield from self._take(-size % _BLOCK)

    def _path(self, name: str) -> Path:
        """Return the local path of a member.

        Raises:
            Broken: the name is absolute, empty, or leads out of the directory.
        """
        parts = PurePosixPath(name).parts
        if not parts or parts[0] == "/" or ".." in parts:
            raise _damaged(f"the name {name!r} is not allowed")
        return self._folder.joinpath(*parts)


def _damaged(why: str) -> Broken:
    return Broken(f"the engine's archive is damaged: {why}")


def _extension(info: tarfile.TarInfo, data: bytes) -> dict[str, str]:
    """Return the fields of an extended header (pax(1), or GNU tar's), under their pax names."""
    if info.type != tarfile.XHDTYPE:
        name = "linkpath" if info.type == tarfile.GNUTYPE_LONGLINK else "path"
        return {name: data.rstrip(b"\0").decode("utf-8", "surrogateescape")}
    fields = {}
    while data:
        match = _RECORD.match(data)
        length = int(match[1]) if match else 0
        if match is None or not match.end() < length <= len(data):
            raise _damaged("a pax record is invalid")
        value = data[match.end() : length - 1]
        fields[match[2].decode("ascii")] = value.decode("utf-8", "surrogateescape")
        data = data[length:]
    return fields


def _with(info: tarfile.TarInfo, extended: dict[str, str]) -> tarfile.TarInfo:
    """Return a header, changed by the fields of the extended headers before it."""
    if any(name.startswith("GNU.sparse") for name in extended):
        raise _damaged("it contains a sparse file")
    try:
        info.size = int(extended.get("size", info.size))
        info.mtime = float(extended.get("mtime", info.mtime))
    except ValueError as exc:
        raise _damaged("a size or a time is not a number") from exc
    info.name = extended.get("path", info.name)
    info.linkname = extended.get("linkpath", info.linkname)
    if info.size < 0 or not 0 <= info.mtime < _LATEST or "\0" in info.name + info.linkname:
        raise _damaged("a size, a time or a name is invalid")
    return info
