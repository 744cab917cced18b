"""A pre-step's shell preserves the environment, under the shells that containers have."""

import os
import random
import subprocess
from pathlib import Path

import pytest
from conftest import SHELLS

from rind.decide.pre_step import PreStep, wrap

SEEDS = range(15)
# Variables that shells set, variables that control shells, and those of our script.
NAMES = (
    "_ BASH BASHOPTS BASHPID BASH_ARGV0 BASH_COMMAND BASH_ENV BASH_VERSION CDPATH COLUMNS "
    "DIRSTACK ENV EPOCHSECONDS EUID FUNCNAME GLOBIGNORE GROUPS HISTCMD HOME HOSTNAME HOSTTYPE "
    "IFS LINENO LINES MACHTYPE OLDPWD OPTARG OPTERR OPTIND OSTYPE PATH PIPESTATUS "
    "POSIXLY_CORRECT PPID PS0 PS1 PS2 PS3 PS4 PWD RANDOM REPLY SECONDS SHELL SHELLOPTS SHLVL "
    "SRANDOM TERM TZ UID XTRACEFD rind_bash rind_entry rind_env rind_exit rind_give "
    "rind_given rind_kept rind_line rind_mark rind_name rind_pre_step rind_text rind_was_IFS "
    "rind_was_SHLVL rind_words"
)
ODD = ["discovery.type", "FOO-BAR", "A__B", "1st", "a b", "é", "x[0]", "x$(echo)", "a\nb", "%"]
VALUES = ["", "x", "a=b", "two\nlines\n", "\x01\x02\n\x01", " \t", "'\"", "$(echo x)", "\udcff"]
CHANGES: dict[str, dict[bytes, bytes | None]] = {
    ":": {},
    "cd /; export NEW='a\nb' CHANGED=new; unset GONE; set -f; local=x": {
        b"NEW": b"a\nb",
        b"CHANGED": b"new",
        b"GONE": None,
    },
    "set -eu; IFS=/; CHANGED=; umask 0; for i in 1 2; do :; done": {b"CHANGED": b""},
}
"""Changes that pre-steps make on purpose."""


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> list[str]:
    return SHELLS[request.param]


def environment(seed: int) -> dict[str, str]:
    chance = random.Random(seed)
    names = [*chance.sample(NAMES.split(), 8), *chance.sample(ODD, 4), "GONE", "CHANGED", "KEPT"]
    found = {name: chance.choice(VALUES) for name in names}
    # With other values, the shells themselves complain before they run anything.
    found |= {"PATH": ""} if "PATH" in found else {"PATH": os.environ["PATH"]}
    found |= dict.fromkeys(found.keys() & {"OPTIND", "XTRACEFD"}, "3")
    found |= dict.fromkeys(found.keys() & {"BASHOPTS"}, "")
    found |= dict.fromkeys(found.keys() & {"SHELLOPTS"}, "errexit:nounset")
    return found


def wrapped(shell: list[str], argv: list[str], pre_step: str) -> list[str]:
    words = wrap(argv, PreStep(text=pre_step, container="web"))
    return [*shell, *words[1:]]


def printed(argv: list[str], env: dict[str, str], cwd: Path) -> dict[bytes, bytes]:
    """Run ``env -0`` as the engine would; return its output."""
    done = subprocess.run(
        argv, env=env, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b""), done
    entries = [entry.partition(b"=") for entry in done.stdout.split(b"\0")[:-1]]
    return {name: value for name, _, value in entries}


@pytest.mark.parametrize("seed", SEEDS)
def test_the_pre_step_changes_no_other_variable(
    shell: list[str], seed: int, tmp_path: Path
) -> None:
    env = environment(seed)
    given = printed(["/usr/bin/env", "-0"], env, tmp_path)
    for pre_step, changes in CHANGES.items():
        got = printed(wrapped(shell, ["/usr/bin/env", "-0"], pre_step), env, tmp_path)
        if pre_step != ":":
            for name in {"PWD", "OLDPWD", "IFS"} & env.keys():
                got.pop(name.encode(), None)
                given.pop(name.encode(), None)
        wanted = {**given, **changes}
        assert got == {name: value for name, value in wanted.items() if value is not None}


FUNCTION = {"BASH_FUNC_echo%%": "() {  exit 9\n}"}


def run_in_bash(env: dict[str, str], pre_step: str = "export A=1") -> tuple[int, bytes, bytes]:
    done = subprocess.run(
        wrap(["env"], PreStep(text=pre_step, shell="/bin/bash", container="web")),
        env={"PATH": os.environ["PATH"], **env},
        capture_output=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_a_bash_env_file_is_read_and_its_output_goes_to_stderr(tmp_path: Path) -> None:
    (tmp_path / "env").write_text("echo noise; export B=$A\n")
    variables = {"BASH_ENV": "$FOLDER/env", "FOLDER": str(tmp_path), "A": "0"}
    status, out, err = run_in_bash(variables, "export B=$B$A")
    assert (status, err) == (0, b"noise\n")
    assert {b"A=0", b"B=00", b"BASH_ENV=$FOLDER/env"} <= {*out.splitlines()}


def test_a_bash_env_file_that_ends_the_shell_is_reported(tmp_path: Path) -> None:
    (tmp_path / "env").write_text("exit 3\n")
    status, out, err = run_in_bash({"BASH_ENV": str(tmp_path / "env")})
    assert (status, out) == (3, b"")
    assert err == (b"rind: the BASH_ENV of web ended with exit status 3; the command was not run\n")


@pytest.mark.parametrize("variables", [{"SHELLOPTS": "noexec:xtrace"}, FUNCTION])
def test_no_variable_changes_what_bash_does(variables: dict[str, str]) -> None:
    status, out, err = run_in_bash(variables)
    assert (status, err) == (0, b"")
    [(name, value)] = variables.items()
    assert f"{name}={value}\n".encode() in out
