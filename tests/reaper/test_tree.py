"""The end of process trees: the escalation without an engine, the rest on real ones."""

import asyncio
import os
import signal as signals
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from conftest import (
    RIND,
    TIMEOUT,
    Containers,
    TestContainer,
    ended,
    linux_only,
    one_line,
    wait_until,
)
from faults import Fault, FaultProxy, fault_proxy
from local_terminal import Terminal
from processes import IN_CONTAINER, MARK, HeldTrees, is_leashed, kill_all, sees_processes, sleepers

import rind
from rind.endpoint.endpoint import Endpoint
from rind.engine.engine import Engine
from rind.errors import LeftRunning
from rind.execution.begin import new_cookie
from rind.execution.session import Session
from rind.execution.start import open_exec
from rind.model import ExecConfig
from rind.reaper import host_processes
from rind.reaper.looks import Look
from rind.reaper.tree import Tree, Trees
from rind.transport.frames import STDOUT

# --- escalation, without an engine ------------------------------------------------------------


class Scripted(Tree):
    """A tree in which each signal reaches a scripted number of processes, and later ones none."""

    def __init__(self, *left: int) -> None:
        trees = Trees(Engine(Endpoint("unix:///nowhere", "the test")))
        super().__init__(trees, "0" * 64, "", new_cookie())
        self.left = list(left)
        self.sent: list[int] = []

    async def _reach(self, number: int) -> Look:
        self.sent.append(number)
        left = self.left.pop(0) if self.left else 0
        return Look(left, left, 0, has_root=False)


async def test_a_tree_that_ends_by_itself_is_not_killed() -> None:
    tree = Scripted(3, 2, 1)
    assert await tree.end(15, 10) is False
    assert tree.sent == [15, 0, 0, 0]
    none = Scripted()
    assert await none.end(15, 10) is False
    assert none.sent == [15]


async def test_survivors_are_killed_until_none_is_left() -> None:
    tree = Scripted(3, 3, 3, 3, 2, 1)
    assert await tree.end(2, 0) is True
    assert tree.sent == [2, 9, 9, 9, 9, 9, 9]


async def test_hurry_kills_without_delay() -> None:
    tree = Scripted(3)
    tree.hurry()
    assert await tree.end(15, 1000) is True
    assert tree.sent == [15, 9]


async def test_survivors_of_sigkill_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rind.reaper.tree.BOUND", 0.0)
    with pytest.raises(LeftRunning, match="2 of the command's processes survived SIGKILL"):
        await Scripted(*[2] * 100).end(15, 0)


# --- on real engines --------------------------------------------------------------------------


@pytest.fixture(params=["-T", "-t"])
def tty(request: pytest.FixtureRequest) -> str:
    option: str = request.param
    return option


@contextmanager
def stubborn(
    container: TestContainer, *options: str, stdin: int = subprocess.DEVNULL
) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(
        [RIND, *options, "-c", IN_CONTAINER],
        env=container.environ(),
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        assert process.stdout
        while b"ready" not in process.stdout.readline():
            assert process.poll() is None
        wait_until(lambda: sleepers(container) == 4)
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("number", "status"),
    [(signals.SIGINT, 130), (signals.SIGTERM, 143), (signals.SIGHUP, 129), (signals.SIGQUIT, 131)],
)
def test_a_signal_ends_the_stubborn_tree(
    busybox: TestContainer, tty: str, number: int, status: int
) -> None:
    with stubborn(busybox, tty, "--kill-after", "0.3") as process:
        process.send_signal(number)
        assert ended(process) == status
        assert sleepers(busybox) == 0
        assert process.stderr
        assert process.stderr.read() == b""


@linux_only(reason="elsewhere its session is found after the leash began: see test_root_process.py")
@pytest.mark.parametrize("how", [signals.SIGTERM, signals.SIGKILL])
def test_a_command_with_no_environment_at_all_is_found(
    busybox: TestContainer, how: signals.Signals
) -> None:
    mark = str(uuid.uuid4().int % 10**8 + 10**8)
    process = subprocess.Popen([RIND, "env", "-i", "sleep", mark], env=busybox.environ())
    wait_until(lambda: sleepers(busybox, mark) == 1 and is_leashed(busybox))
    process.send_signal(how)
    process.wait(TIMEOUT)
    wait_until(lambda: sleepers(busybox, mark) == 0)


@pytest.mark.parametrize("user", ["root", "app"])
def test_a_tree_is_ended_under_hidepid(containers: Containers, user: str) -> None:
    target = containers("busybox")
    pid = target.engine.cli("inspect", "--format", "{{.State.Pid}}", target.name)
    mount = ["mount", "-o", "remount,hidepid=2", "/proc"]
    subprocess.run(["nsenter", "--mount", "--pid", "--target", pid, *mount], check=True)
    for how in (signals.SIGTERM, signals.SIGKILL):
        with stubborn(target, "-u", user, "--kill-after", "0.2") as process:
            wait_until(lambda: is_leashed(target))
            process.send_signal(how)
            process.wait(TIMEOUT)
            wait_until(lambda: sleepers(target) == 0)


@pytest.mark.parametrize("pre_step", ["", "source /venv/bin/activate"], ids=["", "pre-step"])
@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_a_tree_is_ended_with_each_shell_as_sh(
    containers: Containers, pre_step: str, shell: str
) -> None:
    target = containers("django", pre_step)
    target.inside(f"ln -sf {shell} /usr/bin/sh")
    for how in (signals.SIGTERM, signals.SIGKILL):
        with stubborn(target, "--kill-after", "0.2") as process:
            wait_until(lambda: is_leashed(target))
            process.send_signal(how)
            process.wait(TIMEOUT)
            wait_until(lambda: sleepers(target) == 0)


@pytest.mark.parametrize("how", ["restart", "rm"])
def test_a_container_may_end_while_its_tree_is_signalled(containers: Containers, how: str) -> None:
    target = containers("busybox")
    with stubborn(target) as process:
        process.terminate()
        if how == "restart":
            target.engine.cli("restart", "--time", "0", target.name)
        else:
            target.engine.cli("rm", "--force", target.name)
            target.engine.cli(
                *("run", "--detach", "--name", target.name, target.engine.images["busybox"])
            )
        # Killed with the container, or, if its end was not noticed in time, ended by the signal.
        assert ended(process) in {137, 143}
        assert process.stderr
        said = process.stderr.read()
    assert not said or one_line(said)


async def test_a_removed_container_has_no_processes(containers: Containers) -> None:
    container = containers("busybox")
    async with Engine(Endpoint(container.engine.host, "the test")) as engine:
        found = await engine.container(container.name)
        tree = Tree(Trees(engine), found.id, "", new_cookie())
        assert await tree.signal(0) == 0
        await asyncio.to_thread(container.engine.cli, "rm", "--force", container.name)
        assert await tree.end(signals.SIGTERM, 10) is False


async def test_an_engine_may_end_while_the_tree_is_signalled(
    busybox: TestContainer, tmp_path: Path
) -> None:
    def configure(proxy: FaultProxy) -> None:
        proxy.fault, proxy.at = Fault.GONE, 10**9

    mark = str(uuid.uuid4().int % 10**8 + 10**8)
    async with fault_proxy(busybox.engine.host, tmp_path, configure) as (url, proxy):
        process = await asyncio.create_subprocess_exec(
            *(RIND, "-c", f"trap '' TERM; echo ready; sleep {mark}; sleep {mark}"),
            env=busybox.environ(DOCKER_HOST=url),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdout
        assert process.stderr
        assert await process.stdout.readline() == b"ready\n"
        proxy.at = proxy.relayed + 1
        process.terminate()
        async with asyncio.timeout(TIMEOUT):
            said = await process.stderr.read()
            assert await process.wait() == -signals.SIGTERM
    assert f"may be left running in {busybox.name}" in one_line(said)
    kill_all(busybox, f"[{mark[0]}]{mark[1:]}")
    wait_until(lambda: sleepers(busybox, mark) == 0)


@pytest.mark.parametrize("option", ["-T", "-t"])
async def test_a_tree_that_outlives_the_engines_restart_is_ended(
    busybox: TestContainer, tmp_path: Path, option: str
) -> None:
    def configure(proxy: FaultProxy) -> None:
        proxy.fault, proxy.at = Fault.RESTART, 10**9

    mark = str(uuid.uuid4().int % 10**8 + 10**8)
    async with fault_proxy(busybox.engine.host, tmp_path, configure) as (url, proxy):
        process = await asyncio.create_subprocess_exec(
            *(RIND, option, "sleep", mark),
            env=busybox.environ(DOCKER_HOST=url),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        assert process.stdin
        assert process.stderr
        await asyncio.to_thread(wait_until, lambda: is_leashed(busybox))
        proxy.at = proxy.relayed + 1
        process.stdin.write(b"xx")
        async with asyncio.timeout(TIMEOUT):
            await proxy.struck.wait()
            asyncio.get_running_loop().call_later(0.5, proxy.back.set)
            said = await process.stderr.read()
            assert await process.wait() == 125
        assert one_line(said).endswith(f"the command was ended in {busybox.name}")
        # The engine's side of each connection is still open, so Rind has ended the processes.
        assert sleepers(busybox, mark) == 0
        assert not is_leashed(busybox)
        process.stdin.close()


def test_a_second_interrupt_does_not_wait(container: TestContainer, tty: str) -> None:
    with stubborn(container, tty, "--kill-after", "1h") as process:
        process.send_signal(signals.SIGINT)
        process.send_signal(signals.SIGINT)
        while process.poll() is None:  # two signals at once may be delivered as one
            process.send_signal(signals.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.2)
        assert process.returncode == -signals.SIGINT
        assert sleepers(container) == 0


def test_a_timeout_ends_the_stubborn_tree(container: TestContainer, tty: str) -> None:
    with stubborn(container, tty, "--timeout", "3", "--kill-after", "0.2") as process:
        assert ended(process) == 137
        assert sleepers(container) == 0


def test_a_timeout_of_a_cooperative_command_is_124(container: TestContainer, tty: str) -> None:
    done = container.rind(tty, "--timeout", "0.5s", "sleep", "1000")
    assert (done.returncode, done.stderr) == (124, b"")
    done = container.rind(tty, "--timeout", "1m", "-c", "exit 4")
    assert (done.returncode, done.stderr) == (4, b"")


def test_sigkill_of_rind_ends_the_stubborn_tree(container: TestContainer, tty: str) -> None:
    with stubborn(container, tty) as process:
        wait_until(lambda: is_leashed(container))
        process.kill()
        process.wait()
        wait_until(lambda: sleepers(container) == 0)
        wait_until(lambda: not is_leashed(container))


def test_a_reader_that_closes_ends_the_tree(container: TestContainer, tty: str) -> None:
    assert sleepers(container) == 0
    with subprocess.Popen(
        [RIND, tty, "-c", f"trap '' PIPE; sleep {MARK} & while echo y; do :; done; wait"],
        env=container.environ(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.readline()
        process.stdout.close()
        assert ended(process) == 141
        assert process.stderr.read() == b""
    assert sleepers(container) == 0


def test_a_command_that_handles_the_signal_keeps_its_status(container: TestContainer) -> None:
    script = "trap 'echo bye; exit 5' TERM; echo ready; while :; do sleep 0.1; done"
    with subprocess.Popen(
        [RIND, "-c", script],
        env=container.environ(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        process.terminate()
        assert process.stdout.read() == b"bye\n"
        assert ended(process) == 5


@pytest.mark.parametrize("events", ["", "0"], ids=["direct", "event loop"])
def test_sigusr1_is_only_forwarded(container: TestContainer, events: str) -> None:
    script = "trap 'echo got' USR1; echo ready; while :; do sleep 0.1; done"
    with subprocess.Popen(
        [RIND, "--kill-after", "0.2", "-c", script],
        env=container.environ(_RIND_EVENTS=events),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        for _ in range(2):
            process.send_signal(signals.SIGUSR1)
            assert process.stdout.readline() == b"got\n"
        process.terminate()
        process.wait(TIMEOUT)


def test_background_processes_survive_the_command(container: TestContainer, tty: str) -> None:
    mark = uuid.uuid4().int % 10**8 + 10**8
    quiet = ">/dev/null 2>&1 </dev/null"
    done = container.rind(tty, "-c", f"trap '' HUP; sleep {mark} {quiet} & sleep 1.5; exit 3")
    assert done.returncode == 3
    wait_until(lambda: not is_leashed(container))
    assert sleepers(container, str(mark)) == 1
    # The end of another command does not affect it.
    assert container.rind("--timeout", "0.2", "sleep", "100").returncode == 124
    assert sleepers(container, str(mark)) == 1


@pytest.mark.parametrize("tty", ["-T", "-t"])
def test_a_child_that_holds_stdout_does_not_delay_the_status(
    container: TestContainer, tty: str
) -> None:
    mark = uuid.uuid4().int % 10**8 + 10**8
    started = time.monotonic()
    done = container.rind(tty, "-c", f"trap '' HUP; sleep {mark} & echo out; exit 3")
    assert done.returncode == 3
    assert done.stdout.split() == [b"out"]
    # The run does not wait for the child: the engine cuts its output off after two seconds.
    assert time.monotonic() - started < TIMEOUT / 2
    assert sleepers(container, str(mark)) == 1


def test_a_tree_of_another_user_on_a_read_only_root_is_ended(containers: Containers) -> None:
    target = containers("busybox", "", "--read-only")
    with stubborn(target, "-u", "app", "--kill-after", "0.2") as process:
        process.terminate()
        assert ended(process) == 143
        assert sleepers(target) == 0


@sees_processes
def test_without_a_shell_the_tree_is_signalled_from_the_host(distroless: TestContainer) -> None:
    mark = "535353"
    with subprocess.Popen(
        [RIND, "sleep", mark], env=distroless.environ(), stderr=subprocess.PIPE
    ) as process:
        wait_until(lambda: sleepers(distroless, mark) == 1)
        process.terminate()
        assert ended(process) == 143
    assert sleepers(distroless, mark) == 0


@sees_processes
async def test_without_a_shell_or_permission_the_failure_is_reported(
    distroless: TestContainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(path: Path) -> bytes:
        raise PermissionError(path)

    async with Engine(Endpoint(distroless.engine.host, "the test")) as engine:
        container = await engine.container(distroless.name)
        async with await open_exec(Session(engine), container, ExecConfig(argv=["cat"])) as process:
            with monkeypatch.context() as unprivileged:
                unprivileged.setattr(host_processes, "session_of", lambda *_: None)
                unprivileged.setattr(Path, "read_bytes", denied)
                unprivileged.setattr(os, "geteuid", lambda: 1000)
                with pytest.raises(
                    LeftRunning,
                    match=r"sh: not found\), and only root can from outside",
                ):
                    await process.end(signals.SIGTERM, 0)
            assert not await process.end(signals.SIGTERM, 1)


async def test_the_leash_ends_an_abandoned_command(
    busybox: TestContainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unable(*_: object) -> bool:
        raise LeftRunning("the engine does not answer")

    mark = str(uuid.uuid4().int % 10**8 + 10**8)
    held = HeldTrees(monkeypatch)
    async with rind.connect(busybox.engine.host) as client:
        target = await client.find(container=busybox.name)
        async with await target.start(rind.Command(argv=["sleep", mark])) as process:
            await held.wait_for(bool)
            monkeypatch.setattr(Tree, "end", unable)
        assert process.left_running is not None
        await asyncio.to_thread(wait_until, lambda: sleepers(busybox, mark) == 0)


@pytest.mark.parametrize("option", [(), ("--timeout", "3")], ids=["signal", "timeout"])
async def test_an_unreachable_command_is_reported(
    distroless: TestContainer, tmp_path: Path, option: tuple[str, ...]
) -> None:
    mark = str(uuid.uuid4().int % 10**8 + 10**8)
    async with fault_proxy(distroless.engine.host, tmp_path) as (url, _):
        process = await asyncio.create_subprocess_exec(
            *(RIND, *option, "sleep", mark),
            env=distroless.environ(DOCKER_HOST=url),
            stderr=subprocess.PIPE,
        )
        await asyncio.to_thread(wait_until, lambda: sleepers(distroless, mark) == 1)
        if not option:
            process.terminate()
        _, said = await process.communicate()
    assert process.returncode == (124 if option else -signals.SIGTERM)
    assert "(/bin/sh: not found), and the engine is not on this machine" in one_line(said)
    assert sleepers(distroless, mark) == 1
    await asyncio.to_thread(subprocess.run, ["pkill", "-x", "-f", f"sleep {mark}"], check=True)


@sees_processes
def test_a_flooding_shell_counts_as_none(containers: Containers) -> None:
    target = containers("busybox")
    target.inside("rm /bin/sh; printf '#!/bin/busybox yes\n' >/bin/sh; chmod +x /bin/sh")
    mark = str(uuid.uuid4().int % 10**8 + 10**8)
    with subprocess.Popen([RIND, "sleep", mark], env=target.environ()) as process:
        wait_until(lambda: sleepers(target, mark) == 1)
        process.terminate()
        assert ended(process) == 143
    assert sleepers(target, mark) == 0


def test_a_paused_container_is_reported_in_bounded_time(containers: Containers) -> None:
    target = containers("busybox")
    with stubborn(target) as process:
        target.engine.cli("pause", target.name)
        process.terminate()
        assert ended(process) == 143
        assert process.stderr
        said = one_line(process.stderr.read())
        target.engine.cli("unpause", target.name)
    assert f"may be left running in {target.name}" in said
    assert "paused" in said


def test_a_closed_window_ends_the_tree(busybox: TestContainer) -> None:
    terminal = Terminal()
    process = subprocess.Popen(
        ["setsid", "--ctty", RIND, "--kill-after", "0.3", "-c", IN_CONTAINER],
        env=busybox.environ(),
        stdin=terminal.slave,
        stdout=terminal.slave,
        stderr=terminal.slave,
    )
    terminal.read_until(b"ready")
    wait_until(lambda: sleepers(busybox) == 4)
    terminal.close()
    assert ended(process) == 129
    wait_until(lambda: sleepers(busybox) == 0)


def left_of(container: TestContainer) -> tuple[int, int, int]:
    """Count a container's processes and exec instances, and this process's sockets."""
    sockets = 0
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            sockets += str(entry.readlink()).startswith("socket:")
    return (
        container.engine.cli("top", container.name).count("\n"),
        int(container.engine.cli("inspect", "--format", "{{len .ExecIDs}}", container.name)),
        sockets,
    )


@pytest.mark.newest_engine
async def test_dozens_of_runs_leave_nothing_of_the_reaper(
    containers: Containers, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = containers("busybox")
    before = left_of(target)
    held = HeldTrees(monkeypatch)
    stubborn = "trap '' TERM; sleep 1000 & echo ready; wait; wait"

    async with Engine(Endpoint(target.engine.host, "the test")) as engine:
        container = await engine.container(target.name)

        async def one(number: int) -> None:
            config = ExecConfig(argv=["sh", "-c", stubborn if number % 4 else "echo ready"])
            async with await open_exec(Session(engine), container, config) as process:
                assert await process.read() == (STDOUT, b"ready\n")
                match number % 4:
                    case 0:
                        assert await process.wait() == 0
                    case 1:
                        assert await process.end(signals.SIGTERM, 0.1)
                    case 2:
                        await held.wait_for(lambda cookies: process._tree.cookie in cookies)
                        assert await process.end(signals.SIGKILL, 0)
                    case _:
                        raise ZeroDivisionError

        for batch in range(0, 40, 8):
            tasks = [one(number) for number in range(batch, batch + 8)]
            failed = [
                result for result in await asyncio.gather(*tasks, return_exceptions=True) if result
            ]
            assert [type(failure) for failure in failed] == [ZeroDivisionError] * 2
    await asyncio.to_thread(wait_until, lambda: left_of(target) == before)


def test_ending_while_the_leash_is_being_armed_releases_it(busybox: TestContainer) -> None:
    marks = [str(uuid.uuid4().int % 10**8 + 10**8) for _ in range(24)]
    runs = [
        subprocess.Popen(
            [RIND, "-c", f"sleep {mark} >/dev/null 2>&1 & sleep {0.90 + number / 100:.2f}"],
            env=busybox.environ(),
            stdin=subprocess.DEVNULL,
        )
        for number, mark in enumerate(marks)
    ]
    for process in runs:
        assert ended(process) == 0
    wait_until(lambda: not is_leashed(busybox))
    assert [mark for mark in marks if sleepers(busybox, mark) != 1] == []
