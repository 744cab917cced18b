"""The whole command, without a terminal, against real engines."""

import shlex
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest
from conftest import RIND, TIMEOUT, Containers, TestContainer, TestEngine, one_line

from rind.base.deadline import Deadline
from rind.cli.parser import parse
from rind.cli.running.invocation import Invocation
from rind.cli.running.opening import Job

HOSTILE = [
    "",
    " ",
    "two words",
    "line\nbreak\n",
    "'single' \"double\"",
    "$(id) `id` $HOME $1",
    "\\ \\n",
    "*",
    "a;b|c&d",
    "-n",
    "--",
    "--help",
    "æ漢\U0001f600",
    "\x01\x1b[31m",
]


# --- running a command -----------------------------------------------------------------------


def test_migrate_runs_with_the_venvs_python_in_the_containers_directory(
    containers: Containers,
) -> None:
    web = containers("django", "source /venv/bin/activate")
    done = web.rind("./manage.py", "migrate", "--no-color")
    assert done.returncode == 0, done.stderr
    assert b"Applying auth.0001_initial... OK" in done.stdout
    where = web.rind("python", "-c", "import sys, os, django; print(sys.prefix, os.getcwd())")
    assert where.stdout == b"/venv /app\n"
    assert web.inside("ls db.sqlite3") == "db.sqlite3"


def test_a_pipe_into_bare_rind_is_read_by_sh(container: TestContainer) -> None:
    done = container.rind(stdin=b"echo hi\nexit 5")
    assert (done.stdout, done.stderr, done.returncode) == (b"hi\n", b"", 5)


def test_python_m_rind_is_rind(busybox: TestContainer) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "rind", "echo", "hi"],
        env=busybox.environ(),
        capture_output=True,
        check=True,
    )
    assert done.stdout == b"hi\n"


def test_output_after_the_end_of_stdin_arrives_whole(container: TestContainer) -> None:
    script = "cat >/dev/null; i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done"
    done = container.rind("-c", script, stdin=b"x" * 100_000)
    assert done.stdout.splitlines() == [f"line {i}".encode() for i in range(20_000)]
    assert done.returncode == 0


def test_bytes_are_exact_both_ways(container: TestContainer) -> None:
    data = bytes(range(256)) * 4096
    done = container.rind("cat", stdin=data)
    assert done.stdout == data
    assert done.stderr == b""


def test_stdout_and_stderr_are_separate(container: TestContainer) -> None:
    done = container.rind("-c", "echo out; echo err >&2; echo out2")
    assert (done.stdout, done.stderr) == (b"out\nout2\n", b"err\n")


def test_a_command_that_does_not_read_its_stdin_loses_no_output(container: TestContainer) -> None:
    done = container.rind("-c", "head -c 3 >/dev/null; seq 100000", stdin=b"x" * 5_000_000)
    assert done.stdout.splitlines()[-1] == b"100000"
    assert len(done.stdout.splitlines()) == 100_000
    assert (done.stderr, done.returncode) == (b"", 0)


def test_a_closed_stdout_ends_it_with_141(busybox: TestContainer) -> None:
    with subprocess.Popen(
        [RIND, "yes"], env=busybox.environ(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline() == b"y\n"
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=20) == 141


# --- argv ------------------------------------------------------------------------------------


@pytest.mark.parametrize("image", ["django", "busybox"])
@pytest.mark.parametrize("pre_step", ["", "set -- a b; IFS=/"], ids=["plain", "pre-step"])
def test_argv_reaches_the_program_unchanged(
    session_containers: Containers, image: str, pre_step: str
) -> None:
    target = session_containers(image, pre_step)
    done = target.rind("printf", "[%s]\\n", *HOSTILE)
    assert done.stdout.decode() == "".join(f"[{word}]\n" for word in HOSTILE)
    done = target.rind("-c", 'printf "[%s]\\n" "$@"', *HOSTILE)
    assert done.stdout.decode() == "".join(f"[{word}]\n" for word in HOSTILE)


def test_options_end_at_the_first_word(busybox: TestContainer) -> None:
    assert busybox.rind("echo", "-e", "--help").stdout == b"--help\n"
    assert busybox.rind("-e", "A=1", "-c", "echo $A").stdout == b"1\n"
    assert busybox.rind("--", "echo", "-V").stdout == b"-V\n"


def test_a_command_may_begin_with_a_dash(container: TestContainer) -> None:
    container.inside("printf '#!/bin/sh\\necho odd \"$1\"\\n' >/bin/-odd; chmod +x /bin/-odd")
    assert container.rind("--", "-odd", "-x").stdout == b"odd -x\n"


def test_words_that_are_not_utf8_are_refused(busybox: TestContainer) -> None:
    done = busybox.rind("echo", b"\xff")
    assert done.returncode == 125
    assert "not valid UTF-8: '\\udcff'" in one_line(done.stderr)


def test_thousands_of_words_are_passed(busybox: TestContainer) -> None:
    words = [f"{i:0100}" for i in range(10_000)]
    done = busybox.rind("-c", 'echo "$#"', *words)
    assert done.stdout == b"10000\n"


# --- pre-steps -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pre_step", "command", "stdout"),
    [
        ("export A=1\nexport B=2 # why\n", ["sh", "-c", 'echo "$A"; echo "$B"'], "1\n2\n"),
        ("export A=1; export B='x y'", ["sh", "-c", 'echo "$A"; echo "$B"'], "1\nx y\n"),
        ('false || export A="it\'s"', ["sh", "-c", 'echo "$A"'], "it's\n"),
        ("export A=$(cat <<'X'\nhere \"doc\n\nX\n)", ["sh", "-c", 'echo "$A"'], 'here "doc\n'),
        ("cd /etc", ["pwd"], "/etc\n"),
        ('greet() { echo hello "$1"; }', ["greet", "a b"], "hello a b\n"),
        ("echo noise", ["echo", "command"], "command\n"),
        ("set -- other; IFS=.", ["echo", "a.b", "c"], "a.b c\n"),
        ("source /venv/bin/activate", ["sh", "-c", 'echo "$VIRTUAL_ENV"'], "/venv\n"),
        (
            "\n".join(f"export V{i}={'x' * 80}" for i in range(1100)),
            ["sh", "-c", 'echo "$V1099"'],
            "x" * 80 + "\n",
        ),
    ],
    ids=[
        "lines",
        "semicolon",
        "or",
        "heredoc",
        "cd",
        "function",
        "prints",
        "set",
        "source",
        "100k",
    ],
)
@pytest.mark.parametrize("image", ["django", "busybox"])
def test_the_pre_step_sets_up_the_environment(
    containers: Containers, image: str, pre_step: str, command: list[str], stdout: str
) -> None:
    done = containers(image, pre_step).rind(*command)
    assert (done.stdout.decode(), done.returncode) == (stdout, 0), done.stderr


@pytest.mark.parametrize("image", ["django", "busybox"])
def test_a_failing_pre_step_is_the_status_and_the_command_never_starts(
    session_containers: Containers, image: str
) -> None:
    target = session_containers(image, 'case $A in "") false ;; *) eval "$A" ;; esac')
    done = target.rind("touch", "/tmp/started")
    assert (done.returncode, done.stdout) == (1, b"")
    for ill, status in [("(exit 3)", 3), ("echo 'open", 2), ("true ||", 2), ("exit 9", 9)]:
        done = target.rind("-e", f"A={ill}", "touch", "/tmp/started")
        assert (done.returncode, done.stdout) == (status, b""), done.stderr
    assert target.inside("ls /tmp") == ""


@pytest.mark.parametrize("image", ["django", "busybox"])
def test_an_incomplete_pre_step_never_swallows_the_command(
    containers: Containers, image: str
) -> None:
    done = containers(image, "export A='open").rind("echo", "started")
    assert done.returncode == 2
    assert b"started" not in done.stdout + done.stderr
    done = containers(image, "true \\").rind("echo", "started")
    assert done.returncode == 125
    assert "incomplete: it ends in a backslash" in one_line(done.stderr)


def test_no_shell_is_needed_without_a_pre_step(distroless: TestContainer) -> None:
    done = distroless.rind("cat", stdin=b"bytes\0")
    assert (done.stdout, done.stderr, done.returncode) == (b"bytes\0", b"", 0)
    done = distroless.rind()
    assert done.returncode == 127
    assert "/bin/sh" in one_line(done.stderr)


# --- options ---------------------------------------------------------------------------------


def test_variables_come_from_files_and_options(busybox: TestContainer, tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text('# comment\n\nA=from file\nB=b=b "q"\nHERE\nGONE\n')
    done = busybox.rind(
        *("--env-file", str(file), "-e", "A=from option", "--env=C=", "-e", "D", "env"),
        HERE="here",
        D="d",
    )
    lines = done.stdout.decode().splitlines()
    assert {"A=from option", 'B=b=b "q"', "HERE=here", "C=", "D=d"} <= set(lines)
    assert not [line for line in lines if line.startswith("GONE")]


def test_user_and_workdir_are_set(container: TestContainer) -> None:
    assert container.rind("-u", "app", "id", "-un").stdout == b"app\n"
    assert container.rind("--user=1000:0", "-c", "id -u; id -g").stdout == b"1000\n0\n"
    assert container.rind("-w", "/etc", "pwd").stdout == b"/etc\n"


def test_privileged_equals_dockers_privileged(busybox: TestContainer) -> None:
    # Compared with docker: an engine that is restricted itself cannot grant all capabilities.
    capabilities = ["sh", "-c", "grep Cap /proc/self/status"]
    expected = busybox.engine.cli("exec", "--privileged", busybox.name, *capabilities, check=False)
    done = busybox.rind("--privileged", *capabilities)
    assert done.stdout.decode().strip() in expected
    plain = busybox.rind(*capabilities)
    assert done.stdout != plain.stdout


def test_a_container_is_named_by_name_or_id_prefix(
    busybox: TestContainer, engine: TestEngine
) -> None:
    full = engine.cli("inspect", "--format", "{{.Id}}", busybox.name)
    for name in (busybox.name, full, full[:12]):
        done = busybox.rind("--container", name, "hostname", RIND_LABEL="nobody-has-it")
        assert done.stdout.decode().strip() == full[:12]
    done = busybox.rind("hostname", RIND_CONTAINER=busybox.name, RIND_LABEL="nobody-has-it")
    assert done.stdout.decode().strip() == full[:12]


def test_the_label_option_overrides_the_environment(busybox: TestContainer) -> None:
    done = busybox.rind("--label", busybox.label, "echo", "hi", RIND_LABEL="nobody-has-it")
    assert done.stdout == b"hi\n"


def test_verbose_says_where_and_quiet_does_not(busybox: TestContainer) -> None:
    done = busybox.rind("-v", "echo", "a b")
    why = f"(the only one with the label {busybox.label})"
    said = f"in {busybox.name} {why} on {busybox.engine.host}: echo 'a b'"
    assert one_line(done.stderr) == said
    assert busybox.rind("-q", "true").stderr == b""


def test_a_tty_can_be_forced_and_refused(container: TestContainer) -> None:
    assert container.rind("-T", "-c", "test -t 0 || echo none").stdout == b"none\n"
    assert container.rind("-t", "-c", "test -t 0 && test -t 1 && echo tty").stdout == b"tty\r\n"
    assert container.rind("-it", "tty").stdout.startswith(b"/dev/pts/")


def test_the_end_of_a_pipe_reaches_a_forced_tty(container: TestContainer) -> None:
    assert b"a\r\n" in container.rind("-t", "cat", stdin=b"a\n").stdout
    assert b"ab" in container.rind("-t", "cat", stdin=b"ab").stdout


# --- exit statuses ---------------------------------------------------------------------------


@pytest.mark.parametrize("status", [0, 1, 2, 42, 124, 125, 126, 127, 128, 255])
def test_the_commands_status_is_returned(busybox: TestContainer, status: int) -> None:
    done = busybox.rind("-c", f"exit {status}")
    assert (done.returncode, done.stderr) == (status, b"")


def test_a_signal_yields_128_plus_its_number(container: TestContainer) -> None:
    assert container.rind("-c", "kill -TERM $$").returncode == 143
    assert container.rind("-c", "kill -KILL $$").returncode == 137


@pytest.mark.parametrize(
    ("args", "status", "said"),
    [
        (["nope"], 127, "nope"),
        (["/nope/nope"], 127, "/nope/nope"),
        ([""], 127, "cannot start the command"),
        (["/etc"], 126, "/etc"),
        (["/etc/passwd"], 126, "/etc/passwd"),
        (["-u", "nosuch", "true"], 125, "unable to find user nosuch"),
        (["-u", ":nosuch", "true"], 125, "unable to find group nosuch"),
        (["-w", "/nosuch", "true"], 125, "there is no directory /nosuch"),
    ],
)
@pytest.mark.parametrize("tty", ["-T", "-t"])
def test_a_failed_start_has_its_status_and_message(
    busybox: TestContainer, tty: str, args: list[str], status: int, said: str
) -> None:
    done = busybox.rind(tty, *args)
    assert (done.returncode, done.stdout) == (status, b""), done.stderr
    line = one_line(done.stderr)
    assert said in line
    assert "OCI" not in line


@pytest.mark.parametrize(("command", "status"), [("nope", 127), ("/etc/passwd", 126)])
def test_a_failed_start_after_a_pre_step_has_its_status(
    django: TestContainer, command: str, status: int
) -> None:
    done = django.rind(command)
    assert (done.returncode, done.stdout) == (status, b"")
    assert command.encode() in done.stderr


def test_output_that_looks_like_a_start_failure_is_output(busybox: TestContainer) -> None:
    text = 'OCI runtime exec failed: exec failed: exec: "x": not found: unknown\r\n'
    done = busybox.rind("-c", f"printf '%s' '{text}'; exit 127")
    assert (done.stdout.decode(), done.stderr, done.returncode) == (text, b"", 127)


# --- which container -------------------------------------------------------------------------


def test_another_projects_container_is_mentioned_on_a_terminal(
    containers: Containers, tmp_path: Path
) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours" / "compose.yaml").touch()
    working_dir = f"com.docker.compose.project.working_dir={folder}"
    project = ("--label", "com.docker.compose.project=theirs")
    target = containers("busybox", "", "--label", working_dir, *project)
    said = f"rind: running in {target.name}, of the project in {folder}\r\n".encode()

    def run(cwd: Path, *options: str) -> bytes:
        child = pexpect.spawn(
            *(RIND, [*options, "echo", "x"]),
            env=target.environ(),
            cwd=cwd,
            dimensions=(24, 200),
            timeout=TIMEOUT,
        )
        output: bytes = child.read()
        return output

    assert b"choose one of another project with --project theirs" in run(tmp_path / "ours")
    assert run(tmp_path / "ours", "-p", "theirs") == said + b"x\r\n"
    for quiet in (run(tmp_path), run(folder), run(tmp_path / "ours", "-q", "-p", "theirs")):
        assert quiet == b"x\r\n"


def test_a_missing_label_is_an_error(busybox: TestContainer) -> None:
    done = busybox.rind("true", RIND_LABEL="nobody-has-it")
    assert (done.returncode, done.stdout) == (125, b"")
    assert "has the label nobody-has-it: put it on one" in one_line(done.stderr)


def test_an_ambiguous_label_executes_nothing(containers: Containers) -> None:
    first = containers("busybox", label="test.several")
    second = containers("busybox", label="test.several")
    done = first.rind("touch", "/tmp/x")
    line = one_line(done.stderr)
    assert done.returncode == 125
    assert first.name in line
    assert second.name in line
    assert "--container" in line
    assert first.inside("ls /tmp") == second.inside("ls /tmp") == ""


def test_a_stopped_container_is_refused(containers: Containers) -> None:
    target = containers("busybox")
    target.kill()
    for args in (["true"], ["--container", target.name, "true"]):
        done = target.rind(*args)
        line = one_line(done.stderr)
        assert done.returncode == 125
        assert "exited (137)" in line
        assert f"docker start {target.name}" in line


def test_a_paused_container_is_refused(containers: Containers) -> None:
    target = containers("busybox")
    target.engine.cli("pause", target.name)
    try:
        for args in (["true"], ["--container", target.name, "true"]):
            done = target.rind(*args)
            assert done.returncode == 125
            assert f"is paused; resume it with: docker unpause {target.name}" in one_line(
                done.stderr
            )
    finally:
        target.engine.cli("unpause", target.name)


@pytest.mark.parametrize("name", ["no-such-container", "../images", "a b", "%2e", "-x"])
def test_an_unknown_container_is_an_error(busybox: TestContainer, name: str) -> None:
    done = busybox.rind(f"--container={name}", "true")
    assert done.returncode == 125
    said = f"no container on {busybox.engine.host} has the name {shlex.quote(name)}"
    assert one_line(done.stderr).startswith(said)


@pytest.mark.parametrize(("workdir", "where"), [("sys", "/proc/sys"), ("../etc", "/etc")])
def test_a_relative_workdir_starts_from_the_containers_own(
    containers: Containers, workdir: str, where: str
) -> None:
    target = containers("busybox", "cd /", "--workdir", "/proc")
    done = target.rind("-w", workdir, "pwd")
    assert (done.returncode, done.stdout.decode()) == (0, f"{where}\n"), done.stderr


def test_dockers_habit_gets_a_hint(busybox: TestContainer) -> None:
    done = busybox.rind(busybox.name, "ls", "a b")
    assert done.returncode == 127
    hint = f"({busybox.name} is a container: rind --container {busybox.name} ls 'a b')"
    assert one_line(done.stderr).endswith(hint)


def test_dockers_habit_gets_a_hint_after_a_pre_step_too(containers: Containers) -> None:
    target = containers("busybox", ":")
    done = target.rind("-T", target.name, "ls")
    assert done.returncode == 127
    assert done.stderr.decode().splitlines() == [
        f"rind: cannot start the command: {target.name}: not found in the PATH of {target.name}",
        f"rind: {target.name} is a container: rind --container {target.name} ls",
    ]


def test_a_shell_is_found_by_its_name(django: TestContainer) -> None:
    done = django.rind("--shell", "bash", "-c", 'echo "${BASH_VERSION:+bash}"')
    assert (done.returncode, done.stdout) == (0, b"bash\n")


async def test_the_time_limit_includes_the_selection(
    busybox: TestContainer,
) -> None:
    options = parse(["-T", "--timeout", "1000", "--label", busybox.label, "sleep", "1000"], {})
    said: list[str] = []
    env = {"DOCKER_HOST": busybox.engine.host}
    job = Job(options, {}, env, Deadline(0), said.append, said.append)
    assert await Invocation(job).run() == 124
    assert said == ["no command was started within 0 s"]
