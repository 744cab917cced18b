"""What type checkers make of the library: mypy runs over this file too, and each ``assert_type``
is a test of its own."""

from asyncio import StreamReader
from typing import Any, assert_type

import pytest

from rind import DEVNULL, PIPE, STDOUT, CompletedProcess, Process, StdinWriter, Target
from rind.execution.text import TextReader, TextWriter


async def test_what_a_process_has(target: Target) -> None:
    async with target.open_process(["cat"]) as process:
        assert_type(process, Process[StdinWriter, StreamReader, StreamReader])
        assert_type(await process.communicate(b"x"), tuple[bytes, bytes])
    async with target.open_process(["cat"], tty=True) as on_tty:
        assert_type(on_tty.stderr, None)
        assert on_tty.stderr is None
    async with target.open_process(["cat"], stdin=DEVNULL, stderr=STDOUT) as merged:
        assert_type(merged, Process[StdinWriter | None, StreamReader | None, StreamReader | None])
        assert merged.stdin is None
        assert_type(await merged.communicate(), tuple[bytes | None, bytes | None])
    async with target.open_process(["cat"], encoding="utf-8") as text:
        assert_type(text, Process[TextWriter, TextReader, TextReader])
        assert_type(await text.communicate("x"), tuple[str, str])


async def test_what_a_run_returns(target: Target) -> None:
    words = ["echo", "x"]
    assert_type(await target.run(words), CompletedProcess[bytes])
    assert_type(await target.run(words, text=True, input="x"), CompletedProcess[str])
    assert_type(await target.run(words, encoding="utf-8", input="x"), CompletedProcess[str])
    done = await target.run(words, stdout=DEVNULL, stderr=PIPE)
    assert_type(done, CompletedProcess[bytes | None])
    assert done.stdout is None
    either = bool(words)
    assert_type(await target.run(words, text=either), CompletedProcess[Any])


async def test_what_type_checkers_refuse(target: Target) -> None:
    with pytest.raises(Exception, match="list of words"):
        await target.run("ls -l")  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="did you mean workdir"):
        await target.run(["ls"], cwd="/")  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="input must be bytes, but is of type int"):
        await target.run(["cat"], input=1)  # type: ignore[call-overload]
