"""One run of a command on this process's own streams, as the options ask for it."""

import asyncio
import shlex
import signal
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from rind.api import Target, connect
from rind.attach import STDIN_FD, STDOUT_FD, attach, local_window_size
from rind.cli.fanout import Fanout, overall, summary
from rind.cli.options import Options, environment
from rind.cli.run import Run
from rind.endpoint import docker_setting
from rind.errors import ExitStatus
from rind.keys import parse_keys
from rind.local import is_null
from rind.plan import Command
from rind.profile import DEFAULT_SHELL
from rind.selection import Wanted
from rind.terminal import handed_over, is_terminal

__all__ = ["Session"]


class Session:
    """One run: start it with :meth:`run`, and hand it the signals that arrive meanwhile.

    Args:
        options: from the command line.
        env: our own environment.
        say: prints a line to the user.
    """

    def __init__(
        self, options: Options, env: Mapping[str, str], say: Callable[[str], None]
    ) -> None:
        self._options = options
        self._env = env
        self._say = say
        self._task: asyncio.Task[int] | None = None
        self._running: Run | Fanout | None = None
        # What a signal or the time limit gives; a command's own status may go before it.
        self._status: int | None = None

    async def run(self) -> int:
        """Run what the options ask for; return the exit status.

        Raises:
            RindError: with the message and the exit status that the user is to see.
            OSError: our own stdin or stdout failed.
        """
        self._task = asyncio.create_task(self._run())
        alarm = None
        if self._options.timeout:
            loop = asyncio.get_running_loop()
            alarm = loop.call_later(self._options.timeout, self._expire)
        try:
            return await self._task
        except asyncio.CancelledError:
            if self._status is None:
                raise
            return self._status
        finally:
            if alarm is not None:
                alarm.cancel()

    def interrupt(self, number: int) -> None:
        """Take a signal that was sent to us: hand it on, and see to it that we end."""
        if self._status is None:
            self._status = ExitStatus.SIGNALLED + number
        self._end(number, self._status)

    def forward(self, number: int) -> None:
        """Take a signal that was sent to us: hand it on."""
        if self._running is not None:
            self._running.forward(number)

    def _expire(self) -> None:
        if self._status is not None:
            return  # a signal was faster
        self._status = ExitStatus.TIMED_OUT
        self._end(signal.SIGTERM, self._status)

    def _end(self, number: int, status: int) -> None:
        if self._running is not None:
            self._running.end(number, status)
        elif self._task is not None:
            self._task.cancel()

    async def _run(self) -> int:
        options, env = self._options, self._env
        command = _command(options, env)
        keys = options.detach_keys
        detach_keys = parse_keys(docker_setting(env, "detachKeys") if keys is None else keys)
        async with connect(options.host, context=options.context, environ=env) as client:
            wanted = _wanted(options)
            targets = await client.find_all(wanted) if options.all else [await client.find(wanted)]
            if options.verbosity > 0:
                names = ", ".join(it.container.name for it in targets)
                self._say(f"in {names} on {client.endpoint.url}: {_described(options)}")
            if options.all:
                return await self._run_all(targets, command)
            return await self._run_in(targets[0], command, detach_keys)

    async def _run_in(self, target: Target, command: Command, detach_keys: bytes) -> int:
        options = self._options
        if options.detach:
            await target.detach(command)
            return 0
        size = local_window_size() if command.tty else None
        serve = partial(attach, stdin=command.stdin, detach_keys=detach_keys)
        self._running = run = Run(target, options.kill_after, self._tell)
        status = await run.run(command, serve, size)
        if status is None:
            if options.verbosity >= 0:
                top = f"docker top {target.container.name}"
                self._say(f"detached: the command runs on; find it with: {top}")
            return 0
        return status

    async def _run_all(self, targets: Sequence[Target], command: Command) -> int:
        options = self._options
        self._running = fanout = Fanout(targets, options.kill_after, self._env, self._say)
        outcomes = await fanout.run(command)
        status = overall(outcomes, self._status)
        if options.verbosity >= (0 if status else 1):
            self._say(summary(outcomes))
        return status

    async def _tell(self, text: str) -> None:
        self._say(text)


def _wants_tty(options: Options) -> bool:
    if options.tty is not None:
        return options.tty
    return _attaches_stdin(options) and is_terminal(STDIN_FD) and is_terminal(STDOUT_FD)


def _attaches_stdin(options: Options) -> bool:
    return options.stdin and not options.detach and not options.all


def _described(options: Options) -> str:
    script = [] if options.script is None else ["-c", options.script]
    return shlex.join([*script, *options.command]) or DEFAULT_SHELL


def _wanted(options: Options) -> Wanted:
    return Wanted(
        label=options.label,
        container=options.container,
        service=options.service,
        project=options.project,
        index=options.index,
    )


def _command(options: Options, env: Mapping[str, str]) -> Command:
    tty = _wants_tty(options)
    return Command(
        argv=options.command,
        script=options.script,
        env=environment(options, env),
        env_defaults=handed_over(env) if tty else {},
        user=options.user,
        workdir=options.workdir,
        shell=options.shell,
        pre_step=options.pre_step,
        privileged=options.privileged,
        tty=tty,
        stdin=_attaches_stdin(options) and not is_null(STDIN_FD),
        output=not options.detach,
    )
