"""Asking the engine how a command is, and what its answer means."""

import asyncio
from contextlib import suppress
from http import HTTPStatus

from rind.answers import ExecState
from rind.engine import Engine
from rind.errors import Broken, ContainerGone, ExitStatus, LeftRunning, Lost, Refused, Unreachable
from rind.reaper import Tree
from rind.selection import Container

__all__ = ["Inspector"]


class Inspector:
    """Inspects one exec instance until its state is settled.

    Attributes:
        settled: the state of a command that has ended, or was never started.
        has_ended: is set once one that was started has ended.
    """

    def __init__(self, engine: Engine, container: Container, exec_id: str, tree: Tree) -> None:
        self.settled: ExecState | None = None
        self.has_ended = asyncio.Event()
        self._engine = engine
        self._container = container
        self._exec_id = exec_id
        self._tree = tree

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
            if state.pid:
                self.has_ended.set()
        return self.settled

    def lost(self, what: str) -> Broken:
        """Return the error for a command that may run on, and why we do not know."""
        return Lost(what, self._container.name)

    async def _inspect(self) -> ExecState:
        try:
            return await self._engine.inspect_exec(self._exec_id)
        except Unreachable as exc:
            raise self.lost("the engine went away") from exc
        except Refused as exc:
            # Of a stopped container, an engine may say 409 in the moment before it knows the code.
            stopped = exc.http_status == HTTPStatus.CONFLICT and "paused" not in exc.text.lower()
            if exc.http_status != HTTPStatus.NOT_FOUND and not stopped:
                raise
            name, how = self._container.name, "was stopped" if stopped else "was removed"
            raise ContainerGone(f"the command was killed with its container: {name} {how}") from exc

    async def _doubt(self) -> None:
        """Make sure that a command has ended, where it is said to have ended with status 126.

        That is what an engine may say of one whose stream has failed, while it runs on (moby,
        ContainerExecStart; seen on 20.10 and 28.5).
        """
        with suppress(LeftRunning):  # it cannot be known
            if await self._tree.has_root():
                raise self.lost("the connection to the engine broke")
