"""A command with streams, in the style of :mod:`asyncio.subprocess`."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from typing import Any, Final, Generic, Self, overload

from rind.errors import Broken, ContainerGone, RindError, StartError
from rind.execution.capture import exchange
from rind.execution.exec import POLL_FIRST
from rind.execution.lines import Lines, LinesOutput
from rind.execution.outputs import Pipe, output
from rind.execution.pump import OutputPump, feed
from rind.execution.start import open_exec
from rind.execution.stdin import StdinWriter
from rind.execution.stdio import PIPE, STDOUT, Duplicate, has_fileno
from rind.execution.tasks import Tasks, carried_out
from rind.execution.text import TextReader, TextWriter
from rind.transport.hijacked import ABANDONED

TYPE_CHECKING = not __name__
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from types import TracebackType

    from typing_extensions import TypeVar

    from rind.errors import Ending, LeftRunning
    from rind.execution.exec import Exec, Leaving
    from rind.execution.lines import Stream
    from rind.execution.outputs import Output
    from rind.execution.session import Session
    from rind.execution.streams import Streams
    from rind.model import Container, ExecConfig

    In_co = TypeVar("In_co", covariant=True, default=Any)
    Out_co = TypeVar("Out_co", covariant=True, default=Any)
    Err_co = TypeVar("Err_co", covariant=True, default=Any)
else:
    from typing import TypeVar

    In_co = TypeVar("In_co", covariant=True)
    Out_co = TypeVar("Out_co", covariant=True)
    Err_co = TypeVar("Err_co", covariant=True)

__all__ = ["BytesProcess", "Process", "TextProcess", "TtyProcess"]

SETTLED_WITHIN: Final = 1.0
"""Seconds from the end of a command's output until the engine has its exit code; on a busy machine,
0.3 were seen."""


class Process(Generic[In_co, Out_co, Err_co]):
    """A command and its streams. Made by :meth:`rind.target.Target.open_process`.

    Use it as an async context manager: leaving the context while the command runs ends its whole
    process tree. What an ended command left in the background is left alone.

    Attributes:
        stdin: a writer, with ``stdin=PIPE``; else None.
        stdout, stderr: readers, with ``PIPE``; else None. A command with a TTY writes both to its
            stdout. With an encoding, all three are text streams.
        returncode: the exit status, once :meth:`wait` or :meth:`communicate` has returned, or a
            reader has seen the command's end; 128+n where signal n ended the command.
    """

    stdin: In_co
    stdout: Out_co
    stderr: Err_co

    def __init__(self, execution: Exec, outputs: tuple[Output, Output], streams: Streams) -> None:
        self.returncode: int | None = None
        self._exec = execution
        self._tasks = Tasks()
        self._decoding = streams.decoding
        self._limit = streams.limit
        stdout, stderr = outputs
        self._moving = OutputPump(execution, outputs, self._settle)
        self._stdin: StdinWriter | Duplicate | None = None
        if streams.stdin == PIPE:
            self._stdin = StdinWriter(
                *(execution.write, execution.send_eof, streams.limit),
                is_left=lambda: execution.is_closed,
                send_at_once=execution.write_at_once,
                spawn=self._tasks.spawn,
            )
        elif not isinstance(streams.stdin, bytes) and has_fileno(streams.stdin):
            file = streams.stdin
            self._stdin = file if isinstance(file, Duplicate) else Duplicate(file)
        ends: list[Any] = [
            self._stdin if isinstance(self._stdin, StdinWriter) else None,
            stdout.reader if isinstance(stdout, Pipe) else None,
            stderr.reader if isinstance(stderr, Pipe) and stderr is not stdout else None,
        ]
        if self._decoding is not None:
            kinds = TextWriter, TextReader, TextReader
            ends = [
                end and kind(end, *self._decoding) for kind, end in zip(kinds, ends, strict=True)
            ]
        self.stdin, self.stdout, self.stderr = ends
        source = streams.stdin if isinstance(streams.stdin, bytes) else self._stdin
        if isinstance(source, bytes | Duplicate):
            self._tasks.spawn(feed(execution, source))
        self._pump = self._tasks.spawn(self._move_output())

    def __repr__(self) -> str:
        return repr(self._exec).replace("<Exec", "<Process", 1)

    @classmethod
    async def start(  # noqa: PLR0913 # only open_process() calls it
        cls,
        session: Session,
        container: Container,
        config: ExecConfig,
        streams: Streams,
        *,
        size: tuple[int, int] | None = None,
        leaving: Leaving | None = None,
    ) -> Self:
        """Start a command, and begin to move its bytes.

        Internal: :meth:`~rind.target.Target.open_process` calls it.

        Args:
            session: of the engine that the container is on.
            container: a running one.
            config: the command.
            streams: its streams. Files are not closed, except a :class:`Duplicate`.
            size: the window size (rows, columns) that it begins with, with a TTY.
            leaving: what leaving the context does to it; None to end it.

        Raises:
            ValueError: a stream or the size is invalid.
            StartError, EngineError: as :func:`~rind.execution.start.open_exec`.
        """
        # Nothing may fail between the start and the return: the command would be lost.
        out = output(streams.stdout, streams.limit)
        is_one = config.tty or streams.stderr == STDOUT
        err = out if is_one else output(streams.stderr, streams.limit)
        execution = await open_exec(session, container, config, size, leaving=leaving)
        return cls(execution, (out, err), streams)

    @property
    def container(self) -> Container:
        """The container that the command runs in."""
        return self._exec.container

    @property
    def exec_id(self) -> str:
        """The engine's ID of the exec instance."""
        return self._exec.exec_id

    @property
    def size(self) -> tuple[int, int] | None:
        """The window size (rows, columns) that was set last; None without a TTY."""
        return self._exec.size

    @property
    def ending(self) -> Ending | None:
        """How the command was killed, after :meth:`wait` returned 137; None if that is unknown.

        "out of memory": its container had no memory left when the command was killed.
        """
        return self._exec.ending

    @property
    def left_running(self) -> LeftRunning | None:
        """After leaving: why the command's processes could not be ended; None if they were."""
        return self._exec.left_running

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            await self._exec.__aexit__(exc_type, exc, traceback)
        finally:
            await self._release()

    async def aclose(self) -> None:
        """End the command as leaving its context does. Idempotent.

            await process.aclose()

        Reads of other tasks then raise Broken. Leaving the client's context closes all of its
        commands.
        """
        try:
            await self._exec.aclose()
        finally:
            await self._release()

    async def wait(self) -> int:
        """Wait for the command's end; return its exit status.

            async with web.open_process(["true"]) as process:
                assert await process.wait() == 0

        As with asyncio, a command may wait for its output to be read: use :meth:`communicate`.

        Raises:
            StartError: the command never started.
            EngineError: the connection failed, or the container was stopped or removed.
        """
        if not self._pump.cancelled():
            await self._until_held(self._pump)
            if self._pump.cancelled():
                raise Broken(ABANDONED)
            if self._pump.done():
                self._pump.result()
        return await self._status()

    async def _status(self) -> int:
        try:
            self.returncode = await self._exec.wait()
        except (ContainerGone, StartError) as exc:
            self.returncode = exc.exit_status
            raise
        return self.returncode

    async def poll(self) -> int | None:
        """Return the exit status; None while the command runs.

            assert await process.poll() is None

        Raises:
            StartError, EngineError: as :meth:`wait`.
        """
        if self._pump.done():
            return await self.wait()
        state = await self._exec.poll()
        return None if state.running else state.exit_code

    async def _until_held(self, pump: asyncio.Task[None]) -> None:
        """Wait until all output was taken, or the command has ended and a full pipe is left."""
        held = [self._tasks.spawn(self._exec.has_ended.wait())]
        try:
            await asyncio.wait({pump, *held}, return_when=asyncio.FIRST_COMPLETED)
            held += [
                self._tasks.spawn(pipe.full.wait())
                for pipe in self._moving.outputs
                if isinstance(pipe, Pipe | LinesOutput)
            ]
            await asyncio.wait({pump, *held[1:]}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in held:
                task.cancel()

    @overload
    async def communicate(
        self: Process[Any, asyncio.StreamReader, asyncio.StreamReader], input: bytes | None = None
    ) -> tuple[bytes, bytes]: ...

    @overload
    async def communicate(
        self: Process[Any, TextReader, TextReader], input: str | None = None
    ) -> tuple[str, str]: ...

    @overload
    async def communicate(
        self: Process[Any, asyncio.StreamReader, None], input: bytes | None = None
    ) -> tuple[bytes, None]: ...

    @overload
    async def communicate(
        self: Process[Any, TextReader, None], input: str | None = None
    ) -> tuple[str, None]: ...

    @overload
    async def communicate(
        self: Process[Any, asyncio.StreamReader | None, asyncio.StreamReader | None],
        input: bytes | None = None,
    ) -> tuple[bytes | None, bytes | None]: ...

    @overload
    async def communicate(
        self: Process[Any, TextReader | None, TextReader | None], input: str | None = None
    ) -> tuple[str | None, str | None]: ...

    async def communicate(
        self,
        input: Any = None,  # noqa: A002 # as asyncio calls it
    ) -> tuple[Any, Any]:
        """Send ``input`` and the end of stdin, read all output, and wait for the end.

            async with web.open_process(["cat"]) as process:
                assert await process.communicate(b"x") == (b"x", b"")

        Returns:
            Stdout and stderr; None for each that is not a PIPE.

        Raises:
            UnicodeError: the input cannot be encoded, or the output cannot be decoded.
            StartError, EngineError: as :meth:`wait`.
        """
        seen: tuple[list[Any], list[Any]] = [], []
        await self.exchange(input, seen[0].append, seen[1].append)
        empty = "" if self._decoding else b""
        out, err = (empty.join(parts) for parts in seen)
        return None if self.stdout is None else out, None if self.stderr is None else err

    async def exchange(
        self, data: Any, take_stdout: Callable[[Any], None], take_stderr: Callable[[Any], None]
    ) -> None:
        """Do what :meth:`communicate` does, and pass each part of the output to a function.

            async with web.open_process(["cat"]) as process:
                await process.exchange(b"x", print, print)

        Raises:
            StartError, EngineError: as :meth:`wait`. Errors of the functions are passed on.
        """
        takers: dict[Any, Callable[[Any], None]]
        takers = {self.stdout: take_stdout, self.stderr: take_stderr}
        await exchange(self.stdin, data, takers)
        await self.wait()
        for reader in takers:
            if reader is not None and (failure := reader.exception()) is not None:
                raise failure

    @overload
    def lines(
        self: Process[Any, asyncio.StreamReader | None, asyncio.StreamReader | None],
    ) -> AsyncIterator[tuple[Stream, bytes]]: ...

    @overload
    def lines(
        self: Process[Any, TextReader | None, TextReader | None],
    ) -> AsyncIterator[tuple[Stream, str]]: ...

    def lines(self) -> AsyncIterator[tuple[Stream, Any]]:
        """Iterate over the lines of stdout and stderr, in the order in which they arrive.

            async with web.open_process(["ls", "/", "/nowhere"]) as process:
                async for stream, line in process.lines():
                    print(stream, line)

        Each line ends with its newline, except perhaps the last one of a stream. A line that is
        longer than ``limit`` comes in parts. Call it before anything was read: from then on,
        ``stdout`` and ``stderr`` are empty.

        Raises:
            UnicodeDecodeError: the output cannot be decoded.
            StartError, EngineError: as :meth:`wait`, after the last line.
        """
        lines = Lines(self._decoding, self._limit)
        has_ended = self._pump.done()
        stdout, stderr = self._moving.outputs
        out = lines.joined(stdout, "stdout", has_ended=has_ended)
        same = stderr is stdout
        self._moving.outputs = (
            out,
            out if same else lines.joined(stderr, "stderr", has_ended=has_ended),
        )
        return lines

    async def resize(self, size: tuple[int, int]) -> None:
        """Set the TTY's window size (rows, columns).

            await process.resize((50, 132))

        Does nothing if the command has ended.

        Raises:
            ValueError: the command has no TTY, or the size is invalid.
        """
        await self._exec.resize(size)

    async def send_signal(self, number: int) -> None:
        """Send a signal to the command and all of its children.

            await process.send_signal(signal.SIGWINCH)

        Raises:
            ValueError: the number is no signal's.
            LeftRunning: the processes cannot be reached.
        """
        await self._exec.send_signal(number)

    async def end(self, number: int, kill_after: float) -> bool:
        """Signal the command's whole tree, and return once it is gone: see :meth:`Exec.end`.

            await process.end(signal.SIGTERM, 0.1)

        Raises:
            LeftRunning: some processes are still there.
        """
        return await self._exec.end(number, kill_after)

    async def terminate(self) -> None:
        """Send SIGTERM to the command and all of its children.

            await process.terminate()

        Raises:
            LeftRunning: the processes cannot be reached.
        """
        await self.send_signal(signal.SIGTERM)

    async def kill(self) -> None:
        """Send SIGKILL to the command and all of its children.

            await process.kill()

        Raises:
            LeftRunning: the processes cannot be reached.
        """
        await self.send_signal(signal.SIGKILL)

    async def _release(self) -> None:
        """Cancel the pumps and close the streams, after the command has been left."""
        if self._tasks:
            await carried_out(lambda: asyncio.create_task(self._tasks.cancel()))
        if isinstance(self._stdin, Duplicate):
            self._stdin.close()
        elif self._stdin is not None:
            await self._stdin.break_off("the command was left")

    async def _move_output(self) -> None:
        try:
            await self._moving.run()
        except (ContainerGone, StartError) as exc:
            self.returncode = exc.exit_status
            raise
        with suppress(RindError):  # wait() tells it
            await self._status()
        if isinstance(self._stdin, StdinWriter):
            # The engine keeps the connection open for long after that.
            await self._stdin.break_off("the command has ended")

    async def _settle(self) -> None:
        """Wait for the exit status: who sees the end of the output then finds it.

        Not for long: a command may have closed its output, and run on.
        """
        delay = POLL_FIRST
        with suppress(RindError, TimeoutError):
            async with asyncio.timeout(SETTLED_WITHIN):
                while (state := await self._exec.poll()).running or state.exit_code is None:
                    await asyncio.sleep(delay)
                    delay *= 2
                if state.has_started is not False:
                    self.returncode = state.exit_code


BytesProcess = Process[StdinWriter, asyncio.StreamReader, asyncio.StreamReader]
"""A process without an encoding, whose streams are all PIPE."""

TextProcess = Process[TextWriter, TextReader, TextReader]
"""A process with an ``encoding``, whose streams are all PIPE."""

TtyProcess = Process[StdinWriter, asyncio.StreamReader, None]
"""A process with a TTY, or with ``stderr=STDOUT``: all of its output comes from ``stdout``."""
