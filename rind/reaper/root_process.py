"""The process that an exec instance started, the root of a command's tree.

The engine reports its number, and whether it runs. Its session is found by that number: in /proc if
the engine is on this machine (:mod:`rind.reaper.host_processes`), otherwise by the engine's list of
processes (:mod:`rind.reaper.roots`).
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from rind.errors import EngineError, LeftRunning, Refused
from rind.reaper import host_processes
from rind.reaper.looks import run_script
from rind.reaper.roots import Root, match_root
from rind.reaper.scripts import ROOTS_SCRIPT, Session, script_config

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from rind.engine.engine import Engine

__all__ = ["RootProcess"]

START_BOUND: Final = 5.0
"""Seconds for a requested start to take effect."""

MATCH_BOUND: Final = 10.0
"""Seconds for a search by the engine's list of processes."""

MATCHES: Final = 3
"""Attempts to find a process by its position, while others start and end."""

_POLL: Final = 0.01
"""Seconds between two requests for an exec's state: the engine has no event for it."""


class RootProcess:
    """The process of one command.

    Args:
        engine: an open engine.
        container_id: the container that it is in.
        user: the user that the command runs as.
        exec_id: the command's exec ID; None if unknown, and with it all else.
    """

    def __init__(self, engine: Engine, container_id: str, user: str, exec_id: str | None) -> None:
        self._engine = engine
        self._container_id = container_id
        self._user = user
        self._exec_id = exec_id
        self._started = False

    async def until_started(self) -> None:
        """Wait until the process exists, or has ended. Bounded in time.

        The engine upgrades the connection first, and then starts the command, even if the
        connection has been closed meanwhile (moby, postContainerExecStart).
        """
        if self._started:
            return
        with suppress(EngineError, TimeoutError):
            async with asyncio.timeout(START_BOUND):
                while self._exec_id is not None:
                    state = await self._engine.inspect_exec(self._exec_id)
                    # "running" is true before there is a process.
                    if state.pid or state.exit_code is not None:
                        break
                    await asyncio.sleep(_POLL)
        self._started = True

    async def runs_on(self, patience: float) -> bool:
        """Whether the engine reports for ``patience`` seconds that the command runs.

        Raises:
            LeftRunning: the engine failed.
        """
        if self._exec_id is None:
            return False
        try:
            async with asyncio.timeout(patience):
                while (await self._engine.inspect_exec(self._exec_id)).running:  # noqa: ASYNC110
                    await asyncio.sleep(_POLL)  # the engine has no event for it
        except TimeoutError:
            return True
        except Refused:
            return False  # it has forgotten the exec, or the container is gone
        except EngineError as exc:
            raise LeftRunning(str(exc)) from exc
        return False

    async def pid(self) -> int | None:
        """Return its number on the engine's machine; None if it does not run, or is unknown."""
        if self._exec_id is not None:
            with suppress(EngineError):
                state = await self._engine.inspect_exec(self._exec_id)
                return (state.pid or None) if state.running else None
        return None

    async def session_here(self) -> Session | None:
        """Return its session from /proc; None if the process is not found.

        The engine must be on this machine.
        """
        pid = await self.pid()
        return None if pid is None else host_processes.session_of(pid, self._container_id)

    async def session_by_list(self) -> Session | None:
        """Return its session from the engine's list of processes, as a remote engine requires.

        None if several processes may be it.
        """
        with suppress(EngineError, TimeoutError, ValueError):
            async with asyncio.timeout(MATCH_BOUND):
                for _ in range(MATCHES):
                    if (root := await self._match()) is not None:
                        return Session(str(root.session), str(root.start))
        return None

    async def _match(self) -> Root | None:
        """Return the process as seen in the container; None if uncertain."""
        if self._exec_id is None:
            return None
        if not await self._engine.has_own_pid_namespace(self._container_id):
            return None  # the list has processes of other containers: positions do not match
        state = await self._engine.inspect_exec(self._exec_id)
        before = await self._engine.processes(self._container_id)
        config = script_config(ROOTS_SCRIPT, user=self._user)
        stdout, _ = await run_script(self._engine, self._container_id, config)
        inside = [Root(*map(int, line.split())) for line in stdout.split(b"\n")[:-1]]
        if self._engine.dialect.is_podman:
            # Podman lists each process with both of its numbers.
            return next((root for root in inside if (state.pid, root.pid) in before), None)
        after = await self._engine.processes(self._container_id)
        return match_root(state.pid, before, inside, after)
