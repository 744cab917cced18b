"""One leash for many commands, on real engines; test_scripts.py tests its signals."""

import asyncio
import errno
import re
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable

import pytest
from conftest import TIMEOUT, Containers, TestContainer, wait_until
from processes import is_leashed, kill_all, sleepers

import rind
from rind.endpoint.endpoint import Endpoint
from rind.engine.engine import Engine
from rind.errors import Broken
from rind.reaper.leash import Leash


def leashes(container: TestContainer) -> int:
    listed = container.engine.cli("top", container.name, "-eo", "pid,args")
    return len(re.findall(r"^ *\d+ +/bin/sh -c .* rind-leash$", listed, re.MULTILINE))


async def until(true: Callable[[], bool]) -> None:
    await asyncio.to_thread(wait_until, true)


async def test_one_leash_serves_all_commands_of_a_user(containers: Containers) -> None:
    container = containers("busybox")
    async with rind.connect(container.engine.host) as client:

        async def one(user: str, ended: asyncio.Event) -> None:
            # Each command finds the container by itself.
            target = await client.find(container=container.name)
            async with target.open_process(["cat"], user=user) as process:
                await ended.wait()
                process.stdin.write_eof()
                assert await process.wait() == 0

        first, rest = asyncio.Event(), asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for number in range(6):
                ended = first if number < 3 else rest
                group.create_task(one("app" if number % 3 else "", ended))
            await until(lambda: leashes(container) == 2)
            first.set()
            await until(lambda: int(container.inside("pidof cat | wc -w")) == 3)
            assert leashes(container) == 2
            rest.set()
        await until(lambda: leashes(container) == 0)


EMBEDDER = """
import asyncio, sys, rind
from rind.reaper.leash import Leash

hold = Leash.hold

async def hold_and_say(*words):
    await hold(*words)
    print("held", flush=True)

async def main():
    host, container, *marks = sys.argv[1:]
    async with rind.connect(host) as client:
        target = await client.find(container=container)

        async def one(mark):
            async with target.open_process(["sleep", mark]) as process:
                await process.wait()

        await target.run(["sh", "-c", f"sleep {marks[0]} >/dev/null 2>&1 & sleep 1.5"])
        Leash.hold = hold_and_say
        await asyncio.gather(*map(one, marks))

asyncio.run(main())
"""


async def test_all_held_trees_end_with_their_holder(containers: Containers) -> None:
    container = containers("busybox")
    marks = [str(uuid.uuid4().int % 10**8 + 10**8) for _ in range(5)]
    host = container.engine.host
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", EMBEDDER, host, container.name, *marks), stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert [await process.stdout.readline() for _ in marks] == [b"held\n"] * 5
    assert sum(sleepers(container, mark) for mark in marks) == 6
    assert leashes(container) == 1
    process.kill()
    await process.wait()
    # The first mark was started a second time, by a command that left it running on purpose.
    await until(lambda: [sleepers(container, mark) for mark in marks] == [1, 0, 0, 0, 0])
    await until(lambda: not is_leashed(container))


async def test_a_killed_leash_is_replaced(containers: Containers) -> None:
    container = containers("busybox")
    cookies = [uuid.uuid4().hex for _ in range(2)]
    marks = ["717171", "727272"]
    for cookie, mark in zip(cookies, marks, strict=True):
        await asyncio.to_thread(
            container.engine.cli,
            *("exec", "--detach", "--env", f"RIND_EXEC_ID={cookie}", container.name, "sleep", mark),
        )
    async with Engine(Endpoint(container.engine.host, "the test")) as engine:
        found = await engine.container(container.name)
        leash = Leash(engine, found.id, "")
        await leash.hold(cookies[0], None)
        await until(lambda: is_leashed(container))
        await asyncio.to_thread(kill_all, container, "[r]ind-leash")
        assert leash._script is not None
        await leash._script.watch
        await leash.hold(cookies[1], None)
        await until(lambda: leashes(container) == 1)
        await leash._end()  # as if this process died
    await until(lambda: [sleepers(container, mark) for mark in marks] == [0, 0])


class Silent(socket.socket):
    """A socket of a machine that has lost its power."""

    def recv(self, *_: object) -> bytes:
        raise TimeoutError(errno.ETIMEDOUT, "Connection timed out")


async def test_an_engine_that_is_off_is_detected(
    busybox: TestContainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Engine(Endpoint(busybox.engine.host, "the test")) as engine:
        found = await engine.container(busybox.name)
        leash = Leash(engine, found.id, "")
        await leash.hold("0" * 32, None)
        assert leash._script is not None
        stream = leash._script.stream
        sock = stream._sock
        with Silent(fileno=sock.detach()) as silent:
            monkeypatch.setattr(stream, "_sock", silent)
            silent.shutdown(socket.SHUT_WR)  # the end of the leash's output wakes the reader
            async with asyncio.timeout(TIMEOUT):
                assert leash._script is not None
                assert (await leash._script.watch).is_silence
            with pytest.raises(Broken):
                await leash.release("0" * 32)


async def test_without_a_shell_there_is_no_leash(distroless: TestContainer) -> None:
    async with Engine(Endpoint(distroless.engine.host, "the test")) as engine:
        found = await engine.container(distroless.name)
        leash = Leash(engine, found.id, "")
        for _ in range(2):
            await leash.hold("0" * 32, None)
        await leash.release("0" * 32)


async def test_a_missing_container_is_reported(containers: Containers) -> None:
    container = containers("busybox")
    async with Engine(Endpoint(container.engine.host, "the test")) as engine:
        found = await engine.container(container.name)
        await asyncio.to_thread(container.kill)
        leash = Leash(engine, found.id, "")
        with pytest.raises(rind.Refused):
            await leash.hold("0" * 32, None)
        await leash.release("0" * 32)
