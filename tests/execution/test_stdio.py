import os
from contextlib import ExitStack
from pathlib import Path

import pytest

from rind.execution.stdio import DEVNULL, PIPE, STDOUT, check_streams, duplicated, has_fileno


def test_what_a_stream_may_be() -> None:
    check_streams(PIPE, DEVNULL, STDOUT)
    check_streams(b"bytes", 1, 2)
    for wrong in (
        (STDOUT, PIPE, PIPE),
        (PIPE, STDOUT, PIPE),
        (PIPE, b"bytes", PIPE),
        (PIPE, PIPE, -9),
    ):
        with pytest.raises(ValueError, match="must be PIPE, DEVNULL"):
            check_streams(*wrong)
    assert has_fileno(0)
    assert not has_fileno(PIPE)
    assert not has_fileno(b"bytes")


def test_a_file_is_ones_own_until_the_end(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as file:
        with ExitStack() as stack:
            stdin, stdout, stderr = duplicated(stack, PIPE, file, DEVNULL)
            assert (stdin, stderr) == (PIPE, DEVNULL)
            assert not isinstance(stdout, int)
            number = stdout.fileno()
            assert number != file.fileno()
            os.fstat(number)
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(number)
        file.write(b"it is open")
