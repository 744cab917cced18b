"""No byte is lost: large, slow and many streams, compared by digest, on real engines."""

import asyncio
import hashlib
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import RIND, TIMEOUT, TestContainer, wait_until
from processes import MIB, MOST_MEMORY, descriptors, resident

from rind.endpoint.endpoint import Endpoint
from rind.engine.engine import Engine
from rind.execution.session import Session
from rind.execution.start import open_exec
from rind.model import ExecConfig

LARGE = 512 * MIB


@contextmanager
def rind(
    container: TestContainer, *args: str, stdin: int | None = subprocess.PIPE
) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(
        [RIND, "-T", *args],
        env=container.environ(),
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def idle(container: TestContainer) -> int:
    """Return the resident size of a run without data."""
    with rind(container, "-c", "echo ready; read x") as process:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        return resident(process.pid)


LINE = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_\n"
PATTERN = f"yes {LINE.decode().strip()}"


@pytest.mark.timeout(600)
def test_a_large_output_is_exact_in_bounded_memory(busybox: TestContainer) -> None:
    block = os.urandom(16 * MIB)
    times = LARGE // len(block)
    assert busybox.rind("-c", "cat >/tmp/block", stdin=block).returncode == 0
    expected, received = hashlib.sha256(), hashlib.sha256()
    for _ in range(times):
        expected.update(block)
    before = idle(busybox)
    script = f"for i in $(seq {times}); do cat /tmp/block; done; rm /tmp/block"
    with rind(busybox, "-c", script, stdin=subprocess.DEVNULL) as process:
        assert process.stdout
        peak = 0
        while data := os.read(process.stdout.fileno(), MIB):
            received.update(data)
            peak = resident(process.pid) if process.poll() is None else peak
        assert process.wait(TIMEOUT) == 0
    assert received.digest() == expected.digest()
    assert 0 < peak - before < MOST_MEMORY


@pytest.mark.timeout(600)
def test_a_large_input_comes_back_exact_in_bounded_memory(busybox: TestContainer) -> None:
    before = idle(busybox)
    block = os.urandom(MIB)
    sent, received = hashlib.sha256(), hashlib.sha256()
    with rind(busybox, "cat") as process:
        stdin, stdout = process.stdin, process.stdout
        assert stdin
        assert stdout

        def send() -> None:
            for _ in range(LARGE // MIB):
                sent.update(block)
                stdin.write(block)
            stdin.close()

        thread = threading.Thread(target=send)
        thread.start()
        peak = 0
        while data := os.read(stdout.fileno(), MIB):
            received.update(data)
            peak = resident(process.pid) if process.poll() is None else peak
        thread.join()
        process.stdin = None
        assert process.wait(TIMEOUT) == 0
    assert received.digest() == sent.digest()
    assert 0 < peak - before < MOST_MEMORY


@pytest.mark.parametrize("child", ["", "sleep 1000 &"], ids=["alone", "with-a-child"])
def test_a_slow_reader_loses_nothing(busybox: TestContainer, child: str) -> None:
    # 1.5 MB, at a rate that leaves the reader busy for long after the command has ended.
    size, runs = 1_500_000, 6
    script = f"{child} {PATTERN} | head -c {size}"
    expected = (LINE * (size // len(LINE) + 1))[:size]

    def read_slowly(results: list[bool]) -> None:
        with rind(busybox, "-c", script, stdin=subprocess.DEVNULL) as process:
            assert process.stdout
            received = b""
            while data := os.read(process.stdout.fileno(), 8192):
                received += data
                time.sleep(8192 / 250_000)  # a quarter of a megabyte a second
            results.append(received == expected and process.wait(TIMEOUT) == 0)

    results: list[bool] = []
    threads = [threading.Thread(target=read_slowly, args=[results]) for _ in range(runs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * runs


def test_a_reader_that_stops_as_the_command_ends_loses_nothing(busybox: TestContainer) -> None:
    # Two seconds after a command's end, the engine drops unsent output. These sizes are about the
    # capacity of its buffers and the sockets, so some commands end while all of them are full.
    sizes = range(900_000, 2_000_000, 288_000)

    def read_late(size: int, results: dict[int, int]) -> None:
        with rind(busybox, "head", "-c", str(size), "/dev/zero", stdin=subprocess.DEVNULL) as it:
            assert it.stdout
            received = 0
            time.sleep(5)  # longer than the engine keeps unsent output
            while data := os.read(it.stdout.fileno(), 65536):
                received += len(data)
            results[size] = received if it.wait(TIMEOUT) == 0 else -1

    results: dict[int, int] = {}
    threads = [threading.Thread(target=read_late, args=[size, results]) for size in sizes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {size: size for size in sizes}


async def test_output_unread_until_the_end_is_complete(busybox: TestContainer) -> None:
    """Begin to read only when the engine's buffers are full."""
    async with Engine(Endpoint(busybox.engine.host, "the test")) as engine:
        container = await engine.container(busybox.name)

        async def one(size: int) -> int:
            config = ExecConfig(argv=["head", "-c", str(size), "/dev/zero"], stdin=False)
            async with await open_exec(Session(engine), container, config) as process:
                await asyncio.sleep(4)  # longer than the engine keeps unsent output
                received = 0
                while (part := await process.read()) is not None:
                    received += len(part[1])
                return received if await process.wait() == 0 else -1

        sizes = list(range(900_000, 2_000_000, 240_000))
        async with asyncio.timeout(TIMEOUT):
            assert await asyncio.gather(*map(one, sizes)) == sizes


def test_a_stopped_reader_blocks_an_endless_writer(busybox: TestContainer) -> None:
    before = idle(busybox)
    with rind(busybox, "yes", stdin=subprocess.DEVNULL) as process:
        assert process.stdout
        assert process.stdout.read(2) == b"y\n"
        pid = busybox.engine.cli("exec", busybox.name, "pidof", "yes").split()[0]

        def written() -> str:
            return busybox.inside(f"grep wchar /proc/{pid}/io")

        def is_held_back() -> bool:
            seen = written()
            time.sleep(0.5)
            return seen == written()

        wait_until(is_held_back)
        assert resident(process.pid) - before < MOST_MEMORY
        received = process.stdout.read(1_000_000)
        assert received == b"y\n" * 500_000
    busybox.inside(f"kill {pid} 2>/dev/null || true")


def test_stdin_is_not_read_faster_than_the_command_reads_it(
    busybox: TestContainer, tmp_path: Path
) -> None:
    before = idle(busybox)
    path = tmp_path / "huge"
    path.touch()
    os.truncate(path, 2 * 1024 * MIB)
    stdin = os.open(path, os.O_RDONLY)
    with rind(busybox, "sleep", "1000", stdin=stdin) as process:

        def stands_still() -> bool:
            position = os.lseek(stdin, 0, os.SEEK_CUR)
            time.sleep(0.3)
            return 0 < position == os.lseek(stdin, 0, os.SEEK_CUR)

        wait_until(stands_still)
        assert os.lseek(stdin, 0, os.SEEK_CUR) < 64 * MIB
        assert resident(process.pid) - before < MOST_MEMORY
    os.close(stdin)


@pytest.mark.newest_engine
def test_fifty_programs_run_concurrently(busybox: TestContainer) -> None:
    processes = [
        subprocess.Popen(
            [RIND, "-c", f"cat; exit {number}"],
            env=busybox.environ(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for number in range(50)
    ]
    for number, process in enumerate(processes):
        out, _ = process.communicate(str(number).encode() * 1000, timeout=TIMEOUT)
        assert out == str(number).encode() * 1000
        assert process.returncode == number


# --- in one process ---------------------------------------------------------------------------


@pytest.mark.newest_engine
@pytest.mark.timeout(600)
async def test_hundreds_of_runs_leak_nothing(busybox: TestContainer) -> None:
    async def many(times: int) -> None:
        async with Engine(Endpoint(busybox.engine.host, "the test")) as engine:
            container = await engine.container(busybox.name)

            async def one() -> None:
                config = ExecConfig(argv=["echo", "x"], stdin=False)
                async with await open_exec(Session(engine), container, config) as process:
                    received = b""
                    while (part := await process.read()) is not None:
                        received += part[1]
                    assert received == b"x\n"
                    assert await process.wait() == 0

            for _ in range(times):
                await asyncio.gather(*(one() for _ in range(20)))
        await asyncio.sleep(0)

    await many(1)
    open_before, tasks, threads = descriptors(), asyncio.all_tasks(), threading.enumerate()
    await many(15)
    assert descriptors() == open_before
    assert asyncio.all_tasks() == tasks
    assert threading.enumerate() == threads


async def test_cancelling_in_every_phase_leaves_nothing(busybox: TestContainer) -> None:
    """Cancel after 1, 2, 3... turns of the event loop, until a run completes before."""
    script = ["sh", "-c", "cat; exit 3"]

    async def one() -> int:
        async with Engine(Endpoint(busybox.engine.host, "the test")) as engine:
            container = await engine.container(busybox.name)
            config = ExecConfig(argv=script)
            async with await open_exec(Session(engine), container, config) as process:
                await process.write(b"x")
                await process.send_eof()
                while await process.read() is not None:
                    pass
                return await process.wait()

    await one()
    before = descriptors()
    cancelled = 0
    while True:
        task = asyncio.create_task(one())
        for _ in range(cancelled):
            if task.done():
                break
            # The engine may answer during each turn of the loop.
            await asyncio.sleep(0.001)
        if task.done():
            assert task.result() == 3
            break
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        cancelled += 1
        assert asyncio.all_tasks() == {asyncio.current_task()}
    await asyncio.sleep(0)
    assert cancelled > 3  # on a busy machine, a run completes within few turns
    assert descriptors() <= before
