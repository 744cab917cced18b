"""Runs without an event loop, and each event at which a loop takes over."""

import subprocess

import pexpect
import pytest
from conftest import RIND, TestContainer

pytestmark = pytest.mark.newest_engine  # an older one cannot set a TTY's size at the start

HEAVY = ("aiodocker", "aiohttp", "asyncio", "email", "inspect", "logging", "pathlib", "typing")
"""Modules that an ordinary run does not load."""


def loaded(container: TestContainer, *words: str, stdin: bytes = b"") -> set[str]:
    """Return the names of the modules that a run loads."""
    env = container.environ(PYTHONPROFILEIMPORTTIME="1", RIND_TEST_EVENTS="", PYTHONWARNINGS="")
    env.pop("_RIND_EVENTS", None)
    done = subprocess.run([RIND, *words], env=env, input=stdin, capture_output=True, check=True)
    times = (line for line in done.stderr.decode().splitlines() if line.startswith("import time:"))
    return {line.rpartition("|")[2].strip() for line in times}


@pytest.mark.parametrize(
    ("words", "stdin"),
    [
        (["-T", "true"], b""),
        (["-T", "echo", "x"], b""),
        (["-T", "cat"], b"x" * 1000),
        (["-T", "head", "-c", "10000", "/dev/zero"], b""),
        (["--list"], b""),
        (["--explain", "true"], b""),
    ],
    ids=["true", "echo", "stdin", "output", "list", "explain"],
)
def test_a_simple_run_loads_no_event_loop(
    busybox: TestContainer, words: list[str], stdin: bytes
) -> None:
    assert loaded(busybox, *words, stdin=stdin).isdisjoint(HEAVY)


def test_no_run_loads_aiodocker(busybox: TestContainer) -> None:
    for words in (["--all", "true"], ["--wait", "true"], ["--doctor"], ["-T", "sleep", "1.2"]):
        found = loaded(busybox, *words)
        assert "asyncio" in found
        assert found.isdisjoint({"aiodocker", "aiohttp"})


SCRIPT = "echo first; echo err >&2; cat; echo last; exit 3"
"""A command that reads stdin, writes to both streams, and exits with a status of its own."""


@pytest.mark.parametrize("events", [0, 1, 2, 3, 4, 6, 8, 10, 12])
def test_the_event_loop_takes_over_at_any_event(busybox: TestContainer, events: int) -> None:
    done = busybox.rind("-T", "-c", SCRIPT, stdin=b"in\n", _RIND_EVENTS=str(events))
    assert done.stdout == b"first\nin\nlast\n"
    assert done.stderr == b"err\n"
    assert done.returncode == 3


@pytest.mark.parametrize("events", [0, 1, 2, 3, 4, 6, 9])
def test_the_event_loop_takes_over_a_terminal_at_any_event(
    busybox: TestContainer, events: int
) -> None:
    script = "stty size; read line; echo got $line; exit 4"
    env = {"_RIND_EVENTS": str(events)}
    child = busybox.spawn("-t", "-c", script, size=(31, 93), env=env)
    child.expect_exact("31 93\r\n")
    child.sendline("a line")
    child.expect_exact("got a line\r\n")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 4


@pytest.mark.parametrize("events", [1, 2, 1000])
def test_a_command_that_cannot_start_is_reported_at_any_event(
    busybox: TestContainer, events: int
) -> None:
    done = busybox.rind("-T", "/no/such/program", _RIND_EVENTS=str(events))
    assert done.returncode == 127
    assert done.stderr.startswith(b"rind: cannot start the command: /no/such/program: not found")


def test_output_larger_than_a_pipe_arrives_whole(busybox: TestContainer) -> None:
    env = busybox.environ(_RIND_EVENTS="1000")
    words = [RIND, "-T", "head", "-c", "3000000", "/dev/zero"]
    with subprocess.Popen(words, env=env, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.read(1) == b"\0"
        assert len(process.stdout.read()) == 2_999_999
    assert process.returncode == 0
