"""Output from an engine that is scripted to the byte; test_load.py has slow readers."""

import asyncio
import errno
import re
import socket
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, cast

import pytest

from rind.errors import Broken, Lost, StartError
from rind.execution.incoming import Incoming
from rind.execution.receiver import Receiver
from rind.execution.tasks import Tasks
from rind.model import Container, ExecState
from rind.transport.carrier import Connection
from rind.transport.frames import STDERR, STDOUT, SYSTEM_ERROR
from rind.transport.hijacked import HijackedStream

if TYPE_CHECKING:
    from rind.execution.state import Inspector

STARTED = ExecState(running=True, exit_code=None, pid=7)
NEVER_STARTED = ExecState(running=False, exit_code=127, pid=0)


ENDS_SOON = 8


class Settled:
    """An inspector whose answer is known."""

    def __init__(self, state: ExecState) -> None:
        self._state = self.settled = state
        self.container = Container("0" * 64, "web", "running", "", {})

    async def poll(self) -> ExecState:
        return self._state

    async def until_root_ended(self, state: ExecState) -> bool:
        return state.pid == ENDS_SOON

    async def not_started(self, failure: StartError) -> StartError:
        return failure

    def lost(self, what: str) -> Broken:
        return Lost(what, "web")


class Peer:
    """The engine's end of a stream."""

    def __init__(self) -> None:
        ours, self.socket = socket.socketpair()
        ours.setblocking(False)
        self.stream = HijackedStream(Connection(ours))
        self.tasks = Tasks()

    def receiver(
        self, state: ExecState = STARTED, *, tty: bool = False, is_podman: bool = False
    ) -> Receiver:
        inspector = cast("Inspector", Settled(state))
        incoming = Incoming("web", tty=tty, is_podman=is_podman)
        return Receiver(self.stream, inspector, self.tasks, incoming)

    def says(self, data: bytes) -> None:
        """Send data, then end of stream."""
        self.socket.sendall(data)
        self.socket.shutdown(socket.SHUT_WR)


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    it = Peer()
    yield it
    await it.tasks.cancel()
    it.stream.close()
    it.socket.close()


def frame(stream: int, payload: bytes) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(payload).to_bytes(4, "big") + payload


class Silent(socket.socket):
    """A socket of a machine that has lost its power."""

    def recv(self, *_: object) -> bytes:
        raise TimeoutError(errno.ETIMEDOUT, "Connection timed out")


@pytest.mark.parametrize("later", [False, True], ids=["at first", "after output"])
async def test_a_failed_connection_says_whether_the_command_may_run(*, later: bool) -> None:
    ours, theirs = socket.socketpair()
    stream = HijackedStream(Connection(Silent(fileno=ours.detach())))
    tasks = Tasks()
    inspector = cast("Inspector", Settled(STARTED))
    receiver = Receiver(stream, inspector, tasks, Incoming("web", tty=False))
    said = (
        "the connection to the engine broke: Connection timed out: "
        "the command may still be running in web"
    )
    with theirs:
        theirs.sendall(b"x")  # wakes the reader
        if later:
            await receiver._pass_on(lambda _: True)
        with pytest.raises(Lost, match=re.escape(said)):
            await receiver.read()
    await tasks.cancel()
    stream.close()


async def test_parts_are_received_in_order(peer: Peer) -> None:
    receiver = peer.receiver()
    peer.says(frame(STDOUT, b"out") + frame(STDERR, b"err"))
    assert await receiver.read() == (STDOUT, b"out")
    assert await receiver.read() == (STDERR, b"err")
    assert not receiver.at_end
    assert await receiver.read() is await receiver.read() is None
    assert receiver.at_end


NOISE = b"Error: %b unixpacket @->/proc/self/fd/9/attach: %b: connection reset by peer\n"


@pytest.mark.parametrize("what", [b"read", b"write"])
async def test_podmans_messages_are_not_output(peer: Peer, what: bytes) -> None:
    receiver = peer.receiver(is_podman=True)
    noise = frame(STDERR, NOISE % (what, what))
    peer.says(frame(STDERR, b"err") + noise + frame(STDOUT, NOISE % (what, what)))
    assert await receiver.read() == (STDERR, b"err")
    assert await receiver.read() == (STDOUT, NOISE % (what, what))  # a command may print it
    if what == b"write":
        assert await receiver.read() is None
        assert receiver.taken > 0
    else:
        with pytest.raises(Broken, match="output may be missing"):
            await receiver.read()


async def test_only_podmans_message_means_output_may_be_missing(peer: Peer) -> None:
    receiver = peer.receiver(is_podman=True)
    said = b"Error: write unixpacket @->/proc/self/fd/9/attach: write: broken pipe\n"
    peer.says(frame(STDERR, said))
    with pytest.raises(Broken, match="output may be missing"):
        await receiver.read()


async def test_podmans_message_may_arrive_in_two_parts() -> None:
    said = frame(STDERR, NOISE % (b"read", b"read"))
    for cut in range(len(said)):
        incoming = Incoming("web", tty=False, is_podman=True)
        incoming.feed(said[:cut])
        incoming.feed(said[cut:])
        assert not incoming.parts
        with pytest.raises(Broken, match="output may be missing"):
            incoming.check_end(was_reset=False, has_written=False)
    incoming = Incoming("web", tty=False, is_podman=True)
    for part in (frame(STDERR, b"Error: mine")[:10], frame(STDERR, b"Error: mine")[10:], said[:20]):
        incoming.feed(part)
    incoming.feed(b"")
    assert b"".join(part for _, part in incoming.take_all()) == b"Error: mine" + said[8:20]


async def test_podmans_message_from_docker_is_output(peer: Peer) -> None:
    receiver = peer.receiver()
    peer.says(frame(STDERR, NOISE % (b"read", b"read")))
    assert await receiver.read() == (STDERR, NOISE % (b"read", b"read"))
    assert await receiver.read() is None


@pytest.mark.parametrize("started", [False, True])
async def test_an_ambiguous_status_is_checked(peer: Peer, *, started: bool) -> None:
    state = ExecState(running=False, exit_code=127, pid=0, is_forgotten=True)
    receiver = peer.receiver(state, is_podman=True)
    if started:
        peer.says(frame(STDERR, b"x: not found") + frame(STDERR, b"\n"))
        assert await receiver.read() == (STDERR, b"x: not found")
        assert await receiver.read() == (STDERR, b"\n")
        assert await receiver.read() is None
        return
    said = (
        b'Error: runc: exec failed: exec: "x": executable file not found in $PATH: OCI runtime x\n'
    )
    peer.says(frame(STDERR, said) + frame(STDERR, NOISE % (b"read", b"read")))
    with pytest.raises(StartError, match="x: not found in the PATH of"):
        await receiver.read()


async def test_a_raw_stream_has_no_frames(peer: Peer) -> None:
    receiver = peer.receiver(tty=True)
    peer.says(frame(STDERR, b"raw"))
    assert await receiver.read() == (STDOUT, frame(STDERR, b"raw"))
    assert await receiver.read() is None


async def test_two_concurrent_receivers_share_one_answer(peer: Peer) -> None:
    receiver = peer.receiver(tty=True)
    both = asyncio.gather(receiver._receive(), receiver._receive())
    await asyncio.sleep(0)
    peer.socket.sendall(b"once")
    async with asyncio.timeout(10):
        await both
    assert await receiver.read() == (STDOUT, b"once")


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (frame(STDOUT, b"part")[:-5], "output is missing"),
        (b"HTTP/1.1", "not made of stdcopy frames"),
        (frame(SYSTEM_ERROR, b"no more room"), "the engine says: no more room"),
    ],
)
async def test_received_bytes_before_a_failure_are_read_first(
    peer: Peer, sent: bytes, why: str
) -> None:
    receiver = peer.receiver()
    peer.says(frame(STDOUT, b"good") + sent)
    assert await receiver.read() == (STDOUT, b"good")
    with pytest.raises(Broken, match=why):
        await receiver.read()


@pytest.mark.parametrize("tty", [False, True])
async def test_the_engines_message_is_the_start_error(
    peer: Peer,
    tty: bool,  # noqa: FBT001 # a case
) -> None:
    wrap: Callable[[bytes], bytes] = bytes if tty else lambda data: frame(STDOUT, data)
    receiver = peer.receiver(NEVER_STARTED, tty=tty)
    peer.says(wrap(b'exec: "nope": ') + wrap(b"executable file not found in $PATH"))
    with pytest.raises(StartError, match=r"nope.*not found"):
        await receiver.read()


async def test_all_received_parts_are_taken_at_once(peer: Peer) -> None:
    receiver = peer.receiver()
    peer.says(frame(STDOUT, b"one") + frame(STDERR, b"two") + frame(STDERR, b"three"))
    taken: list[list[tuple[int, bytes]]] = []

    def take(parts: list[tuple[int, memoryview]]) -> bool:
        taken.append([(stream, bytes(part)) for stream, part in parts])
        return True

    assert await receiver.pump(take)
    assert taken == [[(STDOUT, b"one"), (STDERR, b"two"), (STDERR, b"three")]]
    assert receiver.taken == 11
    assert not await receiver.pump(take)


async def test_parts_are_passed_until_there_is_no_room(peer: Peer) -> None:
    receiver = peer.receiver()
    taken: list[tuple[int, bytes]] = []
    first = asyncio.Event()

    def take(parts: list[tuple[int, memoryview]]) -> bool:
        taken.extend((stream, bytes(part)) for stream, part in parts)
        first.set()
        return taken[-1][1] != b"stop"

    peer.socket.sendall(frame(STDOUT, b"one"))
    pumping = asyncio.create_task(receiver.pump(take))
    await first.wait()
    peer.socket.sendall(frame(STDERR, b"two") + frame(STDERR, b"stop"))
    assert await pumping
    assert taken == [(STDOUT, b"one"), (STDERR, b"two"), (STDERR, b"stop")]
    assert (receiver.taken, receiver.last_output) == (10, b"twostop")
    peer.socket.sendall(frame(STDOUT, b"three") + b"\xff" * 8)
    peer.says(b"")
    assert await receiver.pump(take)
    assert taken[-1] == (STDOUT, b"three")
    with pytest.raises(Broken, match="not made of stdcopy frames"):
        await receiver.pump(take)


async def test_output_that_the_engine_would_drop_is_saved(peer: Peer) -> None:
    """Before the next read, also for a reader that is not slow."""
    receiver = peer.receiver(ExecState(running=True, exit_code=None, pid=ENDS_SOON))
    peer.socket.sendall(frame(STDOUT, b"first"))
    saving = asyncio.create_task(receiver.save_the_rest())
    assert await receiver.read() == (STDOUT, b"first")
    peer.says(frame(STDOUT, b"last"))
    await saving
    assert receiver.at_end
    assert await receiver.read() == (STDOUT, b"last")
    assert await receiver.read() is None


async def test_parts_just_received_by_another_task_come_first(peer: Peer) -> None:
    receiver = peer.receiver()
    peer.socket.sendall(frame(STDOUT, b"one"))
    assert await receiver.read() == (STDOUT, b"one")
    await receiver._turn.acquire()
    other = asyncio.create_task(receiver._receive())
    await asyncio.sleep(0)
    receiver._turn.release()  # the other task's turn is next, but has not begun
    peer.socket.sendall(frame(STDOUT, b"two"))
    taken: list[bytes] = []

    def take(parts: list[tuple[int, memoryview]]) -> bool:
        taken.extend(bytes(part) for _, part in parts)
        return False

    async with asyncio.timeout(10):
        await receiver._pass_on(take)
        await other
    assert (taken, await receiver.read()) == ([], (STDOUT, b"two"))
