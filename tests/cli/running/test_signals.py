"""The first signal ends the command, the second ends rind, even if it is stuck."""

import fcntl
import os
import signal
import socket
import struct
import subprocess
import termios
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pexpect
import pytest
from conftest import RIND, TIMEOUT, TestContainer, one_line, wait_until
from faults import relay_process
from processes import sleepers

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT]
AT_ONCE = 5.0
"""Seconds; rind ends one second after the second signal. Other waits take ten or more."""


@contextmanager
def started(
    *args: str, env: dict[str, str], stdout: int = subprocess.PIPE
) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(
        [RIND, *args],
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def catches(process: "subprocess.Popen[bytes]", number: int) -> bool:
    status = Path(f"/proc/{process.pid}/status").read_text()
    (caught,) = [line for line in status.splitlines() if line.startswith("SigCgt:")]
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)


@pytest.mark.parametrize("number", SIGNALS)
def test_rind_dies_of_the_signal_that_ended_the_command(
    busybox: TestContainer, number: signal.Signals
) -> None:
    with started("-c", "echo ready; exec sleep 1000", env=busybox.environ()) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(number)
        assert process.wait(TIMEOUT) == -number
        assert process.stderr.read() == b""


@pytest.mark.parametrize("tty", ["-T", "-t"])
def test_ctrl_c_ends_a_shells_loop(busybox: TestContainer, tty: str) -> None:
    mark = str(uuid.uuid4().int % 10**8 + 10**8)
    child = pexpect.spawn(
        "bash",
        ["-c", f"for i in 1 2 3; do echo turn $i; {RIND} {tty} sleep {mark}; done; echo not here"],
        env=busybox.environ(),
        timeout=TIMEOUT,
    )
    wait_until(lambda: sleepers(busybox, mark) == 1)
    child.sendintr()
    child.expect(pexpect.EOF)
    assert b"turn 2" not in child.before
    assert b"not here" not in child.before
    wait_until(lambda: sleepers(busybox, mark) == 0)


@pytest.mark.parametrize("action", [["true"], ["--list"], ["--doctor"], ["--explain", "true"]])
@pytest.mark.parametrize("after", [0.0, 0.02, 0.05, 0.1, 0.15, 0.2])
def test_an_interrupt_never_prints_a_traceback(
    busybox: TestContainer, action: list[str], after: float
) -> None:
    with started(*action, env=busybox.environ()) as process:
        # Python installs its handler at its start; Rind removes it as soon as it runs.
        # On a busy machine, it may have ended before it is seen to do so.
        while process.poll() is None and not catches(process, signal.SIGINT):
            pass
        while process.poll() is None and catches(process, signal.SIGINT):
            pass
        time.sleep(after)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=TIMEOUT)
        assert process.returncode in {-signal.SIGINT, 0}
        assert said == b""


# --- stuck ------------------------------------------------------------------------------------


@contextmanager
def silent(folder: Path) -> Iterator[tuple[str, socket.socket]]:
    """Listen on a socket as an engine does, but do not answer."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "silent.sock"))
        server.listen()
        server.settimeout(TIMEOUT)
        yield f"unix://{folder}/silent.sock", server


PONG = b"HTTP/1.1 200 OK\r\nApi-Version: 1.51\r\nContent-Length: 2\r\n\r\nOK"


@pytest.mark.parametrize("pings", [False, True], ids=["silent", "after the ping"])
def test_a_silent_engine_does_not_delay_a_signal(
    busybox: TestContainer,
    tmp_path: Path,
    pings: bool,  # noqa: FBT001 # a case
) -> None:
    with (
        silent(tmp_path) as (url, server),
        started("true", env=busybox.environ(DOCKER_HOST=url)) as process,
        ExitStack() as connections,
    ):
        connection = connections.enter_context(server.accept()[0])
        if pings:
            connection.recv(65536)
            connection.sendall(PONG)
            connection = connections.enter_context(server.accept()[0])
            assert connection.recv(65536).startswith(b"GET /v1.51/containers/json")
        process.terminate()
        assert process.wait(AT_ONCE) == -signal.SIGTERM
        assert process.stderr
        assert process.stderr.read() == b""


@pytest.mark.parametrize("pings", [False, True], ids=["silent", "after the ping"])
def test_a_silent_engine_does_not_delay_the_time_limit(
    busybox: TestContainer,
    tmp_path: Path,
    pings: bool,  # noqa: FBT001 # a case
) -> None:
    with (
        silent(tmp_path) as (url, server),
        started("--timeout", "2", "true", env=busybox.environ(DOCKER_HOST=url)) as process,
    ):
        connection, _ = server.accept()
        with connection:
            if pings:
                connection.recv(65536)
                connection.sendall(PONG)
            assert process.wait(AT_ONCE) == 124
            assert process.stderr
            assert process.stderr.read() == b"rind: no command was started within 2 s\n"


def test_a_second_signal_ends_rind_at_once(busybox: TestContainer) -> None:
    """The engine is stopped, as if it were swapping or held by a debugger."""
    mark = str(uuid.uuid4().int % 10**8 + 10**8)
    with (
        relay_process(busybox.engine.host) as (url, relay),
        started(
            "-c", f"echo ready; exec sleep {mark}", env=busybox.environ(DOCKER_HOST=url)
        ) as process,
    ):
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline() == b"ready\n"
        relay.send_signal(signal.SIGSTOP)
        process.terminate()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        process.send_signal(signal.SIGINT)
        assert process.wait(AT_ONCE) == -signal.SIGTERM
        said = one_line(process.stderr.read())
    assert said == f"gave up; the command may be left running in {busybox.name}"
    busybox.inside(f"pkill -f 'sleep {mark}' || true")


def test_a_second_signal_restores_the_terminal(busybox: TestContainer) -> None:
    mark = str(uuid.uuid4().int % 10**8 + 10**8)
    with relay_process(busybox.engine.host) as (url, relay):
        child = pexpect.spawn(
            "bash",
            ["-c", f"stty -g; {RIND} -c 'echo ready; sleep {mark}'; stty -g"],
            env=busybox.environ(DOCKER_HOST=url),
            timeout=TIMEOUT,
        )
        child.expect_exact("ready")
        before = child.before.split()[0]
        (pid,) = Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text().split()
        relay.send_signal(signal.SIGSTOP)
        os.kill(int(pid), signal.SIGTERM)
        time.sleep(0.3)  # two signals at once may be delivered as one
        os.kill(int(pid), signal.SIGTERM)
        child.expect(pexpect.EOF, timeout=AT_ONCE)
        assert b"gave up" in child.before
        assert child.before.split()[-1] == before
        child.close()
    busybox.inside(f"pkill -f 'sleep {mark}' || true")


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_an_unread_stream_does_not_delay_a_signal(busybox: TestContainer, stream: str) -> None:
    mark = str(uuid.uuid4().int % 10**8 + 10**8)
    into = "" if stream == "stdout" else ">&2"
    with started(
        "-c", f"sleep {mark} & while :; do echo {'x' * 1000}; done {into}", env=busybox.environ()
    ) as process:
        wait_until(lambda: sleepers(busybox, mark) == 1)
        reader = process.stdout if stream == "stdout" else process.stderr
        assert reader
        fd = reader.fileno()
        wait_until(lambda: is_full(fd))
        process.terminate()
        assert process.wait(TIMEOUT / 2) == -signal.SIGTERM
    assert sleepers(busybox, mark) == 0


def is_full(fd: int) -> bool:
    """Whether a pipe contains bytes and receives no more."""
    counts = []
    for _ in range(2):
        counts.append(struct.unpack("i", fcntl.ioctl(fd, termios.FIONREAD, b"\0" * 4))[0])
        time.sleep(0.2)
    return bool(counts[0] == counts[1] > 0)


def test_a_full_stderr_does_not_block_the_exit(busybox: TestContainer) -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writing, b"x" * 4096)
    os.set_blocking(writing, True)
    with subprocess.Popen([RIND, "--no-such"], env=busybox.environ(), stderr=writing) as process:
        assert process.wait(AT_ONCE * 2) == 125
    os.close(reading)
    os.close(writing)


def test_ignored_signals_stay_ignored(busybox: TestContainer) -> None:
    with subprocess.Popen(
        ["sh", "-c", f"trap '' HUP; exec {RIND} -c 'echo ready; read x; exit 3'"],
        env=busybox.environ(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGHUP)
        process.stdin.write(b"\n")
        process.stdin.flush()
        assert process.wait(TIMEOUT) == 3


def test_waiting_for_processes_is_reported_on_a_terminal(busybox: TestContainer) -> None:
    child = busybox.spawn("-T", "-c", "trap '' INT TERM; echo ready; while :; do sleep 1; done")
    child.expect("ready")
    child.sendintr()
    child.expect(f"rind: waiting for what still runs in {busybox.name}: SIGKILL in 9 s, or at \\^C")
    child.sendintr()
    child.expect(pexpect.EOF)
    child.close()
    assert child.signalstatus == signal.SIGINT


def test_a_timeout_is_reported_on_a_terminal(busybox: TestContainer) -> None:
    child = busybox.spawn("-T", "--timeout", "0.5", "sleep", "1000")
    child.expect("rind: the command did not end within 0.5 s")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 124
