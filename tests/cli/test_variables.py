"""The variables of ``-e`` and ``--env-file``."""

import os
import threading
from pathlib import Path

import pytest

from rind.cli.variables import checked_variable, environment
from rind.errors import UsageError


def test_files_first_then_options_and_the_last_one_wins(tmp_path: Path) -> None:
    (tmp_path / "1").write_text("A=1\nB=1\n")
    (tmp_path / "2").write_text("B=2\nC=2\n")
    files = [str(tmp_path / "1"), str(tmp_path / "2")]
    assert environment(files, ["C=3", "D"], {"D": "4"}) == {"A": "1", "B": "2", "C": "3", "D": "4"}


def test_a_name_without_a_value_here_is_left_out() -> None:
    assert environment([], ["NOPE"], {}) == {}


def test_lines_of_a_file_are_read_as_docker_reads_them(tmp_path: Path) -> None:
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


def test_a_carriage_return_within_a_line_is_kept(tmp_path: Path) -> None:
    (tmp_path / "env").write_bytes(b"A=1\r2\r\nB=3")
    assert environment([str(tmp_path / "env")], [], {}) == {"A": "1\r2", "B": "3"}


def test_a_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)

    def fill() -> None:
        with path.open("wb", buffering=0) as fifo:
            for part in (b"A=", b"1" * 100_000, b"\nB=\xc3", b"\xa9"):
                fifo.write(part)

    thread = threading.Thread(target=fill)
    thread.start()
    try:
        assert environment([str(path)], [], {}) == {"A": "1" * 100_000, "B": "é"}
    finally:
        thread.join()


def test_an_endless_file_is_refused() -> None:
    with pytest.raises(UsageError, match="the environment file /dev/zero is longer than 16777216"):
        environment(["/dev/zero"], [], {})


def test_a_file_may_have_16_mib(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_bytes(b"#".ljust(2**24 - 4) + b"\nA=1")
    assert environment([str(file)], [], {}) == {"A": "1"}
    file.write_bytes(b"#".ljust(2**24 - 3) + b"\nA=1")
    with pytest.raises(UsageError, match="is longer than 16777216 bytes"):
        environment([str(file)], [], {})


def test_a_file_may_have_any_name(tmp_path: Path) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff")
    with pytest.raises(UsageError) as caught:
        environment([path], [], {})
    assert str(caught.value).endswith(r"/\udcff: No such file or directory")
    Path(path).write_text("A=1")
    assert environment([path], [], {}) == {"A": "1"}
    Path(path).write_text("=1")
    with pytest.raises(UsageError, match=r"/.udcff, line 1: "):
        environment([path], [], {})


@pytest.mark.parametrize(
    ("variable", "said"),
    [
        ("A B=s3cret", "here: the variable name 'A B' has white space in it"),
        ("A =s3cret", "here: the variable name 'A ' has white space in it"),
        ("x" * 50 + " =s3cret", f"here: the variable name '{'x' * 40}' has white space in it"),
        ("=s3cret", "here: a variable needs a name before the equals sign"),
        ("password: s3cret", "here: a variable without an equals sign has white space in it: "),
        ("A=s3cret\0", "here: the variable 'A' has a NUL byte in it"),
        ("A=s3cret\udcff", "here: the variable 'A' is not valid UTF-8"),
        ("A\udcff=s3cret", r"here: the variable 'A\udcff' is not valid UTF-8"),
        ("A\udcff", r"here: the variable 'A\udcff' is not valid UTF-8"),
        ("A\n=s3cret", r"here: the variable name 'A\n' has white space in it"),
    ],
)
def test_a_mistake_is_reported_without_the_value(variable: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        checked_variable(variable, "here")
    assert str(caught.value).startswith(said)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"=x", "line 1: a variable needs a name"),
        (b"A=1\nB C=2", "line 2: the variable name 'B C' has white space"),
        (b"A=\xff", "is not UTF-8: byte 2 is 0xff"),
        (b"\xef\xbb\xbfA=\xff", "is not UTF-8: byte 5 is 0xff"),
        (b"A=\0", "line 1: the variable 'A' has a NUL byte in it"),
        (b"A\npassword: x", "line 2: a variable without an equals sign has white space"),
    ],
)
def test_a_mistake_in_a_file_is_reported(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "env"
    file.write_bytes(content)
    with pytest.raises(UsageError, match=said):
        environment([str(file)], [], {})
