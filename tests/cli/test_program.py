"""Printing to any stdout, and a lack of resources; test_main tests the rest of the program."""

import os
import random
import select
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from conftest import RIND, TIMEOUT, TestContainer, wait_until


def test_a_full_nonblocking_stdout_is_waited_for() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    filled = 0
    while select.select([], [writing], [], 0)[1]:
        filled += os.write(writing, b"x" * 4096)
    words = [RIND, "--help", "all"]
    with subprocess.Popen(words, stdout=writing, stderr=subprocess.PIPE) as process:
        os.close(writing)
        with open(reading, "rb") as reader:  # noqa: PTH123 # a descriptor
            said = reader.read()[filled:]
        assert process.wait(TIMEOUT) == 0
        assert process.stderr
        assert process.stderr.read() == b""
    assert said.startswith(b"Usage: rind")
    assert said.endswith(b"ended it.\n")


def test_the_time_limit_applies_while_a_file_is_read(
    busybox: TestContainer, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "variables")
    done = busybox.rind("--timeout", "0.3", "--env-file", str(tmp_path / "variables"), "env")
    assert (done.returncode, done.stdout) == (124, b"")
    assert done.stderr == b"rind: no command was started within 0.3 s\n"


def test_an_action_that_only_prints_imports_no_asyncio() -> None:
    script = "import sys; sys.argv[1:] = ['--version']; import rind.cli.program as p; p.run()"
    loaded = subprocess.run(
        [sys.executable, "-c", f"{script}; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
        timeout=TIMEOUT,
    ).stdout.split()
    assert not {"asyncio", "aiodocker"} & set(loaded)


# --- out of descriptors, memory, or files -----------------------------------------------------

FAULTS = """
import os, resource, sys

number, kind = os.environ["FAULT"].split(":")
left = int(number)

def hook(event, args):
    global left
    left -= 1
    if left == 0:
        if kind == "memory":
            raise MemoryError
        if kind == "import":
            raise ImportError("cannot read it")
        if kind == "disk":
            raise OSError(5, "Input/output error")
        if kind == "limit":
            size = int(open("/proc/self/statm").read().split()[0]) * 4096
            resource.setrlimit(resource.RLIMIT_AS, (size, size))
            return
        raise OSError(24, "Too many open files")

sys.addaudithook(hook)
"""
"""Python raises an audit event for each request to the system: this refuses one of them, or limits
the memory from then on."""


def outcome(
    busybox: TestContainer, words: list[str], mark: str, **env: str
) -> tuple[int, list[str], bool]:
    """Run a command that does not end, and send SIGTERM once it runs.

    Return the status, the lines on stderr, and whether the command was left running.
    """
    sleep = f"[{mark[0]}]{mark[1:]}"
    with subprocess.Popen(
        [*words, "-T", "sleep", mark],
        env=busybox.environ(**env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        wait_until(lambda: process.poll() is not None or mark in busybox.inside("ps"))
        process.terminate()
        _, said = process.communicate(timeout=TIMEOUT)
    is_left = mark in busybox.inside("ps")
    busybox.inside(f"for pid in $(pgrep -f '{sleep}'); do kill -9 $pid; done")
    return process.returncode, said.decode().splitlines(), is_left


def check(status: int, said: list[str], *, is_left: bool) -> None:
    """Check that a command left running and a failure are reported, without a traceback."""
    assert status in {125, -15}, said
    assert all(line.startswith("rind: ") for line in said), said
    is_reported = any(
        "may be left running" in line or "may still be running" in line for line in said
    )
    assert is_reported or not is_left
    assert len(said) <= 1, said


@pytest.mark.newest_engine
def test_a_lack_of_descriptors_is_reported(busybox: TestContainer) -> None:
    for number in range(5, 12):
        mark = str(uuid.uuid4().int % 10**8 + 10**8)
        words = ["prlimit", f"--nofile={number}", RIND]
        status, said, is_left = outcome(busybox, words, mark)
        check(status, said, is_left=is_left)
        assert not any("cannot read stdin" in line for line in said)


@pytest.mark.newest_engine
@pytest.mark.parametrize("kind", ["descriptors", "memory", "import", "disk", "limit"])
def test_a_failure_at_any_moment_reports_a_command_left_running(
    busybox: TestContainer, tmp_path: Path, kind: str
) -> None:
    (tmp_path / "sitecustomize.py").write_text(FAULTS)
    chosen = random.Random(kind)
    # The start is requested after about 360 events; a run has about 1000.
    for number in sorted(chosen.sample(range(150, 950), 4)):
        mark = str(uuid.uuid4().int % 10**8 + 10**8)
        env = {"PYTHONPATH": str(tmp_path), "FAULT": f"{number}:{kind}", "PYTHONWARNINGS": ""}
        status, said, is_left = outcome(busybox, [RIND], mark, **env)
        check(status, said, is_left=is_left)
