"""One run of the program in an event loop, on this process's own streams."""

from __future__ import annotations

import asyncio
import signal
from contextlib import contextmanager, suppress
from functools import partial
from typing import Final

from rind.attach import attach_local
from rind.base.quoting import quoted
from rind.base.records import dataclass
from rind.cli.running.opening import (
    announce,
    can_ask,
    hint,
    hinted,
    mention_elsewhere,
    wanted_keys,
)
from rind.cli.running.signals import left_running
from rind.cli.running.supervisor import Supervisor
from rind.cli.translate import command_from, docker_words, endpoint_from, wanted_from
from rind.client import client_at, continued
from rind.decide.selection import AmbiguousError, Selected, require_running
from rind.errors import ExitStatus, OutputMissing, RindError, StartError
from rind.execution.local import Local
from rind.terminal.standard import STDERR_FD, local_window_size
from rind.terminal.tty import is_raw, is_terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from rind.cli.running.fanout import Fanout
    from rind.cli.running.opening import Job, Prepared
    from rind.cli.running.supervisor import Serve, Start
    from rind.client import Client
    from rind.decide.plan import Command
    from rind.decide.wanted import Wanted
    from rind.execution.direct import Direct
    from rind.execution.exec import Exec
    from rind.model import Container, ExecConfig
    from rind.target import Target

__all__ = ["Interruption", "Invocation"]

_INTERRUPTED: Final = ExitStatus.SIGNALLED + signal.SIGINT
_CTRL_C: Final = b"\x03"

_PATIENCE: Final = 1.0
"""Seconds of ending after which a line says what takes so long."""


@dataclass(frozen=True, slots=True)
class Interruption:
    """What ended the run from outside.

    Attributes:
        number: the signal's.
        typed: whether it was not sent, but Ctrl-C was typed on the terminal.
    """

    number: int
    typed: bool = False


class Invocation:
    """One run in an event loop: :meth:`run` starts it, and takes signals meanwhile.

    Args:
        job: its options and surroundings.

    Attributes:
        interruption: the first; None before one.
    """

    def __init__(self, job: Job) -> None:
        self.interruption: Interruption | None = None
        self._options = job.options
        self._variables = job.variables
        self._env = job.env
        self._deadline = job.deadline
        self._too_late = job.too_late
        self._say = job.say
        self._out = job.out
        self._task: asyncio.Task[int] | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._patience: asyncio.TimerHandle | None = None
        self._running: Supervisor | Fanout | None = None
        self._go_on: Callable[[], Awaitable[int]] | None = None
        # The status after a signal or the time limit, unless the command has one of its own.
        self._status: int | None = None

    def go_on_with(self, prepared: Prepared, serving: Direct) -> None:
        """Make :meth:`run` take over a command that was served without an event loop."""
        name = prepared.selected.container.name
        self._running = supervisor = self._supervisor(name, has_begun=True)
        self._go_on = partial(self._serve_begun, supervisor, prepared, serving)

    async def run(self) -> int:
        """Run what the options ask for; return the exit status.

        Raises:
            RindError: with the message and the exit status for the user.
            OSError: the local stdin or stdout failed.
        """
        self._task = asyncio.create_task(self._run())
        if self._status is not None and self._running is None:
            self._task.cancel()  # a signal came first
        self._set_alarm()
        try:
            return await self._task
        except asyncio.CancelledError:
            if self._status is None:
                raise
            return self._status
        finally:
            self._stop_alarm()
            if self._patience is not None:
                self._patience.cancel()

    def interrupt(self, number: int) -> None:
        """End the command, and then this run, for a signal that was sent to us."""
        self.interruption = self.interruption or Interruption(number)
        if self._status is None:
            self._status = ExitStatus.SIGNALLED + number
        self._end(number, self._status)

    def forward(self, number: int) -> None:
        """Forward a signal that was sent to us to the command."""
        if self._running is not None:
            self._running.forward(number)

    def left(self) -> str:
        """Return a line that names the containers where a command may be left running."""
        return left_running(self._running.left() if self._running is not None else [])

    def _set_alarm(self) -> None:
        left = self._deadline.left
        if left == 0:
            self._expire()  # an engine that answers at once would be faster than a timer
        elif left is not None:
            self._alarm = asyncio.get_running_loop().call_later(left, self._expire)

    def _stop_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()

    @contextmanager
    def _untimed(self) -> Iterator[None]:
        """Do not count the time that the context takes."""
        self._stop_alarm()
        with self._deadline.paused():
            yield
        self._set_alarm()

    def _expire(self) -> None:
        if self._status is not None:
            return  # a signal came first
        self._status = ExitStatus.TIMED_OUT
        self._end(signal.SIGTERM, self._status)
        if self._running is None:
            self._say(self._too_late)
        elif self._can_tell():
            self._say(f"the command did not end within {self._deadline.seconds:g} s")

    def _end(self, number: int, status: int) -> None:
        if self._running is not None:
            self._running.end(number, status)
            if self._patience is None:
                loop = asyncio.get_running_loop()
                self._patience = loop.call_later(_PATIENCE, self._tell_waiting)
        elif self._task is not None:
            self._task.cancel()

    def _can_tell(self) -> bool:
        """Whether a line on stderr is visible, and disturbs no full-screen program."""
        return self._options.verbosity >= 0 and is_terminal(STDERR_FD) and not is_raw()

    def _tell_waiting(self) -> None:
        names = ", ".join(self._running.left()) if self._running is not None else ""
        if names and self._can_tell():
            left = max(0, self._options.kill_after - _PATIENCE)
            self._say(f"waiting for what still runs in {names}: SIGKILL in {left:g} s, or at ^C")

    async def _run(self) -> int:
        options, env = self._options, self._env
        if self._go_on is not None:
            return await self._go_on()
        if options.action == "doctor":
            from rind.cli.actions.doctor import diagnose

            return await diagnose(options, env, lambda text: self._out(f"{text}\n"))
        command = command_from(options, self._variables, env)
        detach_keys = wanted_keys(options, env)
        async with client_at(endpoint_from(options, env), env) as client:
            targets = await self._find(client)
            if targets is None:
                return _INTERRUPTED
            if options.verbosity > 0:
                found = [
                    (Selected(target.container, target.reason), target.endpoint.url)
                    for target in targets
                ]
                announce(options, found, targets[0].profile, self._say)
            if options.all:
                return await self._run_all(targets, command)
            if options.detach:
                await targets[0].detach(command)
                return 0
            config = await targets[0].plan(command)
            size = local_window_size() if config.tty else None
            name = targets[0].container.name
            self._running = supervisor = self._supervisor(name)
            local = Local(tty=config.tty, detach_keys=detach_keys)
            config = self._with_library(targets[0], config, local)
            start = partial(targets[0].execute, config, size)
            serve = partial(self._serve, config, local)
            docker = docker_words(options, client.endpoint, targets[0].endpoint)
            return await self._supervise(supervisor, client, start, serve, docker)

    def _supervisor(self, name: str, *, has_begun: bool = False) -> Supervisor:
        options = self._options
        return Supervisor(
            *(name, options.kill_after, self._tell),
            has_begun=has_begun,
            tells_leash=options.verbosity > 0,
        )

    async def _serve_begun(
        self, supervisor: Supervisor, prepared: Prepared, serving: Direct
    ) -> int:
        begun = serving.into_begun()
        async with continued(prepared.early) as client:
            target = client.target(prepared.selected.container, self._options.wanted.label)
            config = self._with_library(target, prepared.config, serving.local)
            start = partial(target.execute, config, prepared.size, begun)
            serve = partial(self._serve, config, serving.local)
            return await self._supervise(supervisor, client, start, serve, prepared.docker)

    def _with_library(self, target: Target, config: ExecConfig, local: Local) -> ExecConfig:
        """Return a command's configuration; a language server's names files that we fetch."""
        if config.protocol != "lsp" or not config.mapped or not self._options.library_files:
            return config
        from rind.cli.running.library_files import with_library

        return with_library(target, config, local, self._env)

    async def _find(self, client: Client) -> Sequence[Target] | None:
        """Return the containers to run in; None if the user leaves the picker.

        The time limit of the run includes this, except for the time of the picker and of
        ``--wait``, which has its own limit.
        """
        options = self._options
        asked = wanted_from(options)
        try:
            if options.wait is not None:
                targets = await self._wait(client, asked, options.wait)
            elif options.all:
                targets = await client.find_all(asked)
            else:
                targets = [await client.find(asked)]
        except AmbiguousError as several:
            if not can_ask(self._env):
                raise
            candidates = several.candidates
        else:
            if not options.all:
                mention_elsewhere(options, targets[0].container, client.caller, self._say)
            return targets
        from rind.cli.running.picker import Interrupted, pick  # it takes 100 ms to load

        with self._untimed():
            try:
                picked = await pick(candidates, options.wanted.label)
            except Interrupted:
                self.interruption = Interruption(signal.SIGINT, typed=True)
                return None
        if picked is None:
            return None
        return [await client.reach(require_running(picked), options.wanted.label, reason="picked")]

    async def _wait(self, client: Client, asked: Wanted, seconds: float) -> list[Target]:
        """Wait for the container, or for all; on a terminal, a line gives the reason."""
        seen: list[str] = []

        def on_missing(what: str) -> None:
            if what not in seen[-1:] and is_terminal(STDERR_FD) and self._options.verbosity >= 0:
                self._say(f"waiting: {what}")
            seen.append(what)

        with self._untimed():
            if self._options.all:
                return await client.wait_for_all(asked, on_missing, timeout=seconds)
            return [await client.wait_for(asked, on_missing, timeout=seconds)]

    async def _supervise(
        self,
        supervisor: Supervisor,
        client: Client,
        start: Start,
        serve: Serve,
        docker: Sequence[str],
    ) -> int:
        options = self._options
        try:
            status = await supervisor.run(start, serve)
        except StartError as exc:
            up = await self._up(client) if exc.exit_status == ExitStatus.NOT_FOUND else []
            what = hint(exc, options, lambda: up)
            if not exc.printed:
                raise hinted(exc, what) from exc
            if what:
                self._say(what)
            return exc.exit_status
        if status is None:
            if options.verbosity >= 0:
                top = " ".join(map(quoted, [*docker, "top", supervisor.name]))
                self._say(f"detached: the command runs on; find it with: {top}")
            return 0
        return status

    async def _serve(self, config: ExecConfig, local: Local, process: Exec) -> int | None:
        try:
            status = await attach_local(process, local, stdin=config.stdin)
        except OutputMissing as exc:
            await self._tell(str(exc))
            return await process.wait()
        if status == _INTERRUPTED and process.tty and process.last_written == _CTRL_C:
            self.interruption = self.interruption or Interruption(signal.SIGINT, typed=True)
        return status

    async def _up(self, client: Client) -> list[Container]:
        with suppress(RindError):
            return await client.running()
        return []

    async def _run_all(self, targets: Sequence[Target], command: Command) -> int:
        from rind.cli.running.fanout import Fanout, overall, summary

        options = self._options
        visible = is_terminal(STDERR_FD) and self._env.get("TERM") != "dumb"
        self._running = fanout = Fanout(
            *(targets, options.kill_after, self._env, self._say),
            group=options.group,
            progress=visible and options.verbosity >= 0,
        )
        outcomes = await fanout.run(command)
        status = overall(outcomes, self._status)
        if options.verbosity >= (0 if status else 1):
            self._say(summary(outcomes))
        return status

    async def _tell(self, text: str) -> None:
        self._say(text)
