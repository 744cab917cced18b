"""What is done instead of running a command: --list, --explain, --doctor."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from typing import Final

from rind.cli.options import Options
from rind.cli.report import HEADER, clean, row, table
from rind.cli.translate import described, wanted
from rind.cli.variables import environment
from rind.client import Client, connect
from rind.decide.plan import Command
from rind.decide.selection import fitting
from rind.errors import RindError, SelectionError, StartError
from rind.execution.stdio import DEVNULL
from rind.model import Container, ExecConfig
from rind.quoting import quoted
from rind.target import Target

__all__ = ["show"]

_PROBE_TIMEOUT: Final = 10.0
"""Seconds that a pre-step may take while it is only tried."""

_MOST_SAID: Final = 4096
"""Bytes of what a pre-step says that are repeated."""

Print = Callable[[str], None]
"""Prints one or more lines."""


async def show(
    options: Options, command: Command, env: Mapping[str, str], out: Print, say: Print
) -> int:
    """Do what the options ask for instead of running; return the exit status.

    Args:
        options: with one of the actions.
        command: what would be run.
        env: our own environment.
        out: prints to stdout.
        say: prints to the user.

    Raises:
        RindError: with the message and the exit status that the user is to see.
    """
    if options.action == "doctor":
        return await _doctor(options, env, out)
    async with connect(options.host, context=options.context, environ=env) as client:
        if options.action == "list":
            await _list(client, options, out, say)
        else:
            await _explain(client, options, command, env, out)
    return 0


async def _list(client: Client, options: Options, out: Print, say: Print) -> None:
    found = sorted(await client.containers(wanted(options)), key=lambda it: it.name)
    if options.json:
        out(json.dumps([_as_json(it, options.label) for it in found], indent=2))
    elif not found:
        try:
            await client.find(wanted(options))
        except SelectionError as exc:
            say(str(exc))
    else:
        now = time.time()
        out("\n".join(table([HEADER, *(row(it, options.label, now) for it in found)])))


def _as_json(container: Container, label: str) -> dict[str, object]:
    return {
        "id": container.id,
        "name": container.name,
        "service": container.service,
        "project": container.project,
        "index": int(container.index) if container.index else None,
        "image": container.image,
        "created": container.created,
        "state": container.state,
        "status": container.status,
        "pre_step": container.labels.get(label),
    }


async def _explain(
    client: Client, options: Options, command: Command, env: Mapping[str, str], out: Print
) -> None:
    asked = wanted(options)
    targets = await client.find_all(asked) if options.all else [await client.find(asked)]
    out(f"engine:    {clean(f'{client.endpoint.url} (from {client.endpoint.source})')}")
    fit = len(fitting(await client.containers(asked), asked))
    for target in targets:
        config = await target.plan(command)
        name = target.container.name
        pre_step = target.profile.pre_step if options.pre_step else None
        lines = {
            "container": f"{name} ({_reason(options, fit)})",
            "command": described(options, target.profile),
            "pre-step": pre_step or "none",
            "user": config.user or "the container's own",
            "workdir": config.workdir or "the container's own",
            "env": " ".join(it.partition("=")[0] for it in config.env) or "none",
            "tty": "yes" if config.tty else "no",
        }
        for field, value in lines.items():
            out(f"{field + ':':10} {clean(value)}")
        out(docker_exec(options, config, env, name))


def _reason(options: Options, fit: int) -> str:
    """Say why a container is chosen of ``fit`` ones."""
    if options.container is not None:
        return "named"
    if fit == 1:
        return f"the only one with {wanted(options)}"
    how = "one of" if options.all else "chosen by the working directory, among"
    return f"{how} {fit} with {wanted(options)}"


def docker_exec(
    options: Options, config: ExecConfig, env: Mapping[str, str], container: str
) -> str:
    """Return the line for this shell that does the same with docker's own command.

    A variable that we have too goes by its name, and an environment file by its own: what they
    hold may be a secret.
    """
    words = ["docker"]
    for option, value in (("--host", options.host), ("--context", options.context)):
        words += [option, value] if value is not None else []
    words.append("exec")
    flags = {
        "--detach": options.detach,
        "--interactive": config.stdin,
        "--tty": config.tty,
        "--privileged": config.privileged,
    }
    words += [flag for flag, given in flags.items() if given]
    for option, value in (
        ("--detach-keys", options.detach_keys),
        ("--user", config.user),
        ("--workdir", config.workdir),
    ):
        words += [option, value] if value else []
    filed = environment(options.env_files, [], env)
    for file in options.env_files:
        words += ["--env-file", file]
    for variable in config.env:
        name, _, value = variable.partition("=")
        if filed.get(name) != value:
            words += ["--env", name if env.get(name) == value else variable]
    return " ".join(map(quoted, [*words, container, *config.argv]))


async def _doctor(options: Options, env: Mapping[str, str], out: Print) -> int:
    failures = 0

    def tell(what: str, failure: str | None = None) -> None:
        nonlocal failures
        failures += failure is not None
        out(clean(f"ok    {what}" if failure is None else f"FAIL  {what}: {failure}"))

    try:
        async with connect(options.host, context=options.context, environ=env) as client:
            tell(f"endpoint {client.endpoint.url} (from {client.endpoint.source})")
            engine, api = await client.versions()
            tell(f"engine {engine}, API {api}")
            asked = wanted(options)
            found = await client.find_all(asked)
            tell(f"{len(found)} running with {asked}")
            for container in await client.containers(asked):
                if container.state != "running":
                    tell(container.name, f"it is {container.state}")
            for target in found:
                try:
                    await _examine(target, tell)
                except SelectionError as exc:
                    tell("labels", str(exc))
    except SelectionError as exc:
        tell("containers", str(exc))
    except RindError as exc:
        tell("engine", str(exc))
    return 1 if failures else 0


async def _examine(target: Target, tell: Callable[..., None]) -> None:
    name, profile = target.container.name, target.profile
    pre_step = (profile.pre_step or "").strip()
    shell = f"{name}: the shell {profile.shell}"
    try:
        status, _ = await _probe(target, pre_step=False)
        tell(shell, None if status == 0 else f"exit status {status}")
    except StartError as exc:
        if pre_step or profile.command:
            tell(shell, str(exc))
        else:
            tell(f"{name}: no shell, which nothing needs")
        return
    if not pre_step:
        return
    step = f"{name}: the pre-step {pre_step.splitlines()[0]!r}"
    try:
        status, said = await _probe(target, pre_step=True)
        tell(step, None if status == 0 else f"exit status {status} {said}")
    except RindError as exc:
        tell(step, str(exc))


async def _probe(target: Target, *, pre_step: bool) -> tuple[int, str]:
    """Run nothing in a container's shell; return the exit status, and the beginning of stderr.

    Raises:
        RindError: it could not be run, or did not end in time.
    """
    said = b""
    async with target.open_process(
        script=":", pre_step=pre_step, stdin=DEVNULL, stdout=DEVNULL
    ) as process:
        assert process.stderr is not None  # noqa: S101 # it is a PIPE
        try:
            async with asyncio.timeout(_PROBE_TIMEOUT):
                while part := await process.stderr.read(_MOST_SAID):
                    said = (said + part)[:_MOST_SAID]
                status = await process.wait()
        except TimeoutError:
            raise SelectionError(f"it did not end within {_PROBE_TIMEOUT:g} s") from None
    return status, said.decode(errors="replace").strip()
