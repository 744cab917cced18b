"""The requests that start a command. Over a carrier that blocks, they need no event loop."""

from __future__ import annotations

import os

from rind.base.records import dataclass, replace
from rind.decide.start_failure import start_failure
from rind.errors import Refused
from rind.reaper.scripts import COOKIE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from rind.engine.engine import Engine
    from rind.errors import ContainerGone, StartError
    from rind.execution.incoming import Incoming
    from rind.model import Container, ExecConfig
    from rind.transport.carrier import Connection
    from rind.transport.wire import Wire

__all__ = ["Begun", "Created", "create", "new_cookie", "not_started", "start_detached"]

COOKIE_SIZE: Final = 16
"""Bytes: as many as a UUID has, so that no two commands share a cookie."""


@dataclass(frozen=True, slots=True)
class Created:
    """An exec instance that was created, and not started yet.

    Attributes:
        cookie: the value of :data:`~rind.reaper.scripts.COOKIE` that marks its processes.
    """

    exec_id: str
    cookie: str


@dataclass(frozen=True, slots=True)
class Begun:
    """A start that was requested.

    Attributes:
        cookie: the command's, as it was given to :func:`create`.
        wire: the connection of the request, which is not answered yet; None once it is.
        requested: the time of the request, by :func:`time.monotonic`.
        connection: the command's stream, once the start is answered.
        incoming: the command's output, as far as it was received.
    """

    exec_id: str
    cookie: str
    wire: Wire | None
    requested: float
    connection: Connection | None = None
    incoming: Incoming | None = None


def new_cookie() -> str:
    """Return a cookie for a command's process tree: 32 hexadecimal digits."""
    return os.urandom(COOKIE_SIZE).hex()


async def create(engine: Engine, container: Container, config: ExecConfig, cookie: str) -> str:
    """Create an exec instance whose processes are marked by a cookie; return its ID.

    Raises:
        StartError: the engine refused.
        ContainerGone: the container has ended.
        EngineError: the engine failed.
    """
    # The cookie is the first variable: scripts read the first MB of an environment.
    env = [variable for variable in config.env if not variable.startswith(f"{COOKIE}=")]
    config = replace(config, env=[f"{COOKIE}={cookie}", *env])
    try:
        return await engine.create_exec(container.id, config)
    except Refused as exc:
        raise await not_started(engine, container, exc) from exc


async def start_detached(engine: Engine, container: Container, config: ExecConfig) -> str:
    """Start a command, detached; return its exec ID.

    Raises:
        StartError: the engine refused.
        ContainerGone: the container has ended.
        EngineError: the engine failed.
    """
    try:
        exec_id = await engine.create_exec(container.id, config)
        await engine.start_exec_detached(exec_id)
    except Refused as exc:
        raise await not_started(engine, container, exc) from exc
    return exec_id


async def not_started(
    engine: Engine, container: Container, refused: Refused
) -> StartError | ContainerGone:
    """Return the error for a start that an engine refused: see :func:`why_not_started`."""
    from rind.execution.ending import why_not_started  # few starts fail

    return await why_not_started(engine, container, start_failure(refused.text, container.name))
