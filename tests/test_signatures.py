"""The library's types: mypy checks this file, so each ``assert_type`` is a test of its own.
`tests/test_library_page.py` runs both type checkers over it."""

from asyncio import StreamReader
from pathlib import Path
from typing import IO, Any, assert_type

import pytest
from conftest import TestContainer

import rind
from rind import (
    DEVNULL,
    PIPE,
    STDOUT,
    CompletedProcess,
    Process,
    StdinWriter,
    SyncProcess,
    SyncTarget,
    Target,
    connect_sync,
)
from rind.execution.text import TextReader, TextWriter


async def test_a_process_has_typed_streams(target: Target) -> None:
    async with target.open_process(["cat"]) as process:
        assert_type(process, rind.BytesProcess)
        assert_type(await process.communicate(b"x"), tuple[bytes, bytes])
    async with target.open_process(["cat"], tty=True) as on_tty:
        assert_type(on_tty, rind.TtyProcess)
        assert on_tty.stderr is None
    async with target.open_process(["cat"], stdin=DEVNULL, stderr=STDOUT) as merged:
        assert_type(merged, Process[None, StreamReader, None])
        assert merged.stdin is None
        assert_type(await merged.communicate(), tuple[bytes, None])
    async with target.open_process(["cat"], encoding="utf-8") as text:
        assert_type(text, rind.TextProcess)
        assert_type(await text.communicate("x"), tuple[str, str])
    with Path("/dev/null").open("r+b") as file:  # noqa: ASYNC230 # it cannot block
        async with target.open_process(["cat"], stdin=b"x", stdout=PIPE, stderr=file) as fed:
            assert_type(fed, Process[None, StreamReader, None])
            assert (fed.stdin, await fed.stdout.read(), fed.stderr) == (None, b"x", None)
        async with target.open_process(["cat"], stdin=file, stdout=DEVNULL, encoding="utf-8") as of:
            assert_type(of, Process[None, None, TextReader])
            assert (of.stdin, of.stdout, await of.stderr.read()) == (None, None, "")
        number = file.fileno()
        async with target.open_process(["cat"], stdin=number, tty=False) as unknown:
            assert_type(unknown.stdin, StdinWriter | None)
            assert unknown.stdin is None


async def test_a_signature_may_name_any_process(target: Target) -> None:
    async def take(process: Process) -> object:
        return await process.communicate()

    async with (
        target.open_process(["echo", "x"], tty=True) as on_tty,
        target.open_process(["echo", "x"], encoding="utf-8") as text,
        target.open_process(["echo", "x"], stdin=DEVNULL, stdout=DEVNULL) as silent,
    ):
        assert_type(text.stdin, TextWriter)
        assert await take(on_tty) == (b"x\r\n", None)
        assert await take(text) == ("x\n", "")
        assert await take(silent) == (None, b"")


async def test_a_runs_result_is_typed(target: Target) -> None:
    words = ["echo", "x"]
    assert_type(await target.run(words), CompletedProcess[bytes])
    assert_type(await target.run(words, text=True, input="x"), CompletedProcess[str])
    assert_type(await target.run(words, encoding="utf-8", input="x"), CompletedProcess[str])
    done = await target.run(words, stdout=DEVNULL, stderr=PIPE)
    assert_type(done, CompletedProcess[bytes | None])
    assert done.stdout is None
    either = bool(words)
    assert_type(await target.run(words, text=either), CompletedProcess[Any])


async def test_type_checkers_reject_mistakes(target: Target) -> None:
    with pytest.raises(Exception, match="list of words"):
        await target.run("ls -l")  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="did you mean workdir"):
        await target.run(["ls"], cwd="/")  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="input must be bytes, but is of type int"):
        await target.run(["cat"], input=1)  # type: ignore[call-overload]


def test_blocking_methods_are_typed(blocking_target: SyncTarget) -> None:
    words = ["echo", "x"]
    assert_type(blocking_target.run(words), CompletedProcess[bytes])
    assert_type(blocking_target.run(words, text=True, stdout=DEVNULL), CompletedProcess[str | None])
    with blocking_target.open_process(words) as process:
        assert_type(process, SyncProcess[IO[bytes], IO[bytes], IO[bytes]])
        assert_type(process.communicate(b"x", timeout=60), tuple[bytes, bytes])
    with blocking_target.open_process(words, encoding="utf-8", stderr=STDOUT) as merged:
        assert_type(merged, SyncProcess[IO[str], IO[str], None])
        assert_type(merged.communicate(), tuple[str, None])


def test_a_blocking_clients_keywords_are_typed(busybox: TestContainer) -> None:
    """The keywords that name an engine belong to connect_sync."""
    with pytest.raises(TypeError, match="hst"):
        connect_sync(hst="unix:///nowhere")  # type: ignore[call-arg]
    with connect_sync(busybox.engine.host) as client:
        assert_type(client.find(container=busybox.name), SyncTarget)
        assert_type(client.find_all(label=busybox.label), list[SyncTarget])
        done = client.run(["echo", "x"], container=busybox.name, text=True)
        assert_type(done, CompletedProcess[str])
        with pytest.raises(TypeError, match=r"run\(\) got an unexpected keyword argument 'host'"):
            client.run(["true"], host="x")  # type: ignore[call-overload]
        with pytest.raises(TypeError, match="did you mean service"):
            client.find(servce="web")  # type: ignore[call-arg]
