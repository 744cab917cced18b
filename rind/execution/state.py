"""Polls an exec's state and interprets it."""

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

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from rind.engine.engine import Engine
    from rind.errors import Broken, Ending
    from rind.model import Container, ExecState
    from rind.reaper.tree import Tree


__all__ = ["EVENTS", "Inspector", "container_gone", "ending"]

_log: Final = logging.getLogger(__name__)

_LACKING: Final = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS}
"""What a system call fails with for a lack of ours, and not for the engine."""

KILLED: Final = ExitStatus.SIGNALLED + 9

_AROUND_THE_END: Final = 2.0, 1.0
"""Seconds before and after a command's end in which its container's own is told. A busy 20.10 was
seen to take 0.3 from the one to the other."""


_SOON: Final = 0.1
"""The same after the end, where the container is seen to be up: it is its lack of memory that the
engine may still have to tell."""


class Inspector:
    """Inspects one exec instance until its state is settled.

    Attributes:
        container: where it is.
        settled: the state of a command that has ended, or was never started.
        has_ended: is set once one that was started has ended.
        ending: how it was killed, with its container or for lack of memory; else None.
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
        """Ask for the state, and remember it once it is settled.

        The engine forgets an exec instance five to ten minutes after its end (moby, daemon/exec.go,
        execCommandGC).

        Raises:
            ContainerGone: the container was removed.
            Broken: the engine is gone, or the command's stream is, while it runs on.
        """
        if self.settled is None:
            state = await self._inspect()
            if state.running or state.exit_code is None:
                return state
            if state.exit_code == ExitStatus.NOT_EXECUTABLE and state.pid:
                await self._doubt()
            self.settled = state
            took = self._clock() - self._since
            _log.debug("exec %s: exit code %s, %.3f s", self._exec_id, state.exit_code, took)
            if state.has_started is not False:
                self.has_ended.set()
        return self.settled

    async def until_root_ended(self, state: ExecState) -> bool:
        """Wait for the end of the command's own process; return False at once if it is not seen."""
        return await self._tree.until_root_ended(state.pid)

    async def explain(self) -> None:
        """Find out who killed a command that ended by SIGKILL, unless Rind did.

        Raises:
            ContainerGone: it died with its container.
        """
        killed = self.settled is not None and self.settled.exit_code == KILLED
        if killed and not self._tree.was_killed:
            how, with_container = ending(await self._happened())
            if how is not None and with_container:
                raise self._gone(how)
            self.ending = how
            if self._engine.dialect.is_podman and (how := await self._container_end()):
                raise self._gone(how)

    def lost(self, what: str) -> Broken:
        """Return the error for a command whose state is unknown."""
        return Lost(what, self.container.name)

    async def _inspect(self) -> ExecState:
        try:
            return await self._engine.inspect_exec(self._exec_id)
        except Unreachable as exc:
            is_ours = isinstance(exc.__cause__, OSError) and exc.__cause__.errno in _LACKING
            raise self.lost(str(exc) if is_ours else "the engine went away") from exc
        except Refused as exc:
            # For a stopped container, the engine may answer 409 just before it knows the code.
            if exc.http_status == HTTPStatus.CONFLICT and "paused" not in exc.text.lower():
                how, _ = ending(await self._happened())
                raise self._gone(how or "stopped") from exc
            if exc.http_status != HTTPStatus.NOT_FOUND:
                raise
            if await self._container_is_there():
                raise self.lost("the engine has forgotten the command") from exc
            raise self._gone("removed") from exc

    def _gone(self, how: Ending) -> ContainerGone:
        """Return the error for a command that was killed with its container, and remember how."""
        self.ending = how
        return container_gone(self.container.name, how)

    async def _container_end(self) -> Ending | None:
        """Return how the container has ended, by what is there now; None if it runs."""
        with suppress(EngineError):
            try:
                container = await self._engine.container(self.container.id)
            except Refused as exc:
                return "removed" if exc.http_status == HTTPStatus.NOT_FOUND else None
            return None if container.state == "running" else "stopped"
        return None

    async def _container_is_there(self) -> bool:
        try:
            await self._engine.container(self.container.id)
        except Refused as exc:
            return exc.http_status != HTTPStatus.NOT_FOUND
        except EngineError:
            return True
        return True

    async def _happened(self) -> Collection[str]:
        """Return the container's events around the command's end; asked for once."""
        if self._events is None:
            self._events = []
            before, after = _AROUND_THE_END
            if self._tree.container_is_up():
                after = _SOON
            with suppress(EngineError):
                self._events = await self._engine.events(self.container.id, EVENTS, before, after)
        return self._events

    async def _doubt(self) -> None:
        """Make sure that a command with status 126 has ended.

        The engine may report this status when the command's stream failed and the command still
        runs (moby, ContainerExecStart; seen on 20.10 and 28.5), and does not correct it later. Of a
        command that has ended since, it cannot be told from its own.
        """
        with suppress(LeftRunning):  # there is no way to know
            if await self._tree.has_root():
                raise self.lost("the connection to the engine broke")


_TOLD: Final[dict[str, Ending]] = {
    "destroy": "removed",
    "stop": "stopped",
    "oom": "out of memory",
    "kill": "killed",
    "die": "ended",
}
"""What a container's events tell, the first that is there. What is stopped or removed is sent a
signal (``kill``) too."""

EVENTS: Final = tuple(_TOLD)
"""The events that :func:`ending` tells by."""

_SAID: Final[dict[Ending, str]] = {
    "removed": "was removed",
    "stopped": "was stopped",
    "out of memory": "ran out of memory",
    "killed": "was killed",
    "ended": "has ended by itself",
}


def ending(actions: Collection[str]) -> tuple[Ending | None, bool]:
    """Return how a command was ended, by its container's events around its end.

    Args:
        actions: the events' names (API: ``GET /events``), in any order: ``stop`` comes after
            ``die`` on 20.10, and before it on 28.5.

    Returns:
        How, None where the container had no part in it, and whether its container was ended with
        it. Of the command alone, it can only be that the memory ran out.
    """
    if "die" in actions:
        return next(how for action, how in _TOLD.items() if action in actions), True
    return ("out of memory" if "oom" in actions else None), False


def container_gone(name: str, how: Ending) -> ContainerGone:
    """Return the error for a command that was killed with its container."""
    return ContainerGone(f"the command was killed with its container: {name} {_SAID[how]}", how)
