"""Polls an exec's state and interprets it.

Goal: report how a command ended, and never report an end that has not happened.

Plan: inspect the exec instance, and remember the state once it is settled, because the engine
forgets the instance minutes later. Some answers need a second look:

* Exit code 126 may be wrong while the command still runs: check whether its processes exist.
* HTTP status 404: either the container was removed, or the engine has forgotten the exec instance.
  A request for the container shows which.
* HTTP status 409, or exit code 137 although Rind sent no SIGKILL: the container's events around the
  end show whether the command was killed with its container, or for lack of memory.

Doubts: the events are matched by time alone. If something else kills a command, and its container
ends within the next second, or ran out of memory in the two seconds before, the container is
reported as the cause.
"""

from __future__ import annotations

import asyncio
import errno
import logging
from contextlib import suppress
from http import HTTPStatus
from typing import Final

from rind.errors import (
    EngineError,
    ExitStatus,
    LeftRunning,
    Lost,
    Refused,
    Unreachable,
)
from rind.execution.ending import EVENTS, container_end, container_gone, ending, why_not_started
from rind.execution.incoming import KILLED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from rind.engine.engine import Engine
    from rind.errors import Broken, ContainerGone, Ending, StartError
    from rind.model import Container, ExecState
    from rind.reaper.tree import Tree


__all__ = ["Inspector"]

_log: Final = logging.getLogger(__name__)

_SHORTAGES: Final = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS}
"""Errors of system calls that are due to a shortage on this machine, and not to the engine."""

_AROUND_THE_END: Final = 2.0, 1.0
"""Seconds before and after a command's end in which events of its container count. A busy 20.10 was
seen to take 0.3 s from the command's end to the container's."""


_SOON: Final = 0.1
"""Seconds after a command's end, if its container is seen to be up: then only an ``oom`` event can
still be missing."""


class Inspector:
    """Inspects one exec instance until its state is settled.

    Attributes:
        container: the container of the command.
        settled: the final state, of a command that has ended or was never started; else None.
        has_ended: set once the command has ended; never set if it was never started.
        ending: how the command was killed, with its container or for lack of memory; else None.
    """

    def __init__(self, engine: Engine, container: Container, exec_id: str, tree: Tree) -> None:
        self.settled: ExecState | None = None
        self.has_ended = asyncio.Event()
        self.ending: Ending | None = None
        self._events: Collection[str] | None = None
        self._engine = engine
        self.container = container
        self._exec_id = exec_id
        self._tree = tree
        self._clock = asyncio.get_running_loop().time
        self._since = self._clock()

    async def poll(self) -> ExecState:
        """Return the state, and remember it once it is settled.

        The engine forgets an exec instance five to ten minutes after its end (moby, daemon/exec.go,
        execCommandGC).

        Raises:
            ContainerGone: the container has ended, or was removed.
            Broken: the engine is gone, or the command's stream broke while the command runs on.
        """
        if self.settled is None:
            state = await self._inspect()
            if state.running or state.exit_code is None:
                return state
            if state.exit_code == ExitStatus.NOT_EXECUTABLE and state.pid:
                await self._check_ended()
            self.settled = state
            took = self._clock() - self._since
            _log.debug("exec %s: exit code %s, %.3f s", self._exec_id, state.exit_code, took)
            if state.has_started is not False:
                self.has_ended.set()
        return self.settled

    async def until_root_ended(self, state: ExecState) -> bool:
        """Wait until the command's own process ends; return False at once if it is not visible."""
        return await self._tree.until_root_ended(state.pid)

    async def explain(self) -> None:
        """Find out why a command was killed by SIGKILL, unless Rind sent it; set :attr:`ending`.

        Raises:
            ContainerGone: the command was killed with its container.
        """
        killed = self.settled is not None and self.settled.exit_code == KILLED
        if killed and not self._tree.was_killed:
            how, with_container = ending(await self._events_at_end())
            if how is not None and with_container:
                raise self._gone(how)
            self.ending = how
            # Podman does not report all of these events, so look at the container itself.
            is_podman = self._engine.dialect.is_podman
            if is_podman and (how := await container_end(self._engine, self.container)):
                raise self._gone(how)

    async def not_started(self, failure: StartError) -> StartError | ContainerGone:
        """Return the error for a command that never started: see :func:`why_not_started`."""
        return await why_not_started(self._engine, self.container, failure)

    def lost(self, what: str) -> Broken:
        """Return the error for a command whose state is unknown, because something failed."""
        return Lost(what, self.container.name)

    async def _inspect(self) -> ExecState:
        try:
            return await self._engine.inspect_exec(self._exec_id)
        except Unreachable as exc:
            is_local = isinstance(exc.__cause__, OSError) and exc.__cause__.errno in _SHORTAGES
            raise self.lost(str(exc) if is_local else "the engine went away") from exc
        except Refused as exc:
            # When a container stops, the engine may answer 409 shortly before it has the exit code.
            if exc.http_status == HTTPStatus.CONFLICT and "paused" not in exc.text.lower():
                how, _ = ending(await self._events_at_end())
                raise self._gone(how or "stopped") from exc
            if exc.http_status != HTTPStatus.NOT_FOUND:
                raise
            if not await self._engine.has_container(self.container.id):
                raise self._gone("removed") from exc
            how, has_ended = ending(await self._events_at_end())
            if how is not None and has_ended:
                raise self._gone(how) from exc
            raise self.lost("the engine has forgotten the command") from exc

    def _gone(self, how: Ending) -> ContainerGone:
        """Set :attr:`ending`; return the error for a command that was killed with its container."""
        self.ending = how
        return container_gone(self.container.name, how)

    async def _events_at_end(self) -> Collection[str]:
        """Return the container's events around the command's end. They are requested once."""
        if self._events is None:
            self._events = []
            before, after = _AROUND_THE_END
            if self._tree.container_is_up():
                after = _SOON
            with suppress(EngineError):
                self._events = await self._engine.events(self.container.id, EVENTS, before, after)
        return self._events

    async def _check_ended(self) -> None:
        """Check that a command with exit code 126 has ended.

        If the command's stream fails, the engine may report this code while the command still runs
        (moby, ContainerExecStart; seen on 20.10 and 28.5), and does not correct it later. If the
        command has ended since, the code cannot be distinguished from its own.

        Raises:
            Broken: the command still runs.
        """
        with suppress(LeftRunning):  # its processes cannot be seen: believe the engine
            if await self._tree.has_root():
                raise self.lost("the connection to the engine broke")
