"""The variables that ``-e`` and ``--env-file`` ask for."""

from pathlib import Path

import pytest

from rind.cli.variables import environment
from rind.errors import UsageError


def test_files_first_then_options_and_the_last_one_wins(tmp_path: Path) -> None:
    (tmp_path / "1").write_text("A=1\nB=1\n")
    (tmp_path / "2").write_text("B=2\nC=2\n")
    files = [str(tmp_path / "1"), str(tmp_path / "2")]
    assert environment(files, ["C=3", "D"], {"D": "4"}) == {"A": "1", "B": "2", "C": "3", "D": "4"}


def test_a_name_alone_that_is_not_set_here_is_left_out() -> None:
    assert environment([], ["NOPE"], {}) == {}


def test_lines_of_a_file_are_taken_as_docker_takes_them(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_bytes(
        b"\xef\xbb\xbf# comment\r\n  INDENTED=x  \r\n"
        b'QUOTED="as it is"\nEMPTY=\nE=a=b # no comment\n'
    )
    assert environment([str(file)], [], {}) == {
        "INDENTED": "x  ",
        "QUOTED": '"as it is"',
        "EMPTY": "",
        "E": "a=b # no comment",
    }


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"=x", "line 1: a variable needs a name"),
        (b"A=1\nB C=2", "line 2: the variable name 'B C' has white space"),
        (b"A=\xff", "is not UTF-8: byte 2 is 0xff"),
        (b"A=\0", "line 1: a variable cannot hold a NUL byte"),
    ],
)
def test_a_file_with_a_mistake(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "env"
    file.write_bytes(content)
    with pytest.raises(UsageError, match=said):
        environment([str(file)], [], {})
