"""The wrapper, under the real shells that containers have: dash, bash, busybox ash."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from conftest import SHELLS

from rind.decide.pre_step import MAX_WORD, PreStep
from rind.decide.pre_step import wrap as wrap_words
from rind.decide.pre_step import wrap_script as wrap_text
from rind.errors import UsageError


def wrap(argv: list[str], pre_step: str | None = None, workdir: str = "") -> list[str]:
    return wrap_words(argv, PreStep(text=pre_step, container="web", workdir=workdir))


def wrap_script(script: str, args: list[str], pre_step: str | None = None) -> list[str]:
    return wrap_text(script, args, PreStep(text=pre_step, container="web"))


HOSTILE = [
    "",
    " ",
    "two words",
    "tab\there",
    "line\nbreak\n",
    "'single'",
    '"double"',
    "$(touch /tmp/rind-was-here)",
    "`id`",
    "$HOME ${x} $1 $@",
    "\\",
    "\\\\n",
    "*",
    "~",
    "!1",
    "a;b|c&d",
    "-n",
    "--",
    "-odd",
    "æ漢\U0001f600\u202e",
    "\x01\x7f",
]
# Prints its arguments unambiguously.
SHOW = ["printf", "[%s]\\0"]


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> list[str]:
    name: str = request.param
    return SHELLS[name]


def run(
    shell: list[str],
    argv: list[str],
    cwd: Path | None = None,
    *,
    env: dict[str, str] | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Run a wrapped command as the engine would, ``shell`` standing in for /bin/sh."""
    assert argv[0] == "/bin/sh"
    return subprocess.run(
        [*shell, *argv[1:]],
        capture_output=True,
        cwd=cwd,
        env=env or {"PATH": os.environ["PATH"]},
        stdin=subprocess.DEVNULL,
        timeout=20,
        check=False,
    )


def shown(words: list[str]) -> bytes:
    return b"".join(b"[" + word.encode() + b"]\0" for word in words)


@pytest.mark.parametrize("pre_step", [None, "", "  \n\t"])
def test_words_without_a_pre_step_are_unchanged(pre_step: str | None) -> None:
    assert wrap(["ls", "-la", ""], pre_step) == ["ls", "-la", ""]


@pytest.mark.parametrize(
    "pre_step",
    [
        ":",
        "true # a comment",
        "# only a comment",
        "true;",
        "false || true",
        "\n\nx=1\ny=2\n",
        "set -- other words",
        "set --",
        "shift 0",
        "IFS=/",
        "IFS=",
        "set -e",
        "set -u",
        "set -a",
        "set -f",
        "echo noise",
        "cat <<'X' >/dev/null\n'\"$(\nX",
        "cat <<X >/dev/null\nX\n",
        "cd /",
        "umask 077",
        "x='a \"quote'",
        "source /dev/null",
    ],
)
def test_no_pre_step_changes_the_words(shell: list[str], pre_step: str) -> None:
    done = run(shell, wrap([*SHOW, *HOSTILE], pre_step))
    assert done.stdout == shown(HOSTILE), done.stderr
    assert done.returncode == 0


def test_words_without_a_pre_step_reach_a_script(shell: list[str]) -> None:
    done = run(shell, wrap_script('printf "[%s]\\0" "$@"', HOSTILE))
    assert done.stdout == shown(HOSTILE), done.stderr


def test_words_with_a_pre_step_reach_a_script(shell: list[str]) -> None:
    script = 'printf "[%s]\\0" "$@"; hello | cat'
    done = run(shell, wrap_script(script, HOSTILE, "set -- z; hello() { echo hi; }"))
    assert done.stdout == shown(HOSTILE) + b"hi\n", done.stderr


@pytest.mark.parametrize("script", ["-n", "+x"])
def test_a_script_is_not_taken_for_an_option(shell: list[str], script: str) -> None:
    done = run(shell, wrap_script(script, []))
    assert done.returncode == 127


@pytest.mark.parametrize("pre_step", ["export A=1", "set -a; A=1", "A=1; export A"])
def test_only_exports_reach_the_command(shell: list[str], pre_step: str) -> None:
    done = run(shell, wrap(["env"], pre_step))
    names = {line.split(b"=")[0] for line in done.stdout.splitlines()}
    assert b"A=1" in done.stdout.splitlines()
    assert not {name for name in names if b"rind" in name.lower()}
    assert names <= {b"A", b"PATH", b"PWD", b"OLDPWD", b"SHLVL", b"_", b"IFS"}


def test_declare_at_the_top_is_not_local() -> None:
    # `declare -x` is what bash's own `export -p` writes into environment files.
    done = run(["/bin/bash"], wrap(["printenv", "A"], "declare -x A=1"))
    assert done.stdout == b"1\n", done.stderr


def test_cd_and_umask_reach_the_command(shell: list[str]) -> None:
    done = run(shell, wrap(["sh", "-c", "pwd; umask"], "cd /usr\numask 027"))
    assert done.stdout.split() == [b"/usr", b"0027"]


@pytest.mark.parametrize(
    ("pre_step", "status"),
    [
        ("false", 1),
        ("exit 7", 7),
        ("(exit 9)", 9),
        ("set -e; (exit 5); true", 5),
        ("set -e\nfalse\ntrue", 1),
    ],
)
def test_a_failing_pre_step_sets_the_status_and_starts_nothing(
    shell: list[str], pre_step: str, status: int
) -> None:
    done = run(shell, wrap(["echo", "started"], pre_step))
    assert (done.returncode, done.stdout) == (status, b"")
    said = f"rind: the pre-step of web ended with exit status {status}; the command was not run\n"
    assert done.stderr.decode() == said


@pytest.mark.parametrize(
    "pre_step", ["exit 0", "[ -e /nonexistent ] || exit 0", "f() { exit; }; f"]
)
def test_a_pre_step_that_ends_the_shell_is_reported(shell: list[str], pre_step: str) -> None:
    for argv in (wrap(["echo", "started"], pre_step), wrap_script("echo started", [], pre_step)):
        done = run(shell, argv)
        assert (done.returncode, done.stdout) == (125, b"")
        said = b"rind: the pre-step of web ended with exit status 0; the command was not run\n"
        assert done.stderr == said


def test_a_script_may_exit_with_any_status(shell: list[str]) -> None:
    for status in (0, 3):
        done = run(shell, wrap_script(f"exit {status}", [], "x=1"))
        assert (done.returncode, done.stdout, done.stderr) == (status, b"", b"")


def test_a_pre_steps_trap_applies_to_the_script(shell: list[str]) -> None:
    done = run(shell, wrap_script("echo script", [], "trap 'echo bye' EXIT"))
    assert (done.returncode, done.stdout, done.stderr) == (0, b"script\nbye\n", b"")


def test_a_pre_steps_shell_options_do_not_reach_the_script(shell: list[str]) -> None:
    done = run(shell, wrap_script('false; echo "$unset-on"', [], "set -eu"))
    assert (done.returncode, done.stdout) == (0, b"-on\n")


def test_the_requested_directory_takes_precedence(shell: list[str]) -> None:
    done = run(shell, wrap(["sh", "-c", "pwd"], "cd /usr", "/tmp"))
    assert (done.stdout, done.stderr) == (b"/tmp\n", b"")
    done = run(shell, wrap(["pwd"], "cd /usr", "/nonexistent"))
    assert (done.returncode, done.stdout) == (125, b"")


def test_a_name_of_no_container_is_text(shell: list[str]) -> None:
    step = PreStep(text="false", container="\"; echo lost; $(echo lost) `echo lost` '\n")
    done = run(shell, wrap_words(["true"], step))
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize(
    "pre_step",
    [
        "echo 'open",
        'echo "open',
        "true ||",
        "true &&",
        "true |",
        "if true",
        "f() {",
        "case x in",
        "(",
        "echo $(",
        "}",
        ")",
        "fi",
        ";;",
        "source /nonexistent",
        ". /nonexistent",
    ],
)
def test_an_ill_formed_pre_step_is_an_error_and_never_swallows_the_command(
    shell: list[str], pre_step: str
) -> None:
    done = run(shell, wrap(["echo", "started"], pre_step))
    assert done.returncode != 0
    assert b"started" not in done.stdout + done.stderr
    assert done.stderr.strip()


@pytest.mark.parametrize("pre_step", ["true \\", "true \\\n", "export A=1\\\\\\"])
def test_a_trailing_backslash_is_rejected(pre_step: str) -> None:
    with pytest.raises(UsageError, match="incomplete: it ends in a backslash"):
        wrap(["true"], pre_step)


def test_an_escaped_backslash_at_the_end_is_complete(shell: list[str]) -> None:
    done = run(shell, wrap(["printenv", "A"], "export A=x\\\\"))
    assert done.stdout == b"x\\\n"


def test_an_unterminated_here_document_does_not_swallow_the_command(shell: list[str]) -> None:
    done = run(shell, wrap(["echo", "started"], "cat <<X >/dev/null\ntext"))
    assert done.stdout == b"started\n"


def test_a_function_can_be_the_command(shell: list[str]) -> None:
    pre_step = 'greet() { printf "hi %s\\n" "$2"; return 3; }'
    done = run(shell, wrap(["greet", "a b", "c d"], pre_step))
    assert (done.stdout, done.returncode) == (b"hi c d\n", 3)


def test_a_function_may_hide_a_program(shell: list[str]) -> None:
    done = run(shell, wrap(["ls", "-x"], 'ls() { echo "mine $1"; }'))
    assert done.stdout == b"mine -x\n"


def test_a_builtin_does_not_hide_a_program(shell: list[str], tmp_path: Path) -> None:
    program = tmp_path / "type"  # a builtin of every shell, and not an applet of busybox
    program.write_text("#!/bin/sh\necho program $1\n")
    program.chmod(0o755)
    done = run(shell, wrap(["type", "a"], f"PATH={tmp_path}:$PATH"))
    assert done.stdout == b"program a\n"


def test_an_odd_name_is_executed(shell: list[str], tmp_path: Path) -> None:
    for name in ["-odd", "with space", "-c", "$x"]:
        program = tmp_path / name
        program.write_text('#!/bin/sh\necho "$0 $1"\n')
        program.chmod(0o755)
        done = run(shell, wrap([name, "-a"], f"PATH={tmp_path}:$PATH"))
        assert done.stdout == f"{program} -a\n".encode(), (name, done.stderr)


@pytest.mark.parametrize(("argv", "status"), [(["nope-x"], 127), (["/nope/x"], 127), (["/"], 126)])
def test_a_failed_execution_has_the_shells_status(
    shell: list[str], argv: list[str], status: int
) -> None:
    done = run(shell, wrap(argv, ":"))
    assert done.returncode == status, done.stderr
    assert done.stdout == b""


def test_the_command_takes_the_shells_place(shell: list[str]) -> None:
    # The command's $$ is the process that the engine started: no shell is its parent.
    with subprocess.Popen(
        [*shell, *wrap(["sh", "-c", "echo $$"], "true")[1:]], stdout=subprocess.PIPE
    ) as process:
        out, _ = process.communicate(timeout=20)
    assert int(out) == process.pid


def test_the_pre_steps_output_is_not_on_stdout(shell: list[str]) -> None:
    done = run(shell, wrap(["echo", "out"], "echo pre; echo err >&2"))
    assert done.stdout == b"out\n"
    assert done.stderr.split() == [b"pre", b"err"]


@pytest.mark.parametrize(
    ("name", "pre_step"),
    [(name, "source ./env.sh") for name in SHELLS]
    # busybox ash, and bash called as sh, have a stricter `source` of their own.
    + [(name, "source env.sh") for name in ("dash", "bash")]
    + [(name, "source missing || source env.sh") for name in ("dash", "bash")],
)
def test_source_works_as_in_bash(name: str, pre_step: str, tmp_path: Path) -> None:
    (tmp_path / "env.sh").write_text('A="${1-none}"; export A\n')
    done = run(SHELLS[name], wrap(["printenv", "A"], pre_step), tmp_path)
    assert done.stdout == b"none\n", done.stderr


def test_a_pre_step_of_100_kb(shell: list[str]) -> None:
    pre_step = "\n".join(f"export V{i}={'x' * 80}" for i in range(1100))
    assert len(pre_step) > 90_000
    done = run(shell, wrap(["printenv", "V1099"], pre_step))
    assert done.stdout == b"x" * 80 + b"\n", done.stderr


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("x" * (MAX_WORD + 1), "too long for Linux"),
        ("\udcff", "not valid UTF-8"),
        ("a\0b", "NUL"),
    ],
)
def test_a_word_that_cannot_be_passed_is_rejected(word: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        wrap(["echo", word])
    with pytest.raises(UsageError, match=said):
        wrap(["echo"], word)
    with pytest.raises(UsageError, match=said):
        wrap_script(word, [])


def test_the_longest_word_passes(shell: list[str]) -> None:
    word = "x" * MAX_WORD
    done = run(shell, wrap(["printf", "%s", word], ":"))
    assert done.stdout == word.encode()


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["nope-x"], "nope-x: not found in the PATH of web"),
        (["/nope"], "/nope: not found"),
        (["/etc"], "/etc: permission denied"),
        (["/etc/passwd"], "/etc/passwd: permission denied"),
    ],
)
def test_a_failed_execution_has_rinds_message(shell: list[str], argv: list[str], said: str) -> None:
    done = run(shell, wrap(argv, "set -eu"))
    assert done.stderr.decode() == f"rind: cannot start the command: {said}\n"


@pytest.mark.parametrize(
    "text",
    [
        "nope-x",
        "\n\nnope-x",
        "x=1\nnope-x\n:\nnope-y",
        "f() {\nnope-x\n}\nf\nnope-y",
        "set -u\n: $nope_x",
        ":\n: $(\nnope-x)\nnope-y",
    ],
)
def test_errors_in_a_pre_step_have_its_line_numbers(shell: list[str], text: str) -> None:
    def numbers(argv: list[str]) -> list[bytes]:
        said = run(shell, argv).stderr.splitlines()
        return [re.findall(rb"\d+", line)[0] for line in said if b"nope" in line]

    own = numbers(["/bin/sh", "-c", text, "sh"])
    assert numbers(wrap(["true"], text)) == own
    assert own


def test_a_file_that_source_cannot_read_is_named(shell: list[str]) -> None:
    done = run(shell, wrap(["true"], "source /nope-x"))
    assert done.returncode in {1, 2}
    assert b"/nope-x" in done.stderr


def test_errors_in_a_script_have_its_line_numbers(shell: list[str]) -> None:
    script = "x=1\nnope-x"

    def line(argv: list[str]) -> int:
        return int(re.findall(rb"\d+", run(shell, argv).stderr)[0])

    own = line(["/bin/sh", "-c", script, "sh"])
    assert line(wrap_script(script, [])) == own
    # The first is the pre-step's.
    assert line(wrap_script(script, [], ":\n:\n:")) == own + 1
