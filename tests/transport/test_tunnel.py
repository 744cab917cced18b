"""A command's stream over TLS, with a peer that causes faults that a real engine cannot show."""

import asyncio
import os
import socket
import ssl
import struct
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from conftest import linux_only
from processes import descriptors
from tls_peer import issued, serving

from rind.base.deadline import Deadline
from rind.errors import Broken
from rind.transport.carrier import Request
from rind.transport.dial import PlainDialer
from rind.transport.hijacked import HijackedStream
from rind.transport.loop_wire import LoopWire
from rind.transport.sockets import SocketCarrier
from rind.transport.tls import tls_context
from rind.transport.tls_wire import TlsDialer

UPGRADED = b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
MUCH = os.urandom(3_000_000)


@asynccontextmanager
async def stream_to(
    folder: Path, handle: Callable[[ssl.SSLSocket], object], early: bytes = b""
) -> AsyncIterator[HijackedStream]:
    """Upgrade a connection to a peer, which then calls ``handle``."""

    def serve(sock: ssl.SSLSocket) -> None:
        sock.recv(65536)
        sock.sendall(UPGRADED + early)
        handle(sock)

    with serving(serve) as url:
        dialer = TlsDialer(PlainDialer(url, LoopWire), tls_context(issued(folder)))
        answer = await SocketCarrier(dialer).upgrade(Request("POST", "x"), Deadline(10))
        assert answer.connection is not None
        stream = HijackedStream(answer.connection)
        try:
            yield stream
        finally:
            stream.close()


async def whole(stream: HijackedStream) -> bytes:
    received = bytearray()
    while data := await stream.read():
        received += data
    return bytes(received)


def echo_all(sock: ssl.SSLSocket) -> None:
    """Receive until end of stream, then send everything back."""
    received = bytearray()
    while data := sock.recv(65536):
        received += data
    sock.sendall(received)
    sock.unwrap()


async def test_reading_continues_after_the_end_of_writing(tmp_path: Path) -> None:
    async with stream_to(tmp_path, echo_all, b"early") as stream:
        await stream.write(MUCH)
        stream.write_eof()
        assert await whole(stream) == b"early" + MUCH


@linux_only(reason="only Linux has splice and moves a file's position with sendfile")
async def test_the_kernel_sends_a_file_over_tls(tmp_path: Path) -> None:
    (tmp_path / "much").write_bytes(MUCH)
    fd = os.open(tmp_path / "much", os.O_RDONLY)
    try:
        async with stream_to(tmp_path, echo_all) as stream:
            assert await stream.write_from(fd)
            stream.write_eof()
            assert await whole(stream) == MUCH
    finally:
        os.close(fd)


async def test_both_directions_run_concurrently(tmp_path: Path) -> None:
    def echo(sock: ssl.SSLSocket) -> None:
        while data := sock.recv(65536):
            sock.sendall(data)
        sock.unwrap()

    async with stream_to(tmp_path, echo) as stream:
        reading = asyncio.create_task(whole(stream))
        await stream.write(MUCH)
        stream.write_eof()
        assert await reading == MUCH


async def test_a_slow_reader_blocks_the_sender(tmp_path: Path) -> None:
    sent, stands_still = 0, threading.Event()

    def send(sock: ssl.SSLSocket) -> None:
        nonlocal sent
        sock.settimeout(0.5)
        with suppress(TimeoutError):
            while sent < 100_000_000:
                sent += sock.send(MUCH[:16384])
        stands_still.set()

    async with stream_to(tmp_path, send) as stream:
        first = await stream.read()
        assert first
        await asyncio.to_thread(stands_still.wait)
        # The capacity of the sockets' buffers, far below a process's memory.
        assert sent < 20_000_000


@pytest.mark.parametrize("reset", [False, True])
async def test_an_abrupt_end_is_not_a_clean_one(tmp_path: Path, *, reset: bool) -> None:
    def cut(sock: ssl.SSLSocket) -> None:
        sock.recv(1)
        sock.sendall(b"some")
        if reset:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()

    async with stream_to(tmp_path, cut) as stream:
        await stream.write(b"x")
        received = await stream.read()
        if reset:
            assert received in {b"some", b""}
            assert await whole(stream) == b""
            assert stream.was_reset
        else:
            assert received == b"some"
            with pytest.raises(Broken, match="it was cut off"):
                await stream.read()


async def write_on(stream: HijackedStream) -> None:
    while True:
        await stream.write(MUCH)


async def test_a_peer_that_stopped_receiving_is_still_read(tmp_path: Path) -> None:
    def say(sock: ssl.SSLSocket) -> None:
        sock.sendall(b"last words")
        with suppress(OSError):
            sock.unwrap()

    async with stream_to(tmp_path, say) as stream:
        with pytest.raises(Broken, match="cannot send the command's stdin"):
            await write_on(stream)
        assert await whole(stream) == b"last words"


async def test_closing_leaves_nothing(tmp_path: Path) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()

    def wait(sock: ssl.SSLSocket) -> None:
        with suppress(OSError):
            sock.recv(1)
        loop.call_soon_threadsafe(ended.set)

    before = descriptors()
    async with stream_to(tmp_path, wait) as stream:
        reading = asyncio.create_task(stream.read())
        await asyncio.sleep(0)
        stream.close()
        with pytest.raises(Broken, match="left before its output ended"):
            await reading
        await ended.wait()
    assert descriptors() == before
