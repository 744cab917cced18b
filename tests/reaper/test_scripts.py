"""The scripts under real shells, on this machine's own processes."""

import os
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from conftest import SHELLS, wait_until

from rind.reaper.scripts import (
    BOOTSTRAP,
    LEASH_SCRIPT,
    ROOTS_SCRIPT,
    SIGNAL_SCRIPT,
    script_variables,
)

# Ignores every signal that it can, and has a child in the background, one in a session of its own,
# one without an environment, and a grandchild.
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
    """Start a tree in a session of its own, as an exec's is; yield its process numbers."""
    process = subprocess.Popen(
        ["/bin/sh", "-c", script],
        env={"PATH": os.environ["PATH"], "A": "1", "RIND_EXEC_ID": cookie, "Z": "x\ny\udcff"},
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


def environ(script: str, held: str = "", **more: str) -> dict[str, str]:
    """Return a script's environment."""
    variables = script_variables(script, held, uuid.uuid4().hex)
    return {
        "PATH": os.environ["PATH"],
        **dict(variable.split("=", 1) for variable in variables),
        **more,
    }


def signal(
    shell: list[str],
    cookie: str,
    number: int,
    path: str | None = None,
    session: tuple[str, str] = ("-", "-"),
) -> int:
    done = subprocess.run(
        [*shell, "-c", BOOTSTRAP, "sh", str(number)],
        env=environ(
            SIGNAL_SCRIPT,
            " ".join([cookie, *session]),
            PATH=path or os.environ["PATH"],
            LANG="C.UTF-8",
        ),
        capture_output=True,
        check=True,
        text=True,
        timeout=20,
    )
    assert done.stderr == ""
    count, left, denied, own = map(int, done.stdout.split())
    assert denied == 0
    assert left <= count
    assert own == 0  # a victim has a parent
    return count


def ignores(pid: int, number: int) -> bool:
    (mask,) = re.findall(r"^SigIgn:\s+(\w+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return bool(int(mask, 16) >> (number - 1) & 1)


def gone(pids: list[int]) -> bool:
    wait_until(lambda: not alive(pids))
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


def test_builtins_alone_suffice(shell: list[str], tmp_path: Path) -> None:
    if shell == SHELLS["ash"]:
        shell = ["/bin/dash"]  # this ash has its applets even without a PATH
    cookie = uuid.uuid4().hex
    with victim(cookie) as pids:
        assert signal(shell, cookie, 0, path=str(tmp_path)) == len(pids)
        while signal(shell, cookie, 9, path=str(tmp_path)):
            pass
        assert gone(pids)


@pytest.mark.parametrize("tools", [True, False], ids=["tools", "builtins"])
def test_one_look_sends_each_tree_its_own_signal(
    shell: list[str],
    tmp_path: Path,
    tools: bool,  # noqa: FBT001 # a case
) -> None:
    cookies = [uuid.uuid4().hex for _ in range(4)]
    with victim(cookies[0]) as stubborn, victim(cookies[1]) as killed, victim(cookies[2]) as seen:
        done = subprocess.run(
            [*shell, "-c", BOOTSTRAP, "sh", "15", "9", "0", "15"],
            env=environ(
                SIGNAL_SCRIPT,
                " ".join(f"{cookie} - -" for cookie in cookies),
                **({} if tools else {"PATH": str(tmp_path)}),
            ),
            capture_output=True,
            check=True,
            text=True,
        )
        rows = [tuple(map(int, line.split())) for line in done.stdout.splitlines()]
        assert [row[0] for row in rows] == [6, 6, 6, 0]
        assert rows[0][1] > 0
        assert rows[2:] == [(6, 6, 0, 0), (0, 0, 0, 0)]
        assert gone(killed)
        assert stubborn[0] in alive(stubborn)
        assert alive(seen) == seen


# Has neither the cookie nor the session: only its parent shows that it is of the tree.
CHILD_OF_A_BEARER = """
setsid env -i sh -c 'trap "" HUP INT QUIT TERM; sleep 1000; :' &
echo ready; wait
"""


def test_children_of_a_tree_belong_to_it(shell: list[str]) -> None:
    cookie = uuid.uuid4().hex
    with victim(cookie, CHILD_OF_A_BEARER) as pids:
        wait_until(lambda: len(descendants(pids[0])) == 3)
        tree = descendants(pids[0])
        assert signal(shell, cookie, 9) == len(tree)
        assert gone(tree)


@pytest.mark.parametrize("tools", [True, False], ids=["tools", "builtins"])
def test_the_commands_own_session_needs_no_bearer(
    shell: list[str],
    tmp_path: Path,
    tools: bool,  # noqa: FBT001 # a case
) -> None:
    cookie = uuid.uuid4().hex
    path = None if tools else str(tmp_path)
    with victim("another", "sleep 1000 & echo ready; wait") as pids:
        start = Path(f"/proc/{pids[0]}/stat").read_text().rpartition(") ")[2].split()[19]
        later = str(int(start) + 1)
        # A later session of the same number must be spared.
        assert signal(shell, cookie, 9, path, (str(pids[0]), later)) == 0
        assert alive(pids) == pids
        assert signal(shell, cookie, 15, path, (str(pids[0]), start)) == len(pids)
        assert gone(pids)
        assert signal(shell, cookie, 9, path, (str(pids[0]), start)) == 0


@contextmanager
def bystander(env: dict[str, str] | None = None) -> Iterator[int]:
    """Start a process outside of every tree."""
    process = subprocess.Popen(["sleep", "1000"], env=env, start_new_session=True)
    try:
        yield process.pid
    finally:
        process.kill()
        process.wait()


def forged(cookie: str, victim: int) -> dict[str, str]:
    """Return an environment that looks as if another process had the cookie."""
    line = f"RIND_EXEC_ID={cookie}"
    return {
        "A": f"\n==> /proc/{victim}/environ <==\n{line}\n",
        "B": f"x\n/proc/{victim}/environ {line}",
        f"\n/proc/{victim}/environ ": line,
        "": f"\n==> /proc/{victim}/environ <==\n{line}",
        "C": f"\n==> /proc/{victim}/environ <==\n{line}\n==> /proc/../x/environ <==\n{line}\n",
    }


@pytest.mark.parametrize("tools", [True, False], ids=["tools", "builtins"])
def test_no_process_can_forge_a_cookie_for_another(
    shell: list[str],
    tmp_path: Path,
    tools: bool,  # noqa: FBT001 # a case
) -> None:
    cookie = uuid.uuid4().hex
    path = None if tools else str(tmp_path)
    with (
        bystander() as other,
        bystander(forged(cookie, other)),
        victim(cookie, "sleep 1000 & echo ready; wait") as pids,
    ):
        # Builtins may count the forger itself, but no other process.
        assert signal(shell, cookie, 0, path) - len(pids) in {0, 1}
        signal(shell, cookie, 9, path)
        assert gone(pids)
        assert alive([other]) == [other]


@pytest.mark.parametrize("name", [b"\n7 (x", b"x) S 1 7 7 (", b"a\n7 () R 7 7 7"])
def test_no_process_name_can_forge_a_parent(shell: list[str], name: bytes) -> None:
    """The process's name is in the middle of /proc/PID/stat."""
    cookie = uuid.uuid4().hex
    rename = "import ctypes, sys, time; ctypes.CDLL(None).prctl(15, bytes.fromhex(sys.argv[1]));"
    script = (
        f"exec {sys.executable} -c '{rename} print(); sys.stdout.flush(); time.sleep(999)' {{}}"
    )
    with bystander() as other:
        spoken = name.replace(b"7", str(other).encode())[:15]
        with victim(cookie, script.format(spoken.hex())) as pids:
            assert signal(shell, cookie, 9) == len(pids) == 1
            assert gone(pids)
        assert alive([other]) == [other]


def test_no_command_line_shows_a_cookie(shell: list[str]) -> None:
    cookie = uuid.uuid4().hex
    process = leash(shell)
    assert process.stdin
    process.stdin.write(f"hold {cookie} - -\n".encode())
    process.stdin.flush()
    while not ignores(process.pid, 15):
        assert process.poll() is None
    words = Path(f"/proc/{process.pid}/cmdline").read_bytes().split(b"\0")
    assert words[-4:] == [b"-c", BOOTSTRAP.encode(), b"rind-leash", b""]
    process.communicate(f"release {cookie}\n".encode(), 20)


def test_the_roots_of_a_container(shell: list[str]) -> None:
    """A new PID namespace stands in for a container's: its first process is the only root."""
    script = f'exec {" ".join(shell)} -c "$0"'
    unshared = ["unshare", "--pid", "--fork", "--mount-proc", "sh", "-c", f"sleep 9 & {script[5:]}"]
    done = subprocess.run(
        [*unshared, BOOTSTRAP],
        env=environ(ROOTS_SCRIPT),
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    )
    (line,) = done.stdout.splitlines()
    pid, session, start = map(int, line.split())
    assert (pid, session > -1, start > 0) == (1, True, True)


def leash(shell: list[str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [*shell, "-c", BOOTSTRAP, "rind-leash"],
        env=environ(LEASH_SCRIPT),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def test_the_leash_ends_its_trees_at_the_end_of_stdin(shell: list[str]) -> None:
    cookies = [uuid.uuid4().hex for _ in range(4)]
    with (
        victim(cookies[0]) as first,
        victim(cookies[1]) as released,
        victim(cookies[2]) as last,
        victim("another", "sleep 1000 & echo ready; wait") as session,
        victim(uuid.uuid4().hex) as stranger,
    ):
        start = Path(f"/proc/{session[0]}/stat").read_text().rpartition(") ")[2].split()[19]
        told = f"""\
hold {cookies[0]} - -
hold {cookies[1]} - -
hold {cookies[3]} {session[0]} {start}
release {cookies[1]}
hold {cookies[2]} - -
hold {cookies[1]}"""  # the holder was killed in the middle of this line
        assert leash(shell).communicate(told.encode(), 20)[0] == b"holds\n"
        assert gone([*first, *last, *session])
        assert alive(released) == released
        assert alive(stranger) == stranger


def test_the_leash_ends_one_tree_on_request(shell: list[str]) -> None:
    cookies = [uuid.uuid4().hex for _ in range(3)]
    with victim(cookies[0]) as ended, victim(cookies[1]) as held, victim(cookies[2]) as released:
        process = leash(shell)
        assert process.stdin
        for verb, cookie in [("hold", one) for one in cookies] + [("end", cookies[0])]:
            process.stdin.write(f"{verb} {cookie} - -\n".encode())
        process.stdin.flush()
        assert gone(ended)
        assert alive(held) == held
        process.communicate(f"release {cookies[2]}\n".encode(), 20)
        assert gone(held)
        assert alive(released) == released


def test_a_leash_that_holds_nothing_ends_nothing(shell: list[str]) -> None:
    cookie = uuid.uuid4().hex
    with victim(cookie) as pids:
        told = f"hold {cookie} - -\nrelease {cookie}\n"
        assert leash(shell).communicate(told.encode(), 20)[0] == b"holds\n"
        assert alive(pids) == pids


def test_the_leash_ignores_signals(shell: list[str]) -> None:
    cookie = uuid.uuid4().hex
    with victim(cookie) as pids:
        process = leash(shell)
        while not ignores(process.pid, 15):
            assert process.poll() is None
        for number in (1, 2, 15):
            process.send_signal(number)
        process.communicate(f"hold {cookie} - -\n".encode(), 20)
        assert gone(pids)
