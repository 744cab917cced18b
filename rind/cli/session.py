"""One run of a command on this process's own streams, as the options ask for it."""

import asyncio
import shlex
from collections.abc import Callable, Mapping
from typing import Final

from rind.attach import STDIN_FD, STDOUT_FD, attach, local_window_size
from rind.cli.options import Options, environment
from rind.command import DEFAULT_SHELL, wrap, wrap_script
from rind.endpoint import docker_setting, resolve_endpoint
from rind.engine import Engine, ExecConfig
from rind.errors import ExitStatus, Refused, SelectionError
from rind.keys import parse_keys
from rind.local import is_null
from rind.process import Process, start_detached
from rind.selection import Container, require_running, select
from rind.terminal import handed_over, is_terminal

__all__ = ["run"]

_KILLED: Final = ExitStatus.SIGNALLED + 9

_STOP_SEEN_WITHIN: Final = 0.3
"""Seconds after its processes' end in which the engine says of a container that it has stopped."""


async def run(options: Options, env: Mapping[str, str], *, say: Callable[[str], None]) -> int:
    """Run what the options ask for; return the exit status.

    Args:
        options: from the command line.
        env: our own environment.
        say: prints a line to the user.

    Raises:
        RindError: with the message and the exit status that the user is to see.
        OSError: our own stdin or stdout failed.
    """
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
            config = config.with_defaults(
                handed_over(env), unless=await engine.variables(container.id)
            )
        if options.verbosity > 0:
            say(f"in {container.name} on {endpoint.url}: {_described(options)}")
        if options.detach:
            await start_detached(engine, container, config)
            return 0
        size = local_window_size() if config.tty else None
        async with await Process.start(engine, container, config, size) as process:
            status = await attach(process, stdin=config.stdin, detach_keys=detach_keys)
        if status is None:
            if options.verbosity >= 0:
                say(f"detached: the command runs on; find it with: docker top {container.name}")
            return 0
        if status == _KILLED:
            await _explain_kill(engine, container, say)
        return status


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
