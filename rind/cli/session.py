"""One run of a command on this process's own streams, as the options ask for it."""

import asyncio
import shlex
import signal
from collections.abc import Callable, Mapping
from typing import Final

from rind.api import Target, connect
from rind.attach import STDIN_FD, STDOUT_FD, attach, local_window_size
from rind.cli.options import Options, environment
from rind.endpoint import docker_setting
from rind.errors import EngineError, ExitStatus, LeftRunning, Refused, SelectionError
from rind.keys import parse_keys
from rind.local import is_null
from rind.plan import Command
from rind.process import Process
from rind.profile import DEFAULT_SHELL
from rind.selection import Wanted, require_running
from rind.terminal import handed_over, is_terminal

__all__ = ["Session", "wanted"]

_KILLED: Final = ExitStatus.SIGNALLED + 9

_STOP_SEEN_WITHIN: Final = 0.3
"""Seconds after its processes' end in which the engine says of a container that it has stopped."""


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
        self._process: Process | None = None
        self._ending: asyncio.Task[bool] | None = None
        self._forwarding: set[asyncio.Task[None]] = set()
        # What ends the run from outside gives it this status, unless the command has its own.
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
        except LeftRunning as left:
            self._tell(left)
            return self._status or left.exit_status
        except EngineError:
            raise  # it says itself what may still be running
        except BaseException as exc:
            if self._process is not None and self._process.left_running is not None:
                self._tell(self._process.left_running)
            if isinstance(exc, asyncio.CancelledError) and self._status is not None:
                return self._status
            raise
        finally:
            if alarm is not None:
                alarm.cancel()

    def interrupt(self, number: int) -> None:
        """Take a signal that was sent to us: hand it on, and see to it that we end."""
        if self._status is None:
            self._status = ExitStatus.SIGNALLED + number
        self._end(number)

    def forward(self, number: int) -> None:
        """Take a signal that was sent to us: hand it on."""
        if self._process is not None:
            self._forwarding.add(task := asyncio.create_task(self._hand_on(self._process, number)))
            task.add_done_callback(self._forwarding.discard)

    async def _hand_on(self, process: Process, number: int) -> None:
        try:
            await process.send_signal(number)
        except LeftRunning as exc:
            self._say(f"cannot hand on signal {number}: {exc}")

    def _expire(self) -> None:
        if self._ending is not None:
            return  # a signal was faster
        self._status = ExitStatus.TIMED_OUT
        self._end(signal.SIGTERM)

    def _end(self, number: int) -> None:
        if self._process is None:
            if self._task is not None:
                self._task.cancel()
        elif self._ending is not None:
            self._process.hurry()
        else:
            self._ending = asyncio.create_task(self._process.end(number, self._options.kill_after))
            self._ending.add_done_callback(self._ended)

    def _ended(self, ending: "asyncio.Task[bool]") -> None:
        # Where the tree is out of reach, its output might never end.
        if not ending.cancelled() and ending.exception() is not None and self._task is not None:
            self._task.cancel()

    async def _run(self) -> int:
        options, env = self._options, self._env
        command = _command(options, env)
        keys = options.detach_keys
        detach_keys = parse_keys(docker_setting(env, "detachKeys") if keys is None else keys)
        async with connect(options.host, context=options.context, environ=env) as client:
            target = await client.find(wanted(options))
            name = target.container.name
            if options.verbosity > 0:
                self._say(f"in {name} on {client.endpoint.url}: {_described(options)}")
            if options.detach:
                await target.detach(command)
                return 0
            size = local_window_size() if command.tty else None
            async with await target.start(command, size) as process:
                self._process = process
                status = await attach(process, stdin=command.stdin, detach_keys=detach_keys)
                if self._ending is not None and self._status is not None:
                    # The command has ended; what it started may still have to.
                    if await self._ending:
                        return _after_kill(self._status)
                    return self._status if self._status == ExitStatus.TIMED_OUT else status or 0
            if status is None:
                if options.verbosity >= 0:
                    top = f"docker top {name}"
                    self._say(f"detached: the command runs on; find it with: {top}")
                return 0
            if status == _KILLED:
                await _explain_kill(target, self._say)
            return status

    def _tell(self, why: LeftRunning) -> None:
        self._say(f"processes of the command may be left running in the container: {why}")


def _after_kill(status: int) -> int:
    """Choose the status of a run that took SIGKILL: for a timeout, it is coreutils' 137."""
    return _KILLED if status == ExitStatus.TIMED_OUT else status


def _wants_tty(options: Options) -> bool:
    if options.tty is not None:
        return options.tty
    attached = options.stdin and not options.detach
    return attached and is_terminal(STDIN_FD) and is_terminal(STDOUT_FD)


def _described(options: Options) -> str:
    script = [] if options.script is None else ["-c", options.script]
    return shlex.join([*script, *options.command]) or DEFAULT_SHELL


def wanted(options: Options) -> Wanted:
    """Return what the options ask of the container."""
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
        stdin=options.stdin and not options.detach and not is_null(STDIN_FD),
        output=not options.detach,
    )


async def _explain_kill(target: Target, say: Callable[[str], None]) -> None:
    """Say so where it was not the command that was killed, but its container."""
    killed = "the command was killed with its container"
    try:
        async with asyncio.timeout(_STOP_SEEN_WITHIN):
            while True:
                require_running(await target.refresh())
                await asyncio.sleep(_STOP_SEEN_WITHIN / 10)
    except TimeoutError:
        return
    except SelectionError as exc:
        say(f"{killed}: {exc}")
    except Refused:
        say(f"{killed}: {target.container.name} was removed")
