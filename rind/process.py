"""A command whose streams are there to be used, as :mod:`asyncio.subprocess` has them."""

import asyncio
import signal
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from rind.engine.frames import STDERR as STDERR_STREAM
from rind.errors import Broken, ContainerGone, RindError, StartError
from rind.execution.exec import Process
from rind.execution.stdio import (
    DEFAULT_LIMIT,
    PIPE,
    STDOUT,
    Duplicate,
    LocalFile,
    Output,
    Pipe,
    StdinWriter,
    check_streams,
    copy_in,
    has_fileno,
    output,
)

__all__ = ["PipedProcess"]

LEFT: Final = "the command was left before its output ended"


class PipedProcess(Process):
    """A command and its streams. Made by :meth:`rind.target.Target.open_process`.

    Attributes:
        stdin: a writer, with ``stdin=PIPE``.
        stdout, stderr: readers, with ``PIPE``. A command with a TTY has no stderr of its own.
        returncode: the exit status, once :meth:`wait` or :meth:`communicate` has returned; 128+n
            where signal n ended the command.
    """

    stdin: StdinWriter | None = None
    stdout: asyncio.StreamReader | None = None
    stderr: asyncio.StreamReader | None = None
    returncode: int | None = None
    _pump: asyncio.Task[None] | None = None
    _stdin_file: Duplicate | None = None
    _pipes: Sequence[Pipe] = ()

    def connect_streams(
        self,
        stdin: int | bytes | LocalFile,
        stdout: int | LocalFile,
        stderr: int | LocalFile,
        limit: int = DEFAULT_LIMIT,
    ) -> None:
        """Begin to move bytes, once, right after the start.

            async with await web.start(rind.Command(argv=["cat"])) as process:
                process.connect_streams(b"x", rind.PIPE, rind.DEVNULL)
                assert await process.stdout.read() == b"x"

        The streams are as :meth:`rind.target.Target.open_process` has them.

        Raises:
            ValueError: one of them has no meaning.
            Broken: the process was closed.
        """
        check_streams(stdin, stdout, stderr)
        if self._closing is not None:
            raise Broken(LEFT)
        if isinstance(stdin, bytes) or stdin == PIPE:
            writer = StdinWriter(self.write, self.send_eof, limit)
            self._tasks.spawn(writer.pump())
            if isinstance(stdin, bytes):
                writer.write(stdin)
                writer.write_eof()
            else:
                self.stdin = writer
        elif has_fileno(stdin):
            self._stdin_file = stdin if isinstance(stdin, Duplicate) else Duplicate(stdin)
            self._tasks.spawn(copy_in(self._stdin_file, self.write, self.send_eof))
        out = output(stdout, limit)
        err = out if self.tty or stderr == STDOUT else output(stderr, limit)
        self._pipes = [it for it in (out, err) if isinstance(it, Pipe)]
        self.stdout = out.reader if isinstance(out, Pipe) else None
        self.stderr = err.reader if isinstance(err, Pipe) and err is not out else None
        self._pump = self._tasks.spawn(self._move_output(out, err))

    async def wait(self) -> int:
        """Wait for the command's end; return its exit status.

            async with web.open_process(["true"]) as process:
                assert await process.wait() == 0

        As with asyncio, a command may wait for its output to be read: use :meth:`communicate`.

        Raises:
            StartError: the command never started.
            EngineError: the connection failed, or the container was stopped or removed.
        """
        if self._pump is not None and not self._pump.cancelled():
            await self._until_held(self._pump)
            if self._pump.cancelled():
                raise Broken(LEFT)
            if self._pump.done():
                self._pump.result()
        try:
            self.returncode = await super().wait()
        except (ContainerGone, StartError) as exc:
            self.returncode = exc.exit_status
            raise
        return self.returncode

    async def _until_held(self, pump: "asyncio.Task[None]") -> None:
        """Wait until all output is where it goes, or the command has ended and it waits for us."""
        held = [self._tasks.spawn(self._inspector.has_ended.wait())]
        try:
            await asyncio.wait({pump, *held}, return_when=asyncio.FIRST_COMPLETED)
            held += [self._tasks.spawn(pipe.full.wait()) for pipe in self._pipes]
            await asyncio.wait({pump, *held[1:]}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in held:
                task.cancel()

    async def communicate(
        self,
        input: bytes | None = None,  # noqa: A002 # as asyncio calls it
    ) -> tuple[bytes | None, bytes | None]:
        """Send ``input`` and the end of stdin, read all output, and wait for the end.

            async with web.open_process(["cat"]) as process:
                assert await process.communicate(b"x") == (b"x", b"")

        Returns:
            Stdout and stderr; None for what is not a PIPE.

        Raises:
            StartError, EngineError: as :meth:`wait`.
        """
        stdout, stderr = bytearray(), bytearray()
        await self.exchange(input, stdout, stderr)
        return (
            None if self.stdout is None else bytes(stdout),
            None if self.stderr is None else bytes(stderr),
        )

    async def exchange(self, data: bytes | None, stdout: bytearray, stderr: bytearray) -> None:
        """Communicate, and have what was read so far even where it is cut short.

            out, err = bytearray(), bytearray()
            async with web.open_process(["cat"]) as process:
                await process.exchange(b"x", out, err)

        Raises:
            StartError, EngineError: as :meth:`wait`.
        """
        try:
            async with asyncio.TaskGroup() as group:
                if self.stdin is not None:
                    group.create_task(_send(self.stdin, data))
                for reader, into in ((self.stdout, stdout), (self.stderr, stderr)):
                    if reader is not None:
                        group.create_task(_collect(reader, into))
        except ExceptionGroup as wrong:
            # Of a wrong use, as it would be raised without tasks.
            raise wrong.exceptions[0] from None
        await self.wait()
        for reader in (self.stdout, self.stderr):
            if reader is not None and (failure := reader.exception()) is not None:
                raise failure

    async def terminate(self) -> None:
        """Send SIGTERM to the command and all that it has started.

            await process.terminate()

        Raises:
            LeftRunning: they cannot be reached.
        """
        await self.send_signal(signal.SIGTERM)

    async def kill(self) -> None:
        """Send SIGKILL to the command and all that it has started.

            await process.kill()

        Raises:
            LeftRunning: they cannot be reached.
        """
        await self.send_signal(signal.SIGKILL)

    async def _clean_up(self, *, kill: bool, ask: bool) -> None:
        await super()._clean_up(kill=kill, ask=ask)
        if self._stdin_file is not None:
            self._stdin_file.close()
        if self.stdin is not None:
            await self.stdin.break_off("the command was left")

    async def _move_output(self, stdout: Output, stderr: Output) -> None:
        failure: Exception | None = None
        try:
            while (part := await self.read()) is not None:
                stream, data = part
                await (stderr if stream == STDERR_STREAM else stdout).write(data)
        except (RindError, OSError) as exc:
            failure = exc
            raise
        except asyncio.CancelledError:
            failure = Broken(LEFT)
            raise
        finally:
            stdout.close(failure)
            if stderr is not stdout:
                stderr.close(failure)
        if self.stdin is not None:
            with suppress(RindError):  # wait() tells it
                await super().wait()
            # The engine keeps the connection open for long after that.
            await self.stdin.break_off("the command has ended")


async def _send(writer: StdinWriter, data: bytes | None) -> None:
    # A command need not read its stdin.
    with suppress(BrokenPipeError):
        if data and not writer.is_closing():
            writer.write(data)
        writer.write_eof()
        await writer.wait_closed()


async def _collect(reader: asyncio.StreamReader, into: bytearray) -> None:
    # Whoever waits for the command's end tells it.
    with suppress(RindError, OSError):
        while data := await reader.read(DEFAULT_LIMIT):
            into += data
