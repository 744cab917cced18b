"""One exec instance: a command in a container, with its streams, its state and its end."""

from __future__ import annotations

import asyncio
import logging
import signal
from contextlib import suppress
from functools import partial
from typing import Final, Literal, Self

from rind.base.records import dataclass
from rind.errors import (
    Broken,
    ContainerGone,
    EngineError,
    LeftRunning,
    Lost,
    Refused,
    StartError,
)
from rind.execution.incoming import plain_status
from rind.execution.mapping import inward
from rind.execution.receiver import Receiver
from rind.execution.state import Inspector
from rind.execution.tasks import Tasks, carried_out, persistent
from rind.terminal.escapes import LINE_STARTS
from rind.transport.hijacked import ABANDONED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from rind.errors import Ending
    from rind.execution.incoming import Incoming
    from rind.execution.session import Closable, Session
    from rind.model import Container, ExecConfig, ExecState
    from rind.reaper.leash import Loss
    from rind.reaper.tree import Tree
    from rind.transport.hijacked import HijackedStream

__all__ = ["KILL_AFTER", "Exec", "Leaving", "check_size"]

_log: Final = logging.getLogger(__name__)

POLL_FIRST: Final = 0.001
POLL_LONGEST: Final = 0.25
"""Seconds between inspections after the end of the stream. The engine settles an exit code within
a few milliseconds, unless the command closed its output and runs on."""

RESET_GRACE: Final = 1.0
"""Seconds for which the engine may report a command as running after its connection was reset."""

END_OF_TRANSMISSION: Final = b"\x04"
"""Ctrl-D, a terminal's default VEOF character: it ends the input of a program in cooked mode."""

MOST_CELLS: Final = 65535
"""Rows or columns: Linux's struct winsize has 16 bits for each."""

KILL_AFTER: Final = 1.0
"""Seconds between SIGTERM and SIGKILL for an abandoned command, unless another time is wanted."""


def check_size(size: Sequence[object]) -> None:
    """Check that ``size`` can be a TTY's window size, (rows, columns).

    Raises:
        ValueError: it cannot.
    """
    match size:
        case [int(rows), int(columns)] if min(rows, columns) >= 0:
            if max(rows, columns) <= MOST_CELLS:
                return
    raise ValueError(f"a window size is (rows, columns) up to {MOST_CELLS}, but is {size!r}")


@dataclass(frozen=True, slots=True)
class Leaving:
    """What leaving the context of a running command does to it.

    Attributes:
        on_exit: "kill" ends it, "detach" leaves it alone.
        kill_after: seconds between SIGTERM and SIGKILL, if it is ended.
    """

    on_exit: Literal["kill", "detach"] = "kill"
    kill_after: float = KILL_AFTER


class Exec:
    """One exec instance: reads, writes, state, signals.

    Use it as an async context manager. Read until :meth:`read` returns None, then :meth:`wait` for
    the exit status. Leaving the context while the command runs ends its whole process tree.
    Background processes of a command that has ended are left alone.

    Attributes:
        leaving: what leaving the context does to it, if it runs.
        container: the container that it runs in.
        exec_id: the engine's ID for it.
        tty: whether it has a TTY; then stdout and stderr are one raw stream.
        size: the window size (rows, columns) that was set last; None for none.
        last_written: the last byte that was written to its stdin.
        inward: maps the paths in its stdin before they are written; None to map nothing.
        unleashed: gets the reason, if no leash holds a command that has run for a second.
        left_running: after leaving: why the tree could not be ended; None if it was.
        without_agent: why it has no ssh agent, although its container's label gives it one; else
            empty.
        carrier: internal: carries the ssh agent for it, and is closed with it.
    """

    def __init__(  # noqa: PLR0913 # only open_exec() calls it
        self,
        session: Session,
        container: Container,
        config: ExecConfig,
        *,
        exec_id: str,
        stream: HijackedStream,
        incoming: Incoming,
        tree: Tree,
        requested: float,
        size: tuple[int, int] | None,
        leaving: Leaving,
    ) -> None:
        self.container = container
        self.exec_id = exec_id
        self.tty = config.tty
        self.leaving = leaving
        self.size = size
        self.last_written = stream.last_written
        self.unleashed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.left_running: LeftRunning | None = None
        self.without_agent = ""
        self.carrier: Closable | None = None
        self._engine = session.engine
        self._session = session
        self._stream = stream
        self._tree = tree
        self._tasks = Tasks()
        self._inspector = Inspector(session.engine, container, exec_id, tree)
        self._receiver = Receiver(stream, self._inspector, self._tasks, incoming)
        self._typed = incoming.typed
        self.inward = inward(config)
        self._ended = False
        self._closing: asyncio.Task[None] | None = None
        # From here on it is watched over until it is left.
        session.open.add(self)
        tree.keep_leashed(requested, self._lose_leash)
        self._receiver.watch()

    def __repr__(self) -> str:
        settled = self._inspector.settled
        state = "running" if settled is None else f"ended with {settled.exit_code}"
        return f"<Exec {self.exec_id[:12]} in {self.container.name}: {state}>"

    def detach(self) -> None:
        """Leave the command alone when its context is left.

            execution.detach()

        Idempotent.
        """
        self.leaving = Leaving("detach")

    def _lose_leash(self, loss: Loss) -> None:
        _log.debug("no leash holds exec %s: %s", self.exec_id, loss.why)
        if not self.unleashed.done():  # a task that waits for it may have been cancelled
            self.unleashed.set_result(loss.why)
        if loss.is_silence:
            self._stream.give_up(TimeoutError("it does not answer any more"))

    async def read(self) -> tuple[int, bytes] | None:
        """Return the next part of the output, as ``(STDOUT or STDERR, bytes)``; None at its end.

            async with await web.start(rind.Command(argv=["printf", "x"])) as execution:
                assert await execution.read() == (1, b"x")

        Raises:
            StartError: the command never started.
            Broken: the connection failed, or output is missing.
        """
        return await self._receiver.read()

    async def pump(self, take: Callable[[list[tuple[int, memoryview]]], bool]) -> bool:
        """Pass parts of the output to ``take`` as they arrive, at half the CPU of :meth:`read`.

            async with await web.start(rind.Command(argv=["printf", "x"])) as execution:
                received = []

                def take(parts):
                    received.extend(parts)
                    return True

                while await execution.pump(take):
                    pass
                assert received == [(1, b"x")]

        Args:
            take: called with one or more parts; returns whether it has room for more.

        Returns:
            False at the end of the output; True if there may be more, which is also after ``take``
            has returned False.

        Raises:
            StartError, Broken: as :meth:`read`.
        """
        return await self._receiver.pump(take)

    @property
    def has_ended(self) -> asyncio.Event:
        """Is set once the engine has reported the command's end."""
        return self._inspector.has_ended

    @property
    def is_closed(self) -> bool:
        """Whether its context, or its client's, was left."""
        return self._closing is not None

    @property
    def ending(self) -> Ending | None:
        """How the command was killed, after :meth:`wait` returned 137; None if that is unknown.

        "out of memory": its container had no memory left when the command was killed.
        """
        return self._inspector.ending

    @property
    def taken(self) -> int:
        """The bytes of output that :meth:`read` has returned."""
        return self._receiver.taken

    async def write(self, data: bytes | memoryview) -> None:
        """Send ``data`` to the command's stdin; return once the kernel has taken it.

            await execution.write(b"x")

        Raises:
            Broken: the command's stdin is closed, or the connection failed.
        """
        self.last_written = bytes(data[-1:]) or self.last_written
        self._typed(data)
        await self._stream.write(data)

    def write_at_once(self, data: bytes) -> bytes:
        """Send the part of ``data`` that can be sent without waiting; return the rest.

            await execution.write(execution.write_at_once(b"x"))

        After an error it returns all of ``data``, and :meth:`write` raises.
        """
        self.last_written = data[-1:] or self.last_written
        self._typed(data)
        return data[self._stream.write_at_once(data) :]

    async def write_from(self, fd: int) -> bool:
        """Send the contents of a file, or of a non-blocking pipe, to the command's stdin.

            with open("/etc/hostname") as file:
                assert await execution.write_from(file.fileno())

        Returns False, and sends nothing more, if the kernel cannot copy it by itself. Not for a
        command with a TTY.

        Raises:
            Broken: as :meth:`write`.
        """
        return await self._stream.write_from(fd)

    async def send_eof(self) -> None:
        """End the command's stdin.

            await execution.send_eof()

        Without a TTY it half-closes the stream, and is idempotent. With a TTY it sends Ctrl-D, as
        ssh -tt does: half-closing would make the engine drop the output. Ctrl-D ends a program's
        input at the start of a line; within a line it only ends the read, so it is sent twice.

        Raises:
            Broken: as :meth:`write`.
        """
        if self.tty:
            await self.write(END_OF_TRANSMISSION * (1 if self.last_written in LINE_STARTS else 2))
        else:
            self._stream.write_eof()

    async def resize(self, size: tuple[int, int]) -> None:
        """Set the TTY's window size (rows, columns).

            await execution.resize((50, 132))

        Does nothing if the command has ended.

        Raises:
            ValueError: the command has no TTY, or no TTY can have this size.
        """
        if not self.tty:
            raise ValueError("the command has no TTY to resize")
        check_size(size)
        try:
            await self._engine.resize_exec(self.exec_id, size)
            self.size = size
        except Refused:
            # It has ended, or was never started; reading raises in the latter case.
            return

    async def wait(self) -> int:
        """Return the exit status, once the output has ended.

            await execution.end(signal.SIGKILL, 0)
            assert await execution.wait() == 137

        Raises:
            StartError: the command never started.
            ContainerGone: the command was killed with its container.
            Broken: the connection was reset while the command runs on.
            EngineError: the engine is gone.
        """
        clock = asyncio.get_running_loop().time
        reset_until = clock() + RESET_GRACE
        delay = POLL_FIRST
        while True:
            state = await self.poll()
            try:
                status = plain_status(state, self._receiver.last_output, self.container.name)
            except StartError as exc:
                raise await self._inspector.not_started(exc) from None
            if status is not None:
                return status
            if not state.running and state.exit_code is not None:
                await self._inspector.explain()
                return state.exit_code
            if self._stream.was_reset and clock() > reset_until:
                raise self._inspector.lost("the connection to the engine was reset")
            await asyncio.sleep(delay)
            delay = min(delay * 2, POLL_LONGEST)

    async def poll(self) -> ExecState:
        """Return the command's state; once it is settled, without asking the engine again.

            assert (await execution.poll()).running

        Raises:
            ContainerGone: the container was removed.
            Broken: the engine is gone, or the command's stream is, while it runs on.
        """
        if self._closing is not None and self._inspector.settled is None:
            raise Broken(ABANDONED)
        return await self._inspector.poll()

    async def send_signal(self, number: int) -> None:
        """Send a signal to the command and all of its children.

            await execution.send_signal(signal.SIGWINCH)

        Raises:
            ValueError: the number is no signal's.
            LeftRunning: the processes cannot be reached.
        """
        if number not in signal.valid_signals():
            raise ValueError(f"there is no signal {number!r}")
        await self._tree.signal(number)

    async def end(self, number: int, kill_after: float) -> bool:
        """Signal the command's whole tree, and return once it is gone.

            await execution.end(signal.SIGTERM, 0.1)

        Keep reading the output meanwhile: a command may have to write before it can end.

        Args:
            number: the signal that the tree gets first.
            kill_after: seconds until SIGKILL for the processes that are left; :meth:`hurry` ends
                the wait.

        Returns:
            Whether it took SIGKILL.

        Raises:
            LeftRunning: some processes are still there.
        """
        return await self._tree.end(number, kill_after)

    def hurry(self) -> None:
        """Make a running :meth:`end` send SIGKILL now.

            execution.hurry()

        Idempotent.
        """
        self._tree.hurry()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        kill = not isinstance(exc, StartError | ContainerGone)
        await self._close(kill=kill, ask=exc is None)
        if isinstance(exc, Lost) and self._ended:
            raise Lost(exc.what, exc.container, ended=True) from exc

    async def aclose(self) -> None:
        """End the command as leaving its context does. Idempotent.

            await execution.aclose()

        Reads of other tasks then raise Broken. Leaving the client's context closes all of its
        commands.
        """
        await self._close(kill=True, ask=True)

    async def _close(self, *, kill: bool, ask: bool) -> None:
        self._receiver.stop_watching()
        has_settled = self._inspector.settled is not None
        busy = self._tasks or self._tree.may_be_leashed or self._closing or self.carrier
        if has_settled and not busy:
            # Nothing to wait for: most short commands end here, without a task.
            self._tree.disarm()
            self._finish()
            return
        kill = kill and self.leaving.on_exit == "kill" and not has_settled
        work = partial(self._clean_up, kill=kill, ask=ask)

        def start() -> asyncio.Task[None]:
            if self._closing is None or self._closing.cancelled():
                self._closing = asyncio.create_task(persistent(work))
            return self._closing

        await carried_out(start)

    async def _clean_up(self, *, kill: bool, ask: bool) -> None:
        await self._tasks.cancel()
        # Inspect only while the stream is open: once it is closed, 20.10 may report the status 126
        # for a command that runs on.
        kill = kill and (not ask or await self._may_run())
        # Discard unread output: blocked on a full pipe, the command could not exit.
        self._stream.close()
        if kill:
            try:
                await self._tree.end(signal.SIGTERM, self.leaving.kill_after)
                self._ended = True
            except LeftRunning as left:
                self.left_running = left
        await self._tree.release_leash(ends=self.left_running is not None)
        if self.carrier is not None:
            await self.carrier.aclose()
        self._finish()

    def _finish(self) -> None:
        self._stream.close()
        self._session.open.discard(self)

    async def _may_run(self) -> bool:
        with suppress(EngineError, TimeoutError):
            async with asyncio.timeout(KILL_AFTER):
                state = await self._inspector.poll()
                return state.running or state.exit_code is None
        return True
