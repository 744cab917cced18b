"""The scripts under real shells, on this machine's own processes; the reaper on real engines."""

import os
import re
import signal as signals
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from conftest import RIND, TIMEOUT, Containers, TestContainer, one_line, wait_until
from test_attach import Terminal

from rind.reaper import LEASH_SCRIPT, SIGNAL_SCRIPT

SHELLS = {"dash": ["/bin/dash"], "bash": ["/bin/bash"], "ash": ["/bin/busybox", "sh"]}

# Ignores all that can be ignored; a child in the background, one in a session of its own, one
# with no environment, and a grandchild.
STUBBORN = """
trap '' HUP INT QUIT TERM
sleep 1000 &
setsid sleep 1000 &
env -i sleep 1000 &
sh -c 'trap "" HUP INT QUIT TERM; sleep 1000 & echo ready; wait; wait' &
wait; wait; wait
"""


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> list[str]:
    return SHELLS[request.param]


def alive(pids: list[int]) -> list[int]:
    found = []
    for pid in pids:
        with suppress(OSError):
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX":
                found.append(pid)
    return found


def descendants(root: int) -> list[int]:
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            parents[int(folder.name)] = int(fields[1])
    tree = [root]
    for pid in tree:
        tree += [child for child, parent in parents.items() if parent == pid]
    return tree


@contextmanager
def victim(cookie: str, script: str = STUBBORN) -> Iterator[list[int]]:
    """Start a tree with a session of its own, as an exec has; give its processes."""
    process = subprocess.Popen(
        ["/bin/sh", "-c", script],
        env={"PATH": os.environ["PATH"], "A": "1", "RIND_EXEC_ID": cookie, "Z": "x\ny"},
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout
    process.stdout.readline()
    process.stdout.close()
    pids = descendants(process.pid)
    try:
        yield pids
    finally:
        for pid in alive(pids):
            os.kill(pid, 9)
        process.wait()


def signal(shell: list[str], cookie: str, number: int, path: str | None = None) -> int:
    done = subprocess.run(
        [*shell, "-c", SIGNAL_SCRIPT, "sh", cookie, str(number)],
        env={"RIND_REAPER": cookie, "PATH": path or os.environ["PATH"]},
        capture_output=True,
        check=True,
        text=True,
        timeout=20,
    )
    assert done.stderr == ""
    return int(done.stdout)


def ignores(pid: int, number: int) -> bool:
    (mask,) = re.findall(r"^SigIgn:\s+(\w+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return bool(int(mask, 16) >> (number - 1) & 1)


def gone(pids: list[int]) -> bool:
    deadline = time.monotonic() + 5
    while alive(pids):
        if time.monotonic() > deadline:
            return False
    return True


def test_the_whole_tree_is_counted_and_killed_and_no_other(shell: list[str]) -> None:
    mine, others = uuid.uuid4().hex, uuid.uuid4().hex
    with victim(mine) as pids, victim(others) as neighbours:
        assert len(pids) == 6
        assert signal(shell, mine, 0) == len(pids)
        assert signal(shell, mine, 15) == len(pids)
        assert pids[0] in alive(pids)
        while left := signal(shell, mine, 9):
            assert left <= len(pids)
        assert gone(pids)
        assert alive(neighbours) == neighbours
        assert signal(shell, mine, 15) == 0


def test_builtins_alone_do(shell: list[str], tmp_path: Path) -> None:
    if shell[0] == "/bin/busybox":
        shell = ["/bin/dash"]  # this ash has its applets without looking for them
    cookie = uuid.uuid4().hex
    with victim(cookie) as pids:
        assert signal(shell, cookie, 0, path=str(tmp_path)) == len(pids)
        while signal(shell, cookie, 9, path=str(tmp_path)):
            pass
        assert gone(pids)


def test_the_leash_ends_the_tree_when_its_stdin_ends(shell: list[str]) -> None:
    cookie = uuid.uuid4().hex
    with victim(cookie) as pids:
        subprocess.run(
            [*shell, "-c", LEASH_SCRIPT, "sh", cookie],
            stdin=subprocess.DEVNULL,
            check=True,
            timeout=20,
        )
        assert gone(pids)


def test_a_released_leash_does_nothing(shell: list[str]) -> None:
    cookie = uuid.uuid4().hex
    with victim(cookie) as pids:
        subprocess.run(
            [*shell, "-c", LEASH_SCRIPT, "sh", cookie], input=b"\n", check=True, timeout=20
        )
        assert alive(pids) == pids


def test_the_leash_itself_cannot_be_talked_out_of_it(shell: list[str]) -> None:
    cookie = uuid.uuid4().hex
    with victim(cookie) as pids:
        leash = subprocess.Popen([*shell, "-c", LEASH_SCRIPT, "sh", cookie], stdin=subprocess.PIPE)
        assert leash.stdin
        while not ignores(leash.pid, 15):
            assert leash.poll() is None
        for number in (1, 2, 15):
            leash.send_signal(number)
        leash.stdin.close()
        leash.wait(20)
        assert gone(pids)


# --- on real engines --------------------------------------------------------------------------

MARK = "424242"
IN_CONTAINER = f"""
trap '' HUP INT QUIT TERM
if command -v setsid >/dev/null; then setsid sleep {MARK} &
else python3 -c "import os; os.setsid(); os.execlp('sleep', 'sleep', '{MARK}')" &
fi
sleep {MARK} &
env -i sleep {MARK} &
sh -c 'trap "" HUP INT QUIT TERM; sleep {MARK} & echo ready; wait; wait' &
wait; wait; wait; wait
"""


@pytest.fixture(params=["-T", "-t"])
def tty(request: pytest.FixtureRequest) -> str:
    option: str = request.param
    return option


def sleepers(container: TestContainer, mark: str = MARK) -> int:
    listed = container.engine.cli("top", container.name, "-eo", "pid,args")
    return len(re.findall(rf"^ *\d+ +sleep {mark}$", listed, re.MULTILINE))


def is_leashed(container: TestContainer) -> bool:
    return "find_tree" in container.engine.cli("top", container.name, "-eo", "pid,args")


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
def test_a_signal_takes_the_stubborn_tree_with_it(
    busybox: TestContainer, tty: str, number: int, status: int
) -> None:
    with stubborn(busybox, tty, "--kill-after", "0.3") as process:
        process.send_signal(number)
        assert process.wait(TIMEOUT) == status
        assert sleepers(busybox) == 0
        assert process.stderr
        assert process.stderr.read() == b""


def test_a_second_interrupt_does_not_wait(container: TestContainer, tty: str) -> None:
    with stubborn(container, tty, "--kill-after", "1h") as process:
        process.send_signal(signals.SIGINT)
        process.send_signal(signals.SIGINT)
        while process.poll() is None:  # two in one moment may be one
            process.send_signal(signals.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.2)
        assert process.returncode == 130
        assert sleepers(container) == 0


def test_a_timeout_takes_the_stubborn_tree_with_it(container: TestContainer, tty: str) -> None:
    with stubborn(container, tty, "--timeout", "2", "--kill-after", "0.2") as process:
        assert process.wait(TIMEOUT) == 137
        assert sleepers(container) == 0


def test_a_timeout_of_what_ends_by_itself_is_124(container: TestContainer, tty: str) -> None:
    done = container.rind(tty, "--timeout", "0.5s", "sleep", "1000")
    assert (done.returncode, done.stderr) == (124, b"")
    done = container.rind(tty, "--timeout", "1m", "-c", "exit 4")
    assert (done.returncode, done.stderr) == (4, b"")


def test_sigkill_of_rind_takes_the_stubborn_tree_with_it(
    container: TestContainer, tty: str
) -> None:
    with stubborn(container, tty) as process:
        wait_until(lambda: is_leashed(container))
        process.kill()
        process.wait()
        wait_until(lambda: sleepers(container) == 0)
        wait_until(lambda: not is_leashed(container))


def test_a_reader_that_goes_away_takes_the_tree_with_it(container: TestContainer, tty: str) -> None:
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
        assert process.wait(TIMEOUT) == 141
        assert process.stderr.read() == b""
    assert sleepers(container) == 0


def test_a_command_that_handles_the_signal_ends_as_it_likes(container: TestContainer) -> None:
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
        assert process.wait(TIMEOUT) == 5


def test_sigusr1_is_only_handed_on(container: TestContainer) -> None:
    script = "trap 'echo got' USR1; echo ready; while :; do sleep 0.1; done"
    with subprocess.Popen(
        [RIND, "--kill-after", "0.2", "-c", script],
        env=container.environ(),
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


def test_what_is_left_on_purpose_lives_on(container: TestContainer, tty: str) -> None:
    mark = uuid.uuid4().int % 10**8 + 10**8
    quiet = ">/dev/null 2>&1 </dev/null"
    done = container.rind(tty, "-c", f"trap '' HUP; sleep {mark} {quiet} & sleep 1.5; exit 3")
    assert done.returncode == 3
    wait_until(lambda: not is_leashed(container))
    assert sleepers(container, str(mark)) == 1
    # Nor is it touched by the end of another.
    assert container.rind("--timeout", "0.2", "sleep", "100").returncode == 124
    assert sleepers(container, str(mark)) == 1


def test_as_another_user_with_a_read_only_root(containers: Containers) -> None:
    target = containers("busybox", "", "--read-only")
    with stubborn(target, "-u", "app", "--kill-after", "0.2") as process:
        process.terminate()
        assert process.wait(TIMEOUT) == 143
        assert sleepers(target) == 0


def test_without_a_shell_it_is_done_from_outside(distroless: TestContainer) -> None:
    mark = "535353"
    with subprocess.Popen(
        [RIND, "sleep", mark], env=distroless.environ(), stderr=subprocess.PIPE
    ) as process:
        wait_until(lambda: sleepers(distroless, mark) == 1)
        process.terminate()
        assert process.wait(TIMEOUT) == 143
    assert sleepers(distroless, mark) == 0


def test_a_paused_container_is_told_within_bounds(containers: Containers) -> None:
    target = containers("busybox")
    with stubborn(target) as process:
        target.engine.cli("pause", target.name)
        process.terminate()
        assert process.wait(TIMEOUT) == 143
        assert process.stderr
        said = one_line(process.stderr.read())
        target.engine.cli("unpause", target.name)
    assert "may be left running in the container" in said
    assert "paused" in said


def test_a_closed_window_takes_the_tree_with_it(busybox: TestContainer) -> None:
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
    assert process.wait(TIMEOUT) == 129
    wait_until(lambda: sleepers(busybox) == 0)


def test_many_runs_leave_no_process_behind(busybox: TestContainer) -> None:
    before = busybox.engine.cli("top", busybox.name).count("\n")
    for _ in range(10):
        assert busybox.rind("--timeout", "0.2", "sleep", "1000").returncode == 124
    wait_until(lambda: busybox.engine.cli("top", busybox.name).count("\n") <= before)


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
        assert process.wait(TIMEOUT) == 0
    wait_until(lambda: not is_leashed(busybox))
    assert [mark for mark in marks if sleepers(busybox, mark) != 1] == []
