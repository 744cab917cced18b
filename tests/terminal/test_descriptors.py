"""Real local descriptors of every kind."""

import asyncio
import os
import socket
import threading
import tty
from pathlib import Path

import pytest
from conftest import linux_only

from rind.terminal.descriptors import Sink, Source

DATA = bytes(range(256)) * 2000

# See tests/macos for the others.
opens_pipes_again = linux_only(reason="it takes /proc")


async def read_all(fd: int) -> bytes:
    source = Source(fd)
    try:
        parts = []
        while part := await source.read():
            parts.append(part)
        return b"".join(parts)
    finally:
        source.close()


async def write_all(fd: int, data: bytes) -> None:
    sink = Sink(fd)
    try:
        await sink.write(data)
    finally:
        sink.close()


async def test_a_pipe_keeps_its_flags_in_both_directions() -> None:
    reader, writer = os.pipe()
    receiving = asyncio.create_task(read_all(reader))
    await write_all(writer, DATA)
    assert os.get_blocking(reader)
    assert os.get_blocking(writer)
    os.close(writer)
    assert await receiving == DATA
    os.close(reader)


async def test_the_master_of_a_pty_is_not_opened_again() -> None:
    """Opening it again would create the master of another PTY."""
    master, slave = os.openpty()
    tty.setraw(slave)
    await write_all(master, b"typed\n")
    assert os.read(slave, 100) == b"typed\n"
    await write_all(slave, b"shown\n")
    assert os.read(master, 100) == b"shown\n"
    source = Source(master)
    await write_all(slave, b"shown\n")
    assert await source.read() == b"shown\n"
    source.close()
    os.close(slave)
    os.close(master)


async def test_a_socket_keeps_its_flags_in_both_directions() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        receiving = asyncio.create_task(read_all(ours.fileno()))
        await write_all(theirs.fileno(), DATA)
        assert os.get_blocking(ours.fileno())
        theirs.shutdown(socket.SHUT_WR)
        assert await receiving == DATA


async def test_a_terminal_keeps_its_flags_in_both_directions() -> None:
    master, slave = os.openpty()
    sink, source = Sink(slave), Source(slave)
    await sink.write(b"out")
    assert os.read(master, 100) == b"out"
    os.write(master, b"in\n")
    assert await source.read() == b"in\n"
    assert os.get_blocking(slave)
    sink.close()
    source.close()
    os.close(slave)
    os.close(master)


async def test_a_terminal_that_hung_up_is_at_end_of_stream() -> None:
    master, slave = os.openpty()
    os.close(master)
    assert await read_all(slave) == b""
    with pytest.raises(BrokenPipeError):
        await write_all(slave, b"x")
    os.close(slave)


async def test_a_regular_file_is_read_and_written(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with path.open("wb") as file:
        file.write(b"before ")
        file.flush()
        await write_all(file.fileno(), DATA)
    with path.open("rb") as file:
        os.lseek(file.fileno(), 7, os.SEEK_SET)
        assert await read_all(file.fileno()) == DATA


async def test_a_fifo_is_read_and_written(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    fd = os.open(path, os.O_RDWR)
    source, sink = Source(fd), Sink(fd)
    await sink.write(b"x")
    assert await source.read() == b"x"
    source.close()
    sink.close()
    os.close(fd)


async def test_always_ready_devices_are_read_and_written() -> None:
    for name, read in [("/dev/null", b""), ("/dev/zero", bytes(64 * 1024))]:
        fd = os.open(name, os.O_RDWR)
        source, sink = Source(fd), Sink(fd)
        assert await source.read() == read
        await sink.write(DATA)
        source.close()
        sink.close()
        os.close(fd)


@pytest.mark.parametrize("kind", ["pipe", "socket"])
async def test_a_closed_reader_is_an_error(kind: str) -> None:
    if kind == "pipe":
        reader, writer = os.pipe()
    else:
        reader, writer = (end.detach() for end in socket.socketpair())
    os.close(reader)
    with pytest.raises(BrokenPipeError):
        await write_all(writer, DATA)
    os.close(writer)


async def test_a_full_device_is_an_error() -> None:
    fd = os.open("/dev/full", os.O_WRONLY)
    with pytest.raises(OSError, match="No space left"):
        await write_all(fd, b"x")
    os.close(fd)


async def test_a_pipe_works_without_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise FileNotFoundError

    monkeypatch.setattr(os, "open", refuse)
    reader, writer = os.pipe()
    received: list[bytes] = []

    def receive() -> None:
        while part := os.read(reader, 1000):
            received.append(part)

    thread = threading.Thread(target=receive)
    thread.start()
    await write_all(writer, DATA)
    assert os.get_blocking(writer)
    os.close(writer)
    await asyncio.to_thread(thread.join)
    assert b"".join(received) == DATA
    os.close(reader)
    reader, writer = os.pipe()
    os.write(writer, b"x")
    source = Source(reader)
    assert await source.read() == b"x"
    os.close(writer)
    assert await source.read() == b""
    source.close()
    os.close(reader)


@pytest.mark.parametrize("kind", ["pipe", "socket"])
async def test_a_cancelled_read_takes_nothing(kind: str) -> None:
    if kind == "pipe":
        reader, writer = os.pipe()
    else:
        reader, writer = (end.detach() for end in socket.socketpair())
    source = Source(reader)
    reading = asyncio.create_task(source.read())
    await asyncio.sleep(0)
    reading.cancel()
    os.write(writer, b"for the next one")
    with pytest.raises(asyncio.CancelledError):
        await reading
    source.close()
    assert os.read(reader, 100) == b"for the next one"
    os.close(reader)
    os.close(writer)


async def test_closing_twice_is_closing_once() -> None:
    reader, writer = os.pipe()
    source = Source(reader)
    source.close()
    source.close()
    os.fstat(reader)  # an inherited descriptor stays open
    os.close(reader)
    os.close(writer)


@opens_pipes_again
async def test_the_end_of_stream_is_left_to_read() -> None:
    reader, writer = os.pipe()
    source = Source(reader)
    os.write(writer, b"all")
    os.close(writer)
    await source.pump(lambda data: data == b"all")
    assert await source.read() == b""
    source.close()
    os.close(reader)


async def test_a_device_that_may_block_is_not_handed_on() -> None:
    fd = os.open("/dev/zero", os.O_RDONLY)
    source = Source(fd)
    await source.pump(lambda _: False)
    assert source.spliceable is None
    source.close()
    os.close(fd)


@opens_pipes_again
def test_the_kernel_moves_some_kinds_of_files(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    (tmp_path / "file").touch()
    file = os.open(tmp_path / "file", os.O_RDONLY)
    near, far = socket.socketpair()
    for fd, can in ((reader, True), (file, True), (near.fileno(), False)):
        source = Source(fd)
        assert (source.spliceable is not None) is can
        source.close()
    for fd in (reader, writer, file):
        os.close(fd)
    near.close()
    far.close()


@opens_pipes_again
def test_bytes_taken_at_once_are_removed() -> None:
    reader, writer = os.pipe()
    sink = Sink(writer)
    data = [memoryview(b"x" * 40_000), memoryview(b"y" * 40_000)]
    assert not sink.write_at_once(data)
    assert sum(map(len, data)) == 80_000 - 65_536
    assert os.read(reader, 65_536) == b"x" * 40_000 + b"y" * 25_536
    assert sink.write_at_once(data)
    assert data == []
    emptier = threading.Thread(target=lambda: [os.read(reader, 2**12) for _ in range(40)])
    emptier.start()  # it makes room for 150_000 bytes or more
    assert sink.write_at_once([memoryview(b"z" * 150_000)], patience=10)
    emptier.join()
    os.close(reader)
    with pytest.raises(BrokenPipeError):
        sink.write_at_once([memoryview(b"z")])
    sink.close()
    os.close(writer)
