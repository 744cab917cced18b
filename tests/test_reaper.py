"""The scripts under real shells, on this machine's own processes; the reaper on real engines."""

import os
import re
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

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
