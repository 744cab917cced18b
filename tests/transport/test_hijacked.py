"""The hijacked stream over real sockets."""

import asyncio
import errno
import gc
import os
import socket
import subprocess
import sys
import warnings
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from conftest import linux_only

from rind.errors import Broken
from rind.transport import wire
from rind.transport.carrier import Connection
from rind.transport.hijacked import HijackedStream


@pytest.fixture
async def pair() -> AsyncIterator[tuple[HijackedStream, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    stream = HijackedStream(Connection(ours))
    yield stream, theirs
    stream.close()
    theirs.close()


Pair = tuple[HijackedStream, socket.socket]


async def test_bytes_received_with_the_upgrade_are_read_first() -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    stream = HijackedStream(Connection(ours, b"early"))
    theirs.sendall(b"late")
    assert await stream.read() == b"early"
    assert await stream.read() == b"late"
    stream.close()
    theirs.close()


async def test_reading_continues_after_the_half_close(pair: Pair) -> None:
    stream, theirs = pair
    loop = asyncio.get_running_loop()
    await stream.write(b"in")
    stream.write_eof()
    stream.write_eof()
    assert await loop.sock_recv(theirs, 10) == b"in"
    assert await loop.sock_recv(theirs, 10) == b""
    theirs.sendall(b"out")
    theirs.close()
    assert await stream.read() == b"out"
    assert await stream.read() == b""
    assert not stream.was_reset


async def test_sent_bytes_are_read_although_the_peer_stopped_receiving(pair: Pair) -> None:
    # A command ends before it has read its stdin: the engine closes with our bytes unread.
    stream, theirs = pair
    await stream.write(b"never read")
    theirs.sendall(b"x" * 100_000)
    theirs.close()
    with pytest.raises(Broken, match="cannot send the command's stdin"):
        await stream.write(b"more")
    received = b""
    while data := await stream.read():
        received += data
    assert received == b"x" * 100_000
    assert stream.was_reset


async def test_a_writer_waits_for_a_slow_reader(pair: Pair) -> None:
    stream, theirs = pair
    data = b"x" * 10_000_000
    writing = asyncio.create_task(stream.write(data))
    loop = asyncio.get_running_loop()
    received = len(await loop.sock_recv(theirs, 1000))
    assert not writing.done()
    while received < len(data):
        received += len(await loop.sock_recv(theirs, 1_000_000))
    await writing


async def test_closing_ends_a_pending_read_and_write(pair: Pair) -> None:
    stream, _ = pair
    reading = asyncio.create_task(stream.read())
    writing = asyncio.create_task(stream.write(bytes(16 * 1024 * 1024)))
    await asyncio.sleep(0)  # both run until they must wait
    stream.close()
    async with asyncio.timeout(10):
        for waiting in reading, writing:
            with pytest.raises(Broken):
                await waiting
    assert stream._sock.fileno() == -1
    with pytest.raises(Broken, match="closed"):
        await stream.read()


async def test_received_bytes_are_handed_on(pair: Pair) -> None:
    stream, theirs = pair
    theirs.sendall(b"one")
    await stream.pump(lambda data: data != b"one")
    theirs.sendall(b"late")
    assert await stream.read() == b"late"
    theirs.close()
    await stream.pump(lambda _: True)
    assert await stream.read() == b""
    assert not stream.was_reset


async def test_closing_ends_the_handing_on(pair: Pair) -> None:
    stream, _ = pair
    handing = asyncio.create_task(stream.pump(lambda _: True))
    await asyncio.sleep(0)
    stream.close()
    with pytest.raises(Broken):
        await handing


@linux_only(reason="only Linux has splice")
@pytest.mark.parametrize("kind", ["pipe", "file"])
async def test_a_file_or_a_pipe_is_sent_by_the_kernel(
    pair: Pair, tmp_path: Path, kind: str
) -> None:
    stream, theirs = pair
    data = os.urandom(3_000_000)
    loop = asyncio.get_running_loop()
    if kind == "file":
        (tmp_path / "data").write_bytes(b"before" + data)
        reader = os.open(tmp_path / "data", os.O_RDONLY)
        os.lseek(reader, 6, os.SEEK_SET)
        feeding = None
    else:
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        feeding = asyncio.create_task(asyncio.to_thread(fill, writer, data))
    sending = asyncio.create_task(stream.write_from(reader))
    received = b""
    while len(received) < len(data):
        received += await loop.sock_recv(theirs, 65536)
    assert await sending is True
    assert received == data
    if feeding is not None:
        await feeding
    os.close(reader)


def fill(fd: int, data: bytes) -> None:
    with open(fd, "wb") as file:
        file.write(data)


async def test_a_file_that_the_kernel_cannot_send_is_untouched(pair: Pair, tmp_path: Path) -> None:
    stream, _ = pair
    (tmp_path / "data").write_bytes(b"x")
    writable = os.open(tmp_path / "data", os.O_WRONLY)
    assert await stream.write_from(writable) is False
    os.close(writable)


async def test_write_at_once_returns_the_bytes_sent(pair: Pair) -> None:
    stream, theirs = pair
    data = bytes(10_000_000)
    sent = stream.write_at_once(data)
    assert 0 < sent < len(data)
    assert stream.write_at_once(data) == 0
    theirs.close()
    assert stream.write_at_once(b"x") == 0
    stream.close()
    assert stream.write_at_once(b"x") == 0


@linux_only(reason="only Linux has splice")
async def test_a_pipe_is_not_read_after_the_peer_stops_receiving(pair: Pair) -> None:
    stream, theirs = pair
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    theirs.close()
    os.write(writer, b"x")
    with pytest.raises(Broken, match="cannot send the command's stdin"):
        await stream.write_from(reader)
    os.close(reader)
    os.close(writer)


async def test_an_unclosed_stream_warns() -> None:
    ours, theirs = socket.socketpair()
    stream = HijackedStream(Connection(ours))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        del stream
        gc.collect()
    assert [str(warning.message) for warning in caught if warning.category is ResourceWarning]
    assert theirs.recv(1) == b""
    theirs.close()


async def test_a_reset_during_handing_on_is_noticed(pair: Pair) -> None:
    """The kernel reports it once, to the next receiver."""
    stream, theirs = pair
    await stream.write(b"never read")
    handing = asyncio.create_task(stream.pump(lambda _: True))
    await asyncio.sleep(0)
    theirs.close()  # with unread bytes, this resets the connection
    await handing
    assert await stream.read() == b""
    assert stream.was_reset


async def test_a_connection_that_breaks_during_handing_on_is_an_error(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    class BrokenSocket(socket.socket):
        def recv(self, *_: object) -> bytes:
            raise OSError(errno.ETIMEDOUT, "timed out")

    stream, theirs = pair
    broken = BrokenSocket(fileno=os.dup(stream._sock.fileno()))
    monkeypatch.setattr(stream, "_sock", broken)
    theirs.sendall(b"x")
    with pytest.raises(Broken, match=r"the connection to the engine broke: .*timed out"):
        await stream.pump(lambda _: True)
    broken.close()


KEEPALIVE = [getattr(socket, name) for name in wire._KEEPALIVE]


async def test_tcp_sends_keys_at_once_and_detects_an_engine_that_is_off() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        sock = socket.create_connection(server.getsockname())
        stream = HijackedStream(Connection(sock))
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        found = [sock.getsockopt(socket.IPPROTO_TCP, option) for option in KEEPALIVE]
        assert found[0] + found[1] * found[2] == 80
        stream.close()


FORK = """
import asyncio, os, socket
from rind.transport.carrier import Connection
from rind.transport.hijacked import HijackedStream
from rind.transport.tunnel import tunnelled

class Tls:
    def read(self): return None
    def to_send(self): return b""

async def main():
    ours, theirs = socket.socketpair()
    sock, engine = socket.create_server(("127.0.0.1", 0)), None
    client = socket.create_connection(sock.getsockname())
    engine, _ = sock.accept()
    streams = [HijackedStream(Connection(ours)), HijackedStream(tunnelled(client, Tls(), b""))]
    until_told, tell = os.pipe()
    if (child := os.fork()) == 0:
        os.close(tell)
        os.read(until_told, 1)
        os._exit(0)
    await asyncio.sleep(0)
    for stream, end in zip(streams, (theirs, engine)):
        stream.close()
        end.settimeout(10)
        assert end.recv(1) == b""
    assert os.waitpid(child, os.WNOHANG) == (0, 0)
    os.close(tell)
    os.waitpid(child, 0)

asyncio.run(main())
"""


def test_a_forked_child_does_not_keep_it_open() -> None:
    subprocess.run([sys.executable, "-c", FORK], check=True, timeout=60)
