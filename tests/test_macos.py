"""Rind as on macOS, which tests/macos makes of Python on Linux: what differs from Linux there."""

import signal
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest
from conftest import RIND, TIMEOUT, TestContainer, ended

pytestmark = pytest.mark.newest_engine

STAND_IN = str(Path(__file__).with_name("macos"))
TESTS = Path(__file__).parent


@pytest.mark.parametrize("size", [0, 1000, 3_000_000])
def test_a_file_and_pipes_of_any_size(busybox: TestContainer, tmp_path: Path, size: int) -> None:
    """No kernel but Linux's moves a pipe's bytes, and sendfile has another signature."""
    data = bytes(range(250)) * (size // 250)
    path = tmp_path / "file"
    path.write_bytes(data)
    with path.open("rb") as file:
        done = busybox.rind("-T", "cat", stdin=file.fileno(), PYTHONPATH=STAND_IN)
    assert (done.stdout == data, done.stderr, done.returncode) == (True, b"", 0)
    done = busybox.rind("-T", "cat", stdin=data, PYTHONPATH=STAND_IN)
    assert (done.stdout == data, done.stderr, done.returncode) == (True, b"", 0)


@pytest.mark.parametrize("events", ["0", ""], ids=["loop", "direct"])
def test_devices_that_kqueue_and_poll_reject(busybox: TestContainer, events: str) -> None:
    with Path("/dev/zero").open("rb") as zero:
        done = busybox.rind(
            *("-T", "head", "-c", "100000"),
            stdin=zero.fileno(),
            PYTHONPATH=STAND_IN,
            _RIND_EVENTS=events,
        )
    assert (done.stdout == bytes(100_000), done.stderr, done.returncode) == (True, b"", 0)


@pytest.mark.parametrize(
    ("options", "redirected"), [("-t", "</dev/tty"), ("-T", "</dev/tty >$OUT 2>&1")]
)
def test_the_controlling_terminal(
    busybox: TestContainer, tmp_path: Path, options: str, redirected: str
) -> None:
    """As git hooks have it, after ``exec </dev/tty``."""
    out = tmp_path / "out"
    script = f"{RIND} {options} -c 'read line; echo got $line' {redirected}; echo status $?"
    env = busybox.environ(PYTHONPATH=STAND_IN, OUT=str(out))
    child: pexpect.spawn[bytes] = pexpect.spawn("/bin/sh", ["-c", script], env=env, timeout=TIMEOUT)
    child.sendline("a line")
    child.expect_exact("status 0")
    assert b"got a line" in (out.read_bytes() if out.exists() else child.before)
    child.close()


def test_a_signal_with_another_number(busybox: TestContainer) -> None:
    """SIGUSR1 of macOS is SIGPWR in the container."""
    script = 'trap "echo got; exit 3" USR1; echo ready; while :; do sleep 0.1; done'
    with subprocess.Popen(
        [RIND, "-T", "-c", script],
        env=busybox.environ(PYTHONPATH=STAND_IN),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGUSR1)
        assert process.stdout.readline() == b"got\n"
        assert ended(process) == 3


def test_the_tests_that_need_no_engine() -> None:
    """Those of descriptors, of what waits for them, and of the streams."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "--numprocesses=0", "-p", "no:cacheprovider"),
            # The same tests show without the stand-in whether they leave something open.
            *("-W", "default::pytest.PytestUnraisableExceptionWarning"),
            *(
                TESTS / "terminal",
                TESTS / "base/test_readiness.py",
                TESTS / "execution/test_local.py",
            ),
        ],
        env={"PYTHONPATH": STAND_IN, "TERM": "xterm"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
