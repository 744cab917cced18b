"""A command's own process is found although its environment lacks the cookie."""

import asyncio
import signal as signals
import subprocess
import uuid
from pathlib import Path

import pytest
from conftest import (
    RIND,
    TIMEOUT,
    Containers,
    TestContainer,
    TestEngine,
    one_line,
    podmans,
    started_in,
    wait_until,
)
from faults import fault_proxy
from processes import sleepers

HIDDEN = {
    "another user's": ["su", "app", "-c", "exec sleep {mark}"],
    "no environment": ["env", "-i", "sleep", "{mark}"],
    "a megabyte of it": [
        *(word for number in range(11) for word in ("-e", f"V{number}={'x' * 100_000}")),
        *("sleep", "{mark}"),
    ],
}


@pytest.mark.newest_engine
@pytest.mark.parametrize(
    ("script", "number"),
    [
        ("sleep {mark} & sleep 1000", signals.SIGINT),
        ("(trap '' TERM; while :; do sleep {mark}; done) & sleep 1000", signals.SIGTERM),
    ],
)
def test_processes_in_a_hidden_commands_session_are_ended(
    busybox: TestContainer, script: str, number: int
) -> None:
    mark = str(uuid.uuid4().int % 10**8 + 10**8)
    words = ["env", "-i", "sh", "-c", script.format(mark=mark)]
    process = subprocess.Popen([RIND, "--kill-after", "0.5", *words], env=busybox.environ())
    wait_until(lambda: sleepers(busybox, mark) == 1)
    process.send_signal(number)
    process.wait(TIMEOUT)
    assert sleepers(busybox, mark) == 0


@pytest.mark.newest_engine
async def test_another_containers_process_is_not_taken_for_the_command(
    containers: Containers, tmp_path: Path
) -> None:
    """In a shared PID namespace, the order of starts identifies no process."""
    other = containers("busybox")
    ours = containers("busybox", "", "--init=false", "--pid", f"container:{other.name}")
    marks = [str(uuid.uuid4().int % 10**8 + 10**8) for _ in range(3)]
    ours.engine.cli("exec", ours.name, "sh", "-c", f"(sleep {marks[0]} >/dev/null 2>&1 &)")
    other.engine.cli("exec", "--detach", other.name, "sleep", marks[1])
    await asyncio.to_thread(wait_until, lambda: sleepers(other, marks[1]) == 1)
    async with fault_proxy(ours.engine.host, tmp_path) as (url, _):
        process = await asyncio.create_subprocess_exec(
            *(RIND, "--timeout", "2", "--kill-after", "1"),
            *("env", "-i", "sh", "-c", f"(sleep {marks[2]} &); sleep {marks[2]}; :"),
            env=ours.environ(DOCKER_HOST=url),
            stderr=subprocess.PIPE,
        )
        _, said = await process.communicate()
    assert "none of its processes can be found" in one_line(said)
    assert sleepers(other, marks[1]) == 1
    assert other.engine.cli("inspect", "--format", "{{.State.Running}}", other.name) == "true"


@pytest.mark.parametrize("podman", podmans(), ids=lambda podman: podman.name)
def test_a_hidden_command_is_found_with_podman(podman: TestEngine) -> None:
    mark = str(uuid.uuid4().int % 10**8 + 10**8)
    with started_in(podman) as make:
        container = make("busybox")
        done = container.rind("--timeout", "2", "env", "-i", "sleep", mark)
        assert (done.returncode, done.stderr) == (124, b"")
        assert mark not in container.inside("ps")


@pytest.mark.parametrize("how", [*HIDDEN])
async def test_a_hidden_command_is_found_on_a_remote_engine(
    busybox: TestContainer, tmp_path: Path, how: str
) -> None:
    """Behind a proxy, the engine counts as remote: Rind does not use its process numbers."""
    mark = str(uuid.uuid4().int % 10**8 + 10**8)
    words = [word.format(mark=mark) for word in HIDDEN[how]]
    async with fault_proxy(busybox.engine.host, tmp_path) as (url, proxy):
        proxy.watched = b"hold "  # a request to the leash
        for number in (signals.SIGTERM, signals.SIGKILL):
            proxy.has_seen.clear()
            process = await asyncio.create_subprocess_exec(
                RIND, *words, env=busybox.environ(DOCKER_HOST=url), stderr=subprocess.PIPE
            )
            await asyncio.to_thread(wait_until, lambda: sleepers(busybox, mark) == 1)
            if number == signals.SIGKILL:
                await proxy.has_seen.wait()
                if how != "a megabyte of it":  # a second request follows once the session is found
                    proxy.has_seen.clear()
                    await proxy.has_seen.wait()
            process.send_signal(number)
            _, said = await process.communicate()
            assert said == b""
            await asyncio.to_thread(wait_until, lambda: sleepers(busybox, mark) == 0)
