"""One run of a command on this process's own streams, as the options ask for it."""

import asyncio
import shlex
import signal
from collections.abc import Callable, Mapping
from typing import Final

from rind.attach import STDIN_FD, STDOUT_FD, attach, local_window_size
from rind.cli.options import Options, environment
from rind.command import DEFAULT_SHELL, wrap, wrap_script
from rind.endpoint import docker_setting, resolve_endpoint
from rind.engine import Engine, ExecConfig
from rind.errors import EngineError, ExitStatus, LeftRunning, Refused, SelectionError
from rind.keys import parse_keys
from rind.local import is_null
from rind.process import Process, start_detached
from rind.selection import Container, require_running, select
from rind.terminal import handed_over, is_terminal

__all__ = ["Session"]

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
        variables = environment(options, env)
        endpoint = resolve_endpoint(env, host=options.host, context=options.context)
        keys = options.detach_keys
        detach_keys = parse_keys(docker_setting(env, "detachKeys") if keys is None else keys)
        async with Engine(endpoint) as engine:
            container = await _find(engine, options)
            config = ExecConfig(
                argv=_argv(options, container.labels.get(options.label)),
                tty=_wants_tty(options),
                stdin=options.stdin and not options.detach and not is_null(STDIN_FD),
                output=not options.detach,
                env=variables,
                user=options.user,
                workdir=options.workdir,
                privileged=options.privileged,
            )
            if config.tty:
                taken = await engine.variables(container.id)
                config = config.with_defaults(handed_over(env), unless=taken)
            if options.verbosity > 0:
                self._say(f"in {container.name} on {endpoint.url}: {_described(options)}")
            if options.detach:
                await start_detached(engine, container, config)
                return 0
            size = local_window_size() if config.tty else None
            async with await Process.start(engine, container, config, size) as process:
                self._process = process
                status = await attach(process, stdin=config.stdin, detach_keys=detach_keys)
                if self._ending is not None and self._status is not None:
                    # The command has ended; what it started may still have to.
                    if await self._ending:
                        return _after_kill(self._status)
                    return self._status if self._status == ExitStatus.TIMED_OUT else status or 0
            if status is None:
                if options.verbosity >= 0:
                    top = f"docker top {container.name}"
                    self._say(f"detached: the command runs on; find it with: {top}")
                return 0
            if status == _KILLED:
                await _explain_kill(engine, container, self._say)
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


async def _find(engine: Engine, options: Options) -> Container:
    if options.container is None:
        up = await engine.containers(options.label, up=True)
        down = [] if up else await engine.containers(options.label, up=False)
        return select(up, down, options.label)
    try:
        return require_running(await engine.container(options.container))
    except Refused as exc:
        raise SelectionError(f"{exc.text} on {engine.endpoint.url}; see: docker ps --all") from exc


def _argv(options: Options, pre_step: str | None) -> list[str]:
    if options.script is not None:
        return wrap_script(options.script, options.command, pre_step)
    return wrap(options.command or [DEFAULT_SHELL], pre_step)


async def _explain_kill(engine: Engine, container: Container, say: Callable[[str], None]) -> None:
    """Say so where it was not the command that was killed, but its container."""
    killed = "the command was killed with its container"
    try:
        async with asyncio.timeout(_STOP_SEEN_WITHIN):
            while True:
                require_running(await engine.container(container.id))
                await asyncio.sleep(_STOP_SEEN_WITHIN / 10)
    except TimeoutError:
        return
    except SelectionError as exc:
        say(f"{killed}: {exc}")
    except Refused:
        say(f"{killed}: {container.name} was removed")
