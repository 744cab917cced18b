"""Commands run to the end: their streams, and their cost in tasks."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from conftest import TIMEOUT, TestContainer

import rind
from rind.execution import receiver
from rind.reaper import tree


async def test_a_short_command_without_stdin_needs_one_task(
    busybox: TestContainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program may run thousands of such commands."""
    for module, name in ((tree, "LEASH_AFTER"), (receiver, "SLOW_READER")):
        monkeypatch.setattr(module, name, TIMEOUT)  # the command is shorter, even on a busy machine
    names = []

    def note(loop: asyncio.AbstractEventLoop, work: Any, **_: Any) -> "asyncio.Task[Any]":
        names.append(work.__name__)
        return asyncio.Task(work, loop=loop)

    async with rind.connect(busybox.engine.host) as client:
        target = await client.reach(busybox.name)
        asyncio.get_running_loop().set_task_factory(note)
        try:
            await target.run(["true"])
        finally:
            asyncio.get_running_loop().set_task_factory(None)
    assert names == ["open_it"]


async def test_a_file_receives_stdout_while_stderr_is_captured(
    busybox: TestContainer, tmp_path: Path
) -> None:
    async with rind.connect(busybox.engine.host) as client:
        target = await client.reach(busybox.name)
        with (tmp_path / "out").open("w+b") as file:
            done = await target.run(script="cat; echo e >&2", input=b"x" * 300_000, stdout=file)
            assert (done.stdout, done.stderr) == (None, b"e\n")
            file.seek(0)
            assert file.read() == b"x" * 300_000
        with pytest.raises(ZeroDivisionError):
            await target.run(["yes"], on_output=lambda *_: 1 / 0)
