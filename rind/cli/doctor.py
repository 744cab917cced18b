"""--doctor: whether all that a run needs is there."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from rind.cli.options import Options
from rind.cli.report import clean
from rind.cli.translate import asked_endpoint, wanted
from rind.client import client_at
from rind.errors import RindError, SelectionError, StartError
from rind.execution.stdio import DEVNULL
from rind.target import Target

__all__ = ["diagnose"]

Print = Callable[[str], None]

_PROBE_TIMEOUT: Final = 10.0
"""Seconds that a pre-step may take while it is only tried."""

_MOST_SAID: Final = 4096
"""Bytes kept of a pre-step's stderr."""


async def diagnose(options: Options, env: Mapping[str, str], out: Print) -> int:
    """Check the engine, the containers with the label, and their pre-steps.

    Args:
        options: which containers to check, and how to reach the engine.
        env: our own environment.
        out: prints to stdout, a line for each check.

    Returns:
        The exit status: 1 if a check has failed.
    """
    failures = 0

    def tell(what: str, failure: str | None = None) -> None:
        nonlocal failures
        failures += failure is not None
        out(clean(f"ok    {what}" if failure is None else f"FAIL  {what}: {failure}"))

    try:
        async with client_at(asked_endpoint(options, env), env) as client:
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
