import os
from contextlib import ExitStack
from pathlib import Path

import pytest

from rind.execution.stdio import DEVNULL, PIPE, STDOUT
from rind.execution.streams import Streams


def test_an_invalid_stream_is_rejected() -> None:
    Streams(PIPE, DEVNULL, STDOUT).check()
    Streams(b"bytes", 1, 2).check()
    for wrong in (
        Streams(STDOUT, PIPE, PIPE),
        Streams(PIPE, STDOUT, PIPE),
        Streams(PIPE, b"bytes", PIPE),  # type: ignore[arg-type] # the mistake
        Streams(PIPE, PIPE, -9),
    ):
        with pytest.raises(ValueError, match="must be PIPE, DEVNULL"):
            wrong.check()


def test_a_duplicate_is_open_until_the_command_ends(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as file:
        with ExitStack() as stack:
            streams = Streams(PIPE, file, DEVNULL).duplicated(stack)
            assert (streams.stdin, streams.stderr) == (PIPE, DEVNULL)
            assert not isinstance(streams.stdout, int)
            number = streams.stdout.fileno()
            assert number != file.fileno()
            os.fstat(number)
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(number)
        file.write(b"it is open")
