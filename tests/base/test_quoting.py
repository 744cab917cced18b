"""A word that is printed in a hint, and pasted into a shell."""

import os
import subprocess

import pytest
from conftest import SHELLS
from hypothesis import given
from hypothesis import strategies as st

from rind.base.quoting import quoted
from rind.cli.report import clean

WORDS = [
    "",
    "two words",
    "two  spaces",
    " ",
    "it's",
    "web $(touch /tmp/pasted);1",
    "`id`",
    "$HOME",
    "a;b",
    "a&b|c>d<e",
    "*",
    "[a]?",
    "{a,b}",
    "!!",
    "#x",
    "=ls",
    "==",
    "='$(id)'",
    "~",
    "~root",
    "-x",
    "a\\b",
    "é ü",
]
UNPRINTABLE = ["a\nb", "\x1b[2J", "it's\t\\n", "\u202eabc", "\x07'$(id)'!", "a\x011", "a  b\n   c"]
POSIX = {**SHELLS, "zsh": [os.environ.get("RIND_TEST_ZSH", "zsh")]}


@pytest.mark.parametrize("shell", POSIX)
def test_a_shell_understands_the_word(shell: str) -> None:
    # dash has no $'...': POSIX has had it only since 2024.
    words = WORDS if shell == "dash" else [*WORDS, *UNPRINTABLE]
    script = "printf '%s\\0' " + " ".join(map(quoted, words))
    done = subprocess.run(
        [*POSIX[shell], "-c", script], capture_output=True, check=True, cwd="/", timeout=30
    )
    assert done.stdout.decode().split("\0")[:-1] == words
    assert not done.stderr


def test_a_shell_without_escapes_runs_nothing() -> None:
    words = list(map(quoted, UNPRINTABLE))
    done = subprocess.run(
        [*SHELLS["dash"], "-c", "printf '%s\\n' " + " ".join(words)],
        capture_output=True,
        check=True,
    )
    assert done.stdout.decode().splitlines() == [f"${word[2:-1]}" for word in words]
    assert not done.stderr


def test_bytes_that_are_not_utf8_are_preserved() -> None:
    word = os.fsdecode(b"a\xff\xc3")
    done = subprocess.run(
        ["bash", "-c", f"printf %s {quoted(word)}"], capture_output=True, check=True
    )
    assert done.stdout == b"a\xff\xc3"
    assert quoted("\ud800").isascii()  # it stands for no byte


def test_plain_words_stay_as_they_are() -> None:
    for word in ("web", "shop-web-1", "a/b_c.d", "A=b", "1", "a:b@c,d+e%"):
        assert quoted(word) == word


@given(st.text() | st.text(alphabet="ab '\\\"$=~!\n\t"))
def test_printing_changes_no_word(word: str) -> None:
    line = f"rind --service {quoted(word)} x"
    assert clean(line) == line
