"""Copies files and trees into a container and out of it."""

from __future__ import annotations

import posixpath
import shutil
import tempfile
from pathlib import Path
from typing import Final

from rind.errors import EngineError, UsageError
from rind.files.archive import get_archive, put_archive, stat_path
from rind.files.tarball import Unpacker, pack

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterator, Callable

    from rind.engine.engine import Engine
    from rind.model import Container

    OnProgress = Callable[[int], object]
    """Called with the number of bytes copied so far."""

__all__ = ["get", "put"]

_MOST_LINKS: Final = 40
"""Symbolic links to follow: Linux's limit (path_resolution(7))."""


async def put(  # noqa: PLR0913 # only Target.put() calls it
    engine: Engine,
    container: Container,
    local: str | os.PathLike[str],
    path: str | os.PathLike[str],
    *,
    owner: tuple[int, int] | None = None,
    on_progress: OnProgress | None = None,
) -> None:
    """Copy a local file or directory into a container; see :meth:`rind.target.Target.put`."""
    source, target = Path(local), _checked(path)
    source.lstat()
    folder, name = await _destination(engine, container, target, source.resolve().name)
    failure: list[Exception] = []

    async def parts() -> AsyncIterator[bytes]:
        sent = 0
        try:
            for part in pack(source, name, owner):
                yield part
                sent += len(part)
                if on_progress is not None:
                    on_progress(sent)
        except Exception as exc:
            failure.append(exc)
            raise

    try:
        await put_archive(engine, container.id, folder, parts())
    except EngineError as exc:
        if failure:
            # Packing failed, not the engine.
            raise failure[0] from exc
        raise


async def get(
    engine: Engine,
    container: Container,
    path: str | os.PathLike[str],
    local: str | os.PathLike[str],
    *,
    on_progress: OnProgress | None = None,
) -> Path:
    """Copy a container's file or directory to a local path; see :meth:`rind.target.Target.get`."""
    source = _checked(path)
    target = Path(local)
    if target.is_dir():
        target /= posixpath.basename(source)
    folder = Path(tempfile.mkdtemp(prefix=".rind-", dir=target.parent))
    try:
        unpacker = Unpacker(folder)
        try:
            async with get_archive(engine, container.id, source) as (_, parts):
                async for part in parts:
                    unpacker.feed(part)
                    if on_progress is not None:
                        on_progress(unpacker.written)
            unpacker.close()
        finally:
            unpacker.abort()
        [copied] = folder.iterdir()
        if target.is_dir() or (copied.is_dir() and not copied.is_symlink() and target.exists()):
            raise FileExistsError(f"{target} exists already")
        copied.replace(target)
    finally:
        shutil.rmtree(folder)
    return target


def _checked(path: str | os.PathLike[str]) -> str:
    """Return a path in a container, normalized.

    Raises:
        UsageError: the path is not absolute, or is the root.
    """
    text = posixpath.normpath(str(path))
    if not text.startswith("/") or not text.strip("/"):
        raise UsageError(
            f"cannot copy {path!s}: a path in a container must be absolute, and not its root"
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
    """
    for _ in range(_MOST_LINKS):
        stat = await stat_path(engine, container.id, path)
        if stat is None:
            break
        if stat.link:
            path = posixpath.normpath(posixpath.join(posixpath.dirname(path), stat.link))
        elif stat.is_folder:
            return path, name
        else:
            break
    return posixpath.split(path)
