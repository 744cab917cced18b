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
* The received bytes are decoded and checked by :mod:`rind.execution.incoming`, which asks for the
  exec instance's state at the first output.

Doubt: a process that outlives the command may write more than
:data:`MOST_SAVED` bytes: then it meets backpressure, and the engine may drop some of its output.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from rind.errors import Broken, EngineError, StartError
from rind.execution.incoming import MOST_REASON, Incoming
from rind.execution.state import Inspector
from rind.execution.tasks import Tasks
from rind.model import ExecState
from rind.transport.hijacked import ABANDONED, HijackedStream

__all__ = ["Receiver"]

SLOW_READER: Final = 0.25
"""Seconds without a read after which a reader counts as slow."""

MOST_SAVED: Final = 16 * 1024 * 1024
"""Bytes to receive ahead of the reader at a command's end. A child that outlives the command may go
on writing, and must meet backpressure again."""


class Receiver:
    """Receives the output of one exec instance, part by part, for one reader.

    Args:
        stream: the connection.
        inspector: polls the exec instance's state.
        tasks: those of the command.
        incoming: decodes the output; parts that it has already come first.
    """

    def __init__(
        self, stream: HijackedStream, inspector: Inspector, tasks: Tasks, incoming: Incoming
    ) -> None:
        self._stream = stream
        self._inspector = inspector
        self._tasks = tasks
        self._incoming = incoming
        self._turn = asyncio.Lock()
        self._reader_is_away = asyncio.Event()
        self._reader_is_away.set()
        self._timer: asyncio.TimerHandle | None = None
        self._is_unwatched = False

    @property
    def at_end(self) -> bool:
        """Whether there is nothing more to receive."""
        return self._incoming.at_end

    @property
    def taken(self) -> int:
        """The number of bytes that the reader got."""
        return self._incoming.taken

    @property
    def last_output(self) -> bytes:
        """The end of the output on stderr, or on the TTY."""
        return self._incoming.last_output

    async def read(self) -> tuple[int, bytes] | None:
        """Return the next part, as ``(STDOUT or STDERR, bytes)``; None at the end.

        Raises:
            StartError: the command never started.
            Broken: the connection failed, or output is missing.
        """
        if not await self._fill():
            return None
        stream, view = self._incoming.take()
        return stream, bytes(view)

    async def pump(self, take: Callable[[list[tuple[int, memoryview]]], bool]) -> bool:
        """Pass parts to ``take`` as they arrive, at half the CPU of :meth:`read`.

        Args:
            take: called with one or more parts; returns whether it has room for more.

        Returns:
            False at the end of the output; True if there may be more, which is also after ``take``
            has returned False.

        Raises:
            StartError, Broken: as :meth:`read`.
        """
        if not await self._fill():
            return False
        if take(self._incoming.take_all()):
            await self._pass_on(take)
        return True

    async def _pass_on(self, take: Callable[[list[tuple[int, memoryview]]], bool]) -> None:
        """Pass parts to ``take`` until it returns False, or :meth:`_fill` must decide.

        :meth:`_fill` must decide at the end of the output, after a failure, and if parts are
        buffered or another task receives them.
        """
        incoming = self._incoming
        if incoming.parts or incoming.at_end or self._turn.locked():
            return

        def receive(data: bytes) -> bool:
            return take(incoming.pass_on(data)) and not incoming.parts

        self._reader_is_away.clear()
        try:
            async with self._turn:
                # While this task waited for the lock, another may have received.
                if not incoming.parts and not incoming.at_end:
                    await self._stream.pump(receive)
        except Broken as exc:
            incoming.fail(exc)
        finally:
            self._reader_is_away.set()

    async def _fill(self) -> bool:
        """Receive until there is a part; return False at the end."""
        self._reader_is_away.clear()
        try:
            while not self._incoming.parts and not self._incoming.at_end:
                await self._receive()
            if not self._incoming.parts:
                stream = self._stream
                self._incoming.check_end(was_reset=stream.was_reset, has_written=stream.has_written)
                return False
            if self._incoming.state is None:
                await self._check_started()
        finally:
            self._reader_is_away.set()
            if self._is_unwatched:
                self._is_unwatched = False
                self.watch()
        return True

    def watch(self) -> None:
        """Run :meth:`save_the_rest` as a task, once the reader is slow or the command writes.

        Before that, there is nothing to save: most short commands need no such task.
        """
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(SLOW_READER, self._begin_to_watch)

    def stop_watching(self) -> None:
        """Start no such task from now on. Idempotent."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _begin_to_watch(self) -> None:
        self._timer = None
        if self._reader_is_away.is_set() or self._incoming.state is not None:
            self._tasks.spawn(self.save_the_rest())
        else:
            self._is_unwatched = True  # the reader waits for the first output

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
        limit = self._incoming.received + MOST_SAVED
        while self._may_receive(limit):
            await self._receive()
        # A caller may wait for the command's end without reading: only this poll sees the end then.
        with suppress(EngineError):  # the reader will meet the same error
            while self._inspector.settled is None:
                await asyncio.sleep(SLOW_READER)
                await self._inspector.poll()

    async def _first_state(self) -> ExecState:
        """Return the state as of the first output; poll for it if the reader is slow to read."""
        while (state := self._incoming.state) is None:
            # The reader is away too, for a moment, once it has made the state known.
            await self._reader_is_away.wait()
            if self._incoming.state is None:
                await asyncio.sleep(SLOW_READER)
                if self._reader_is_away.is_set() and self._incoming.state is None:
                    with suppress(EngineError):  # the reader will meet the same error
                        return await self._poll_while_receiving()
        return state

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
        received = self._incoming.received
        async with self._turn:
            if self._incoming.at_end or self._incoming.received != received:
                return
            try:
                data = await self._stream.read()
            except Broken as exc:
                self._incoming.fail(exc)
            else:
                self._incoming.feed(data)

    def _may_receive(self, limit: int) -> bool:
        return not self._incoming.at_end and self._incoming.received < limit

    async def _check_started(self) -> None:
        """Check that the first output is the command's.

        An engine that cannot start the command writes the reason to the stream, as if the command
        had written it. At that time the exec instance is settled already, and has no process.

        Raises:
            StartError: the command never started.
        """
        state = await self._poll_while_receiving()
        if not state.has_started:
            limit = self._incoming.received + MOST_REASON
            while self._may_receive(limit):
                await self._receive()
        try:
            self._incoming.check_started(state)
        except StartError as exc:
            raise await self._inspector.not_started(exc) from None

    async def _poll_while_receiving(self) -> ExecState:
        """Poll the state; if the engine is slow to answer, receive output until it does.

        An engine that cannot send an ended command's output holds the exec's lock meanwhile, and
        answers no request about the exec. Seen on 28.5.
        """
        polling = self._tasks.spawn(self._inspector.poll())
        await asyncio.wait({polling}, timeout=SLOW_READER)
        limit = self._incoming.received + MOST_SAVED
        while not polling.done() and self._may_receive(limit):
            # Never cancelled: the bytes that it has received would be lost.
            receiving = self._tasks.spawn(self._receive())
            await asyncio.wait({polling, receiving}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({polling})
        if polling.cancelled():  # by the tasks' owner, which closes the command
            raise Broken(ABANDONED)
        return polling.result()
