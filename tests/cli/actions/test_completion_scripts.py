"""TAB in real shells asks this machine's completion of a program first, then the container."""

import os
import shlex
import time
from pathlib import Path

import pytest
from cli.actions.test_completion import PATIENCE, RC, Terminal
from conftest import Containers, TestContainer

from rind.cli.actions.completion import answer
from rind.cli.actions.completion_scripts import SCRIPTS

# "grow" is a program that each shell's completion knows; "show" is the tests' own.
OWN = {
    "bash": f""". {shlex.quote(os.environ["RIND_TEST_BASH_COMPLETION"])}/bash_completion
"""
    """_grow() {
  COMPREPLY=()
  case $COMP_CWORD-${COMP_WORDS[*]}-$COMP_LINE-$COMP_POINT in
    "1-grow tre-grow tre-8" | "3-grow --x = tre-grow --x=tre-12") COMPREPLY=("tree "); ;;
    "1-grow ki-grow ki-7") COMPREPLY=(kind:a kind:b) ;;
    *) compopt -o filenames; COMPREPLY=(here.txt) ;;
  esac
}
complete -o nospace -F _grow grow
complete -o default -C 'printf "%s\\n" "seed-$COMP_LINE" #' sow
""",
    "zsh": """_grow() { _arguments '*:what:->what' && return; compadd tree kind:a kind:b; _files }
compdef _grow grow
""",
    "fish": """complete --command grow --arguments 'tree kind:a kind:b --x=tree'
""",
}


@pytest.fixture(scope="module")
def stocked(session_containers: Containers) -> TestContainer:
    """Return a container with files in its working directory."""
    container = session_containers("busybox", "cd /stock")
    container.inside("mkdir -p '/stock/sub dir'; touch '/stock/sub dir/inner' '/stock/two words'")
    return container


@pytest.mark.parametrize("shell", SCRIPTS)
def test_tab_asks_this_machines_completion_of_the_program(
    shell: str, stocked: TestContainer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files are the container's, also where the program's completion offers this machine's."""
    for name in ("here.txt", "tree.txt"):
        (tmp_path / name).touch()
    monkeypatch.setitem(
        RC, shell, OWN[shell] + RC[shell] if shell == "bash" else RC[shell] + OWN[shell]
    )
    terminal = Terminal(shell, stocked, tmp_path)
    cases = [
        ("rind grow tre\tx", "(rind)(grow)(tree)(x)"),
        ("rind -e 'ab=c:d e' grow tre\tx", "(rind)(-e)(ab=c:d e)(grow)(tree)(x)"),
        ("rind grow ki\ta x", "(rind)(grow)(kind:a)(x)"),
        ("rind ./grow tre\tx", "(rind)(./grow)(trex)"),
        ("rind grow he\tx", "(rind)(grow)(hex)"),
        ("rind grow su\tin\tx", "(rind)(grow)(sub dir/inner)(x)"),
        ("rind cat he\tx", "(rind)(cat)(hex)"),
        ("rind cat tw\tx", "(rind)(cat)(two words)(x)"),
    ]
    if shell != "zsh":
        cases.append(("rind grow --x=tre\tx", "(rind)(grow)(--x=tree)(x)"))
    if shell == "bash":
        cases.append(("rind find . -nam\tx", "(rind)(find)(.)(-name)(x)"))
        cases.append(("rind sow s\tx", "(rind)(sow)(seed-sow)(s)(x)"))
    else:
        cases.append(("rind git cherry-p\tx", "(rind)(git)(cherry-pick)(x)"))
    for typed, expected in cases:
        deadline = time.monotonic() + PATIENCE
        while (words := terminal.words(typed)) != expected:
            assert time.monotonic() < deadline, (typed, words)
    terminal.close()


def test_only_an_argument_of_a_program_by_its_name_is_asked_here() -> None:
    for line, expected in (
        ("rind git chec", ["\t5"]),
        ("  rind -w 'x y' -- git a ", ["\t19"]),
        ("rind ./manage.py x", None),
        ("rind gi", None),
        ("rind --completion z", ["sh"]),
        ("rind git $x", []),
        ("rind -c 'ls", None),
    ):
        found = answer(["local", "bash", line], {"DOCKER_HOST": "unix:///dev/null"})
        assert found == (expected or []), line
    assert answer(["local", "zsh", "-e", "x", "git", "a", ""], {}) == ["\t3"]
    assert answer(["local", "fish-token", "git", "'a"], {}) == ["\t1"]
    off = {"DOCKER_HOST": "unix:///dev/null", "RIND_NO_LOCAL_COMPLETION": "1"}
    assert answer(["local", "zsh", "git", ""], off) == []
