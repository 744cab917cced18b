"""Our stdout and stderr as full or closed pipes; test_attach.py has terminals."""

import os
from collections.abc import Iterator

import pytest

from rind.execution.local import Output, Pace
from rind.transport.frames import STDERR, STDOUT


@pytest.fixture
def pipes(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[int, int]]:
    """Replace stdout and stderr by pipes; yield their reading ends."""
    out, stdout = os.pipe()
    err, stderr = os.pipe()
    monkeypatch.setattr("rind.execution.local.STDOUT_FD", stdout)
    monkeypatch.setattr("rind.execution.local.STDERR_FD", stderr)
    yield {STDOUT: out, STDERR: err}
    for fd in (out, stdout, err, stderr):
        try:
            os.close(fd)
        except OSError:
            continue


def test_small_parts_in_quick_succession_wait_until_they_are_large() -> None:
    pace, now = Pace(), 0.0

    def after(size: int, count: int, quiet: float = 0.0) -> float:
        """Return the pause before the last of some parts."""
        nonlocal now
        pause = 0.0
        for _ in range(count):
            now += quiet
            pause = pace.pause(size, now)
            now += pause
        return pause

    assert after(100, 1, quiet=1) == 0
    assert after(100, 9) == 0
    assert after(100, 10) == pytest.approx(0.00019)
    assert after(100, 500) == pace.LONGEST
    assert after(pace.LARGE, 1) == pace.LONGEST / 2
    assert after(pace.LARGE, 10) == 0
    assert after(100, 1000, quiet=0.0019) == pace.LONGEST
    assert after(100, 1000, quiet=0.0021) == 0


async def test_a_full_pipe_receives_the_rest_later(pipes: dict[int, int]) -> None:
    output = Output(None)
    data = bytes(range(256)) * 400
    assert not output.take([(STDOUT, memoryview(data)), (STDERR, memoryview(b"after"))])
    seen = os.read(pipes[STDOUT], 2**16)
    await output.flush()
    seen += os.read(pipes[STDOUT], 2**16)
    output.close()
    assert seen == data
    assert os.read(pipes[STDERR], 99) == b"after"


def test_stderr_continues_after_stdout_is_closed(pipes: dict[int, int]) -> None:
    output = Output(None)
    heard: list[str] = []
    output.on_stdout_failed = lambda: heard.append("failed")
    os.close(pipes[STDOUT])
    assert output.take([(STDOUT, memoryview(b"x")), (STDERR, memoryview(b"still"))])
    assert isinstance(output.failure, BrokenPipeError)
    assert output.stdout_failed
    assert heard == ["failed"]
    assert os.read(pipes[STDERR], 99) == b"still"
    output.close()
