"""Output that is received ahead of its reader."""

import asyncio
import socket
from collections.abc import Iterator

import pytest

from rind.errors import Broken
from rind.frames import STDERR, STDOUT
from rind.receiver import Receiver
from rind.stream import HijackedStream


@pytest.fixture
def pair() -> Iterator[tuple[HijackedStream, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    stream = HijackedStream(ours)
    yield stream, theirs
    stream.close()
    theirs.close()


def frame(stream: int, payload: bytes) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(payload).to_bytes(4, "big") + payload


async def test_the_parts_in_their_order(pair: tuple[HijackedStream, socket.socket]) -> None:
    stream, engine = pair
    receiver = Receiver(stream, tty=False)
    engine.sendall(frame(STDOUT, b"out") + frame(STDERR, b"err"))
    await receiver.receive()
    assert receiver
    assert (receiver.take(), receiver.take()) == ((STDOUT, b"out"), (STDERR, b"err"))
    assert not receiver
    assert receiver.received == 22
    engine.sendall(frame(STDERR, b"the rest"))
    engine.shutdown(socket.SHUT_WR)
    assert await receiver.receive_all() == "the rest"
    assert receiver.take() == (STDERR, b"the rest")
    assert receiver.at_end
    receiver.check_end()


async def test_a_terminal_has_no_frames(pair: tuple[HijackedStream, socket.socket]) -> None:
    stream, engine = pair
    receiver = Receiver(stream, tty=True)
    engine.sendall(frame(STDERR, b"raw"))
    engine.shutdown(socket.SHUT_WR)
    await receiver.receive_all()
    assert receiver.take() == (STDOUT, frame(STDERR, b"raw"))
    receiver.check_end()


async def test_two_that_receive_at_once_have_one_answer(
    pair: tuple[HijackedStream, socket.socket],
) -> None:
    stream, engine = pair
    receiver = Receiver(stream, tty=True)
    both = asyncio.gather(receiver.receive(), receiver.receive())
    await asyncio.sleep(0)
    engine.sendall(b"once")
    async with asyncio.timeout(10):
        await both
    assert receiver.take() == (STDOUT, b"once")
    assert not receiver


@pytest.mark.parametrize(
    ("sent", "why"), [(frame(STDOUT, b"part")[:-1], "output is missing"), (b"HTTP/1.1", "stdcopy")]
)
async def test_what_came_before_a_failure_can_be_taken(
    pair: tuple[HijackedStream, socket.socket], sent: bytes, why: str
) -> None:
    stream, engine = pair
    receiver = Receiver(stream, tty=False)
    engine.sendall(frame(STDOUT, b"good") + sent)
    engine.shutdown(socket.SHUT_WR)
    await receiver.receive_all()
    assert receiver.take() == (STDOUT, b"good")
    with pytest.raises(Broken, match=why):
        receiver.check_end()
