"""The decisions about received bytes, cut anywhere."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rind.errors import Broken, Lost, StartError
from rind.execution.incoming import Incoming, plain_status
from rind.model import ExecState
from rind.transport.frames import STDERR, STDOUT, SYSTEM_ERROR

STARTED = ExecState(running=True, exit_code=None, pid=7)
NEVER_STARTED = ExecState(running=False, exit_code=127, pid=0)


def frame(stream: int, payload: bytes) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(payload).to_bytes(4, "big") + payload


def joined(parts: list[tuple[int, memoryview]]) -> dict[int, bytes]:
    found = {STDOUT: b"", STDERR: b""}
    for stream, part in parts:
        found[stream] += part
    return found


frames = st.lists(st.tuples(st.sampled_from([STDOUT, STDERR]), st.binary(max_size=20)), max_size=8)


@given(frames, st.lists(st.integers(0, 250)), st.integers(0, 20), st.binary(max_size=3))
def test_any_cutting_yields_the_same_in_both_pumps(
    sent: list[tuple[int, bytes]], cuts: list[int], handed_over: int, rest: bytes
) -> None:
    data = b"".join(frame(*one) for one in sent) + rest
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    pieces = [data[a:b] for a, b in pairwise(edges) if b > a]
    incoming, parts = Incoming("web", tty=False), []
    failure: type[Exception] | None = None
    try:
        for number, piece in enumerate(pieces):
            if number < handed_over:
                incoming.feed(piece)
                parts += incoming.take_all() if incoming.parts else []
            else:
                parts += incoming.pass_on(piece)
        incoming.feed(b"")
        incoming.check_end(was_reset=False, has_written=False)
    except Broken as exc:
        failure = type(exc)
    assert joined(parts) == {
        wanted: b"".join(payload for stream, payload in sent if stream == wanted)
        for wanted in (STDOUT, STDERR)
    }
    assert (failure is Broken) == bool(rest)
    assert incoming.taken == sum(len(payload) for _, payload in sent)


def test_a_reset_is_an_error_unless_stdin_was_written() -> None:
    incoming = Incoming("web", tty=True)
    incoming.feed(b"")
    incoming.check_end(was_reset=True, has_written=True)
    with pytest.raises(Lost, match="reset"):
        incoming.check_end(was_reset=True, has_written=False)


def test_an_engines_error_is_not_output() -> None:
    data = frame(STDOUT, b"before") + frame(SYSTEM_ERROR, b"disk full")
    for passes_on in (False, True):
        incoming = Incoming("web", tty=False)
        if passes_on:
            parts = incoming.pass_on(data)
        else:
            incoming.feed(data)
            parts = incoming.take_all()
        assert [bytes(part) for _, part in parts] == [b"before"]
        with pytest.raises(Broken, match="disk full"):
            incoming.take_all()


def test_a_start_failure_is_not_output() -> None:
    incoming = Incoming("web", tty=True)
    incoming.feed(b'exec: "x": executable file not found in $PATH')
    with pytest.raises(StartError, match="x: not found in the PATH of web"):
        incoming.check_started(NEVER_STARTED)
    incoming.check_started(STARTED)
    assert incoming.state == STARTED


def test_only_a_certain_exit_code_is_plain() -> None:
    def ended(code: int) -> ExecState:
        return ExecState(running=False, exit_code=code, pid=7)

    assert plain_status(ended(3), b"", "web") == 3
    assert plain_status(STARTED, b"", "web") is None
    assert plain_status(ended(137), b"", "web") is None
    assert plain_status(ended(126), b"", "web") is None
    with pytest.raises(StartError):
        plain_status(NEVER_STARTED, b"", "web")
