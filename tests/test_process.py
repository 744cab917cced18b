"""Processes behave as those of asyncio.subprocess, on real engines."""

import asyncio
import os
import resource
import signal
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from conftest import TIMEOUT, TestContainer, wait_until

import rind
from rind import DEVNULL, PIPE, STDOUT, Process, Target
from rind.execution import receiver
from rind.execution.receiver import SLOW_READER
from rind.reaper import tree

MIB = 1024 * 1024


async def test_an_idle_command_costs_two_tasks(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two tasks: one moves its output, one watches for its end. All share their leash's task."""
    monkeypatch.setattr(tree, "LEASH_AFTER", 0.0)
    monkeypatch.setattr(receiver, "SLOW_READER", TIMEOUT)  # no reader counts as slow
    before = asyncio.all_tasks()
    async with AsyncExitStack() as stack:
        for _ in range(3):
            process = await stack.enter_async_context(target.open_process(["cat"]))
            process.stdin.write(b"x")
            assert await process.stdout.read(9) == b"x"
            process._exec._receiver.stop_watching()
            process._exec._receiver._begin_to_watch()  # as the receiver does after a while
        leash = process._exec._tree._leash
        while len(leash._losers) < 3:  # noqa: ASYNC110 # no event tells it
            await asyncio.sleep(0.01)
        assert len(asyncio.all_tasks() - before) == 3 * 2 + 1


async def test_lines_are_read_after_the_half_close(target: Target) -> None:
    async with target.open_process(["cat"]) as process:
        process.stdin.write(b"one\ntwo\n")
        await process.stdin.drain()
        assert await process.stdout.readline() == b"one\n"
        process.stdin.write(b"three")
        process.stdin.write_eof()
        assert [line async for line in process.stdout] == [b"two\n", b"three"]
        assert await process.wait() == process.returncode == 0
        assert process.container.name == target.container.name
        assert len(process.exec_id) == 64


async def test_stdout_and_stderr_are_separate(target: Target) -> None:
    argv = ["sh", "-c", "echo out; echo err >&2; exit 3"]
    async with target.open_process(argv) as process:
        assert await process.communicate() == (b"out\n", b"err\n")
        assert process.returncode == 3
    async with target.open_process(argv, stderr=STDOUT) as process:
        out, err = await process.communicate()
        assert out is not None
        assert sorted(out.splitlines()) == [b"err", b"out"]
        assert err is None
    async with target.open_process(argv, stdin=DEVNULL, stdout=DEVNULL) as process:
        assert process.stdin is None
        assert await process.communicate() == (None, b"err\n")


async def test_local_files_can_be_streams(target: Target, tmp_path: Path) -> None:
    given = tmp_path / "in"
    given.write_bytes(os.urandom(3 * MIB))
    with given.open("rb") as stdin, (tmp_path / "out").open("wb") as stdout:
        async with target.open_process(["cat"], stdin=stdin, stdout=stdout) as process:
            assert await process.wait() == 0
    assert (tmp_path / "out").read_bytes() == given.read_bytes()
    async with target.open_process(["cat"], stdin=b"bytes") as process:
        assert await process.communicate() == (b"bytes", b"")


async def test_an_unwritable_local_file_is_reported(target: Target) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    async with target.open_process(["echo", "x"], stdout=full) as process:
        with pytest.raises(OSError, match="No space left"):
            await process.wait()
    os.close(full)


async def test_large_data_passes_both_ways(target: Target) -> None:
    data = os.urandom(20 * MIB)
    async with target.open_process(["cat"]) as process:
        out, _ = await process.communicate(data)
        assert out == data


async def test_ignoring_stdin_is_no_error(target: Target) -> None:
    async with target.open_process(["echo", "x"]) as process:
        assert await process.communicate(bytes(5 * MIB)) == (b"x\n", b"")
    async with target.open_process(["true"]) as process:
        await process.wait()
        process.stdin.write(bytes(5 * MIB))
        with pytest.raises(BrokenPipeError):
            await process.stdin.drain()


async def test_an_unread_pipe_blocks_the_command(target: Target, busybox: TestContainer) -> None:
    async with target.open_process(["yes"], limit=1000) as process:
        assert await process.stdout.readline() == b"y\n"
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        top = await asyncio.to_thread(busybox.engine.cli, "top", busybox.name, "-eo", "pid,args")
        (pid,) = [line.split()[0] for line in top.splitlines() if line.endswith(" yes")]
        path = Path(f"/proc/{pid}/io")

        def stands_still() -> bool:
            written = path.read_text()
            os.sched_yield()
            return path.read_text() == written

        await asyncio.to_thread(wait_until, stands_still)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 16 * 1024
        assert await process.stdout.readexactly(2 * MIB) == b"y\n" * MIB


async def test_waiting_needs_no_reading(target: Target) -> None:
    async with target.open_process(["head", "-c", "300000", "/dev/zero"], limit=1000) as process:
        async with asyncio.timeout(30):
            assert await process.wait() == 0
        assert len(await process.stdout.read()) == 300000
    script = "echo begun; read x; head -c 300000 /dev/zero"
    async with target.open_process(script=script, limit=1000) as process:
        assert await process.stdout.readline() == b"begun\n"
        await asyncio.sleep(2 * SLOW_READER)  # from then on, the engine is no longer polled
        process.stdin.write(b"x\n")
        async with asyncio.timeout(30):
            assert await process.wait() == 0
        assert len(await process.stdout.read()) == 300000


async def test_a_command_has_a_terminal(target: Target) -> None:
    async with target.open_process(["sh"], tty=True, size=(40, 120)) as process:
        assert process.stderr is None
        process.stdin.write(b"stty size\n")
        await process.stdout.readuntil(b"40 120")
        await process.resize((50, 132))
        process.stdin.write(b"stty size\n")
        await process.stdout.readuntil(b"50 132")
        process.stdin.write(b"exit 7\n")
        await process.stdout.read()
        assert await process.wait() == 7
    async with target.open_process(["cat"], tty=True) as process:
        process.stdin.write(b"x\n")
        process.stdin.write_eof()
        out, _ = await process.communicate()
        assert out == b"x\r\nx\r\n"


@pytest.mark.parametrize(
    ("send", "status"),
    [
        (Process.terminate, 143),
        (Process.kill, 137),
        (lambda process: process.send_signal(signal.SIGINT), 130),
    ],
)
async def test_signals_are_sent(
    target: Target, send: Callable[[Process], Awaitable[None]], status: int
) -> None:
    async with target.open_process(["sh", "-c", "echo ready; sleep 1000"]) as process:
        assert await process.stdout.readline() == b"ready\n"
        await send(process)
        assert await process.wait() == status


@pytest.mark.parametrize("streams", [PIPE, DEVNULL])
async def test_a_command_that_cannot_start_raises(target: Target, streams: int) -> None:
    async with target.open_process(["nope"], stdout=streams, stderr=streams) as process:
        with pytest.raises(rind.StartError) as caught:
            await process.communicate()
        assert caught.value.exit_status == 127
        with pytest.raises(rind.StartError):
            await process.wait()


async def test_an_error_reported_by_the_engine_is_raised_by_a_read(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with target.open_process(["cat"]) as process:
        monkeypatch.setattr(
            process._exec._receiver._incoming._decoder, "feed", lambda _: iter([(3, b"a fault")])
        )
        process.stdin.write(b"x")
        with pytest.raises(rind.Broken, match="a fault"):
            await process.stdout.read()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"stdin": "text"}, "stdin must be .* bytes, .* but is 'text'"),
        ({"stdin": None}, "stdin must be"),
        ({"stdin": STDOUT}, "stdin must be"),
        ({"stdout": STDOUT}, "stdout must be"),
        ({"stdout": b"x"}, "stdout must be"),
        ({"stderr": None}, "stderr must be .* STDOUT"),
        ({"limit": 0}, "[Ll]imit"),
        ({"on_exit": "Kill"}, "on_exit must be 'kill' or 'detach', but is 'Kill'"),
    ],
)
async def test_invalid_options_are_rejected_before_the_start(
    target: Target, options: dict[str, Any], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rind.process.open_exec", None)
    with pytest.raises(ValueError, match=why):
        await target.open_process(["cat"], **options).__aenter__()


async def test_communicate_raises_asyncios_exceptions_and_no_group(target: Target) -> None:
    async with target.open_process(["cat"]) as process:
        with pytest.raises(TypeError, match="bytes-like"):
            await process.communicate("text")  # type: ignore[call-overload] # it is what is tested
        reading = asyncio.create_task(process.stdout.read())
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="another coroutine is already waiting"):
            await process.communicate(b"x")
        assert await reading == b"x"
        assert await process.wait() == 0


@pytest.mark.parametrize("data", [b"", b"x", b"x\n", b"x\r"])
async def test_stdin_can_end_on_a_terminal(target: Target, data: bytes) -> None:
    async with asyncio.timeout(10), target.open_process(["cat"], tty=True, stdin=data) as process:
        out, _ = await process.communicate()
        assert process.returncode == 0
        assert out is not None
        assert out.count(b"x") == 2 * len(data.strip())  # echoed, and written


async def test_closing_raises_in_pending_reads_and_writes(target: Target) -> None:
    async with asyncio.timeout(TIMEOUT), target.open_process(["sleep", "1000"]) as process:
        process.stdin.write(bytes(16 * MIB))
        draining = asyncio.create_task(process.stdin.drain())
        reading = asyncio.create_task(process.stdout.read())
        waiting = asyncio.create_task(process.wait())
        await asyncio.sleep(0)
        await process.aclose()
        await process.aclose()
        with pytest.raises(BrokenPipeError):
            await draining
        for using in reading, waiting:
            with pytest.raises(rind.Broken, match="was left before its output ended"):
                await using


async def test_lines_of_both_streams_are_in_order(target: Target) -> None:
    script = "for n in 1 2 3; do echo out $n; echo err $n >&2; done; printf last; exit 3"
    async with target.open_process(script=script) as process:
        seen = [line async for line in process.lines()]
        assert [line for stream, line in seen if stream == "stdout"] == [
            *(b"out %d\n" % number for number in (1, 2, 3)),
            b"last",
        ]
        assert [line for stream, line in seen if stream == "stderr"] == [
            b"err %d\n" % number for number in (1, 2, 3)
        ]
        assert await process.wait() == 3
    async with target.open_process(script="seq 200000; echo ü", encoding="utf-8") as text:
        numbers = [line async for _, line in text.lines()]
        assert numbers == [*(f"{number}\n" for number in range(1, 200_001)), "ü\n"]
    async with target.open_process(["printf", r"a\n\377b\n"], encoding="utf-8") as no_text:
        lines = no_text.lines()
        assert await anext(lines) == ("stdout", "a\n")
        with pytest.raises(UnicodeDecodeError):
            await anext(lines)
    async with target.open_process(["echo", "x"], tty=True) as on_tty:
        assert [line async for line in on_tty.lines()] == [("stdout", b"x\r\n")]
    async with target.open_process(["nope"]) as missing:
        with pytest.raises(rind.StartError):
            await anext(aiter(missing.lines()))


async def test_lines_of_a_blocked_or_ended_command_are_read(target: Target) -> None:
    async with target.open_process(["seq", "100000"], limit=100) as process:
        await process.wait()  # the output waits for a reader
        assert process.returncode == 0
        expected = b"".join(b"%d\n" % number for number in range(1, 100_001))
        assert b"".join([line async for _, line in process.lines()]) == expected
    async with target.open_process(["echo", "x"], limit=100) as process:
        assert await process.wait() == 0
        assert [line async for line in process.lines()] == [("stdout", b"x\n")]


async def test_the_status_is_set_without_a_wait(target: Target) -> None:
    async with target.open_process(["sh", "-c", "echo x; exit 3"]) as process:
        assert await process.stdout.read() == b"x\n"
        assert process.returncode == 3
    async with target.open_process(["sh", "-c", "echo x; exit 3"]) as process:
        assert [line async for line in process.lines()] == [("stdout", b"x\n")]
        assert process.returncode == 3
    async with target.open_process(["nope"]) as process:
        with pytest.raises(rind.StartError):
            await process.stdout.read()
        assert process.returncode == 127


async def test_poll_returns_the_state(target: Target) -> None:
    """Also while another process holds the output open."""
    async with target.open_process(script="read; sleep 1000 & exit 3") as process:
        assert await process.poll() is None
        process.stdin.write_eof()
        while (status := await process.poll()) is None:
            pass
        assert status == 3
    async with target.open_process(["nope"]) as process:
        for failing in (process.stdout.read, process.poll):
            with pytest.raises(rind.StartError):
                await failing()
