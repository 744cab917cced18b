"""Creates and starts an exec instance, and leaves nothing behind if the start is cut short."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from contextlib import AsyncExitStack
from functools import partial
from typing import Final

from rind.errors import Broken, LeftRunning, Refused, Unreachable
from rind.execution.begin import create, new_cookie, not_started
from rind.execution.exec import KILL_AFTER, Exec, Leaving, check_size
from rind.execution.incoming import Incoming
from rind.execution.mapping import on_screen, outward
from rind.execution.tasks import carried_out, persistent
from rind.reaper.tree import BOUND
from rind.transport.hijacked import HijackedStream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rind.execution.begin import Begun
    from rind.execution.session import Session
    from rind.model import Container, ExecConfig
    from rind.reaper.tree import Tree

__all__ = ["open_exec"]

_log: Final = logging.getLogger(__name__)


async def open_exec(  # noqa: PLR0913 # a start has as many sides
    session: Session,
    container: Container,
    config: ExecConfig,
    size: tuple[int, int] | None = None,
    *,
    begun: Begun | None = None,
    leaving: Leaving | None = None,
) -> Exec:
    """Create and start an exec instance in ``container``.

    Args:
        session: of an open engine, which must stay open for the command's life.
        container: a running one.
        config: the command.
        size: the window size (rows, columns) that the command begins with.
        begun: a start that was requested already.
        leaving: what leaving the command does to it; None to end it.

    Raises:
        ValueError: no TTY can have this size.
        UsageError: it needs an ssh agent, and there is none.
        StartError: the engine would not create or start it.
        ContainerGone: the container has ended.
        EngineError: the engine failed.
    """
    if size is not None:
        check_size(size)
    if config.ssh_agent is not None:
        from rind.execution.ssh_agent import open_with_agent  # few commands have one

        plainly = partial(open_exec, session, container)
        return await open_with_agent(plainly, container.name, config, size, leaving=leaving)
    engine = session.engine

    cookie = begun.cookie if begun else new_cookie()
    exec_id = begun.exec_id if begun else await create(engine, container, config, cookie)
    _log.debug("created exec %s in %s", exec_id, container.name)
    tree = session.trees.new(container.id, config.user, cookie, exec_id)
    requested = time.monotonic()

    async def open_it() -> Exec:
        if begun and begun.connection is not None:
            stream = HijackedStream(begun.connection)
        elif begun and begun.wire is not None:
            stream = await engine.finish_start(begun.wire)
        else:
            stream = await engine.start_exec(exec_id, tty=config.tty, size=size)
        incoming = (begun and begun.incoming) or Incoming(
            container.name,
            tty=config.tty,
            is_podman=engine.dialect.is_podman,
            rewriters=outward(config),
            screen=on_screen(config),
        )
        return Exec(
            *(session, container, config),
            exec_id=exec_id,
            stream=stream,
            incoming=incoming,
            tree=tree,
            requested=begun.requested if begun else requested,
            size=size,
            leaving=leaving or Leaving(),
        )

    try:
        opened = await _opened(asyncio.create_task(open_it()), session, tree)
    except Refused as exc:
        raise await not_started(engine, container, exc) from exc
    _log.debug("started exec %s in %.3f s", exec_id, time.monotonic() - requested)
    if config.tty and size and not engine.dialect.takes_console_size:
        async with AsyncExitStack() as undo:
            undo.push_async_exit(opened)
            await opened.resize(size)
            undo.pop_all()
    return opened


async def _opened(opening: asyncio.Task[Exec], session: Session, tree: Tree) -> Exec:
    """Wait for a start in a task of its own; end its command if the wait is cut short."""
    session.opening.add(opening)
    opening.add_done_callback(session.opening.discard)
    opening.add_done_callback(_heard)
    try:
        return await asyncio.shield(opening)
    except (asyncio.CancelledError, Broken, Unreachable) as exc:
        try:
            abandon = partial(_abandon, opening, tree)
            await carried_out(lambda: asyncio.create_task(persistent(abandon)))
        except LeftRunning as left:
            if isinstance(exc, asyncio.CancelledError):
                raise
            raise LeftRunning(f"{exc}; it may be left running: {left}") from exc
        raise


def _heard(opening: asyncio.Task[Exec]) -> None:
    """Retrieve the exception of an abandoned start: asyncio logs those that are not retrieved."""
    if not opening.cancelled():
        opening.exception()


async def _abandon(opening: asyncio.Task[Exec], tree: Tree) -> None:
    """End a command whose start was requested, and may still succeed.

    Raises:
        LeftRunning: it may be left running.
    """
    await asyncio.wait({opening}, timeout=BOUND)
    if opening.done() and not opening.cancelled() and opening.exception() is None:
        command = opening.result()
        await command._close(kill=True, ask=False)  # noqa: SLF001 # it was never handed out
        if command.left_running is not None:
            raise command.left_running
    else:
        await tree.end(signal.SIGTERM, KILL_AFTER)
