"""Interactive runs: a local PTY, a TTY in the container, and an emulated screen where needed."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import termios
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pexpect
import pytest
from conftest import RIND, TIMEOUT, Containers, TestContainer, ended, one_line, wait_until
from faults import Fault, FaultProxy, fault_proxy
from local_terminal import Terminal
from screen import Screen

CTRL = {"C": "\x03", "D": "\x04", "Z": "\x1a"}
PROMPT = r"[#$] "


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


def test_the_pre_steps_environment_reaches_the_shell(django: TestContainer) -> None:
    child = django.spawn()
    child.expect(PROMPT)
    child.sendline("command -v python")
    child.expect_exact("\r\n/venv/bin/python\r\n")
    child.send(CTRL["D"])
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 0


def test_ctrl_c_interrupts_the_command_and_not_rind(
    container: TestContainer, shell: "pexpect.spawn[bytes]"
) -> None:
    mark = str(uuid.uuid4().int % 10**8 + 10**8)
    shell.sendline(f"sleep {mark}; echo status $?")
    shell.expect_exact("status $?\r\n")
    wait_until(lambda: f"sleep {mark}" in container.engine.cli("top", container.name))
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
    # Ctrl-P is the engine's own first detach key: it must not be held back until the next key.
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
        # That engine gets the size right after the start: the program may read it too early, once.
        child = container.spawn(
            "-c", "until [ \"$(stty size)\" = '31 97' ]; do :; done; stty size", size=(31, 97)
        )
    else:
        child = container.spawn("stty", "size", size=(31, 97))
    child.expect_exact("31 97\r\n")
    child.expect(pexpect.EOF)


def test_resizes_reach_the_program(container: TestContainer) -> None:
    script = "trap 'stty size' WINCH; echo ready; while :; do read x; done"
    child = container.spawn("-c", script, size=(24, 80))
    child.expect_exact("ready")
    for rows, columns in [(40, 132), (10, 20), (24, 80)]:
        child.setwinsize(rows, columns)
        if container.engine.name:
            child.sendline("")  # dash runs a trap only after its read has returned
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


# --- the local terminal is restored -----------------------------------------------------------


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    it = Terminal()
    yield it
    it.close()


SHELL = ("--ctty", "bash", "-c")
"""A program for :func:`start`: a shell with job control."""


@contextmanager
def start(
    container: TestContainer,
    terminal: Terminal,
    *args: str,
    program: Sequence[str] = (RIND,),
    **env: str,
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run rind, or another program, on the terminal; all of its processes are ended."""
    process = subprocess.Popen(
        ["setsid", *program, *args],
        env=container.environ(**env),
        stdin=terminal.slave,
        stdout=terminal.slave,
        stderr=terminal.slave,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_the_terminal_is_raw_while_it_runs_and_as_before_after(
    busybox: TestContainer, terminal: Terminal
) -> None:
    with start(busybox, terminal, "-c", "echo ready; read x; exit 3") as process:
        terminal.read_until(b"ready\r\n")
        assert terminal.is_raw()
        os.write(terminal.master, b"\r")
        assert ended(process) == 3
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
        assert ended(process) == status
    assert terminal.is_as_before()


def test_the_terminal_is_as_before_when_the_container_dies(
    containers: Containers, terminal: Terminal
) -> None:
    target = containers("busybox")
    with start(target, terminal, "-c", "echo ready; read x") as process:
        terminal.read_until(b"ready\r\n")
        target.engine.cli("kill", target.name)
        assert ended(process) == 137
    assert terminal.is_as_before()


ALTERNATE = "printf '\\033[?1049h'; echo ready; read x"
"""A program that leaves the terminal on its alternate screen."""


async def test_the_terminal_is_as_before_when_the_engine_dies(
    busybox: TestContainer, terminal: Terminal, tmp_path: Path
) -> None:
    def configure(proxy: FaultProxy) -> None:
        proxy.fault, proxy.at = Fault.GONE, 10**9

    async with fault_proxy(busybox.engine.host, tmp_path, configure) as (url, proxy):
        with start(busybox, terminal, "-c", ALTERNATE, DOCKER_HOST=url) as process:
            await asyncio.to_thread(terminal.read_until, b"ready\r\n")
            proxy.at = proxy.relayed + 1
            os.write(terminal.master, b"xx")
            said = await asyncio.to_thread(terminal.read_until, b"may still be running")
            assert await asyncio.to_thread(process.wait, TIMEOUT) == 125
    assert b"\033[?1049l" in said
    assert terminal.is_as_before()


def test_the_terminal_is_as_before_when_rind_itself_fails(
    busybox: TestContainer, terminal: Terminal
) -> None:
    broken = (
        "import rind.terminal.screen_modes, rind.cli.program, sys\n"
        "class Modes(rind.terminal.screen_modes.TerminalModes):\n"
        "    def feed(self, data):\n"
        "        super().feed(data)\n"
        "        if b'ready' in data: raise RuntimeError('a mistake')\n"
        "rind.terminal.screen_modes.TerminalModes = Modes\n"
        "sys.exit(rind.cli.program.run())\n"
    )
    program = [sys.executable, "-c", broken]
    with start(busybox, terminal, "-c", ALTERNATE, program=program) as process:
        said = terminal.read_until(b"rind: cannot go on: a mistake")
        assert ended(process) == 125
    assert b"\033[?1049l" in said
    assert terminal.is_as_before()


def test_the_terminal_is_as_before_when_nothing_starts(
    busybox: TestContainer, terminal: Terminal
) -> None:
    with start(busybox, terminal, "nope") as process:
        terminal.read_until(b"rind: cannot start the command")
        assert ended(process) == 127
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


def test_stdin_can_be_a_socket(container: TestContainer) -> None:
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
        assert ended(process) == 0
    assert received == data


def test_stdin_can_be_a_file(container: TestContainer, tmp_path: Path) -> None:
    data = os.urandom(300_000)
    (tmp_path / "in").write_bytes(data)
    with (tmp_path / "in").open("rb") as stdin, (tmp_path / "out").open("wb") as stdout:
        subprocess.run(
            [RIND, "cat"], env=container.environ(), stdin=stdin, stdout=stdout, check=True
        )
    assert (tmp_path / "out").read_bytes() == data


# --- detaching --------------------------------------------------------------------------------


def test_detach_keys_leave_the_command_running(busybox: TestContainer) -> None:
    script = "trap '' HUP; echo ready; read x; echo $x >/tmp/left; sleep 1000"
    child = busybox.spawn("--detach-keys", "ctrl-x,x", "-c", script)
    child.expect_exact("ready")
    child.send("typed\x18")  # the first key alone is held back, and sent with the next key
    child.send("y\r")
    child.send("\x18x")
    child.expect_exact(
        f"rind: detached: the command runs on; find it with: docker top {busybox.name}"
    )
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 0
    wait_until(lambda: busybox.inside("cat /tmp/left 2>/dev/null || true") == "typed\x18y")
    assert "sleep 1000" in busybox.engine.cli("top", busybox.name)


def test_detach_keys_from_dockers_configuration(busybox: TestContainer, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"detachKeys": "ctrl-a,d"}')
    env = {"DOCKER_CONFIG": str(tmp_path)}
    child = busybox.spawn("-c", "echo ready; read x", env=env)
    child.expect_exact("ready")
    child.send("\x01d")
    child.expect_exact("rind: detached")
    child.expect(pexpect.EOF)
    child = busybox.spawn("--detach-keys", "", "-c", "echo ready; head -c 2 | od -An -tx1", env=env)
    child.expect_exact("ready")
    child.send("\x01d\r")
    child.expect_exact(" 01 64")
    child.expect(pexpect.EOF)
    (tmp_path / "config.json").write_text('{"detachKeys": "nope"}')
    done = busybox.rind("true", DOCKER_CONFIG=str(tmp_path))
    assert done.returncode == 125
    assert "no such detach key: 'nope' (in 'nope', from detachKeys in" in one_line(done.stderr)


def test_detach_returns_at_once_with_nothing_on_stdout(container: TestContainer) -> None:
    done = container.rind("-d", "-c", "echo lost; read x; echo done >/tmp/detached; exit 5")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    wait_until(lambda: container.inside("cat /tmp/detached 2>/dev/null || true") == "done")
    done = container.rind("-d", "-u", "nosuch", "true")
    assert (done.returncode, done.stdout) == (125, b"")
    assert "unable to find user nosuch" in one_line(done.stderr)


# --- the terminal's variables -----------------------------------------------------------------


def test_term_and_encoding_are_passed_only_with_a_tty(container: TestContainer) -> None:
    show = 'echo "$TERM/$COLORTERM/$LANG/$LC_TIME"'
    env = {"TERM": "screen", "COLORTERM": "truecolor", "LANG": "de_DE.UTF-8", "LC_TIME": "C"}
    child = container.spawn("-c", show, env=env)
    child.expect_exact("screen/truecolor/C.UTF-8/\r\n")
    child.expect(pexpect.EOF)
    child = container.spawn("-e", "TERM=vt220", "-e", "LANG=", "-c", show, env=env)
    child.expect_exact("vt220/truecolor//\r\n")
    child.expect(pexpect.EOF)
    show = 'echo "$TERM/$COLORTERM"'
    assert container.rind("-c", show, TERM="screen", COLORTERM="truecolor").stdout == b"/\n"


def test_the_containers_own_variables_take_precedence(containers: Containers) -> None:
    target = containers("busybox", "", "--env", "LANG=here", "--env", "TERM=linux")
    child = target.spawn("-c", 'echo "$TERM/$LANG"', env={"TERM": "screen", "LANG": "there"})
    child.expect_exact("linux/here\r\n")
    child.expect(pexpect.EOF)


# --- local streams: terminals, closed, full ---------------------------------------------------


def at_a_terminal(container: TestContainer, line: str) -> "pexpect.spawn[bytes]":
    """Run a line that calls rind, in a shell with job control."""
    return pexpect.spawn(
        *("bash", ["--norc", "--noprofile", "-i", "-c", line.replace("rind", RIND)]),
        env=container.environ(PS1=""),
        timeout=TIMEOUT,
    )


@pytest.mark.newest_engine
@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("rind test -t 1 && echo a TTY", "a TTY"),
        ("rind test -t 1 2>/dev/null || echo none", "none"),
        ("rind -t test -t 1 2>/dev/null && echo a TTY", "a TTY"),
        ("rind test -t 1 & wait $! || echo none", "none"),
    ],
)
def test_a_tty_needs_three_terminals_in_the_foreground(
    busybox: TestContainer, line: str, said: str
) -> None:
    child = at_a_terminal(busybox, line)
    child.expect_exact(f"{said}\r\n")
    child.expect(pexpect.EOF)


BOTH = "echo wrong >&2; head -c 1000000 /dev/zero; echo wrong >&2; exit 5"


@pytest.mark.newest_engine
@pytest.mark.parametrize(
    ("redirected", "status"),
    [("2>&-", 5), ("2>/dev/full", 125), ("2> >(exec head -c 1 >/dev/null)", 141)],
)
def test_a_stderr_that_fails_loses_nothing_of_stdout(
    busybox: TestContainer, redirected: str, status: int
) -> None:
    line = f'"$0" -c "$1" {redirected} | wc -c; echo "${{PIPESTATUS[0]}}"'
    done = subprocess.run(
        ["bash", "-c", line, RIND, BOTH],
        env=busybox.environ(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
        text=True,
    )
    assert done.stdout.split() == ["1000000", str(status)]
    assert done.stderr == ""


@pytest.mark.newest_engine
@pytest.mark.parametrize(
    ("redirected", "status"), [(">&-", 5), (">/dev/full", 125), ("> >(exec true)", 141)]
)
def test_a_stdout_that_fails_loses_nothing_of_stderr(
    busybox: TestContainer, redirected: str, status: int
) -> None:
    script = "trap 'echo ended >&2; exit 5' TERM; echo x; echo more >&2; sleep 1; echo x; sleep 1"
    if status != 5:
        script += "; while :; do sleep 0.1; done"
    else:
        script += "; echo ended >&2; exit 5"
    line = f'"$0" -c "$1" {redirected}'
    done = subprocess.run(
        ["bash", "-c", line, RIND, script],
        env=busybox.environ(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.stdout == ""
    why = "rind: cannot read stdin or write the output: No space left on device\n"
    said = done.stderr.replace("Terminated\n", "")  # the shell's message about its sleep
    assert said == "more\nended\n" + (why if status == 125 else "")
    assert done.returncode == status


# --- ends of other kinds ----------------------------------------------------------------------


def test_a_killed_programs_screen_is_restored(busybox: TestContainer, terminal: Terminal) -> None:
    left = "printf '\\033[?1049h\\033[?25l\\033[?2004hready'; "
    with start(busybox, terminal, "-c", left + "kill -KILL $$") as process:
        seen = terminal.read_until(b"\x1b[?2004l\x1b[?25h\x1b[?1049l")
        assert b"ready" in seen
        assert ended(process) == 137
    with start(busybox, terminal, "-c", left + "read x") as process:
        terminal.read_until(b"ready")
        process.terminate()
        terminal.read_until(b"\x1b[?2004l\x1b[?25h\x1b[?1049l")
        assert ended(process) == 143
    with start(busybox, terminal, "-c", left + "exit 3") as process:
        terminal.read_until(b"ready")
        assert ended(process) == 3
    os.write(terminal.slave, b"END")
    assert terminal.read_until(b"END") == b"END"


@pytest.mark.parametrize("how", ["kill", "rm"])
def test_a_container_that_dies_during_a_command_is_reported(
    containers: Containers, how: str
) -> None:
    target = containers("busybox")
    with subprocess.Popen(
        [RIND, "-c", "echo ready; sleep 1000"],
        env=target.environ(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline() == b"ready\n"
        if how == "kill":
            target.engine.cli("kill", target.name)
        else:
            target.engine.cli("rm", "--force", target.name)
        assert ended(process) == 137
        said = one_line(process.stderr.read())
    assert said.startswith("the command was killed with its container: ")
    assert target.name in said
    if how == "rm":
        target.engine.cli("run", "--detach", "--name", target.name, target.engine.images["busybox"])


def test_stop_restores_the_terminal_and_continue_sets_raw_mode(
    busybox: TestContainer, terminal: Terminal
) -> None:
    # As a shell's job: its process group has the terminal, and is not orphaned when stopped.
    run = f"set -m; {RIND} -c 'echo ready; read x; exit 4'; echo st=$?; fg; echo =$?"
    with start(busybox, terminal, run, program=SHELL) as shell:
        terminal.read_until(b"ready\r\n")
        assert terminal.is_raw()
        os.killpg(terminal.foreground(), signal.SIGTSTP)
        terminal.read_until(b"st=148")
        wait_until(terminal.is_raw)  # fg has continued it
        os.write(terminal.master, b"\r")
        terminal.read_until(b"=4")
        assert shell.wait(TIMEOUT) == 0
    assert terminal.is_as_before()


def test_an_escape_suspends_and_the_screen_is_drawn_again(
    busybox: TestContainer, terminal: Terminal
) -> None:
    termios.tcsetwinsize(terminal.master, (24, 80))
    # The program draws on the alternate screen, and redraws at each resize.
    draw = "printf '\\033[?1049h'; trap 'echo drawn' WINCH; echo ready; while ! read x; do :; done"
    run = f"set -m; {RIND} --detach-keys '~.' -c \"$DRAW\"; echo st=$?; fg; echo =$?"
    with start(busybox, terminal, run, program=SHELL, DRAW=draw) as shell:
        terminal.read_until(b"ready\r\n")
        os.write(terminal.master, b"~?")
        terminal.read_until(b" ~^Z  suspend rind")
        os.write(terminal.master, b"~\x1a")
        seen = terminal.read_until(b"drawn")
        assert re.search(rb"\x1b\[\?1049l.*st=148.*\x1b\[\?1049h", seen, re.DOTALL)
        os.write(terminal.master, b"\r")
        terminal.read_until(b"=0")
        assert shell.wait(TIMEOUT) == 0
    assert terminal.is_as_before()


def test_rind_in_the_background_reads_no_keys(busybox: TestContainer, terminal: Terminal) -> None:
    command = f"{RIND} -T -c 'echo ready; until [ -e /tmp/go ]; do sleep 0.1; done; echo done'"
    run = f"set -m; {command} & read -r line; echo got $line; wait"
    with start(busybox, terminal, run, program=SHELL) as shell:
        terminal.read_until(b"ready")
        os.write(terminal.master, b"for the shell\n")
        terminal.read_until(b"got for the shell")
        busybox.inside("touch /tmp/go")
        terminal.read_until(b"done")
        assert shell.wait(TIMEOUT) == 0


def test_no_stdin_leaves_a_loops_list_alone(container: TestContainer) -> None:
    loop = f"while read x; do {RIND} $OPTION -c 'cat; echo in'; echo $x; done"
    for option, seen in [("-n", b"in\na\nin\nb\n"), ("", b"b\nin\na\n")]:
        done = subprocess.run(
            ["sh", "-c", loop],
            input=b"a\nb\n",
            env=container.environ(OPTION=option),
            capture_output=True,
            check=True,
        )
        assert done.stdout == seen


def test_a_tty_with_an_empty_stdin_is_at_its_end(busybox: TestContainer) -> None:
    done = busybox.rind("-t", "cat", stdin=subprocess.DEVNULL)
    assert done.returncode == 0


ATTACHING = """
import asyncio, signal, sys, threading, rind

async def attach():
    async with rind.connect(sys.argv[1]) as client:
        web = await client.find(container=sys.argv[2])
        async with await web.start(rind.Command(argv=["true"], tty=True, stdin=False)) as process:
            assert await rind.attach_terminal(process, stdin=False) == 0

numbers = signal.SIGWINCH, signal.SIGTSTP, signal.SIGCONT
for number in numbers:
    signal.signal(number, lambda *_: None)
before = [signal.getsignal(number) for number in numbers]
asyncio.run(attach())
assert [signal.getsignal(number) for number in numbers] == before
failed = []
threading.excepthook = failed.append
thread = threading.Thread(target=lambda: asyncio.run(attach()))
thread.start()
thread.join()
assert not failed, failed
"""


def test_the_programs_signal_handlers_are_restored(busybox: TestContainer) -> None:
    words = [sys.executable, "-c", ATTACHING, busybox.engine.host, busybox.name]
    done = subprocess.run(words, capture_output=True, check=False, timeout=TIMEOUT)
    assert (done.returncode, done.stderr) == (0, b"")
