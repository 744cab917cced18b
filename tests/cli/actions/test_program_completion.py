"""A program's own completion in the container: the question, the answer, and real programs."""

import importlib.util
import os
from pathlib import Path

import pytest
from conftest import TIMEOUT, Containers, TestContainer

from rind.cli.actions import completion
from rind.cli.actions.completion import answer
from rind.cli.actions.program_completion import parameters, read


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["git", "chec"], ["", "git", "1", "8", "git chec", "chec", "chec"]),
        (["git", ""], ["", "git", "1", "4", "git ", "", ""]),
        (
            ["x", "a b", "--c=d"],
            ["", "x", "2", "13", "x 'a b' --c=d", "d", "'a b'", "--c", "=", "d"],
        ),
        (["x", "--c="], ["", "x", "1", "6", "x --c=", "", "--c", "="]),
        (["python3.11", "a.py", "b"], ["python3.11", "a.py", "1", "6", "a.py b", "b", "b"]),
        (["python", "-m", "b"], ["", "python", "2", "11", "python -m b", "b", "-m", "b"]),
        (["python", "a"], ["", "python", "1", "8", "python a", "a", "a"]),
    ],
)
def test_the_parameters_are_what_bash_would_have(words: list[str], expected: list[str]) -> None:
    assert parameters(words) == expected


@pytest.mark.parametrize(
    ("output", "cut", "expected"),
    [
        (b"a\0ab\0", "", ["a", "ab"]),
        (b"a\0ab\0", "cut", []),
        (b"a\0\0", "", ["a"]),
        (b"a\0\0ab \0b\0", "", ["ab"]),
        (b"a\0\0ab\0", "cut", ["a"]),
        (b"a\0\0b\0", "", ["a"]),
        (b"\0", "", []),
    ],
)
def test_a_programs_candidates_go_before_files(
    output: bytes, cut: object, expected: list[str]
) -> None:
    assert read(output, "", "a", ended=not cut) == expected


def test_candidates_may_leave_out_what_bash_splits_off() -> None:
    assert read(b"\0--x=one\0on\0two\0", "--x=", "o", ended=True) == ["one", "on"]


ARGCOMPLETE = """#!/venv/bin/python
# PYTHON_ARGCOMPLETE_OK
import argparse, argcomplete
parser = argparse.ArgumentParser()
parser.add_argument("--colour", choices=["red", "$(touch PWNED)"])
argcomplete.autocomplete(parser)
open("RAN", "w")
"""
DEPLOY = (
    "#!/bin/sh\n# execute_from_command_line PYTHON_ARGCOMPLETE_OK django.core.management\n>RAN\n"
)
TOOL = """_tool() {
  if [[ $2 == f* ]]; then compopt -o filenames; COMPREPLY=(folder); return; fi
  COMPREPLY=($(compgen -W "sta:rt stop --to=" -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -o nospace -F _tool tool
"""


@pytest.fixture(scope="module")
def programs(
    session_containers: Containers, tmp_path_factory: pytest.TempPathFactory
) -> TestContainer:
    """Return a container with programs that complete their own words, and with bash-completion."""
    container = session_containers("django", "IFS=x; PATH=/tools:/venv/bin:$PATH; cd /app")
    folder = tmp_path_factory.mktemp("programs")
    for name, text in (("paint", ARGCOMPLETE), ("deploy.sh", DEPLOY), ("tool", DEPLOY)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    (folder / "folder").mkdir()
    for name in ("migrate.sql", "--colour.txt", "--to.txt"):
        (folder / name).touch()
    put(container, f"{folder}/.", "/app")
    container.inside("mkdir -p /usr/share/bash-completion/completions /tools; cp /app/tool /tools")
    completions = Path(os.environ.get("RIND_TEST_BASH_COMPLETION", "/usr/share/bash-completion"))
    (folder / "tool").write_text(TOOL)
    shared = "/usr/share/bash-completion"
    put(container, str(completions / "bash_completion"), shared)
    for file in (folder / "tool", completions / "completions/find"):
        put(container, str(file), f"{shared}/completions")
    spec = importlib.util.find_spec("argcomplete")
    assert spec is not None
    assert spec.origin is not None
    put(container, str(Path(spec.origin).parent), "/venv/lib/python3.11/site-packages")
    return container


def put(container: TestContainer, source: str, folder: str) -> None:
    container.engine.cli("cp", "-L", source, f"{container.name}:{folder}")


def test_a_program_completes_its_own_words(
    programs: TestContainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files of these names are not offered; programs without a known protocol are not run."""
    monkeypatch.setattr(completion, "ASK_LIMIT", TIMEOUT)
    for words, expected in (
        (["./manage.py", "migr"], ["migrate"]),
        (["python", "manage.py", "migr"], ["migrate"]),
        (["./manage.py", "migrate", "--fake-"], ["--fake-initial"]),
        (["./manage.py", "migrate", "mys"], ["mysite/"]),
        (["./paint", "--col"], ["--colour"]),
        (["./paint", "--colour=r"], ["--colour=red"]),
        (["./paint", "--colour", "$"], ["$(touch PWNED)"]),
        (["find", ".", "-nam"], ["-name"]),
        (["tool", "st"], ["sta:rt", "stop"]),
        (["/tools/tool", "sto"], ["stop"]),
        (["tool", "--to=f"], ["--to=folder/"]),
        (["./tool", "--to"], ["--to.txt"]),
        (["deploy.sh", "depl"], ["deploy.sh"]),
        (["./deploy.sh", "depl"], ["deploy.sh"]),
    ):
        assert answer(["zsh", *words], programs.environ()) == expected, words
    assert programs.inside("ls /app/RAN /app/PWNED 2>/dev/null || true") == ""


def test_a_program_that_does_not_answer_leaves_files(
    programs: TestContainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs.inside(r"cd /app; sed '1a import time; time.sleep(600)' manage.py >slow.py")
    for limit in (1, 2, 4, 8, 16):  # a busy machine may need longer for the files too
        monkeypatch.setattr(completion, "ASK_LIMIT", limit)
        if found := answer(["zsh", "python", "slow.py", "migr"], programs.environ()):
            break
    assert found == ["migrate.sql"]
