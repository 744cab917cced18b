"""The Engine API's archive requests: a container's files as tar archives, streamed in parts."""

from __future__ import annotations

import asyncio
import base64
import json
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from rind.base.deadline import Deadline
from rind.base.records import dataclass, replace
from rind.engine.api import accept
from rind.transport.carrier import WrongAnswer, check_body

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from rind.engine.engine import Engine
    from rind.transport.carrier import Answer

__all__ = ["PathStat", "get_archive", "put_archive", "stat_path"]

_GO_DIRECTORY: Final = 1 << 31
"""The directory bit of the mode in an engine's path stat: Go's os.ModeDir."""
_GO_LINK: Final = 1 << 27
"""The symbolic link bit: Go's os.ModeSymlink."""

_NOT_FOUND: Final = 404


@dataclass(frozen=True, slots=True)
class PathStat:
    """A file, directory or link in a container.

    Attributes:
        is_folder: whether it is a directory.
        link: the target of a symbolic link; empty for anything else.
    """

    is_folder: bool
    link: str


async def stat_path(engine: Engine, container_id: str, path: str) -> PathStat | None:
    """Return the stat of an absolute path; None if the path does not exist.

    API: a header of ``GET /containers/{id}/archive``.

    Raises:
        EngineError: the engine failed.
    """
    async with get_archive(engine, container_id, path, missing_ok=True) as (stat, _):
        return stat


@asynccontextmanager
async def get_archive(
    engine: Engine, container_id: str, path: str, *, missing_ok: bool = False
) -> AsyncIterator[tuple[PathStat | None, AsyncIterator[bytes]]]:
    """Yield the stat of an absolute path, and the parts of its archive.

    API: ``GET /containers/{id}/archive``.

    Args:
        engine: an open engine.
        container_id: the container, running or not.
        path: the absolute path in the container.
        missing_ok: yield None for a missing path's stat, instead of raising.

    Raises:
        Refused: the path does not exist (404).
        EngineError: the engine failed.
    """
    request = engine.new_request("GET", f"containers/{container_id}/archive", {"path": path})
    async with AsyncExitStack() as stack:
        with engine.map_exceptions():
            stream = engine.carrier.stream(request, Deadline(engine.timeout))
            answer, parts = await stack.enter_async_context(stream)
            if answer.status == _NOT_FOUND and missing_ok:
                stat = None
            else:
                await _accept(answer, parts)
                stat = _stat(answer.headers.get("x-docker-container-path-stat", ""))
        # Outside engine.map_exceptions(): an exception of the caller's body is not the engine's.
        yield stat, _timed(engine, parts)


async def put_archive(
    engine: Engine, container_id: str, folder: str, parts: AsyncIterator[bytes]
) -> None:
    """Unpack an archive in a directory of a container.

    API: ``PUT /containers/{id}/archive``.

    Args:
        engine: an open engine.
        container_id: the container, running or not.
        folder: the directory's absolute path.
        parts: the archive's bytes.

    Raises:
        Refused: there is no such directory (404), or it is read-only (403).
        EngineError: the engine failed.
    """
    params = {"path": folder, "noOverwriteDirNonDir": "1"}
    request = engine.new_request("PUT", f"containers/{container_id}/archive", params)
    with engine.map_exceptions():
        accept(await engine.carrier.upload(request, parts, Deadline(engine.timeout)))


async def _accept(answer: Answer, parts: AsyncIterator[bytes]) -> None:
    """Check an answer's status and headers; read the body of an error, which is short."""
    check_body(answer.headers, 0)
    body = b""
    if answer.is_error:
        async for part in parts:
            body += part
            check_body(answer.headers, len(body))
    accept(replace(answer, body=body))


def _stat(header: str) -> PathStat:
    """Return the stat in a header.

    Raises:
        WrongAnswer: the header is missing or invalid.
    """
    try:
        stat = json.loads(base64.b64decode(header, validate=True))
        mode, link = stat["mode"], stat["linkTarget"]
    except (ValueError, KeyError, TypeError) as exc:
        raise WrongAnswer("its path stat is missing or invalid") from exc
    if not isinstance(mode, int) or not isinstance(link, str) or "\0" in link:
        raise WrongAnswer("its path stat is missing or invalid")
    # Podman sets linkTarget for files and directories too.
    return PathStat(bool(mode & _GO_DIRECTORY), link if mode & _GO_LINK else "")


async def _timed(engine: Engine, parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield parts, with the engine's timeout for each."""
    while True:
        with engine.map_exceptions():
            async with asyncio.timeout(engine.timeout):
                part = await anext(parts, None)
        if part is None:
            return
        yield part
