"""The wire of an event loop; test_engine.py sends requests over it."""

import asyncio
import socket
from pathlib import Path

import pytest

from rind.base.deadline import Deadline
from rind.transport.loop_wire import LoopWire


async def test_connecting_waits_for_a_full_backlog(tmp_path: Path) -> None:
    path = str(tmp_path / "busy.sock")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen(0)
        place = (int(socket.AF_UNIX), path)
        first = await LoopWire.open(place, Deadline(10))
        with pytest.raises(TimeoutError):
            await LoopWire.open(place, Deadline(0.03))
        waiting = asyncio.create_task(LoopWire.open(place, Deadline(10)))
        await asyncio.sleep(0)
        assert not waiting.done()
        accepted, _ = server.accept()
        second = await waiting
        for wire in (first, second, accepted):
            wire.close()


async def test_tcp_connections_have_deadlines() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        place = (int(socket.AF_INET), server.getsockname())
        wire = await LoopWire.open(place, Deadline(10))
        theirs, _ = server.accept()
        await wire.send(b"x")
        assert theirs.recv(9) == b"x"
        wire.deadline = Deadline(0)
        with pytest.raises(TimeoutError):
            await wire.receive()
        wire.deadline = Deadline(None)
        theirs.sendall(b"y")
        assert await wire.receive() == b"y"
        kept = wire.into_connection(b"")
        wire.close()
        kept.sock.sendall(b"still open")
        kept.sock.close()
        theirs.close()
