"""The library's questions: a command's streams, compared with ``docker exec`` under asyncio."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any

from measure import MIB, Run, Sample, plain
from questions import Bench, Question

import rind

SIZE = 256 * MIB
LINES = 2_000_000
KEYS = 2000

Opener = Callable[[list[str]], AbstractAsyncContextManager[Any]]
"""Starts a command with pipes, and ends it."""

Work = Callable[[Any], Awaitable[None]]
"""Works with the command's streams."""


def questions(bench: Bench) -> Iterator[Question]:
    """Yield the questions, in the order of the table."""
    runner = asyncio.Runner()
    client = rind.connect(environ=bench.env)
    bench.clean_up.enter_context(runner)
    runner.run(client.__aenter__())
    bench.clean_up.callback(lambda: runner.run(client.__aexit__(None, None, None)))
    target = runner.run(client.find(label="bench"))

    @asynccontextmanager
    async def by_docker(words: list[str]) -> AsyncIterator[Any]:
        process = await asyncio.create_subprocess_exec(
            *bench.exec("-i", bench.container, *words),
            env=bench.env,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        yield process
        await process.wait()

    def timed(opener: Opener, words: list[str], work: Work) -> Sample:
        async def once() -> float:
            async with opener(words) as process:
                began = time.perf_counter()
                await work(process)
                return time.perf_counter() - began

        return Sample(runner.run(once()))

    def both(words: list[str], work: Work) -> dict[str, Run]:
        return {
            "rind.Process": partial(timed, target.open_process, words, work),
            "asyncio's docker exec": partial(timed, by_docker, words, work),
        }

    def run_true() -> Sample:
        began = time.perf_counter()
        runner.run(target.run(["true"]))
        return Sample(time.perf_counter() - began)

    run_true()
    yield Question(
        "warm",
        "one exec in a warm library",
        {"wall": 0.8},
        {
            "rind.Target.run": run_true,
            "docker exec": partial(plain, bench.exec(bench.container, "true"), bench.env),
        },
    )
    for name, title, goal, words, work in (
        ("read", "256 MiB, by `read`", 1.0, ["head", "-c", str(SIZE), "/dev/zero"], read),
        ("readline", "2 million lines, by `async for`", 1.0, ["seq", str(LINES)], read_lines),
        ("write", "256 MiB, by `write` and `drain`", 0.9, ["sh", "-c", "cat >/dev/null"], write),
        ("reply", "2000 replies to a line", 0.8, ["cat"], converse),
    ):
        yield Question(name, title, {"wall": goal}, both(words, work), rounds=7)


async def read(process: Any) -> None:
    """Read all output."""
    size = 0
    while data := await process.stdout.read(2**16):
        size += len(data)
    assert size == SIZE


async def read_lines(process: Any) -> None:
    """Read all lines."""
    count = 0
    async for _ in process.stdout:
        count += 1
    assert count == LINES


async def write(process: Any) -> None:
    """Write all bytes, and wait until they are sent."""
    data = b"x" * 2**16
    for _ in range(SIZE // len(data)):
        process.stdin.write(data)
        await process.stdin.drain()
    process.stdin.write_eof()
    await process.stdout.read()


async def converse(process: Any) -> None:
    """Write a line and wait for its echo, repeatedly."""
    for _ in range(KEYS):
        process.stdin.write(b"x\n")
        await process.stdout.readline()
    process.stdin.write_eof()
