"""Waiting for descriptors, and moving bytes within the event loop's callbacks."""

import asyncio
import os
from collections.abc import Iterator
from functools import partial

import pytest

from rind.base.readiness import pump, readable, writable

Pipe = tuple[int, int]


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    reader, writer = os.pipe()
    for fd in (reader, writer):
        os.set_blocking(fd, False)
    yield reader, writer
    os.close(reader)
    os.close(writer)


async def test_readable_and_writable(pipe: Pipe) -> None:
    reader, writer = pipe
    waiting = asyncio.create_task(readable(reader))
    await writable(writer)
    assert not waiting.done()
    os.write(writer, b"x" * 65536)
    await waiting
    full = asyncio.create_task(writable(writer))
    await readable(reader)
    assert not full.done()
    assert os.read(reader, 65536) == b"x" * 65536
    await full


async def test_a_file_that_cannot_be_polled_is_an_error() -> None:
    fd = os.open("/dev/zero", os.O_RDONLY)
    with pytest.raises(PermissionError):
        await readable(fd)
    os.close(fd)


async def test_received_bytes_are_handed_on(pipe: Pipe) -> None:
    reader, writer = pipe
    taken: list[bytes] = []
    arrived = asyncio.Event()

    def take(data: bytes) -> bool:
        taken.append(data)
        arrived.set()
        return data != b"stop"

    handing = asyncio.create_task(pump(reader, partial(os.read, reader, 99), take))
    for data in (b"one", b"two", b"stop"):
        os.write(writer, data)
        await arrived.wait()
        arrived.clear()
    await handing
    os.write(writer, b"late")
    assert os.read(reader, 99) == b"late"
    assert taken == [b"one", b"two", b"stop"]


async def test_an_error_of_the_reader_or_the_taker_is_raised(pipe: Pipe) -> None:
    reader, writer = pipe
    os.write(writer, b"x")
    with pytest.raises(ZeroDivisionError):
        await pump(reader, lambda: bytes(1 // 0), lambda _: True)
    with pytest.raises(ZeroDivisionError):
        await pump(reader, partial(os.read, reader, 99), lambda _: bool(1 // 0))


async def test_a_taker_that_would_block_is_an_error(pipe: Pipe) -> None:
    """Its BlockingIOError is not the reader's, which only means that there are no bytes."""
    reader, writer = pipe
    os.write(writer, b"x")

    def take(_: bytes) -> bool:
        raise BlockingIOError

    with pytest.raises(BlockingIOError):
        await pump(reader, partial(os.read, reader, 99), take)


async def test_a_cancelled_wait_takes_nothing_more(pipe: Pipe) -> None:
    reader, writer = pipe
    handing = asyncio.create_task(pump(reader, partial(os.read, reader, 99), lambda _: True))
    await asyncio.sleep(0)
    handing.cancel()
    await asyncio.wait({handing})
    os.write(writer, b"x")
    assert os.read(reader, 99) == b"x"
