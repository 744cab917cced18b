"""The picker: its decisions without a terminal, and its behaviour on real terminals."""

import os
import shlex
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pexpect
import pytest
from conftest import RIND, TIMEOUT, Containers, TestContainer, ended, one_line, wait_until
from screen import Screen

from rind.cli.report import row
from rind.cli.running.picker import Choice, draw
from rind.model import COMPOSE, Container

NOW = 1_000_000.0
KEY = "app.rind"


def container(name: str, pre_step: str = "", image: str = "shop:dev") -> Container:
    labels = {KEY: pre_step, f"{COMPOSE}.service": "web", f"{COMPOSE}.project": "shop"}
    return Container(name, name, "running", "", labels, image, int(NOW) - 3 * 3600)


# --- decisions --------------------------------------------------------------------------------


def test_a_row_describes_a_container() -> None:
    cells = ("shop-web-1", "", "web", "shop", "", "shop:dev", "3 hours", "", "source x")
    assert row(container("shop-web-1", "\n source x \nmore"), KEY, NOW) == cells
    bare = Container("1", "one", "running", "", {})
    assert row(bare, KEY, 30.0) == ("one", "", "", "", "", "", "", "", "")
    image = "sha256:0123456789abcdef0123"
    assert row(container("x", image=image), KEY, NOW)[5] == "0123456789ab"


def test_a_row_has_no_control_characters() -> None:
    cells = row(container("x", "\x1b[2J\x9b2Ja\tb\r", "i\x1b]0;t\x07"), KEY, NOW)
    assert "".join(cells).isprintable()
    assert (cells[5], cells[8]) == ("i ]0;t", "[2J 2Ja b")


ROWS = [row(container(f"shop-{name}"), KEY, NOW) for name in ("Web-1", "web-2", "db-1", "Ärger")]


@pytest.mark.parametrize(
    ("typed", "matches"),
    [
        ("", [0, 1, 2, 3]),
        ("WEB-", [0, 1]),
        ("-1 shop web", [0, 2]),
        ("  db ", [2]),
        ("ärg", [3]),
        ("nope", []),
        ("shop-web-1 -2", []),
        # A word does not match across two cells.
        ("1web", []),
        ("1 w", [0, 2]),
    ],
)
def test_the_filter_matches_rows(typed: str, matches: list[int]) -> None:
    choice = Choice(ROWS)
    choice.type(typed)
    assert choice.matches == matches
    assert choice.chosen == (matches[0] if matches else None)


def test_moving_and_typing_choose_a_row() -> None:
    choice = Choice(ROWS)
    for by, chosen in [(-1, 0), (1, 1), (99, 3), (-1, 2), (-99, 0), (2, 2)]:
        choice.move(by)
        assert choice.chosen == chosen
    choice.type("we\x1bb")
    assert (choice.typed, choice.chosen) == ("web", 0)
    choice.type("!")
    choice.move(1)
    assert choice.matches == []
    choice.erase()
    choice.move(1)
    assert choice.chosen == 1
    for _ in range(9):
        choice.erase()
    assert (choice.typed, choice.chosen) == ("", 0)


def test_words_and_the_whole_filter_are_erased() -> None:
    choice = Choice(ROWS)
    for text, left in [("web shop", "web "), ("web shop  ", "web "), ("web", ""), ("", "")]:
        choice.clear()
        assert choice.typed == ""
        choice.type(text)
        choice.erase_word()
        assert choice.typed == left


def drawn(choice: Choice, rows: int, columns: int) -> list[str]:
    return "".join(text for _, text in draw(choice, (rows, columns))).splitlines()


def test_the_table_is_drawn() -> None:
    choice = Choice(ROWS)
    choice.move(1)
    lines = drawn(choice, 24, 80)
    assert lines[0].startswith("Which container (4/4)?  (type to filter")
    assert lines[1:] == [
        "  NAME        SERVICE  PROJECT  IMAGE     AGE",
        "  shop-Web-1  web      shop     shop:dev  3 hours",
        "> shop-web-2  web      shop     shop:dev  3 hours",
        "  shop-db-1   web      shop     shop:dev  3 hours",
        "  shop-Ärger  web      shop     shop:dev  3 hours",
    ]
    choice.type("web-2")
    assert drawn(choice, 24, 80)[::2] == ["Which container (1/4)? web-2 ", f"> {lines[3][2:]}"]


@pytest.mark.parametrize("at", [0, 1, 50, 98, 99])
@pytest.mark.parametrize(("rows", "shown"), [(200, 15), (24, 12), (6, 3), (3, 1), (1, 1)])
def test_a_long_list_scrolls(at: int, rows: int, shown: int) -> None:
    choice = Choice([row(container(f"shop-{number}"), KEY, NOW) for number in range(100)])
    choice.move(at)
    lines = drawn(choice, rows, 80)[2:]
    assert len(lines) == shown
    assert [line.split()[1] for line in lines if line.startswith("> ")] == [f"shop-{at}"]


@pytest.mark.parametrize("columns", [1, 2, 3, 10, 30, 40, 80])
@pytest.mark.parametrize("typed", ["", "web", "x" * 500, "漢" * 50])
def test_no_line_is_wider_than_the_terminal(columns: int, typed: str) -> None:
    choice = Choice([row(container("shop-漢字漢字", "x" * 999), KEY, NOW)])
    choice.type(typed)
    for line in drawn(choice, 24, columns):
        wide = sum(2 if ch in "漢字" else 1 for ch in line)
        assert wide <= max(columns, 2)


# --- on a terminal ----------------------------------------------------------------------------

NAMES = ("apple", "banana", "cherry")
UP, DOWN, END = "\x1b[A", "\x1b[B", "\x1b[F"


@pytest.fixture(scope="session")
def several(session_containers: Containers) -> TestContainer:
    """Return the first of three containers with the same label key, their names as hostnames."""
    key = f"test.{uuid.uuid4().hex}"
    hostile = "\x1b[2J\x1b]0;owned\x07\x9b2J: 漢字\nfalse"
    made = []
    for name, pre_step in zip(NAMES, ("", "umask 0", hostile), strict=True):
        options = ("--hostname", name, "--label", f"{COMPOSE}.service={name[0]}{name[0]}")
        full_name = f"{name}-{uuid.uuid4().hex[:8]}"
        made.append(session_containers("busybox", pre_step, *options, name=full_name, label=key))
    return made[0]


@contextmanager
def on_screen(
    target: TestContainer, script: str, *, rows: int = 24, columns: int = 80, **env: str
) -> Iterator[Screen]:
    """Run a shell script on a terminal; its ``rind`` is the one under test."""
    function = f'rind() {{ {shlex.quote(RIND)} "$@"; }}\n'
    child: pexpect.spawn[bytes] = pexpect.spawn(
        "bash",
        ["-c", function + script],
        env=target.environ(**env),
        dimensions=(rows, columns),
        timeout=TIMEOUT,
    )
    try:
        yield Screen(child, rows, columns)
    finally:
        child.close(force=True)


def chosen(lines: Sequence[str]) -> str:
    """Return the beginning of the chosen row's name."""
    found = [line[2:] for line in lines if line.startswith("> ")]
    return found[0].partition("-")[0] if found else ""


def shows(start: str) -> Callable[[list[str]], bool]:
    return lambda lines: any(line.startswith(start) for line in lines)


@pytest.mark.parametrize(
    ("keys", "name"),
    [
        ([""], "apple"),
        ([DOWN], "banana"),
        (["\x0e", "\x0e", "\x10"], "banana"),
        ([END, "\x10"], "banana"),
        (["\x1b[6~", UP, UP, UP], "apple"),
    ],
)
def test_keys_choose(several: TestContainer, keys: list[str], name: str) -> None:
    with on_screen(several, "rind cat /etc/hostname; echo status $?") as screen:
        lines = screen.wait_for(lambda lines: chosen(lines) == "apple")
        assert lines[1].split() == ["NAME", "SERVICE", "IMAGE", "AGE", "PRE-STEP"]
        assert [line[2:].partition("-")[0] for line in lines[2:5]] == list(NAMES)
        for key in keys:
            screen.child.send(key)
        screen.wait_for(lambda lines: chosen(lines) == name)
        screen.child.send("\r")
        assert screen.last() == [name, "status 0"]


def test_typing_filters(several: TestContainer) -> None:
    with on_screen(several, "rind cat /etc/hostname") as screen:
        screen.wait_for(lambda lines: chosen(lines) == "apple")
        screen.child.send("BANx")
        screen.wait_for(lambda lines: lines[0] == "Which container (0/3)? BANx")
        assert screen.screen.cursor.y == 0
        screen.child.send("\r")  # no row is chosen
        screen.child.send("\x7f bb")
        screen.wait_for(lambda lines: lines[0] == "Which container (1/3)? BAN bb")
        screen.wait_for(lambda lines: lines[2].startswith("> banana") and not lines[3])
        assert screen.screen.cursor.x == len("Which container (1/3)? BAN bb")
        screen.child.send("\r")
        assert screen.last() == ["banana"]


def test_a_paste_filters_and_runs_nothing(several: TestContainer) -> None:
    with on_screen(several, "rind cat /etc/hostname; echo status $?") as screen:
        screen.wait_for(lambda lines: chosen(lines) == "apple")
        screen.child.send("\x1b[200~cherry\r\x1b[201~")
        screen.wait_for(lambda lines: lines[0] == "Which container (1/3)? cherry")
        screen.child.send("\x1bOP")  # F1, which has no binding
        screen.child.send("\x1b")
        assert screen.last() == ["status 130"]


@pytest.mark.parametrize("key", ["\x1b", "\x04"])
def test_leaving_runs_nothing(several: TestContainer, key: str) -> None:
    script = "stty -echok ixoff; stty -g; echo before; rind echo lost; echo status $?; stty -g"
    with on_screen(several, script, columns=200) as screen:
        screen.wait_for(shows("> apple"))
        screen.child.send(key)
        attributes, *said, after = screen.last()
    assert said == ["before", "status 130"]
    assert attributes == after


def test_ctrl_c_ends_a_shells_loop_too(several: TestContainer) -> None:
    script = "trap 'echo interrupted; exit' INT; for x in 1 2 3; do rind true; echo next; done"
    with on_screen(several, script) as screen:
        screen.wait_for(shows("> apple"))
        screen.child.send("\x03")
        assert screen.last() == ["interrupted"]


def test_keys_typed_ahead_are_discarded(several: TestContainer) -> None:
    with on_screen(several, "printf 'typed: '; read x; rind cat /etc/hostname") as screen:
        screen.child.expect("typed: ")
        screen.child.send("go\nbanana\n")
        lines = screen.wait_for(lambda lines: chosen(lines) == "apple")
        (question,) = [line for line in lines if line.startswith("Which container")]
        assert question.startswith("Which container (3/3)?  (type to filter")
        screen.child.send("\r")
        assert screen.last()[-1] == "apple"


def test_the_terminal_and_its_modes_are_restored(several: TestContainer) -> None:
    script = "stty -echok ixoff; stty -g; rind cat /etc/hostname; stty -g"
    with on_screen(several, script, columns=200) as screen:
        screen.wait_for(shows("> apple"))
        screen.child.send("\r")
        attributes, name, after = screen.last()
        assert (name, attributes) == ("apple", after)
        assert not screen.screen.cursor.hidden
        assert 2004 << 5 not in screen.screen.mode  # bracketed paste; pyte shifts private modes


def test_keys_typed_after_enter_reach_the_command(several: TestContainer) -> None:
    command = 'stty -echo; IFS= read -r x; printf %s "$x" | od -An -tx1; read y; echo got $y'
    with on_screen(several, f"rind -c '{command}'") as screen:
        screen.wait_for(lambda lines: chosen(lines) == "apple")
        screen.child.send("\x1b[B\rhellö  \x01x\rmore\r")
        screen.wait_for(shows(" 68 65 6c 6c c3 b6 20 20 01 78"))
        screen.wait_for(shows("got more"))


@pytest.mark.parametrize("to", ["| cat >{}", ">{}"])
def test_stdout_gets_only_the_commands_output(
    several: TestContainer, tmp_path: Path, to: str
) -> None:
    script = "rind cat /etc/hostname " + to.format(tmp_path / "out")
    with on_screen(several, script) as screen:
        screen.wait_for(lambda lines: chosen(lines) == "apple")
        screen.child.send(f"{DOWN}\r")
        assert screen.last() == []
    assert (tmp_path / "out").read_bytes() == b"banana\n"


def test_a_hostile_label_does_no_harm(several: TestContainer) -> None:
    with on_screen(several, "rind true", columns=200) as screen:
        seen = b""
        while "漢字".encode() not in seen:
            seen += screen.child.read_nonblocking(65536, timeout=TIMEOUT)
        assert b"[2J ]0;owned 2J: " in seen
        for sequence in (b"\x1b[2J", b"\x1b]", b"\x07", "\x9b".encode()):
            assert sequence not in seen
        screen.child.send("\x03")


def test_the_table_adapts_to_the_terminals_size(several: TestContainer) -> None:
    with on_screen(several, "rind cat /etc/hostname", rows=6, columns=40) as screen:
        lines = screen.wait_for(lambda lines: chosen(lines) == "apple")
        assert lines[0] == "Which container (3/3)?  (type to filter…"[:40]
        assert sum(bool(line) for line in lines) == 5
        screen.child.send(DOWN)
        screen.wait_for(lambda lines: chosen(lines) == "banana")
        screen.resize(24, 80)
        screen.wait_for(lambda lines: "PRE-STEP" in lines[1] and chosen(lines) == "banana")
        screen.resize(4, 20)
        screen.wait_for(lambda lines: lines[0].endswith("…") and chosen(lines) == "banana")
        screen.resize(24, 80)
        screen.wait_for(lambda lines: "PRE-STEP" in lines[1] and chosen(lines) == "banana")
        screen.child.send("\r")
        assert screen.last() == ["banana"]


# --- signals ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)],
)
def test_a_signal_ends_the_picker(
    several: TestContainer, tmp_path: Path, number: int, status: int
) -> None:
    run = f"sh -c 'echo $$ >{tmp_path}/pid; exec {RIND} echo lost'"
    script = f"stty -echok; stty -g; {run}; echo status $?; stty -g"
    with on_screen(several, script, columns=200) as screen:
        screen.wait_for(shows("> apple"))
        os.kill(int((tmp_path / "pid").read_text()), number)
        # In between, a shell may print the signal.
        attributes, *_, said, after = screen.last()
    assert said == f"status {status}"
    assert attributes == after


@pytest.mark.parametrize(("option", "status"), [("--ctty", 129), ("--wait", 130)])
def test_a_closed_window_ends_the_picker(several: TestContainer, option: str, status: int) -> None:
    master, slave = os.openpty()
    with subprocess.Popen(
        ["setsid", option, RIND, "echo", "lost"],
        env=several.environ(),
        stdin=slave,
        stdout=slave,
        stderr=slave,
    ) as process:
        os.close(slave)
        seen = b""
        while b"> apple" not in seen:
            seen += os.read(master, 65536)
        os.close(master)
        assert ended(process) == status


@pytest.mark.parametrize(("end", "status"), [("kill", 143), ("key", 130)])
def test_signals_reach_the_picked_containers_command(
    several: TestContainer, tmp_path: Path, end: str, status: int
) -> None:
    command = f'{RIND} -T -c "echo ready >&2; sleep 31415"'
    run = f"sh -c 'echo $$ >{tmp_path}/pid; exec {command}'"
    # The shell continues after Ctrl-C only if it traps the signal.
    with on_screen(several, f"trap : INT; {run}; echo status $?") as screen:
        screen.wait_for(shows("> apple"))
        screen.child.send("\r")
        screen.wait_for(shows("ready"))
        assert "sleep 31415" in several.inside("ps")
        if end == "kill":
            os.kill(int((tmp_path / "pid").read_text()), signal.SIGTERM)
        else:
            screen.child.send("\x03")
        assert screen.last()[-1].endswith(f"status {status}")
    wait_until(lambda: "sleep 31415" not in several.inside("ps"))


# --- where it is not shown --------------------------------------------------------------------


@pytest.mark.parametrize("script", ["rind true </dev/null", "rind true 2>{}", "TERM= rind true"])
def test_several_containers_without_a_terminal_are_an_error(
    several: TestContainer, tmp_path: Path, script: str
) -> None:
    script = script.format(tmp_path / "err")
    with on_screen(several, f"{script}; echo status $?", columns=300) as screen:
        *lines, status = screen.last()
    said = "\n".join(lines).encode() or (tmp_path / "err").read_bytes()
    assert status == "status 125"
    assert one_line(said).startswith("3 running containers have the label")


def test_a_container_paused_meanwhile_is_refused(containers: Containers) -> None:
    first = containers("busybox")
    second = containers("busybox", label=first.label)
    with on_screen(first, "rind true; echo status $?", columns=200) as screen:
        screen.wait_for(lambda lines: any(second.name in line for line in lines))
        first.engine.cli("pause", second.name)
        screen.child.send(f"{second.name}\r")
        said, status = screen.last()
    assert f"{second.name} is paused" in said
    assert status == "status 125"
    first.engine.cli("pause", first.name)
    assert b"it, but is paused; resume it with: docker unpause" in first.rind("true").stderr
    first.engine.cli("unpause", first.name, second.name)


def test_a_run_without_a_choice_does_not_import_the_picker(busybox: TestContainer) -> None:
    run = f"{shlex.quote(sys.executable)} -X importtime -m rind true"
    child = pexpect.spawn("sh", ["-c", run], env=busybox.environ(), timeout=TIMEOUT)
    child.expect(pexpect.EOF)
    assert b"rind.execution.direct" in child.before
    assert b"prompt_toolkit" not in child.before
