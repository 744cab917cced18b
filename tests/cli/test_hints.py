"""Hints for words that are not programs; in real shells, on real engines."""

from itertools import cycle

import pytest
from conftest import Containers, TestContainer, one_line

from rind.cli.hints import names_hint, shell_hint, words_hint
from rind.cli.options import Options
from rind.cli.parser import parse
from rind.decide.plan import Command
from rind.errors import StartError
from rind.model import Container

WORDS = {
    ("cd", "/tmp"): "it would change only a shell that exits at once; use: rind -w /tmp COMMAND",
    ("exit",): "rind exits with its command; for an interactive shell: rind",
    ("export", "A=1"): "it would change only a shell that exits at once; use: rind -e A=1 COMMAND",
    ("exec", "web", "ls"): "a service: rind -s web ls; a container: rind --container web ls",
    ("alias", "a=b c"): "it is part of the shell: rind -c 'alias '\"'\"'a=b c'\"'\"''",
    ("ls -la",): "this word is taken as one program's name; use: rind ls -la, or: rind -c 'ls -la'",
    ("list",): "the option is: rind --list",
    ("doctor",): "the option is: rind --doctor",
    ("ls | wc",): "this word is taken as one program's name; use: rind -c 'ls | wc'",
    ("A=1", "env"): "to set a variable: rind -e A=1 env",
    ("exec",): "leave it out, and name the container by -s SERVICE or --container NAME",
    ("exec", "-it", "web", "ls"): (
        "leave it out, and name the container by -s SERVICE or --container NAME"
    ),
    ("-x",): "options go before the command, and before --: rind -x",
}
"""Hints for words that are not programs in any image."""


@pytest.mark.parametrize(("words", "hint"), WORDS.items())
def test_the_first_word_gets_its_hint(words: tuple[str, ...], hint: str) -> None:
    assert words_hint(parse(["--", *words], {})) == hint


@pytest.mark.parametrize("words", [["ls"], ["-"], ["/a b/c"], ["./a b"], [], ["-c", "cd /"], [""]])
def test_other_words_get_no_hint(words: list[str]) -> None:
    assert words_hint(parse(words, {})) == ""


def test_a_missing_shell_gets_a_hint() -> None:
    missing = StartError("cannot start the command: /bin/sh: not found", 127)
    assert shell_hint(missing, Options(words=["ls"])).endswith("or use --no-pre-step")
    assert shell_hint(missing, Options(words=["/bin/sh"])) == ""
    assert (
        shell_hint(missing, Options())
        == shell_hint(missing, Options(command=Command(script="x")))
        == ""
    )
    other = StartError("cannot start the command: ls: not found in the PATH of web", 127)
    assert shell_hint(other, Options(words=["ls"])) == ""


def test_the_hint_for_source_works_in_every_shell() -> None:
    hint = words_hint(Options(words=["source", "x y"]))
    assert hint.startswith("for one command: rind -c ")
    assert ". " in hint


def test_names_of_containers_and_services_get_a_hint() -> None:
    labels = {"com.docker.compose.service": "db"}
    web = Container("0" * 64, "web", "running", "Up", labels)
    named = Options(words=["web", "ls", "a b"])
    assert names_hint(named, [web]) == "web is a container: rind --container web ls 'a b'"
    named = Options(words=["db", "psql"])
    assert names_hint(named, [web]) == "db is a service: rind --service db psql"
    assert names_hint(named, []) == names_hint(Options(), [web]) == ""


@pytest.mark.newest_engine
def test_a_missing_program_gets_one_line(busybox: TestContainer, containers: Containers) -> None:
    targets = cycle([busybox, containers("busybox", ":"), containers("django", ":")])
    for target, (words, hint) in zip(targets, WORDS.items(), strict=False):
        done = target.rind("-T", "--", *words)
        assert done.returncode == 127
        said = one_line(done.stderr)
        assert said.startswith("cannot start the command: ")
        assert said.endswith(f" ({hint})")


@pytest.mark.newest_engine
def test_a_program_takes_precedence_over_a_hint(containers: Containers) -> None:
    target = containers("busybox", ":")
    program = "#!/bin/sh\\necho mine\\n"
    target.inside(f"printf '{program}' >/bin/list; cp /bin/list /bin/exit; chmod +x /bin/*")
    for word in ("list", "exit"):
        for pre_step in ([], ["--no-pre-step"]):
            assert target.rind("-T", *pre_step, word).stdout == b"mine\n"
