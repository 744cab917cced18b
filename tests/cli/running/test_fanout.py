"""One command in several real containers at once."""

import os
import signal
import subprocess
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pexpect
import pytest
from conftest import RIND, TIMEOUT, Containers, TestContainer, ended, one_line, wait_until
from processes import IN_CONTAINER, MIB, MOST_MEMORY, is_leashed, resident, sleepers
from screen import Screen

from rind.cli.running.fanout import Outcome, overall, summary

Fleet = list[TestContainer]
Launch = Callable[..., Fleet]


def make_fleet(containers: Containers, *ends: str) -> Fleet:
    """Start containers that share a label, one for each ending of a name."""
    key = f"test.{uuid.uuid4().hex[:12]}"

    def make(end: str) -> TestContainer:
        return containers("busybox", label=key, name=f"rind-{key}-{end}")

    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(make, ends))


@pytest.fixture(scope="module")
def fleet(session_containers: Containers) -> Fleet:
    """Return three containers, ordered by name."""
    return make_fleet(session_containers, "1", "2", "longer")


@pytest.fixture
def launch(containers: Containers) -> Launch:
    return lambda *ends: make_fleet(containers, *ends)


@contextmanager
def started(
    fleet: Fleet, *args: str, stderr: int = subprocess.PIPE
) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(
        [RIND, "--all", *args],
        env=fleet[0].environ(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=stderr,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@contextmanager
def stubborn(fleet: Fleet, *options: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Run, in each container, a process tree that ignores every signal that it can."""
    with started(fleet, *options, "-c", IN_CONTAINER) as process:
        assert process.stdout
        for _ in fleet:
            assert process.stdout.readline().endswith(b"  | ready\n")
        wait_until(lambda: [sleepers(container) for container in fleet] == [4] * len(fleet))
        yield process


def nothing_left(fleet: Fleet) -> bool:
    return not any(map(sleepers, fleet))


# --- output ----------------------------------------------------------------------------------


def test_each_line_begins_with_its_containers_name(fleet: Fleet) -> None:
    done = fleet[0].rind("-a", "-c", "echo out; echo err >&2; printf partial")
    width = len(fleet[2].name)
    for said, lines in ((done.stdout, ["out", "partial"]), (done.stderr, ["err"])):
        expected = [f"{container.name:{width}}  | {line}" for container in fleet for line in lines]
        assert sorted(said.decode().splitlines()) == sorted(expected)
        assert said.endswith(b"\n")
    assert done.returncode == 0


def test_a_lines_own_bytes_are_exact(launch: Launch) -> None:
    (target,) = launch("1")
    script = r"printf '\377\000\r\033[31m\tx\r\n\n'; head -c 100000 /dev/zero; printf '\nend'"
    prefix = target.name.encode() + b"  | "
    done = target.rind("-a", "-c", script)
    lines = [b"\xff\0\r\x1b[31m\tx\r", b"", bytes(65536), bytes(100_000 - 65536), b"end"]
    assert done.stdout == b"".join(prefix + line + b"\n" for line in lines)
    assert done.stderr == b""


@pytest.mark.parametrize("joined", [False, True], ids=["two-pipes", "one-pipe"])
def test_lines_of_busy_commands_are_not_mixed(fleet: Fleet, joined: bool) -> None:  # noqa: FBT001 # a case
    count = 5000
    script = f"""awk 'BEGIN {{ for (i = 0; i < {count}; i++) {{
        print "out", i, "{"o" * 70}"; print "err", i, "{"e" * 70}" >"/dev/stderr" }} }}'"""
    with started(
        fleet, "-c", script, stderr=subprocess.STDOUT if joined else subprocess.PIPE
    ) as process:
        out, err = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0
    seen = defaultdict(list)
    for line in [*out.splitlines(), *(err or b"").splitlines()]:
        name, _, text = line.decode().partition("  | ")
        stream, number, padding = text.split(" ")
        assert padding == stream[0] * 70
        seen[name.strip(), stream].append(int(number))
    assert seen.keys() == {
        (container.name, stream) for container in fleet for stream in ("out", "err")
    }
    assert all(numbers == list(range(count)) for numbers in seen.values())


def test_a_slow_reader_holds_the_commands_back_and_loses_nothing(launch: Launch) -> None:
    fleet = launch("1", "2", "3")
    size = 10 * MIB
    script = f"yes {'x' * 63} | head -c {size}; echo done >/tmp/done"
    with started(fleet, "-c", script) as process:
        assert process.stdout
        assert process.stdout.read(1)
        time.sleep(2)  # an unhindered command would have ended long before
        assert [container.inside("ls /tmp") for container in fleet] == [""] * 3
        assert resident(process.pid) < 4 * MOST_MEMORY
        received = process.stdout.read()
        assert ended(process) == 0
    assert received.count(b"x" * 63 + b"\n") == received.count(b"\n") == 3 * size // 64


def test_stdin_is_not_read(fleet: Fleet) -> None:
    reader, writer = os.pipe()
    os.write(writer, b"for the next one")
    done = fleet[0].rind("-a", "cat", stdin=reader)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert os.read(reader, 100) == b"for the next one"
    os.close(reader)
    os.close(writer)


# --- colours ---------------------------------------------------------------------------------


def on_a_terminal(fleet: Fleet, script: str, **env: str) -> tuple[int, bytes]:
    child = fleet[0].spawn("--all", "-c", script, size=(24, 200), env=env)
    child.expect(pexpect.EOF)
    child.wait()
    assert isinstance(child.before, bytes)
    return child.exitstatus, child.before


def test_each_container_has_a_colour_on_a_terminal(fleet: Fleet) -> None:
    status, said = on_a_terminal(fleet, "test ! -t 1 && echo plain; printf '\\033[1mred' >&2")
    width = len(fleet[2].name)
    for container, colour in zip(fleet, (36, 33, 32), strict=True):
        prefix = f"\x1b[0;{colour}m{container.name:{width}}  | \x1b[0m"
        assert f"{prefix}plain\r\n".encode() in said
        assert f"{prefix}\x1b[1mred\r\n".encode() in said
    assert status == 0


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_colours_can_be_turned_off(fleet: Fleet, env: dict[str, str]) -> None:
    status, said = on_a_terminal(fleet, "echo plain", **env)
    assert b"\x1b" not in said
    assert (status, said.count(b"  | plain\r\n")) == (0, 3)


@pytest.mark.newest_engine
def test_a_quiet_terminal_shows_how_many_have_ended(launch: Launch) -> None:
    first, second = launch("1", "2")
    first.inside("touch /tmp/first")
    script = "test -e /tmp/first && exit; cat /tmp/fifo; echo x; cat /tmp/fifo"
    second.inside("mkfifo /tmp/fifo")
    screen = Screen(first.spawn("--all", "-c", script), 24, 80)

    def shown(*expected: str) -> None:
        screen.wait_for(lambda lines: [line for line in lines if line] == [*expected])

    shown("rind: 1 of 2 have ended")
    second.inside("echo >/tmp/fifo")
    shown(f"{second.name}  |", f"{second.name}  | x", "rind: 1 of 2 have ended")
    second.inside("echo -n >/tmp/fifo")
    assert screen.last() == [f"{second.name}  |", f"{second.name}  | x"]
    quiet = first.spawn("--all", "-q", "-c", "sleep 1.5")
    quiet.expect(pexpect.EOF)
    assert quiet.before == b""


# --- exit statuses ---------------------------------------------------------------------------


def test_the_first_failure_by_name_is_the_status(launch: Launch) -> None:
    fleet = launch("1", "2", "3")
    for container, status in zip(fleet, (0, 3, 4), strict=True):
        container.inside(f"echo {status} >/tmp/status")
    # The first by name is not the first to fail.
    script = "read status </tmp/status; [ $status = 4 ] || sleep 0.5; exit $status"
    done = fleet[0].rind("-a", "-c", script)
    assert (done.returncode, done.stdout) == (3, b"")
    said = f"3 containers: 1 ok, {fleet[1].name} exited 3, {fleet[2].name} exited 4"
    assert one_line(done.stderr) == said
    done = fleet[0].rind("-aq", "-c", script)
    assert (done.returncode, done.stderr) == (3, b"")


def test_success_is_only_reported_with_verbose(fleet: Fleet) -> None:
    done = fleet[0].rind("-a", "true")
    assert (done.returncode, done.stderr) == (0, b"")
    where, how = fleet[0].rind("-av", "true").stderr.decode().splitlines()
    names = ", ".join(container.name for container in fleet)
    assert where == f"rind: in {names} on {fleet[0].engine.host}: true"
    assert how == "rind: 3 containers: 3 ok"


def test_a_failed_start_does_not_stop_the_others(launch: Launch) -> None:
    first, second = launch("1", "2")
    second.inside("printf '#!/bin/sh\\nsleep 1; echo here\\n' >/bin/only-here")
    second.inside("chmod +x /bin/only-here")
    done = first.rind("-a", "only-here")
    assert done.returncode == 127
    assert done.stdout.decode() == f"{second.name}  | here\n"
    why, how = done.stderr.decode().splitlines()
    assert why.startswith(f"rind: {first.name}: cannot start the command: ")
    assert how == f"rind: 2 containers: 1 ok, {first.name} failed"


@pytest.mark.parametrize("how", ["kill", "rm"])
def test_a_lost_container_does_not_stop_the_others(launch: Launch, how: str) -> None:
    first, second = launch("1", "2")
    script = "printf partial; echo ready >&2; while [ ! -e /tmp/go ]; do sleep 0.1; done; echo went"
    with started([first, second], "-c", script) as process:
        assert process.stdout
        assert process.stderr
        for _ in range(2):
            assert process.stderr.readline().endswith(b"| ready\n")
        first.engine.cli(how, *(["--force"] if how == "rm" else []), first.name)
        said = process.stderr.readline().decode()
        assert said.startswith(f"rind: {first.name}: the command was killed with its container: ")
        assert first.name in said
        second.inside("touch /tmp/go")
        assert process.stdout.read().decode().splitlines() == [
            f"{first.name}  | partial",
            f"{second.name}  | partialwent",
        ]
        assert ended(process) == 137
    if how == "rm":
        first.engine.cli(*("run", "--name", first.name, first.engine.images["busybox"], "true"))


def test_no_fitting_container_is_an_error(fleet: Fleet) -> None:
    done = fleet[0].rind("-a", "true", RIND_LABEL="nobody-has-it")
    assert (done.returncode, done.stdout) == (125, b"")
    assert "has the label nobody-has-it: put it on one" in one_line(done.stderr)


# --- ends ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_ends_every_stubborn_tree(
    fleet: Fleet, number: signal.Signals, status: int
) -> None:
    with stubborn(fleet, "-q", "--kill-after", "0.3") as process:
        process.send_signal(number)
        assert ended(process) == status
        assert nothing_left(fleet)
        assert process.stderr
        assert process.stderr.read() == b""


def test_a_second_interrupt_does_not_wait(fleet: Fleet) -> None:
    script = "trap 'echo seen' INT; sleep 424242 & echo ready; while :; do wait; done"
    with started(fleet, "--kill-after", "1h", "-c", script) as process:
        assert process.stdout
        for _ in fleet:
            assert process.stdout.readline().endswith(b"  | ready\n")
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline().endswith(b"  | seen\n")
        process.send_signal(signal.SIGINT)
        assert ended(process) == 130
        assert nothing_left(fleet)


@pytest.mark.parametrize("after", [0.1, 0.2, 0.3, 0.4])
def test_an_interrupt_during_the_start_leaves_nothing(fleet: Fleet, after: float) -> None:
    script = "trap '' INT; sleep 424242 & wait"
    with started(fleet, "-q", "--kill-after", "0.1", "-c", script) as process:
        time.sleep(after)
        process.send_signal(signal.SIGINT)
        # Python itself dies of a signal that comes before Rind is loaded.
        assert ended(process) in {130, -signal.SIGINT, 1}
        assert nothing_left(fleet)


def test_a_signal_spares_commands_that_have_ended(launch: Launch) -> None:
    first, second = launch("1", "2")
    first.inside("touch /tmp/first")
    script = (
        "test -e /tmp/first && { sleep 424242 >/dev/null 2>&1 & echo left; exit 0; }; sleep 424242"
    )
    # A group's output is printed when its command has ended.
    with started([first, second], "--group", "-c", script) as process:
        assert process.stdout
        assert process.stdout.readline().endswith(b"left\n")
        wait_until(lambda: sleepers(second) == 1)
        process.terminate()
        assert ended(process) == 143
        assert process.stderr
        said = one_line(process.stderr.read())
    assert said == f"2 containers: 1 ok, {second.name} exited 143"
    assert (sleepers(first), sleepers(second)) == (1, 0)


def test_the_time_limit_ends_all_commands(fleet: Fleet) -> None:
    # Time enough to start the commands on a busy machine.
    done = fleet[0].rind("-aq", "--timeout", "5", "sleep", "424242")
    assert (done.returncode, done.stderr) == (124, b"")
    options = ("-a", "--timeout", "5", "--kill-after", "0.2")
    done = fleet[0].rind(*options, "-c", IN_CONTAINER)
    assert done.returncode == 137
    assert done.stdout.count(b"  | ready\n") == len(fleet)
    assert nothing_left(fleet)


def test_a_closed_stdout_ends_all_commands(fleet: Fleet) -> None:
    script = "trap '' PIPE; sleep 424242 & while echo y; do :; done; wait"
    with started(fleet, "-c", script) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.readline()
        process.stdout.close()
        assert ended(process) == 141
        assert process.stderr.read() == b""
    assert nothing_left(fleet)


def test_sigkill_of_rind_ends_every_stubborn_tree(fleet: Fleet) -> None:
    with stubborn(fleet) as process:
        wait_until(lambda: all(map(is_leashed, fleet)))
        process.kill()
        wait_until(lambda: nothing_left(fleet))


def test_sigusr1_is_forwarded_to_all_commands(fleet: Fleet) -> None:
    script = "trap 'echo got; exit 0' USR1; echo ready; while :; do sleep 0.1; done"
    with started(fleet, "-c", script) as process:
        assert process.stdout
        for _ in fleet:
            assert process.stdout.readline().endswith(b"| ready\n")
        process.send_signal(signal.SIGUSR1)
        assert process.stdout.read().count(b"| got\n") == 3
        assert ended(process) == 0


@pytest.mark.newest_engine
@pytest.mark.timeout(300)
def test_forty_containers_are_run_and_ended(launch: Launch) -> None:
    # A hundred work too, but starting and removing them takes a minute.
    fleet = launch(*(f"{number:02}" for number in range(40)))
    done = fleet[0].rind("-a", "-c", "echo out; echo err >&2; exit 7")
    assert done.returncode == 7
    assert sorted(done.stdout.decode().splitlines()) == [
        f"{container.name}  | out" for container in fleet
    ]
    *lines, last = done.stderr.decode().splitlines()
    assert sorted(lines) == [f"{container.name}  | err" for container in fleet]
    named = ", ".join(container.name for container in fleet[:5])
    assert last == f"rind: 40 containers: {named} and 35 more exited 7"
    with started(fleet, "-q", "-c", "echo ready; sleep 424242") as process:
        assert process.stdout
        for _ in fleet:
            process.stdout.readline()
        process.terminate()
        assert ended(process) == 143
        assert process.stderr
        assert process.stderr.read() == b""
    assert nothing_left(fleet)


# --- decisions -------------------------------------------------------------------------------


def test_overall_returns_the_first_failure() -> None:
    def of(*statuses: int, settled: int | None = None) -> int:
        return overall([Outcome("x", status) for status in statuses], settled)

    assert of(0, 0) == 0
    assert of(0, 3, 1) == 3
    assert of(1, 130, settled=130) == 130
    assert of(0, 5, settled=130) == 5  # its own status, chosen on the signal
    assert of(0, 0, settled=130) == 0


def test_summary_groups_the_results() -> None:
    def of(**statuses: int) -> str:
        return summary(
            [Outcome(name, status, failed=status > 124) for name, status in statuses.items()]
        )

    assert of(a=0) == "1 container: 1 ok"
    assert of(a=0, b=1, c=0) == "3 containers: 2 ok, b exited 1"
    assert of(a=1, b=125, c=1, d=127) == "4 containers: a and c exited 1, b and d failed"
    many = {f"c{number}": 2 for number in range(9)}
    assert of(**many) == "9 containers: c0, c1, c2, c3, c4 and 4 more exited 2"


def test_groups_are_printed_one_by_one_as_they_end(launch: Launch) -> None:
    fleet = launch("1", "2")
    script = "echo a; >/tmp/half; while [ ! -e /tmp/go ]; do sleep 0.1; done; printf b"
    with started(fleet, "--group", "-c", script) as process:
        assert process.stdout
        for target in fleet:
            target.inside("until [ -e /tmp/half ]; do sleep 0.1; done")
        for target in reversed(fleet):
            target.inside("touch /tmp/go")
            said = [process.stdout.readline().decode() for _ in "ab"]
            assert said == [f"{target.name}  | {letter}\n" for letter in "ab"]


def test_all_waits_for_starting_containers(containers: Containers) -> None:
    label = f"test.{uuid.uuid4().hex}"
    health = ("--health-cmd", "test -e /tmp/up", "--health-interval", "0.2s")
    first = containers("busybox", label=label)
    second = containers("busybox", "", *health, "--health-start-period", "60s", label=label)
    with started([first, second], "--wait", "echo", "x") as process:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)
        second.inside("touch /tmp/up")
        assert process.stdout
        assert len(process.stdout.read().splitlines()) == 2
