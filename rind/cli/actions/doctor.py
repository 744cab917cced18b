"""--doctor: checks everything that a run needs, and prints commands that may fix a failure."""

import asyncio
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from rind.base.quoting import quoted
from rind.cli.options import Options
from rind.cli.report import clean, partial_note
from rind.cli.translate import endpoint_from, wanted_from
from rind.client import Client, client_at
from rind.decide.refusal import label_note
from rind.decide.selection import AmbiguousError
from rind.decide.wanted import Wanted, matching
from rind.endpoint.endpoint import Endpoint
from rind.errors import RindError, SelectionError, StartError, UsageError
from rind.execution.stdio import DEVNULL
from rind.find.caller import localized
from rind.model import Caller, Container
from rind.target import Target

__all__ = ["diagnose"]

_PROBE_TIMEOUT: Final = 10.0
"""Seconds for a pre-step when it is only tried out."""

_STDERR_LIMIT: Final = 4096
"""Bytes kept of a pre-step's stderr."""

_FIXES: Final = {
    "paused": "docker unpause",
    "restarting": "docker logs --tail 20",
}
"""Commands that help with a container, by its state."""


_STARTS: Final = {
    "/.colima/": "colima start",
    "/colima/": "colima start",
    "/.rd/": "rdctl start",
    "/.orbstack/": "orbctl start",
    "/.lima/": "limactl start docker",
    "podman": "podman machine start",
}
"""Commands that start the virtual machine of an engine on macOS, by a part of its socket's path."""


class _Print(Protocol):
    def __call__(self, text: str, /) -> None: ...


class _Findings:
    """Prints a line for each finding, and below a failure the command that may fix it.

    Attributes:
        failed: whether any check has failed.
    """

    def __init__(self, out: _Print) -> None:
        self.failed = False
        self._out = out

    def ok(self, text: str) -> None:
        """Print a check that has passed."""
        self._out(clean(f"ok {text}"))

    def note(self, text: str) -> None:
        """Print a recommendation."""
        self._out(clean(f"note {text}"))

    def fail(self, check: str, reason: str, fix: str = "") -> None:
        """Print a check that has failed, and the command that may fix it, if any."""
        self.failed = True
        self._out(clean(f"FAIL {check}: {reason}"))
        if fix:
            self._out(f"      try: {clean(fix)}")


async def diagnose(options: Options, env: Mapping[str, str], out: _Print) -> int:
    """Check the connection to the engine, the containers with the label, and their pre-steps.

    Args:
        options: which containers to check, and how to reach the engine.
        env: our own environment.
        out: prints to stdout, a line for each check.

    Returns:
        The exit status: 1 if a check has failed.
    """
    findings = _Findings(out)
    try:
        endpoint = endpoint_from(options, env)
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
        findings.fail("engine", str(exc), _fix(endpoint))
    return int(findings.failed)


def _transport(endpoint: Endpoint) -> str:
    scheme, _, path = endpoint.url.partition("://")
    if endpoint.tls is not None:
        tls = endpoint.tls
        authority = f"by {tls.ca}" if tls.ca else "by the system's authorities"
        verified = f"verified {authority}" if tls.verify else "not verified"
        return f"TLS, {verified}; {'with' if tls.cert else 'without'} a client certificate"
    if scheme != "unix":
        return "the ssh command" if scheme == "ssh" else "TCP, not encrypted"
    with suppress(OSError):
        found = Path(path).stat()
        owner = f"{_user(found.st_uid)}:{_group(found.st_gid)}"
        return f"a socket of {owner}, mode {found.st_mode & 0o777:o}"
    return "a socket"


def _fix(endpoint: Endpoint) -> str:
    """Return a command that may help if the engine cannot be reached, or an empty string."""
    scheme, _, path = endpoint.url.partition("://")
    if scheme != "unix":
        return "" if scheme == "ssh" else "docker version"
    if sys.platform == "darwin":
        real = os.path.realpath(path)
        return next((start for part, start in _STARTS.items() if part in real), "open -a Docker")
    with suppress(OSError):
        if not os.access(path, os.R_OK | os.W_OK):
            group = _group(Path(path).stat().st_gid)
            return f"sudo usermod --append --groups {quoted(group)} $USER, and log in again"
    if "podman" in path:
        return "systemctl --user start podman.socket"
    return "sudo systemctl start docker"


def _user(uid: int) -> str:
    import pwd  # not on every system

    with suppress(KeyError):
        return pwd.getpwuid(uid).pw_name
    return str(uid)


def _group(gid: int) -> str:
    import grp

    with suppress(KeyError):
        return grp.getgrgid(gid).gr_name
    return str(gid)


async def _examine_engine(client: Client, findings: _Findings) -> None:
    info = await client.info()
    kind = "Podman " if info.is_podman else ""
    findings.ok(f"engine {kind}{info.version}, API {info.api}")
    if info.os != "linux":
        findings.fail("containers", f"they run {info.os}, but Rind needs Linux")
        return
    rootless = "rootless, " if info.is_rootless else ""
    findings.ok(f"containers of {info.os}, {rootless}cgroups v{info.cgroups or '1 or 2'}")


async def _examine_containers(client: Client, options: Options, findings: _Findings) -> None:
    conditions = wanted_from(options)
    up = matching(await client.containers(conditions), conditions)
    running = [container for container in up if container.state == "running"]
    if running:
        findings.ok(f"{len(running)} running with {conditions}")
    await _examine_place(client, conditions, findings)
    if note := label_note(await client.running(), conditions.label):
        findings.note(note)
    if note := partial_note(up):
        findings.fail("containers", note)
    for container in up:
        if container.state != "running":
            _report_state(container, findings)
    for container in running:
        try:
            target = await client.reach(container, conditions.label)
        except RindError as exc:
            findings.fail(container.title, str(exc))
            continue
        try:
            await _examine(target, findings)
            await _examine_leash(target, findings)
            if note := await _owner_note(target, client.caller, f"{conditions.label}.user: host"):
                findings.note(f"{container.name}: {note}")
        except SelectionError as exc:
            findings.fail("labels", str(exc))


async def _examine_place(client: Client, conditions: Wanted, findings: _Findings) -> None:
    """Report the container that a command would run in from here."""
    try:
        target = await client.find(conditions)
        findings.ok(f"here: {target.container.name}, {target.reason}")
    except AmbiguousError as exc:
        findings.ok(f"here: {exc}")
    except SelectionError as exc:
        findings.fail("here", str(exc))


def _report_state(container: Container, findings: _Findings) -> None:
    fix = _FIXES.get(container.state)
    command = f"{fix} {quoted(container.name)}" if fix else ""
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
            findings.fail(
                shell, str(exc), "set the label app.rind.shell to a shell that the container has"
            )
        else:
            findings.ok(f"{name}: no shell, and none is needed")
        return
    if not pre_step:
        return
    if (path := os.environ.get("PATH", "")) and ":" in path and path in pre_step:
        # Compose silently substitutes $PATH in a label.
        findings.note(f"{name}: the pre-step has the PATH of this machine; write $$PATH for $PATH")
    step = f"{name}: the pre-step {pre_step.splitlines()[0]!r}"
    try:
        status, stderr = await _probe(target, pre_step=True)
        if status == 0:
            findings.ok(step)
        else:
            findings.fail(step, f"exit status {status} {stderr}", by_hand)
    except RindError as exc:
        findings.fail(step, str(exc), by_hand)


async def _examine_leash(target: Target, findings: _Findings) -> None:
    name = target.container.name
    if why := await target.why_no_leash():
        findings.note(f"{name}: if Rind is killed, no leash ends the command there: {why}")
    else:
        findings.ok(f"{name}: if Rind is killed, a leash ends the command there")


async def _owner_note(target: Target, caller: Caller, label: str) -> str:
    """Return a note about the owner of what commands write into the user's folders, if any.

    Args:
        target: the container.
        caller: the user.
        label: makes commands run as the user.
    """
    if sys.platform == "darwin":
        if target.profile.user != "host":
            return ""
        # docker/for-mac#2657: the program that shares the files runs as the user.
        return f"{label} is not needed: the virtual machine writes your files as you anyway"
    mounts = localized([target.container], caller.cwd)[0].mounts
    ours = [mount.source for mount in mounts if _owner(mount.source) == caller.uid != 0]
    if ours and (await target.user()).partition(":")[0] in {"root", "0"}:
        return f"commands run as root there, and {ours[0]} is yours; set {label}"
    return ""


def _owner(path: str) -> int | None:
    with suppress(OSError, ValueError):
        return Path(path).stat().st_uid
    return None


async def _probe(target: Target, *, pre_step: bool) -> tuple[int, str]:
    """Run an empty script in a container; return its exit status and the beginning of stderr.

    Raises:
        RindError: the script could not be run, or did not end in time.
    """
    stderr = b""
    async with target.open_process(
        script=":", pre_step=pre_step, stdin=DEVNULL, stdout=DEVNULL
    ) as process:
        assert process.stderr is not None  # noqa: S101 # it is a PIPE
        try:
            async with asyncio.timeout(_PROBE_TIMEOUT):
                while part := await process.stderr.read(_STDERR_LIMIT):
                    stderr = (stderr + part)[:_STDERR_LIMIT]
                status = await process.wait()
        except TimeoutError:
            raise SelectionError(f"it did not end within {_PROBE_TIMEOUT:g} s") from None
    return status, stderr.decode(errors="replace").strip()
