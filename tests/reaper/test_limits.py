"""Containers that forbid starting processes, or sending signals; on a real engine."""

import asyncio
import json
import signal
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import (
    RIND,
    TIMEOUT,
    Containers,
    TestContainer,
    ended,
    lines,
    wait_until,
)
from processes import is_leashed, kill_all, sees_processes, sleepers

import rind
from rind.reaper import host_processes

pytestmark = pytest.mark.newest_engine

NO_KILL = {
    "defaultAction": "SCMP_ACT_ALLOW",
    "syscalls": [
        {
            "names": ["kill", "tkill", "tgkill", "pidfd_send_signal"],
            "action": "SCMP_ACT_ERRNO",
            "errnoRet": 1,
        }
    ],
}


@pytest.fixture
def from_afar(monkeypatch: pytest.MonkeyPatch) -> None:
    """Treat the engine as one on another machine."""
    monkeypatch.setattr(host_processes, "is_engine", lambda _: False)


@pytest.fixture
def mute(containers: Containers, tmp_path: Path) -> TestContainer:
    """Return a container whose seccomp profile forbids signals."""
    (tmp_path / "seccomp.json").write_text(json.dumps(NO_KILL))
    return containers("busybox", "", "--security-opt", f"seccomp={tmp_path}/seccomp.json")


@pytest.fixture(params=["busybox", "django"])
def full(request: pytest.FixtureRequest, containers: Containers) -> TestContainer:
    """Return a container for :func:`fill`."""
    return containers(request.param)


def fill(container: TestContainer) -> None:
    """Prevent a container's processes from starting others; an exec instance may fail."""
    container.engine.cli("update", "--pids-limit", "1", container.name)


@contextmanager
def sleeping(
    container: TestContainer, *options: str
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    mark = str(uuid.uuid4().int % 10**8 + 10**8)
    script = f"trap '' TERM; sleep {mark} & echo ready; sleep {mark}"
    process = subprocess.Popen(
        [RIND, *options, "-c", script],
        env=container.environ(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        wait_until(lambda: sleepers(container, mark) == 2)
        yield process, mark
    finally:
        process.kill()
        process.communicate()
        kill_all(container, f"[{mark[0]}]{mark[1:]}")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_tree_is_ended_where_no_process_can_be_started(
    full: TestContainer, how: signal.Signals
) -> None:
    with sleeping(full, "--kill-after", "0.2") as (process, mark):
        wait_until(lambda: is_leashed(full))
        fill(full)
        process.send_signal(how)
        process.wait(TIMEOUT)
        wait_until(lambda: sleepers(full, mark) == 0)
        wait_until(lambda: not is_leashed(full))
        full.engine.cli("update", "--pids-limit", "1000", full.name)


@pytest.mark.usefixtures("from_afar")
async def test_a_tree_in_a_full_container_is_ended_remotely(full: TestContainer) -> None:
    async with rind.connect(full.engine.host) as client:
        target = await client.find(container=full.name)
        assert await target.why_no_leash() == ""
        async with target.open_process(["sleep", "1000"]) as process:
            await asyncio.to_thread(fill, full)
            assert not await process.end(signal.SIGTERM, TIMEOUT)
            assert await process.wait() == 143


@sees_processes
def test_a_tree_that_seccomp_protects_is_signalled_from_the_host(
    mute: TestContainer,
) -> None:
    with sleeping(mute, "-v", "--kill-after", "0.2") as (process, mark):
        assert process.stderr
        process.stderr.readline()  # the line that names the container
        assert process.stderr.readline().decode() == (
            f"rind: if Rind is killed, no leash ends the command in {mute.name}: "
            "nothing in the container may signal a process\n"
        )
        process.terminate()
        assert ended(process) == 143
        assert sleepers(mute, mark) == 0


@pytest.mark.usefixtures("from_afar")
async def test_the_inability_to_signal_is_reported(mute: TestContainer) -> None:
    async with rind.connect(mute.engine.host) as client:
        target = await client.find(container=mute.name)
        async with await target.start(rind.Command(argv=["sleep", "1000"])) as process:
            with pytest.raises(rind.LeftRunning, match="nothing in the container may signal 1 of"):
                await process.end(signal.SIGTERM, 0.1)
            process.detach()


def test_doctor_reports_that_a_leash_is_impossible(
    mute: TestContainer, distroless: TestContainer
) -> None:
    said = lines(mute, "--doctor")
    why = "nothing in the container may signal a process"
    assert f"note {mute.name}: if Rind is killed, no leash ends the command there: {why}" in said
    said = lines(distroless, "--doctor")
    why = "/bin/sh: not found"
    assert (
        f"note {distroless.name}: if Rind is killed, no leash ends the command there: {why}" in said
    )


def test_a_leash_that_was_killed_twice_is_replaced(containers: Containers) -> None:
    container = containers("busybox")
    with sleeping(container) as (process, mark):
        for _ in range(2):
            wait_until(lambda: is_leashed(container))
            kill_all(container, "[r]ind-leash")
            wait_until(lambda: not is_leashed(container))
        wait_until(lambda: is_leashed(container))
        process.kill()
        process.wait()
        wait_until(lambda: sleepers(container, mark) == 0)


def test_a_leash_killed_each_time_is_reported(containers: Containers) -> None:
    container = containers("busybox")
    with sleeping(container, "-v") as (process, _):
        for _ in range(3):
            wait_until(lambda: is_leashed(container))
            kill_all(container, "[r]ind-leash")
            wait_until(lambda: not is_leashed(container))
        assert process.stderr
        process.stderr.readline()  # the line that names the container
        assert process.stderr.readline().decode() == (
            f"rind: if Rind is killed, no leash ends the command in {container.name}: "
            "it was ended from outside\n"
        )
