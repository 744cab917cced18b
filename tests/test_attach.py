"""Interactive runs: a real PTY on this side, a real TTY on the other, a screen where it matters."""

import os
import signal
import socket
import subprocess
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pyte
import pytest
from conftest import RIND, TIMEOUT, Containers, TestContainer

CTRL = {"C": "\x03", "D": "\x04", "Z": "\x1a"}
PROMPT = r"[#$] "


class Screen:
    """What a user of a terminal of this size would see."""

    def __init__(self, child: "pexpect.spawn[bytes]", rows: int, columns: int) -> None:
        self.child = child
        self.screen = pyte.Screen(columns, rows)
        self.stream = pyte.ByteStream(self.screen)

    def resize(self, rows: int, columns: int) -> None:
        self.screen.resize(rows, columns)
        self.child.setwinsize(rows, columns)

    def wait_for(self, seen: Callable[[list[str]], bool]) -> list[str]:
        """Read until the screen's lines are as wanted; give them."""
        deadline = time.monotonic() + TIMEOUT
        while not seen(lines := [line.rstrip() for line in self.screen.display]):
            assert time.monotonic() < deadline, "\n".join(lines)
            self.stream.feed(self.child.read_nonblocking(65536, timeout=TIMEOUT))
        return lines


@pytest.fixture
def shell(container: TestContainer) -> Iterator["pexpect.spawn[bytes]"]:
    child = container.spawn(size=(31, 97))
    child.expect(PROMPT)
    yield child
    child.close(force=True)


def test_bare_rind_is_an_interactive_shell(shell: "pexpect.spawn[bytes]") -> None:
    shell.sendline("echo $((6*7)) $-; tty")
    shell.expect(r"42 \w*i\w*\r\n/dev/pts/\d+\r\n")
    shell.sendline("exit 7")
    shell.expect(pexpect.EOF)
    shell.wait()
    assert shell.exitstatus == 7


def test_the_pre_steps_environment_is_there(django: TestContainer) -> None:
    child = django.spawn()
    child.expect(PROMPT)
    child.sendline("command -v python")
    child.expect_exact("\r\n/venv/bin/python\r\n")
    child.send(CTRL["D"])
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 0


def test_ctrl_c_interrupts_the_command_and_not_rind(shell: "pexpect.spawn[bytes]") -> None:
    shell.sendline("sleep 1000; echo status $?")
    shell.expect_exact("status $?\r\n")
    shell.send(CTRL["C"])
    shell.expect(r"(status 130|\^C)")
    shell.sendline("echo alive $((1+1))")
    shell.expect_exact("alive 2\r\n")


def test_ctrl_z_and_job_control_are_the_containers(shell: "pexpect.spawn[bytes]") -> None:
    shell.sendline("sleep 1000")
    shell.expect_exact("sleep 1000\r\n")
    shell.send(CTRL["Z"])
    shell.expect(r"Stopped|Suspended")
    shell.sendline("kill %1; echo still $((1+1))")
    shell.expect_exact("still 2\r\n")


def test_every_key_reaches_the_program(busybox: TestContainer) -> None:
    one = "dd bs=1 count=1 2>/dev/null | od -An -tx1"
    child = busybox.spawn("-c", f"stty raw -echo; echo ready; while :; do {one}; done")
    child.expect_exact("ready")
    # Ctrl-P is the engine's own first detach key: it must not be held back until the next.
    keys = b"\x10\x11\x03\x1a\x04\x1b\x7f\r\n\xff"
    for number in keys:
        sent = bytes([number])
        child.send(sent)
        child.expect_exact(f" {sent.hex()}")
    child.close(force=True)


def test_the_screen_is_as_the_program_drew_it(container: TestContainer) -> None:
    child = container.spawn("-c", "printf 'a\\nb\\r\\n\\033[5;10Hhere'; read x", size=(10, 40))
    screen = Screen(child, 10, 40)
    lines = screen.wait_for(lambda lines: "here" in lines[4])
    assert lines[:5] == ["a", "b", "", "", "         here"]
    child.close(force=True)


def test_the_window_size_is_right_from_the_first_instruction(container: TestContainer) -> None:
    if container.engine.name.startswith("20."):
        # That engine is told right after the start: the program may look too soon, once.
        child = container.spawn(
            "-c", "until [ \"$(stty size)\" = '31 97' ]; do :; done; stty size", size=(31, 97)
        )
    else:
        child = container.spawn("stty", "size", size=(31, 97))
    child.expect_exact("31 97\r\n")
    child.expect(pexpect.EOF)


def test_resizes_follow(container: TestContainer) -> None:
    script = "trap 'stty size' WINCH; echo ready; while :; do read x; done"
    child = container.spawn("-c", script, size=(24, 80))
    child.expect_exact("ready")
    for rows, columns in [(40, 132), (10, 20), (24, 80)]:
        child.setwinsize(rows, columns)
        if container.engine.name:
            child.sendline("")  # dash runs a trap only once its read is over
        child.expect_exact(f"{rows} {columns}\r\n")
    child.close(force=True)


def test_less_draws_and_redraws_on_a_resize(busybox: TestContainer) -> None:
    child = busybox.spawn("-c", "seq 100 | less", size=(10, 40))
    screen = Screen(child, 10, 40)
    screen.wait_for(lambda lines: lines[:9] == [str(i) for i in range(1, 10)])
    child.send("G")
    screen.wait_for(lambda lines: "100" in lines[:9])
    child.send("q")
    child.expect(pexpect.EOF)


def test_createsuperuser_answers_at_its_prompts(containers: Containers) -> None:
    web = containers("django", "source /venv/bin/activate")
    assert web.rind("./manage.py", "migrate").returncode == 0
    child = web.spawn("./manage.py", "createsuperuser")
    for prompt, answer in [
        ("Username", "admin"),
        ("Email address", "a@example.org"),
        ("Password:", "s3cret-enough"),
        ("Password (again):", "s3cret-enough"),
    ]:
        child.expect_exact(prompt)
        child.sendline(answer)
    child.expect_exact("Superuser created successfully.")
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 0
    assert b"s3cret" not in (child.before or b"")
    count = "from django.contrib.auth.models import User; print(User.objects.count())"
    assert web.rind("./manage.py", "shell", "-c", count).stdout.endswith(b"1\n")


# --- the local terminal is given back ---------------------------------------------------------


class Terminal:
    """A PTY that outlives rind, with rind's own end kept open to look at."""

    def __init__(self) -> None:
        self.master, self.slave = os.openpty()
        attributes = termios.tcgetattr(self.slave)
        # Not what a new PTY has: giving back defaults is not enough.
        attributes[0] |= termios.IXOFF
        attributes[3] &= ~termios.ECHOK
        attributes[6][termios.VINTR] = b"\x1c"
        termios.tcsetattr(self.slave, termios.TCSANOW, attributes)
        self.attributes = termios.tcgetattr(self.slave)

    def is_as_before(self) -> bool:
        return termios.tcgetattr(self.slave) == self.attributes

    def is_raw(self) -> bool:
        flags = termios.tcgetattr(self.slave)
        return not (flags[1] & termios.OPOST or flags[3] & (termios.ICANON | termios.ECHO))

    def read_until(self, text: bytes) -> bytes:
        seen = b""
        while text not in seen:
            seen += os.read(self.master, 65536)
        return seen

    def close(self) -> None:
        os.close(self.master)
        os.close(self.slave)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    it = Terminal()
    yield it
    it.close()


def start(container: TestContainer, terminal: Terminal, *args: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [RIND, *args],
        env=container.environ(),
        stdin=terminal.slave,
        stdout=terminal.slave,
        stderr=terminal.slave,
        start_new_session=True,
    )


def test_the_terminal_is_raw_while_it_runs_and_as_before_after(
    busybox: TestContainer, terminal: Terminal
) -> None:
    with start(busybox, terminal, "-c", "echo ready; read x; exit 3") as process:
        terminal.read_until(b"ready\r\n")
        assert terminal.is_raw()
        os.write(terminal.master, b"\r")
        assert process.wait(TIMEOUT) == 3
    assert terminal.is_as_before()


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_the_terminal_is_as_before_after_a_signal(
    busybox: TestContainer, terminal: Terminal, number: signal.Signals, status: int
) -> None:
    with start(busybox, terminal, "-c", "echo ready; read x") as process:
        terminal.read_until(b"ready\r\n")
        process.send_signal(number)
        assert process.wait(TIMEOUT) == status
    assert terminal.is_as_before()


def test_the_terminal_is_as_before_when_the_container_dies(
    containers: Containers, terminal: Terminal
) -> None:
    target = containers("busybox")
    with start(target, terminal, "-c", "echo ready; read x") as process:
        terminal.read_until(b"ready\r\n")
        target.engine.cli("kill", target.name)
        assert process.wait(TIMEOUT) == 137
    assert terminal.is_as_before()


def test_the_terminal_is_as_before_when_nothing_starts(
    busybox: TestContainer, terminal: Terminal
) -> None:
    with start(busybox, terminal, "nope") as process:
        terminal.read_until(b"rind: cannot start the command")
        assert process.wait(TIMEOUT) == 127
    assert terminal.is_as_before()


def test_the_flags_of_shared_descriptors_are_never_touched(
    busybox: TestContainer, terminal: Terminal
) -> None:
    with start(busybox, terminal, "-c", "echo ready; read x") as process:
        terminal.read_until(b"ready\r\n")
        assert os.get_blocking(terminal.slave)
        os.write(terminal.master, b"\r")
        process.wait(TIMEOUT)
    assert os.get_blocking(terminal.slave)
    reader, writer = os.pipe()
    with subprocess.Popen(
        [RIND, "-c", "echo ready; cat >/dev/null"],
        env=busybox.environ(),
        stdin=reader,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        assert os.get_blocking(reader)
        assert os.get_blocking(process.stdout.fileno())
        os.close(writer)
    os.close(reader)


def test_a_tty_needs_both_stdin_and_stdout(container: TestContainer, terminal: Terminal) -> None:
    probe = [RIND, "-c", "test -t 0 && echo tty || echo none"]
    for stdin, stdout in [(terminal.slave, subprocess.PIPE), (subprocess.DEVNULL, terminal.slave)]:
        with subprocess.Popen(
            probe, env=container.environ(), stdin=stdin, stdout=stdout
        ) as process:
            out, _ = process.communicate(timeout=TIMEOUT)
        if stdout == subprocess.PIPE:
            assert out == b"none\n"
        else:
            assert b"none" in terminal.read_until(b"\n")
    assert terminal.is_as_before()


def test_stdin_that_is_a_socket(container: TestContainer) -> None:
    ours, theirs = socket.socketpair()
    with (
        ours,
        theirs,
        subprocess.Popen(
            [RIND, "cat"], env=container.environ(), stdin=theirs.fileno(), stdout=theirs.fileno()
        ) as process,
    ):
        theirs.close()
        data = os.urandom(100_000)
        ours.sendall(data)
        ours.shutdown(socket.SHUT_WR)
        received = b""
        while part := ours.recv(65536):
            received += part
        assert process.wait(TIMEOUT) == 0
    assert received == data


def test_stdin_that_is_a_file(container: TestContainer, tmp_path: Path) -> None:
    data = os.urandom(300_000)
    (tmp_path / "in").write_bytes(data)
    with (tmp_path / "in").open("rb") as stdin, (tmp_path / "out").open("wb") as stdout:
        subprocess.run(
            [RIND, "cat"], env=container.environ(), stdin=stdin, stdout=stdout, check=True
        )
    assert (tmp_path / "out").read_bytes() == data
