"""Copies files and trees into a container and out of it."""

from __future__ import annotations

import posixpath
import stat
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from rind.errors import Broken, EngineError, UsageError
from rind.files.archive import get_archive, put_archive, stat_path
from rind.files.exclude import Exclude
from rind.files.tarball import PART, Unpacker, pack
from rind.files.worker import Worker

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterator, Callable, Iterable
    from contextlib import ExitStack

    from rind.engine.engine import Engine
    from rind.model import Container

    OnProgress = Callable[[int], object]
    """Called with the number of bytes copied so far."""

__all__ = ["checked", "get", "put"]

_MOST_LINKS: Final = 40
"""Symbolic links to follow: Linux's limit (path_resolution(7))."""


async def put(  # noqa: PLR0913 # only Target.put() calls it
    engine: Engine,
    container: Container,
    local: str | os.PathLike[str],
    path: str | os.PathLike[str],
    *,
    owner: tuple[int, int] | None = None,
    exclude: Iterable[str] = (),
    on_progress: OnProgress | None = None,
) -> None:
    """Copy a local file or directory into a container; see :meth:`rind.target.Target.put`."""
    source, target, excluded = Path(local), checked(path, "copy"), Exclude(exclude)
    async with Worker() as worker:
        own_name = await worker.run(_name, source)
        folder, name = await _destination(engine, container, target, own_name)
        batches = pack(source, name, owner, excluded)
        worker.clean_up.callback(batches.close)
        failure: list[Exception] = []

        async def parts() -> AsyncIterator[bytes]:
            sent = 0
            try:
                while batch := await worker.run(next, batches, b""):
                    yield batch
                    sent += len(batch)
                    if on_progress is not None:
                        on_progress(sent)
            except Exception as exc:
                failure.append(exc)
                raise

        try:
            await put_archive(engine, container.id, folder, parts())
        except EngineError as exc:
            if failure:
                # The engine's error is only the consequence of a failure to pack.
                raise failure[0] from exc
            raise


def _name(source: Path) -> str:
    """Return the name of a local file, which must exist."""
    source.lstat()
    return source.resolve().name


async def get(
    engine: Engine,
    container: Container,
    path: str | os.PathLike[str],
    local: str | os.PathLike[str],
    *,
    on_progress: OnProgress | None = None,
) -> Path:
    """Copy a container's file or directory to a local path; see :meth:`rind.target.Target.get`."""
    source = checked(path, "copy")
    async with Worker() as worker:
        names = Path(local), posixpath.basename(source)
        arrival = await worker.run(_Arrival, *names, worker.clean_up)
        async with get_archive(engine, container.id, source) as (_, parts):
            async for batch in _batches(parts):
                await worker.run(arrival.unpacker.feed, batch)
                if on_progress is not None:
                    on_progress(arrival.unpacker.written)
        return await worker.run(arrival.finish)


async def _batches(parts: AsyncIterator[bytes]) -> AsyncIterator[bytearray]:
    """Join parts into batches that are large enough for a call of the worker."""
    batch = bytearray()
    async for part in parts:
        batch += part
        if len(batch) >= PART:
            yield batch
            batch = bytearray()
    yield batch


class _Arrival:
    """A copy that is unpacked into a fresh directory beside its destination.

    Args:
        local: the path of the copy, or of an existing directory for it.
        name: the name in such a directory.
        clean_up: removes the fresh directory.
    """

    def __init__(self, local: Path, name: str, clean_up: ExitStack) -> None:
        self._target = local / name if local.is_dir() else local
        temporary = TemporaryDirectory(prefix=".rind-", dir=self._target.parent)
        self._folder = Path(clean_up.enter_context(temporary))
        self.unpacker = Unpacker(self._folder)
        clean_up.callback(self.unpacker.abort)

    def finish(self) -> Path:
        """Move the copy to its destination; return its path.

        Raises:
            Broken: the archive is incomplete, damaged, or not of one file or directory.
            FileExistsError: the copy cannot replace what exists at its path.
            OSError: the copy cannot be completed or moved.
        """
        self.unpacker.close()
        arrived = list(self._folder.iterdir())
        if len(arrived) != 1:
            raise Broken(f"the engine's archive has {len(arrived)} files or directories, not one")
        [copied] = arrived
        is_folder = copied.is_dir() and not copied.is_symlink()
        if self._target.is_dir() or (is_folder and self._target.exists()):
            raise FileExistsError(f"{self._target} exists already")
        if not is_folder:
            return copied.replace(self._target)
        # To move a directory, its owner must be allowed to write to it.
        mode = stat.S_IMODE(copied.stat().st_mode)
        copied.chmod(mode | stat.S_IWUSR)
        moved = copied.replace(self._target)
        moved.chmod(mode)
        return moved


def checked(path: str | os.PathLike[str], verb: str) -> str:
    """Return a path in a container, normalized.

    Raises:
        UsageError: the path is not absolute, or is the root.
    """
    text = posixpath.normpath(str(path))
    if not text.startswith("/") or not text.strip("/"):
        raise UsageError(
            f"cannot {verb} {path!s}: a path in a container must be absolute, and not its root"
        )
    return text


async def _destination(
    engine: Engine, container: Container, path: str, name: str
) -> tuple[str, str]:
    """Return the directory to copy into, and the name of the copy, by the rules of ``cp``.

    Args:
        engine: an open engine.
        container: the destination's container.
        path: the destination; links are followed. An existing directory is copied into.
        name: the copy's name in an existing directory.

    Raises:
        UsageError: there are too many links, as in a cycle.
        EngineError: the engine failed.
    """
    linked = path
    for _ in range(_MOST_LINKS + 1):
        there = await stat_path(engine, container.id, path)
        if there is None or not (there.link or there.is_folder):
            return posixpath.split(path)
        if not there.link:
            return path, name
        path = posixpath.normpath(posixpath.join(posixpath.dirname(path), there.link))
    raise UsageError(f"cannot copy to {linked}: it leads through more than {_MOST_LINKS} links")
