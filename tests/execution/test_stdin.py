"""Stdin without an engine: it behaves as asyncio's own."""

import asyncio
import os
from collections.abc import Coroutine

import pytest
from streams import turns

from rind.errors import Broken
from rind.execution.stdin import StdinWriter, copy_in
from rind.execution.stdio import Duplicate
from rind.execution.text import TextWriter


class Command:
    """Accepts sent bytes, at a rate that the test sets."""

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


async def test_a_writer_sends_in_order_and_ends() -> None:
    command = Command()
    writer = StdinWriter(command.send, command.end)
    writer.write(b"one ")
    writer.writelines([bytearray(b"two "), memoryview(b"three")])
    await writer.drain()
    assert writer.can_write_eof()
    assert not writer.is_closing()
    writer.write_eof()
    writer.close()
    await writer.wait_closed()
    assert command.received == b"one two three"
    assert command.ended
    assert writer.is_closing()
    with pytest.raises(RuntimeError, match="ended by write_eof"):
        writer.write(b"more")


async def test_an_immediate_write_needs_no_task() -> None:
    command, sent, spawned = Command(), [], []

    def send_at_once(data: bytes) -> bytes:
        sent.append(data[:4])
        return data[4:]

    def spawn(work: Coroutine[object, object, None]) -> None:
        spawned.append(asyncio.create_task(work))

    writer = StdinWriter(command.send, command.end, send_at_once=send_at_once, spawn=spawn)
    writer.write(b"four")
    assert not spawned
    writer.write(b"and the rest")
    writer.write(b" and more")  # must follow the rest
    await spawned[0]
    assert (b"".join(sent), command.received) == (b"fourand ", b"the rest and more")
    writer.write(b"again")
    await spawned[1]
    assert (sent[2:], command.received[-1:]) == ([b"agai"], b"n")


async def test_drain_waits_for_room() -> None:
    command = Command()
    command.takes.clear()
    writer = StdinWriter(command.send, command.end, limit=10)
    writer.write(b"x" * 10)
    await writer.drain()
    writer.write(b"y")
    draining = asyncio.create_task(writer.drain())
    await turns()
    assert not draining.done()
    command.takes.set()
    await draining
    writer.write_eof()
    await writer.wait_closed()
    assert command.received == b"x" * 10 + b"y"


async def test_writing_to_a_command_that_stopped_reading_is_a_broken_pipe() -> None:
    command = Command()
    command.broken = True
    writer = StdinWriter(command.send, command.end)
    writer.write(b"x")
    for waiting in (writer.wait_closed(), writer.drain()):
        with pytest.raises(BrokenPipeError, match="gone"):
            await waiting
    writer.write(b"nobody takes it")
    writer.write_eof()
    assert writer.is_closing()


async def test_writing_after_leaving_sends_nothing() -> None:
    command = Command()
    is_left = False
    writer = StdinWriter(command.send, command.end, is_left=lambda: is_left)
    writer.write(b"x")
    is_left = True
    assert writer.is_closing()
    with pytest.raises(RuntimeError, match="the command was left"):
        writer.write(b"y")
    TextWriter(writer, "iso-2022-jp", "strict").close()


async def test_a_file_and_its_end_are_sent() -> None:
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
