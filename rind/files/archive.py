"""An engine's archive API: files of a container, as tar archives that come in parts."""

from __future__ import annotations

import asyncio
import base64
import json
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from rind.base.records import dataclass, replace
from rind.engine.engine import ERRORS, accept
from rind.transport.carrier import WrongAnswer, check_body

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from rind.engine.engine import Engine
    from rind.transport.carrier import Answer

__all__ = ["PathStat", "get_archive", "put_archive", "stat_path"]

_GO_DIRECTORY: Final = 1 << 31
"""Of the mode that the engine tells: Go's os.ModeDir."""
_GO_LINK: Final = 1 << 27

_NOT_FOUND: Final = 404


@dataclass(frozen=True, slots=True)
class PathStat:
    """What is at a path of a container.

    Attributes:
        is_folder: whether it is a directory.
        link: where a symbolic link leads; empty for what is none.
    """

    is_folder: bool
    link: str


async def stat_path(engine: Engine, container_id: str, path: str) -> PathStat | None:
    """Return what is at an absolute path; None for nothing.

    API: the header of ``GET /containers/{id}/archive``.

    Raises:
        EngineError: the engine failed.
    """
    async with get_archive(engine, container_id, path, missing_ok=True) as (stat, _):
        return stat


@asynccontextmanager
async def get_archive(
    engine: Engine, container_id: str, path: str, *, missing_ok: bool = False
) -> AsyncIterator[tuple[PathStat | None, AsyncIterator[bytes]]]:
    """Yield what is at an absolute path, and the parts of an archive of it.

    API: ``GET /containers/{id}/archive``.

    Args:
        engine: an open one.
        container_id: the container, running or not.
        path: in the container.
        missing_ok: whether there need not be anything.

    Raises:
        Refused: there is nothing (404).
        EngineError: the engine failed.
    """
    asked = engine.new_request("GET", f"containers/{container_id}/archive", {"path": path})
    async with AsyncExitStack() as stack:
        with engine.errors():
            stream = engine.carrier.stream(asked, engine.timeout)
            answer, parts = await stack.enter_async_context(stream)
            if answer.status == _NOT_FOUND and missing_ok:
                stat = None
            else:
                await _accept(answer, parts)
                stat = _stat(answer.headers.get("x-docker-container-path-stat", ""))
        # What is raised where it is used is no error of the engine's.
        yield stat, _timed(engine, parts)


async def put_archive(
    engine: Engine, container_id: str, folder: str, parts: AsyncIterator[bytes]
) -> None:
    """Unpack an archive in a directory of a container.

    API: ``PUT /containers/{id}/archive``.

    Args:
        engine: an open one.
        container_id: the container, running or not.
        folder: absolute.
        parts: of the archive.

    Raises:
        Refused: there is no such directory (404), or it is read-only (403).
        EngineError: the engine failed.
    """
    params = {"path": folder, "noOverwriteDirNonDir": "1"}
    asked = engine.new_request("PUT", f"containers/{container_id}/archive", params)
    with engine.errors():
        accept(await engine.carrier.upload(asked, parts, engine.timeout))


async def _accept(answer: Answer, parts: AsyncIterator[bytes]) -> None:
    """Check an answer's head; an error has a short body."""
    check_body(answer.headers, 0)
    body = b""
    if answer.status >= ERRORS:
        async for part in parts:
            body += part
            check_body(answer.headers, len(body))
    accept(replace(answer, body=body))


def _stat(header: str) -> PathStat:
    try:
        told = json.loads(base64.b64decode(header, validate=True))
        mode, link = told["mode"], told["linkTarget"]
    except (ValueError, KeyError, TypeError) as exc:
        raise WrongAnswer("it does not say what is at a path") from exc
    if not isinstance(mode, int) or not isinstance(link, str) or "\0" in link:
        raise WrongAnswer("it does not say what is at a path")
    # Podman has a target for what is no link, too.
    return PathStat(bool(mode & _GO_DIRECTORY), link if mode & _GO_LINK else "")


async def _timed(engine: Engine, parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    while True:
        with engine.errors():
            async with asyncio.timeout(engine.timeout):
                part = await anext(parts, None)
        if part is None:
            return
        yield part
