"""Moves a command's output to its destinations, and its stdin from bytes or a file.

Goal: a command that is run to its end costs no unnecessary task, because a program may run
thousands of short ones.

Plan: the caller's task moves the output (:meth:`Running.run_to_end`). Stdin, unless it is empty,
has a task of its own, because it may block while output arrives.
"""

from __future__ import annotations

import asyncio

from rind.errors import Broken, RindError
from rind.execution.outputs import output
from rind.execution.start import open_exec
from rind.execution.stdin import copy_bytes, copy_in
from rind.execution.stdio import PIPE, STDOUT, Duplicate
from rind.execution.tasks import Tasks, carried_out
from rind.transport.frames import STDERR
from rind.transport.hijacked import ABANDONED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType
    from typing import Self

    from rind.errors import LeftRunning
    from rind.execution.capture import Capture, Stream
    from rind.execution.exec import Exec, Leaving
    from rind.execution.outputs import Output
    from rind.execution.session import Session
    from rind.execution.stdio import LocalFile
    from rind.execution.streams import Streams
    from rind.model import Container, ExecConfig

__all__ = ["OutputPump", "Running", "feed", "start_captured"]


class OutputPump:
    """Moves the output of one command.

    Args:
        execution: the command.
        outputs: the destinations of stdout and stderr; they may be replaced at any time.
        settle: awaited after the end of the output, before its destinations are closed.
    """

    def __init__(
        self,
        execution: Exec,
        outputs: tuple[Output, Output],
        settle: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.outputs = outputs
        self._exec = execution
        self._settle = settle

    async def run(self) -> None:
        """Move all of the output, and close its destinations.

        Raises:
            StartError, Broken: as :meth:`Exec.read`.
            OSError, UnicodeError: a destination cannot be written.
        """
        failure: Exception | None = None
        try:
            while await self._exec.pump(self._take):
                for output in self.outputs:
                    await output.until_room()
            if self._settle is not None:
                await self._settle()
        except (RindError, OSError, UnicodeError) as exc:
            failure = exc
            raise
        except asyncio.CancelledError:
            failure = Broken(ABANDONED)
            raise
        finally:
            for end in dict.fromkeys(self.outputs):
                end.close(failure)

    def _take(self, parts: list[tuple[int, memoryview]]) -> bool:
        """Hand parts to their outputs; return whether all of these have room for more."""
        room = True
        for stream, data in parts:
            room &= self.outputs[stream == STDERR].take(data)
        return room


async def feed(execution: Exec, source: bytes | Duplicate) -> None:
    """Feed a command's stdin to the end of ``source``, or until the command accepts no more."""
    sinks = execution.write, execution.send_eof
    await (copy_bytes(source, *sinks) if isinstance(source, bytes) else copy_in(source, *sinks))


async def start_captured(  # noqa: PLR0913 # a start has as many sides
    session: Session,
    container: Container,
    config: ExecConfig,
    streams: Streams,
    *,
    capture: Capture,
    leaving: Leaving,
) -> Running:
    """Start a command that is run to its end, with its PIPEs captured.

    Args:
        session: of the engine that the container is on.
        container: a running container.
        config: the command.
        streams: its streams; stdin is not PIPE.
        capture: the destination of each PIPE's output.
        leaving: how to end the command when the context is left.

    Raises:
        StartError, EngineError: as :func:`~rind.execution.start.open_exec`.
    """

    def destination(stream: Stream, where: int | LocalFile) -> Output:
        return capture.output(stream) if where == PIPE else output(where, streams.limit)

    # Nothing may fail between the start and the return: the command would be lost.
    out = destination("stdout", streams.stdout)
    is_one = config.tty or streams.stderr == STDOUT
    err = out if is_one else destination("stderr", streams.stderr)
    execution = await open_exec(session, container, config, leaving=leaving)
    source = streams.stdin if isinstance(streams.stdin, bytes | Duplicate) else None
    return Running(execution, (out, err), source)


class Running:
    """A command that is run to its end. Like a process, it is an async context manager.

    Args:
        execution: the command.
        outputs: the destinations of stdout and stderr.
        source: the input for stdin, or None. A file is closed at the end.
    """

    def __init__(
        self, execution: Exec, outputs: tuple[Output, Output], source: bytes | Duplicate | None
    ) -> None:
        self._exec = execution
        self._moving = OutputPump(execution, outputs)
        self._source = source
        self._tasks = Tasks()
        if source is not None:
            self._tasks.spawn(feed(execution, source))

    async def run_to_end(self) -> int:
        """Move all of the output; return the exit status.

        Raises:
            StartError: the command never started.
            EngineError: the connection failed, or the container was stopped or removed.
            OSError, UnicodeError: a destination cannot be written.
        """
        await self._moving.run()
        return await self._exec.wait()

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
            if self._tasks:
                await carried_out(lambda: asyncio.create_task(self._tasks.cancel()))
            if isinstance(self._source, Duplicate):
                self._source.close()
