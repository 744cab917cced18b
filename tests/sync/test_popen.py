"""The behaviour of :class:`subprocess.Popen`, in a container."""

import signal

import pytest

import rind


def test_a_command_answers_line_by_line(blocking_target: rind.SyncTarget) -> None:
    with blocking_target.open_process(["cat"]) as process:
        process.stdin.write(b"one\ntwo\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"one\n"
        assert process.poll() is None
        with pytest.raises(rind.TimedOut, match=r"^cat did not end within 0.01 s"):
            process.wait(timeout=0.01)
        process.stdin.close()
        assert list(process.stdout) == [b"two\n"]
        assert process.wait(timeout=60) == process.returncode == process.poll() == 0
    assert process.stdout.closed
    process.close()


def test_communicate_returns_all_output(blocking_target: rind.SyncTarget) -> None:
    """Also after a time limit, and after a part of the output was read."""
    script = "echo one; echo two; echo ü >&2; cat; trap '' TERM; while :; do sleep 1; done"
    with blocking_target.open_process(script=script, encoding="utf-8") as process:
        assert process.stdout.readline() == "one\n"
        for text in ("three\n", None):
            with pytest.raises(TimeoutError):
                process.communicate(text, timeout=0.01)
        with pytest.raises(ValueError, match="closed file"):
            process.communicate("four")
        process.kill()
        assert process.communicate() == ("two\nthree\n", "ü\n")
        assert (process.returncode, process.args) == (128 + signal.SIGKILL, [script])


def test_lines_are_read_and_signals_sent(blocking_target: rind.SyncTarget) -> None:
    script = "trap 'echo got >&2; exit 3' TERM; echo ready; while :; do sleep 0.1; done"
    with blocking_target.open_process(script=script, encoding="utf-8") as process:
        lines = process.lines()
        assert next(lines) == ("stdout", "ready\n")
        process.terminate()
        assert ("stderr", "got\n") in list(lines)
        assert process.wait() == 3
    with pytest.raises(rind.StartError):
        blocking_target.open_process(["nope"]).communicate()


def test_a_terminal_and_no_pipes_can_be_used(blocking_target: rind.SyncTarget) -> None:
    with blocking_target.open_process(["echo", "x"], tty=True, size=(24, 80)) as process:
        assert process.stderr is None
        assert process.stdout.read() == b"x\r\n"
    with blocking_target.open_process(
        ["true"], stdin=rind.DEVNULL, stdout=rind.DEVNULL, stderr=rind.STDOUT
    ) as process:
        assert process.communicate() == (None, None)
        assert process.poll() == 0
