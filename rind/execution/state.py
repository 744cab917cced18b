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
    ContainerGone,
    EngineError,
    ExitStatus,
    LeftRunning,
    Lost,
    Refused,
    Unreachable,
)
from rind.execution.incoming import KILLED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from rind.engine.engine import Engine
    from rind.errors import Broken, Ending
    from rind.model import Container, ExecState
    from rind.reaper.tree import Tree


__all__ = ["EVENTS", "Inspector", "container_gone", "ending"]

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
            if self._engine.dialect.is_podman and (how := await self._container_end()):
                raise self._gone(how)

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
            if await self._engine.has_container(self.container.id):
                raise self.lost("the engine has forgotten the command") from exc
            raise self._gone("removed") from exc

    def _gone(self, how: Ending) -> ContainerGone:
        """Set :attr:`ending`; return the error for a command that was killed with its container."""
        self.ending = how
        return container_gone(self.container.name, how)

    async def _container_end(self) -> Ending | None:
        """Return how the container ended, by its present state; None if it runs, or if unknown."""
        with suppress(EngineError):
            try:
                container = await self._engine.container(self.container.id)
            except Refused as exc:
                return "removed" if exc.http_status == HTTPStatus.NOT_FOUND else None
            return None if container.state == "running" else "stopped"
        return None

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


_ENDINGS: Final[dict[str, Ending]] = {
    "destroy": "removed",
    "stop": "stopped",
    "oom": "out of memory",
    "kill": "killed",
    "die": "ended",
}
"""How a container ended, by its events. Of those that occurred, the one listed first counts: a
container that is stopped or removed has a ``kill`` event too."""

EVENTS: Final = tuple(_ENDINGS)
"""The events that :func:`ending` interprets."""

_IN_WORDS: Final[dict[Ending, str]] = {
    "removed": "was removed",
    "stopped": "was stopped",
    "out of memory": "ran out of memory",
    "killed": "was killed",
    "ended": "has ended by itself",
}


def ending(actions: Collection[str]) -> tuple[Ending | None, bool]:
    """Return how a command was killed, by its container's events around its end.

    Args:
        actions: the events' names (API: ``GET /events``), in any order: ``stop`` comes after
            ``die`` on 20.10, and before it on 28.5.

    Returns:
        How it was killed, None if the container had no part in it; and whether its container ended
        too. If only the command was killed, the one possible cause is lack of memory.
    """
    if "die" in actions:
        return next(how for action, how in _ENDINGS.items() if action in actions), True
    return ("out of memory" if "oom" in actions else None), False


def container_gone(name: str, how: Ending) -> ContainerGone:
    """Return the error for a command that was killed with its container."""
    return ContainerGone(f"the command was killed with its container: {name} {_IN_WORDS[how]}", how)
