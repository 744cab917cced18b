"""Streams without an engine: what asyncio's own have, ours have."""

import asyncio
import os
from pathlib import Path

import pytest
from streams import put

from rind.errors import Broken
from rind.execution.stdio import (
    DEVNULL,
    PIPE,
    Discard,
    Duplicate,
    File,
    Pipe,
    StdinWriter,
    copy_in,
    has_fileno,
    output,
)


class Command:
    """Takes what is sent, as fast as it is let."""

    def __init__(self) -> None:
        self.received = b""
        self.ended = False
        self.takes = asyncio.Event()
        self.takes.set()
        self.broken = False

    async def send(self, data: bytes) -> None:
        await self.takes.wait()
        if self.broken:
            raise Broken("gone")
        self.received += data

    async def end(self) -> None:
        self.ended = True


async def turns() -> None:
    """Let the loop turn until all has been done that waits for nothing."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_writer_sends_in_order_and_ends() -> None:
    command = Command()
    writer = StdinWriter(command.send, command.end)
    pump = asyncio.create_task(writer.pump())
    writer.write(b"one ")
    writer.writelines([bytearray(b"two "), memoryview(b"three")])
    await writer.drain()
    assert writer.can_write_eof()
    assert not writer.is_closing()
    writer.write_eof()
    writer.close()
    await writer.wait_closed()
    await pump
    assert command.received == b"one two three"
    assert command.ended
    assert writer.is_closing()
    with pytest.raises(RuntimeError, match="ended already"):
        writer.write(b"more")


async def test_drain_waits_for_room() -> None:
    command = Command()
    command.takes.clear()
    writer = StdinWriter(command.send, command.end, limit=10)
    pump = asyncio.create_task(writer.pump())
    writer.write(b"x" * 10)
    await writer.drain()
    writer.write(b"y")
    draining = asyncio.create_task(writer.drain())
    await turns()
    assert not draining.done()
    command.takes.set()
    await draining
    writer.write_eof()
    await pump
    assert command.received == b"x" * 10 + b"y"


async def test_a_command_that_takes_no_more_is_a_broken_pipe() -> None:
    command = Command()
    command.broken = True
    writer = StdinWriter(command.send, command.end)
    writer.write(b"x")
    await writer.pump()
    for waiting in (writer.drain(), writer.wait_closed()):
        with pytest.raises(BrokenPipeError, match="gone"):
            await waiting
    writer.write(b"nobody takes it")
    writer.write_eof()
    assert writer.is_closing()


async def test_a_full_pipe_holds_its_writer_back() -> None:
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


async def test_what_came_before_a_failure_is_read_first() -> None:
    pipe = Pipe()
    await put(pipe, b"line\nrest")
    pipe.close(Broken("lost"))
    assert await pipe.reader.readline() == b"line\n"
    with pytest.raises(asyncio.IncompleteReadError):
        await pipe.reader.readexactly(10)
    with pytest.raises(Broken, match="lost"):
        await pipe.reader.read(10)


def test_kinds_of_output() -> None:
    with Path(os.devnull).open("wb") as file:
        assert has_fileno(file)
        for where in (file, file.fileno()):
            out = output(where, 1)
            assert isinstance(out, File)
            out.close(None)
    assert isinstance(output(DEVNULL, 1), Discard)
    assert not has_fileno(PIPE)


async def test_a_file_is_copied_and_its_end_told() -> None:
    command = Command()
    reader, writer = os.pipe()
    os.write(writer, b"some bytes")
    os.close(writer)
    file = Duplicate(reader)
    os.close(reader)
    await copy_in(file, command.send, command.end)
    file.close()
    assert command.received == b"some bytes"
    assert command.ended
