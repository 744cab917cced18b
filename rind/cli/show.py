"""What is done instead of running a command: --list, --explain, --doctor."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from typing import Final

from rind.cli.asked import described, wanted
from rind.cli.options import Options
from rind.cli.report import HEADER, clean, row, table
from rind.client import Client, connect
from rind.errors import RindError, SelectionError, StartError
from rind.plan import Command, ExecConfig
from rind.quoting import quoted
from rind.selection import Container
from rind.streams import DEVNULL
from rind.target import Target

__all__ = ["show"]

_PROBE_TIMEOUT: Final = 10.0
"""Seconds that a pre-step may take while it is only tried."""

_MOST_SAID: Final = 4096
"""Bytes of what a pre-step says that are repeated."""

Print = Callable[[str], None]


async def show(options: Options, command: Command, env: Mapping[str, str], out: Print) -> int:
    """Do what the options ask for instead of running; return the exit status.

    Args:
        options: with one of the actions.
        command: what would be run.
        env: our own environment.
        out: prints to stdout, one or more lines.

    Raises:
        RindError: with the message and the exit status that the user is to see.
    """
    if options.action == "doctor":
        return await _doctor(options, env, out)
    async with connect(options.host, context=options.context, environ=env) as client:
        if options.action == "list":
            await _list(client, options, out)
        else:
            await _explain(client, options, command, out)
    return 0


async def _list(client: Client, options: Options, out: Print) -> None:
    found = sorted(await client.containers(wanted(options)), key=lambda it: it.name)
    if options.json:
        out(json.dumps([_as_json(it, options.label) for it in found], indent=2))
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


async def _explain(client: Client, options: Options, command: Command, out: Print) -> None:
    target = await client.find(wanted(options))
    others = len(await client.containers(wanted(options))) - 1
    if options.container is not None:
        why = "named"
    elif others:
        why = f"chosen by the working directory, among {others + 1} with {wanted(options)}"
    else:
        why = f"the only one with {wanted(options)}"
    config = await target.plan(command)
    name = target.container.name
    pre_step = target.profile.pre_step if options.pre_step else None
    lines = {
        "engine": f"{client.endpoint.url} (from {client.endpoint.source})",
        "container": f"{name} ({why})",
        "command": described(options, target.profile),
        "pre-step": pre_step or "none",
        "argv": json.dumps(list(config.argv), ensure_ascii=False),
        "user": config.user or "the container's own",
        "workdir": config.workdir or "the container's own",
        "env": " ".join(it.partition("=")[0] for it in config.env) or "none",
        "tty": "yes" if config.tty else "no",
    }
    for field, value in lines.items():
        out(f"{field + ':':10} {clean(value)}")
    out(docker_exec(config, name))


def docker_exec(config: ExecConfig, name: str) -> str:
    """Return the line for a shell that does the same with docker's own command."""
    words = ["docker", "exec"]
    if config.stdin:
        words.append("--interactive")
    if config.tty:
        words.append("--tty")
    if config.privileged:
        words.append("--privileged")
    if config.user:
        words += ["--user", config.user]
    if config.workdir:
        words += ["--workdir", config.workdir]
    for variable in config.env:
        words += ["--env", variable]
    return " ".join(map(quoted, [*words, name, *config.argv]))


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
