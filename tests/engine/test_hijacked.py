"""The hijacked stream over real sockets, and the reaches into aiohttp that it stands on."""

import asyncio
import gc
import socket
import warnings
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp.client_proto import ResponseHandler

from rind.engine.hijacked import HijackedStream
from rind.errors import Broken


@pytest.fixture
async def pair() -> AsyncIterator[tuple[HijackedStream, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    stream = HijackedStream(ours)
    yield stream, theirs
    stream.close()
    theirs.close()


Pair = tuple[HijackedStream, socket.socket]


async def test_what_came_with_the_upgrade_is_read_first() -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    stream = HijackedStream(ours, b"early")
    theirs.sendall(b"late")
    assert await stream.read() == b"early"
    assert await stream.read() == b"late"
    stream.close()
    theirs.close()


async def test_reading_goes_on_after_the_half_close(pair: Pair) -> None:
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


async def test_what_was_sent_is_read_even_where_nothing_more_is_taken(pair: Pair) -> None:
    # A command that ends before it has read its stdin: the engine closes with our bytes unread.
    stream, theirs = pair
    await stream.write(b"never read")
    theirs.sendall(b"x" * 100_000)
    theirs.close()
    with pytest.raises(Broken, match="takes no more"):
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


async def test_closing_ends_a_read_and_a_write_that_wait(pair: Pair) -> None:
    stream, _ = pair
    reading = asyncio.create_task(stream.read())
    writing = asyncio.create_task(stream.write(bytes(16 * 1024 * 1024)))
    await asyncio.sleep(0)  # both go on until they must wait
    stream.close()
    async with asyncio.timeout(10):
        for waiting in reading, writing:
            with pytest.raises(Broken):
                await waiting
    assert stream._sock.fileno() == -1
    with pytest.raises(Broken, match="closed"):
        await stream.read()


async def test_an_unclosed_stream_is_told() -> None:
    ours, theirs = socket.socketpair()
    stream = HijackedStream(ours)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        del stream
        gc.collect()
    assert [str(warning.message) for warning in caught if warning.category is ResourceWarning]
    assert theirs.recv(1) == b""
    theirs.close()


async def test_adopting_leaves_aiohttp_with_nothing(tmp_path: object) -> None:
    """Fails where aiohttp changes what :meth:`HijackedStream.adopt` reaches for."""
    taken = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        # The first bytes of the stream come in one piece with the answer.
        writer.write(b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nearly")
        await taken.wait()
        writer.write((await reader.readexactly(4)).upper())
        assert await reader.read() == b""
        writer.write(b" and late")
        writer.close()
        await writer.wait_closed()

    path = f"{tmp_path}/sock"
    async with (
        await asyncio.start_unix_server(serve, path),
        aiohttp.ClientSession(connector=aiohttp.UnixConnector(path, limit=1)) as session,
    ):
        headers = {"Connection": "Upgrade", "Upgrade": "tcp"}
        response = await session.post("http://engine/x", headers=headers, read_until_eof=False)
        assert response.connection is not None
        assert isinstance(response.connection.protocol, ResponseHandler)
        stream = HijackedStream.adopt(response)
        taken.set()
        assert await stream.read() == b"early"
        await stream.write(b"ping")
        stream.write_eof()
        received = b""
        while data := await stream.read():
            received += data
        assert received == b"PING and late"
        stream.close()
        # The pool's only place is free again.
        assert session.connector is not None
        assert not session.connector._acquired


async def test_adopting_what_is_gone_is_an_error(tmp_path: object) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()
        await writer.wait_closed()

    path = f"{tmp_path}/sock"
    async with (
        await asyncio.start_unix_server(serve, path),
        aiohttp.ClientSession(connector=aiohttp.UnixConnector(path)) as session,
    ):
        response = await session.post("http://engine/x")
        await response.read()
        with pytest.raises(Broken, match="right after upgrading"):
            HijackedStream.adopt(response)
