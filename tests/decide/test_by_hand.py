"""The line that a person would type; cli/actions/test_explain.py runs it."""

import pytest

from rind.decide.by_hand import by_hand, pasted
from rind.decide.pre_step import PreStep, wrap, wrap_script


@pytest.mark.parametrize(
    ("step", "script"),
    [
        ("source /venv/bin/activate", '. /venv/bin/activate && exec "$@"'),
        ("export A=1 && . /x", 'export A=1 && . /x && exec "$@"'),
        ("echo x", '{\necho x\n} >&2 && exec "$@"'),
        ("export A=1;", '{\nexport A=1;\n} >&2 && exec "$@"'),
        ("if x; then source /y; fi", '{\nif x; then . /y; fi\n} >&2 && exec "$@"'),
        ("source /x # why", '{\n. /x # why\n} >&2 && exec "$@"'),
    ],
)
def test_a_command_is_one_line(step: str, script: str) -> None:
    assert by_hand(wrap(["ls", "a b"], PreStep(text=step))) == [
        "sh",
        "-c",
        script,
        "sh",
        "ls",
        "a b",
    ]


def test_a_script_is_one_line() -> None:
    step = PreStep(text="source /x", shell="/bin/bash")
    assert by_hand(wrap_script("ls; $1", ["a"], step)) == [
        *("/bin/bash", "-c", ". /x || exit; ls; $1", "sh", "a")
    ]
    assert by_hand(wrap_script("a\nb", [], step))[2] == ". /x || exit\na\nb"


def test_a_directory_of_the_command_line_takes_precedence() -> None:
    step = PreStep(text="cd /x", workdir="/my dir")
    assert by_hand(wrap(["pwd"], step))[2] == "cd /x && cd '/my dir' && exec \"$@\""
    step = PreStep(text="export A=1", workdir="/y")
    assert by_hand(wrap(["pwd"], step))[2] == 'export A=1 && exec "$@"'


@pytest.mark.parametrize(
    "step",
    [
        PreStep(text="x=source; $x /tmp/y"),
        PreStep(text="set -e\nfalse\nexport A=1"),
        PreStep(text="nvm() { :; }"),
        PreStep(text="shift 2"),
        PreStep(text="exit 3"),
        PreStep(text="return 0"),
        PreStep(text=". /x $1"),
        PreStep(text="x=1", login="me"),
        PreStep(),
    ],
)
def test_a_step_that_no_line_can_express_is_unchanged(step: PreStep) -> None:
    exact = wrap(["ls"], step)
    assert by_hand(exact) == exact


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("ls", "ls"),
        ("a  b", "'a  b'"),
        ("a\nb", "'a\nb'"),
        ("\x1b[2J'\\", r"$'\033[2J\'\\'"),
        ("=ls", "'=ls'"),
    ],
)
def test_a_word_is_quoted_for_pasting(word: str, text: str) -> None:
    assert pasted(word) == text
