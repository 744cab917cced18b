"""Receives a command's output for its reader, and ahead of a slow reader at the command's end.

Goal: the reader gets every byte that the command wrote, or an error if bytes are missing. A reader
that does not read blocks the command, as an unread pipe would.

Plan:

* Receive only when the reader asks. Then the kernel's socket buffers are the only buffer, and they
  give backpressure.
* That alone loses output: two seconds after a command's end, the engine drops unsent output. So a
  task notices the end, and receives the remainder even without a reader
  (:meth:`Receiver.save_the_rest`). It watches the command's process if that is on this machine;
  otherwise it polls the engine, and only while the reader is slow.
* Reader and task may want to receive at the same time. A lock makes one of them wait; afterwards
  the count of received bytes shows whether the other has received.
* An engine that cannot start a command writes the reason to the command's output. So the first
  output is held until the exec instance's state shows that the command has started.

Doubts: Podman adds messages of its own to stderr. They are recognized by their text, so the same
text written by a command is removed too. A process that outlives the command may write more than
:data:`MOST_SAVED` bytes: then it meets backpressure, and the engine may drop some of its output.
"""

import asyncio
import re
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from rind.decide.start_failure import LONGEST, start_failure, tells_failure
from rind.errors import Broken, EngineError, OutputMissing
from rind.execution.state import Inspector
from rind.execution.tasks import Tasks
from rind.model import ExecState
from rind.transport.frames import STDERR, STDOUT, SYSTEM_ERROR, FrameDecoder
from rind.transport.hijacked import LEFT, HijackedStream

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rind.execution.mapping import Rewriting

__all__ = ["Receiver"]

SLOW_READER: Final = 0.25
"""Seconds without a read after which a reader counts as slow."""

MOST_REASON: Final = 64 * 1024
"""Bytes of an engine's reason for a failed start; usually it is one line."""

MOST_SAVED: Final = 16 * 1024 * 1024
"""Bytes to receive ahead of the reader at a command's end. A child that outlives the command may go
on writing, and must meet backpressure again."""


_NOISE: Final = re.compile(
    rb"Error: (read|write) unixpacket @->[^\n]*/attach: (?:read|write): "
    rb"(?:connection reset by peer|broken pipe)\n"
)
"""The message that Podman adds to stderr when a command ends without having read its stdin. After
"read", output is missing in one case of three; after "write", seldom (4.3 and 5.8)."""
_MOST_NOISE: Final = 300
"""Bytes: longer parts are not searched for the message."""


class Receiver:
    """Receives the output of one exec instance, part by part, for one reader.

    Attributes:
        at_end: whether there is nothing more to receive.
        taken: the number of bytes that the reader got.
        last_said: the end of the output on stderr, or on the TTY.
    """

    def __init__(  # noqa: PLR0913 # its collaborators
        self,
        stream: HijackedStream,
        inspector: Inspector,
        tasks: Tasks,
        *,
        tty: bool,
        is_podman: bool = False,
        rewriters: "Mapping[int, Rewriting] | None" = None,
    ) -> None:
        self._rewriters = rewriters or {}
        self._is_podman = is_podman
        self._noise = ""
        self.at_end = False
        self.taken = 0
        self.last_said = b""
        self._stream = stream
        self._inspector = inspector
        self._tasks = tasks
        self._decoder = None if tty else FrameDecoder()
        self._parts: deque[tuple[int, memoryview]] = deque()
        self._turn = asyncio.Lock()
        self._received = 0  # bytes, frame headers included
        self._failure: Broken | None = None
        self._started = asyncio.Event()
        self._state = ExecState(running=True, exit_code=None, pid=0)  # as of the first output
        self._reader_is_away = asyncio.Event()
        self._reader_is_away.set()

    async def read(self) -> tuple[int, bytes] | None:
        """Return the next part, as ``(STDOUT or STDERR, bytes)``; None at the end.

        Raises:
            StartError: the command never started.
            Broken: the connection failed, or output is missing.
        """
        if not await self._fill():
            return None
        stream, view = self._take()
        return stream, bytes(view)

    async def read_all(self) -> list[tuple[int, memoryview]] | None:
        """Return all received parts, at least one; None at the end.

        Raises:
            StartError, Broken: as :meth:`read`.
        """
        if not await self._fill():
            return None
        return [self._take() for _ in range(len(self._parts))]

    async def hand_on(self, take: Callable[[list[tuple[int, memoryview]]], bool]) -> None:
        """Pass parts to ``take`` as they arrive, at less cost than :meth:`read_all`.

        Call :meth:`read_all` once before: it checks that the command has started. Returns once
        ``take`` returns False, and whenever :meth:`read_all` must be called next: at the end of the
        output, after a failure, and if parts are buffered or another task receives them.

        Args:
            take: called with what :meth:`read_all` would return.
        """
        if self._parts or self.at_end or self._turn.locked():
            return

        def receive(data: bytes) -> bool:
            self._received += len(data)
            parts = self._rewritten(self._decoded(data))
            for part in parts:
                self._note(*part)
            return take(parts)

        self._reader_is_away.clear()
        try:
            async with self._turn:
                # While this task waited for the lock, another may have received.
                if not self._parts and not self.at_end:
                    await self._stream.hand_on(receive)
        except Broken as exc:
            self._fail(exc)
        finally:
            self._reader_is_away.set()

    def _fail(self, exc: Broken) -> None:
        """End the output with an error. If the connection failed, the command may still run."""
        connection_failed = isinstance(exc.__cause__, OSError)
        self._failure = self._inspector.lost(str(exc)) if connection_failed else exc
        self.at_end = True

    async def _fill(self) -> bool:
        """Receive until there is a part; return False at the end."""
        self._reader_is_away.clear()
        try:
            while not self._parts and not self.at_end:
                await self._receive()
            if not self._parts:
                self._check_end()
                return False
            if not self._started.is_set():
                await self._check_started()
        finally:
            self._reader_is_away.set()
        return True

    def _take(self) -> tuple[int, memoryview]:
        stream, part = self._parts.popleft()
        self._note(stream, part)
        return stream, part

    def _note(self, stream: int, part: memoryview) -> None:
        """Count a part that the reader gets, and keep its last bytes.

        Raises:
            Broken: the part is an error message of the engine.
        """
        if stream == SYSTEM_ERROR:
            raise Broken(f"the engine says: {bytes(part[:LONGEST]).decode(errors='replace')}")
        self.taken += len(part)
        if stream == STDERR or self._decoder is None:
            self.last_said = (self.last_said + part[-LONGEST:])[-LONGEST:]

    async def save_the_rest(self) -> None:
        """Receive the remaining output and the exit code at the command's end. Run it as a task.

        Two seconds after a command's end, the engine drops the output that it could not send
        (moby, daemon/monitor.go: the exec's StreamConfig.Wait), and minutes later it forgets the
        exit code. Before the end, backpressure blocks the command, and nothing is lost. At the end,
        the engine and the sockets hold 1.4 MB at most, which is received at once. Without this, up
        to 72 kB were lost on 20.10 and 28.5.
        """
        state = await self._first_state()
        if state.running and not await self._inspector.until_root_ended(state):
            await self._until_ended_unread()
        # This may wait for long: a child that outlives the command can hold the stream open
        # without writing.
        limit = self._received + MOST_SAVED
        while self._may_receive(limit):
            await self._receive()
        # A caller may wait for the command's end without reading: only this poll sees the end then.
        with suppress(EngineError):  # the reader will meet the same error
            while self._inspector.settled is None:
                await asyncio.sleep(SLOW_READER)
                await self._inspector.poll()

    async def _first_state(self) -> ExecState:
        """Return the state as of the first output; poll for it if the reader is slow to read."""
        while not self._started.is_set():
            waiters = {
                asyncio.ensure_future(event.wait())
                for event in (self._started, self._reader_is_away)
            }
            try:
                await asyncio.wait(waiters, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for waiter in waiters:
                    waiter.cancel()
            if not self._started.is_set():
                await asyncio.sleep(SLOW_READER)
                if self._reader_is_away.is_set():
                    with suppress(EngineError):  # the reader will meet the same error
                        return await self._poll_while_receiving()
        return self._state

    async def _until_ended_unread(self) -> None:
        """Poll the state whenever the reader is slow; return once the command has ended."""
        while True:
            await self._reader_is_away.wait()
            await asyncio.sleep(SLOW_READER)
            if not self._reader_is_away.is_set():
                continue
            with suppress(EngineError):  # the reader will meet the same error
                state = await self._poll_while_receiving()
                if not state.running and state.exit_code is not None:
                    return

    async def _receive(self) -> None:
        """Receive once, unless another task has received while this one waited for the lock."""
        received = self._received
        async with self._turn:
            if self.at_end or self._received != received:
                return
            try:
                data = await self._stream.read()
                self._received += len(data)
                self.at_end = not data
                self._parts.extend(self._rewritten(self._decoded(data)))
                if self.at_end:
                    self._parts.extend(self._held_back())
            except Broken as exc:
                self._fail(exc)

    def _decoded(self, data: bytes) -> list[tuple[int, memoryview]]:
        """Return the parts of received bytes, without Podman's message. A TTY has no frames."""
        if self._decoder is not None:
            parts = self._decoder.feed(data)
            return (
                [part for part in parts if not self._is_noise(*part)] if self._is_podman else parts
            )
        return [(STDOUT, memoryview(data))] if data else []

    def _rewritten(self, parts: list[tuple[int, memoryview]]) -> list[tuple[int, memoryview]]:
        """Return parts with their paths mapped."""
        if not self._rewriters:
            return parts
        rewritten = [
            (stream, memoryview(self._rewriters[stream].feed(bytes(part))))
            if stream in self._rewriters
            else (stream, part)
            for stream, part in parts
        ]
        return [part for part in rewritten if part[1]]

    def _held_back(self) -> Iterator[tuple[int, memoryview]]:
        """At the end, yield the bytes that were held back as the possible start of a path."""
        for stream, rewriter in self._rewriters.items():
            if rest := rewriter.close():
                yield stream, memoryview(rest)

    def _is_noise(self, stream: int, part: memoryview) -> bool:
        """Whether a part is Podman's message about its own connection to the command."""
        noise = _NOISE.fullmatch(part) if stream == STDERR and len(part) < _MOST_NOISE else None
        if noise is not None:
            self._noise = noise[1].decode()
        return noise is not None

    def _may_receive(self, limit: int) -> bool:
        return not self.at_end and self._received < limit

    def _check_end(self) -> None:
        """Check that the output has ended as it should.

        Raises:
            Broken: the connection failed, or output is missing.
        """
        if self._failure is not None:
            raise self._failure
        if self._decoder is not None:
            self._decoder.close()
        # Podman's failed read loses output often. Its failed write seldom does, and is a sign of it
        # only if there was no output at all.
        if self._noise == "read" or (self._noise and not self.taken):
            raise OutputMissing(
                "Podman lost its connection to the command, which has not read its stdin: "
                "output may be missing (give it no stdin)"
            )
        if self._stream.was_reset and not self._stream.has_written:
            # After a write, a reset is normal: the command left some of its stdin unread.
            raise self._inspector.lost("the connection to the engine was reset")

    async def _check_started(self) -> None:
        """Check that the first output is the command's.

        An engine that cannot start the command writes the reason to the stream, as if the command
        had written it. At that time the exec instance is settled already, and has no process.

        Raises:
            StartError: the command never started.
        """
        state = await self._poll_while_receiving()
        if not state.has_started:
            limit = self._received + MOST_REASON
            while self._may_receive(limit):
                await self._receive()
            text = b"".join(part for _, part in self._parts)[:MOST_REASON].decode(errors="replace")
            # None: the state does not show whether it started (Podman), so the text decides.
            if state.has_started is False or tells_failure(text):
                raise start_failure(text, self._inspector.container.name)
        self._state = state
        self._started.set()

    async def _poll_while_receiving(self) -> ExecState:
        """Poll the state; if the engine is slow to answer, receive output until it does.

        An engine that cannot send an ended command's output holds the exec's lock meanwhile, and
        answers no request about the exec. Seen on 28.5.
        """
        polling = self._tasks.spawn(self._inspector.poll())
        await asyncio.wait({polling}, timeout=SLOW_READER)
        limit = self._received + MOST_SAVED
        while not polling.done() and self._may_receive(limit):
            # Never cancelled: the bytes that it has received would be lost.
            receiving = self._tasks.spawn(self._receive())
            await asyncio.wait({polling, receiving}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({polling})
        if polling.cancelled():  # by the tasks' owner, which closes the command
            raise Broken(LEFT)
        return polling.result()
