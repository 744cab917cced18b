"""The library's main uses, with real programs."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import watchfiles
from conftest import RIND, TIMEOUT, Containers, TestContainer, wait_until
from lsp import LspClient

import rind

SOURCE = "import collections\ncollections.Ord\n"
DOCUMENT = Path("/tmp/document.py")
"""Only the file's name is used: the message that opens it contains the text."""


@pytest.fixture
async def target(django: TestContainer) -> AsyncIterator[rind.Target]:
    async with rind.connect(django.engine.host) as client:
        yield await client.find(container=django.name, label=django.label)


async def converse(client: LspClient) -> None:
    await client.open(DOCUMENT, SOURCE)
    for _ in range(20):
        assert "OrderedDict" in await client.complete(DOCUMENT, 1, 15)
    await client.close()


async def test_a_language_server_answers(target: rind.Target) -> None:
    async with (
        asyncio.timeout(TIMEOUT),
        target.open_process(["pylsp"], stderr=rind.DEVNULL) as process,
    ):
        await converse(LspClient(process.stdout, process.stdin))
        assert await process.wait() == 0


async def test_a_language_server_answers_through_the_command_line(django: TestContainer) -> None:
    process = await asyncio.create_subprocess_exec(
        *(RIND, "-T", "pylsp"),
        env=django.environ(),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdin
    assert process.stdout
    async with asyncio.timeout(TIMEOUT):
        await converse(LspClient(process.stdout, process.stdin))
        assert await process.wait() == 0


COMPLETE = """
import json
import sys

import jedi

project = jedi.Project("/tmp", added_sys_path=["/tmp"])
for code in sys.argv[1:]:
    print(json.dumps([found.name for found in jedi.Script(code, project=project).complete()]))
"""


@pytest.mark.newest_engine
async def test_editors_complete_the_librarys_names(target: rind.Target) -> None:
    """With Jedi, the completer of pylsp and IPython, which the container has."""
    await target.put(Path(rind.__file__).parent, "/tmp")
    lines = "import rind; rind.", "import rind; rind.connect()."
    done = await target.run(["python", "-c", COMPLETE, *lines], text=True, check=True)
    names, client = (set(json.loads(line)) for line in done.stdout.splitlines())
    assert {*rind.__all__} <= names
    assert {"find", "wait_for", "versions"} <= client


@pytest.mark.newest_engine
async def test_a_watcher_restarts_on_every_change(containers: Containers, tmp_path: Path) -> None:
    """Fifty runs are cancelled, most of them in the middle; no process is left."""
    container = containers("busybox")
    before = await asyncio.to_thread(container.engine.cli, "top", container.name)
    script = "sleep 1000 & setsid sleep 1000 & echo ready; wait"
    ready = asyncio.Event()
    runs = 0

    async def test_run(target: rind.Target) -> None:
        async with target.open_process(["sh", "-c", script]) as process:
            assert await process.stdout.readline() == b"ready\n"
            ready.set()
            await process.wait()

    async def watch(target: rind.Target) -> None:
        nonlocal runs
        changes = watchfiles.awatch(tmp_path, step=1, debounce=10)
        while True:
            async with asyncio.TaskGroup() as group:
                current = group.create_task(test_run(target))
                runs += 1
                await anext(changes)
                ready.clear()
                current.cancel()

    async with asyncio.timeout(TIMEOUT), rind.connect(container.engine.host) as client:
        watching = asyncio.create_task(watch(await client.find(container=container.name)))
        for number in range(50):
            if number % 5:
                await ready.wait()
            while runs <= number + 1:
                (tmp_path / "changed.py").write_text(f"{number}")
                await asyncio.sleep(0.02)
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching

    def nothing_is_left() -> bool:
        now = container.engine.cli("top", container.name)
        return now.count("\n") == before.count("\n")

    await asyncio.to_thread(wait_until, nothing_is_left)


async def test_an_interactive_program_is_driven(target: rind.Target) -> None:
    async with asyncio.timeout(TIMEOUT):
        async with target.open_process(["python", "-q"], tty=True, size=(24, 80)) as process:

            async def expect(prompt: bytes) -> bytes:
                return await process.stdout.readuntil(prompt)

            await expect(b">>> ")
            process.stdin.write(b"6 * 7\r")
            assert b"\r\n42\r\n" in await expect(b"\r\n>>> ")
            process.stdin.write(b"name = input('who? ')\r")
            await expect(b"who? ")
            process.stdin.write(b"me\r")
            await expect(b">>> ")
            # Not at a prompt: Python can lose a Ctrl-C that arrives as it begins to read.
            process.stdin.write(b"print('run' + 'ning'); exec('while True: pass')\r")
            await expect(b"running\r\n")
            process.stdin.write(b"\x03")
            assert b"KeyboardInterrupt" in await expect(b"\r\n>>> ")
            process.stdin.write(b"exit(4)\r")
            await process.stdout.read()
            assert await process.wait() == 4
