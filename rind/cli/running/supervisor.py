"""Supervises one command until it exits, is signalled or times out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from rind.errors import EngineError, ExitStatus, LeftRunning
from rind.execution.exec import Exec
from rind.execution.incoming import KILLED
from rind.execution.tasks import Tasks

__all__ = ["Say", "Serve", "Start", "Supervisor"]

Say = Callable[[str], Awaitable[None]]
"""Prints a line to the user."""

Start = Callable[[], Awaitable[Exec]]
"""Starts a command."""

Serve = Callable[[Exec], Awaitable[int | None]]
"""Moves a process's bytes until it ends; gives its exit status, or None where it was detached."""

_STUCK_AFTER: Final = 2.0
"""Seconds in which our stdout or stderr must take some output of a command that was ended."""


class _End(NamedTuple):
    """What ends a run from outside: a signal, and the status unless the command has its own."""

    number: int
    status: int


class Supervisor:
    """Runs one command: :meth:`run` starts and serves it, :meth:`end` ends it from outside.

    Args:
        name: the container's.
        kill_after: seconds that the command's tree has to end by itself.
        say: prints a message that does not end the run.
        has_begun: whether the start was requested already. Then an :meth:`end` before :meth:`run`
            must end the command; otherwise, it is never started.
        tells_leash: whether to print the reason if no leash holds the command.
    """

    def __init__(
        self,
        name: str,
        kill_after: float,
        say: Say,
        *,
        has_begun: bool = False,
        tells_leash: bool = False,
    ) -> None:
        self.name = name
        self._has_begun = has_begun
        self._kill_after = kill_after
        self._say = say
        self._tells_leash = tells_leash
        self._task: asyncio.Task[object] | None = None
        self._process: Exec | None = None
        self._ending: asyncio.Task[bool] | None = None
        self._waiting = Tasks()
        self._forwarding: set[asyncio.Task[None]] = set()
        self._to_forward: list[int] = []
        self._end: _End | None = None

    async def run(self, start: Start, serve: Serve) -> int | None:
        """Start a command and serve it; return the exit status, None if it was detached.

        Args:
            start: starts it.
            serve: moves its bytes.

        Raises:
            RindError: with the message and the exit status that the user is to see.
            OSError: from ``serve``.
        """
        self._task = asyncio.current_task()
        try:
            status = await self._run(start, serve)
        except LeftRunning as left:
            await self._tell(left)
            return left.exit_status if self._end is None else self._end.status
        except EngineError:
            raise  # its message names the processes that may be left running
        except BaseException as exc:
            if self._process is not None and self._process.left_running is not None:
                await self._tell(self._process.left_running)
            if isinstance(exc, asyncio.CancelledError) and self._end is not None:
                return self._end.status
            raise
        finally:
            # A signal must not end processes that were left running on purpose.
            self._task = self._process = None
            self._has_begun = False
            await self._waiting.cancel()
        return status

    def left(self) -> list[str]:
        """Return the container's name, if processes may be left running there; else nothing."""
        return [self.name] if self._has_begun or self._task is not None else []

    def end(self, number: int, status: int) -> None:
        """End the command's tree with a signal, and when it is called again, at once.

        Args:
            number: the signal.
            status: what the run then ends with, unless the command has a status of its own.
        """
        self._end = self._end or _End(number, status)
        if self._process is None:
            if self._task is not None:
                self._task.cancel()
        elif self._ending is not None:
            self._process.hurry()
        else:
            self._ending = asyncio.create_task(self._process.end(number, self._kill_after))
            self._ending.add_done_callback(self._ended)

    def forward(self, number: int) -> None:
        """Forward a signal to the command's tree."""
        if self._process is None:
            self._to_forward.append(number)
        else:
            self._forwarding.add(task := asyncio.create_task(self._forward(self._process, number)))
            task.add_done_callback(self._forwarding.discard)

    async def _run(self, start: Start, serve: Serve) -> int | None:
        if self._end is not None and not self._has_begun:
            return self._end.status  # it was ended before it began
        async with await start() as process:
            self._process = process
            if process.without_agent:
                await self._say(f"{process.without_agent}; the command runs without it")
            for number in self._to_forward:
                self.forward(number)
            if self._tells_leash:
                self._waiting.spawn(self._tell_leash(process))
            if self._end is not None:
                self.end(*self._end)
            status = await serve(process)
            if process.ending is not None:
                await self._say(f"the command was killed when {self.name} ran {process.ending}")
            if status is None:
                process.detach()
            if self._end is not None and self._ending is not None:
                # The command has ended; its children may still be ending.
                return _settled(self._end.status, status, killed=await self._ending)
            return status

    async def _tell_leash(self, process: Exec) -> None:
        why = await process.unleashed
        await self._say(f"if Rind is killed, no leash ends the command in {self.name}: {why}")

    async def _forward(self, process: Exec, number: int) -> None:
        try:
            await process.send_signal(number)
        except LeftRunning as exc:
            await self._say(f"cannot forward signal {number}: {exc}")

    def _ended(self, ending: asyncio.Task[bool]) -> None:
        if self._task is None or ending.cancelled():
            return
        if ending.exception() is not None:
            # If the tree cannot be reached, its output might never end.
            self._task.cancel()
        elif self._process is not None:
            self._waiting.spawn(self._leave_unread(self._process, self._task))

    async def _leave_unread(self, process: Exec, task: asyncio.Task[object]) -> None:
        """Discard the output of an ended command once our own stdout is stuck."""
        taken = None
        while process.taken != taken:
            taken = process.taken
            await asyncio.sleep(_STUCK_AFTER)
        task.cancel()

    async def _tell(self, why: LeftRunning) -> None:
        await self._say(f"processes of the command may be left running in {self.name}: {why}")


def _settled(given: int, own: int | None, *, killed: bool) -> int:
    """Choose the exit status of a run that was ended from outside.

    A command that ended by itself keeps its own. The time limit's is that of coreutils' timeout.
    """
    if given == ExitStatus.TIMED_OUT:
        return KILLED if killed else given
    return given if killed else own or 0
