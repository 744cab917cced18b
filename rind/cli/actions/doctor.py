"""--doctor: whether all that a run needs is there, and what mends what is not."""

import asyncio
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from rind.base.quoting import quoted
from rind.cli.options import Options
from rind.cli.report import clean, partial_note
from rind.cli.translate import asked_endpoint, wanted
from rind.client import Client, client_at
from rind.decide.refusal import mislabelled
from rind.decide.selection import AmbiguousError, Wanted, fitting
from rind.endpoint.endpoint import Endpoint
from rind.errors import RindError, SelectionError, StartError, UsageError
from rind.execution.stdio import DEVNULL
from rind.find.caller import localized
from rind.model import Caller, Container
from rind.target import Target

__all__ = ["diagnose"]

_PROBE_TIMEOUT: Final = 10.0
"""Seconds that a pre-step may take while it is only tried."""

_MOST_SAID: Final = 4096
"""Bytes kept of a pre-step's stderr."""

_MENDS: Final = {
    "paused": "docker unpause",
    "restarting": "docker logs --tail 20",
}
"""What helps a container in a state."""


class _Print(Protocol):
    def __call__(self, text: str, /) -> None: ...


class _Findings:
    """Prints what was found, a line each, and below what has failed the command that may mend it.

    Attributes:
        failed: whether anything has.
    """

    def __init__(self, out: _Print) -> None:
        self.failed = False
        self._out = out

    def ok(self, what: str) -> None:
        """Say that something is right."""
        self._out(clean(f"ok {what}"))

    def note(self, what: str) -> None:
        """Say what is not wrong, but could be better."""
        self._out(clean(f"note {what}"))

    def fail(self, what: str, why: str, mend: str = "") -> None:
        """Say that something is not."""
        self.failed = True
        self._out(clean(f"FAIL {what}: {why}"))
        if mend:
            self._out(f"      try: {clean(mend)}")


async def diagnose(options: Options, env: Mapping[str, str], out: _Print) -> int:
    """Check the way to the engine, the containers with the label, and their pre-steps.

    Args:
        options: which containers to check, and how to reach the engine.
        env: our own environment.
        out: prints to stdout, a line for each check.

    Returns:
        The exit status: 1 if a check has failed.
    """
    findings = _Findings(out)
    try:
        endpoint = asked_endpoint(options, env)
    except UsageError as exc:
        findings.fail("endpoint", str(exc))
        return 1
    findings.ok(f"endpoint {endpoint.url} (from {endpoint.source})")
    findings.ok(f"transport {_transport(endpoint)}")
    try:
        async with client_at(endpoint, env) as client:
            await _examine_engine(client, findings)
            await _examine_containers(client, options, findings)
    except SelectionError as exc:
        findings.fail("containers", str(exc))
    except RindError as exc:
        findings.fail("engine", str(exc), _mend(endpoint))
    return int(findings.failed)


def _transport(endpoint: Endpoint) -> str:
    scheme, _, path = endpoint.url.partition("://")
    if endpoint.tls is not None:
        tls = endpoint.tls
        who = f"by {tls.ca}" if tls.ca else "by the system's authorities"
        verified = f"verified {who}" if tls.verify else "not verified"
        return f"TLS, {verified}; {'with' if tls.cert else 'without'} a certificate of ours"
    if scheme != "unix":
        return "the ssh command" if scheme == "ssh" else "TCP, not encrypted"
    with suppress(OSError):
        found = Path(path).stat()
        owner = f"{_user(found.st_uid)}:{_group(found.st_gid)}"
        return f"a socket of {owner}, mode {found.st_mode & 0o777:o}"
    return "a socket"


def _mend(endpoint: Endpoint) -> str:
    """Return the command that may help where an engine cannot be reached; empty for none."""
    scheme, _, path = endpoint.url.partition("://")
    if scheme != "unix":
        return "" if scheme == "ssh" else "docker version"
    with suppress(OSError):
        if not os.access(path, os.R_OK | os.W_OK):
            group = _group(Path(path).stat().st_gid)
            return f"sudo usermod --append --groups {quoted(group)} $USER, and log in again"
    if "podman" in path:
        return "systemctl --user start podman.socket"
    return "sudo systemctl start docker"


def _user(uid: int) -> str:
    import pwd  # noqa: PLC0415 # not on every system

    with suppress(KeyError):
        return pwd.getpwuid(uid).pw_name
    return str(uid)


def _group(gid: int) -> str:
    import grp  # noqa: PLC0415 # as above

    with suppress(KeyError):
        return grp.getgrgid(gid).gr_name
    return str(gid)


async def _examine_engine(client: Client, findings: _Findings) -> None:
    info = await client.info()
    kind = "Podman " if info.is_podman else ""
    findings.ok(f"engine {kind}{info.version}, API {info.api}")
    if info.os != "linux":
        findings.fail("containers", f"they run {info.os}, and Rind needs Linux")
        return
    rootless = "rootless, " if info.is_rootless else ""
    findings.ok(f"containers of {info.os}, {rootless}cgroups v{info.cgroups or '1 or 2'}")


async def _examine_containers(client: Client, options: Options, findings: _Findings) -> None:
    asked = wanted(options)
    up = fitting(await client.containers(asked), asked)
    running = [container for container in up if container.state == "running"]
    if running:
        findings.ok(f"{len(running)} running with {asked}")
    await _examine_place(client, asked, findings)
    if note := mislabelled(await client.running(), asked.label):
        findings.note(note)
    if note := partial_note(up):
        findings.fail("containers", note)
    for container in up:
        if container.state != "running":
            _tell_state(container, findings)
    for container in running:
        try:
            target = await client.reach(container, asked.label)
        except RindError as exc:
            findings.fail(container.title, str(exc))
            continue
        try:
            await _examine(target, findings)
            await _examine_leash(target, findings)
            if note := await _owner_note(target, client.caller):
                findings.note(f"{container.name}: {note} {asked.label}.user: host")
        except SelectionError as exc:
            findings.fail("labels", str(exc))


async def _examine_place(client: Client, asked: Wanted, findings: _Findings) -> None:
    """Say which container a command runs in from here."""
    try:
        target = await client.find(asked)
        findings.ok(f"here: {target.container.name}, {target.reason}")
    except AmbiguousError as exc:
        findings.ok(f"here: {exc}")
    except SelectionError as exc:
        findings.fail("here", str(exc))


def _tell_state(container: Container, findings: _Findings) -> None:
    mend = _MENDS.get(container.state)
    command = f"{mend} {quoted(container.name)}" if mend else ""
    findings.fail(container.name, f"it is {container.state}", command)


async def _examine(target: Target, findings: _Findings) -> None:
    name, profile = target.container.name, target.profile
    pre_step = (profile.pre_step or "").strip()
    shell = f"{name}: the shell {profile.shell}"
    by_hand = f"rind --container {quoted(name)} --no-pre-step"
    try:
        status, _ = await _probe(target, pre_step=False)
        if status == 0:
            findings.ok(shell)
        else:
            findings.fail(shell, f"exit status {status}")
    except StartError as exc:
        if pre_step or profile.command:
            findings.fail(shell, str(exc), "set the label app.rind.shell to a shell that it has")
        else:
            findings.ok(f"{name}: no shell, which nothing needs")
        return
    if not pre_step:
        return
    if (path := os.environ.get("PATH", "")) and ":" in path and path in pre_step:
        # compose replaces $PATH in a label, and says nothing.
        findings.note(f"{name}: the pre-step has the PATH of this machine; write $$PATH for $PATH")
    step = f"{name}: the pre-step {pre_step.splitlines()[0]!r}"
    try:
        status, said = await _probe(target, pre_step=True)
        if status == 0:
            findings.ok(step)
        else:
            findings.fail(step, f"exit status {status} {said}", by_hand)
    except RindError as exc:
        findings.fail(step, str(exc), by_hand)


async def _examine_leash(target: Target, findings: _Findings) -> None:
    name = target.container.name
    if why := await target.why_no_leash():
        findings.note(f"{name}: no leash can hold a command there: {why}")
    else:
        findings.ok(f"{name}: a leash can hold a command there")


async def _owner_note(target: Target, caller: Caller) -> str:
    """Say that commands write files of root's into a folder of the user's; empty if not."""
    mounts = localized([target.container], caller.cwd)[0].mounts
    ours = [mount.source for mount in mounts if _owner(mount.source) == caller.uid != 0]
    if ours and (await target.user()).partition(":")[0] in {"root", "0"}:
        return f"commands run as root there, and {ours[0]} is yours; set"
    return ""


def _owner(path: str) -> int | None:
    with suppress(OSError, ValueError):
        return Path(path).stat().st_uid
    return None


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
