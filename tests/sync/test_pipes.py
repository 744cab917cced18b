import json
import shutil
from io import BytesIO

import pytest

import rind


def test_pipes_are_files(blocking_target: rind.SyncTarget) -> None:
    with blocking_target.open_process(["cat"]) as process:
        shutil.copyfileobj(BytesIO(b"[1, 2]" * 100_000), process.stdin, 1000)
        with pytest.raises(TypeError):
            process.stdin.write("text")  # type: ignore[call-overload] # that is what is tested
        process.kill()
    with blocking_target.open_process(["echo", "[1, 2]"], encoding="utf-8") as text:
        assert json.load(text.stdout) == [1, 2]
    with blocking_target.open_process(script="yes | head -c 1000000") as process:
        assert len(process.stdout.read(300_000)) == 300_000
        assert len(process.stdout.read()) == 700_000


def test_writing_to_an_ended_command_is_a_broken_pipe(blocking_target: rind.SyncTarget) -> None:
    with blocking_target.open_process(["true"]) as process:
        process.wait()
        with pytest.raises(BrokenPipeError):
            process.stdin.write(bytes(10**6))
        process.stdin.close()
