"""Outputs without an engine: they behave as asyncio's own."""

import asyncio
import os
from pathlib import Path

import pytest
from streams import put, turns

from rind.errors import Broken
from rind.execution.outputs import Discard, File, Pipe, output
from rind.execution.stdio import DEVNULL, PIPE, has_fileno


async def test_a_full_pipe_blocks_its_writer() -> None:
    pipe = Pipe(limit=10)
    await asyncio.wait_for(put(pipe, b"x" * 20), 1)
    writing = asyncio.create_task(put(pipe, b"y"))
    await turns()
    assert not writing.done()
    assert await pipe.reader.readexactly(15) == b"x" * 15
    await asyncio.wait_for(writing, 1)
    pipe.close()
    assert await pipe.reader.read() == b"x" * 5 + b"y"


async def test_a_failure_is_raised_by_the_reader() -> None:
    pipe = Pipe()
    pipe.close(Broken("lost"))
    for read in (pipe.reader.read(), pipe.reader.readline(), pipe.reader.readuntil(b"x")):
        with pytest.raises(Broken, match="lost"):
            await read
    assert await pipe.reader.readexactly(0) == b""
    with pytest.raises(Broken, match="lost"):
        await pipe.reader.readexactly(1)
    assert isinstance(pipe.reader.exception(), Broken)


async def test_bytes_before_a_failure_are_read_first() -> None:
    pipe = Pipe()
    await put(pipe, b"line\nrest")
    pipe.close(Broken("lost"))
    assert await pipe.reader.readline() == b"line\n"
    with pytest.raises(asyncio.IncompleteReadError):
        await pipe.reader.readexactly(10)
    with pytest.raises(Broken, match="lost"):
        await pipe.reader.read(10)


def test_each_destination_has_its_output() -> None:
    with Path(os.devnull).open("wb") as file:
        assert has_fileno(file)
        for where in (file, file.fileno()):
            out = output(where, 1)
            assert isinstance(out, File)
            out.close(None)
    assert isinstance(output(DEVNULL, 1), Discard)
    assert not has_fileno(PIPE)
