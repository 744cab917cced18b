"""A command with streams, in the style of :class:`subprocess.Popen`."""

from __future__ import annotations

import warnings
from asyncio import wait
from contextlib import suppress
from typing import IO, Any, Generic, Self, TypeVar, cast, overload

from rind.base.deadline import Deadline
from rind.errors import TimedOut
from rind.execution.capture import exchange
from rind.execution.tasks import Tasks
from rind.process import Process
from rind.sync.methods import Blocking, blocking
from rind.sync.pipes import RawReader, RawWriter, reader, writer
from rind.sync.portal import Closed

TYPE_CHECKING = not __name__
if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType

    from rind.errors import Ending, LeftRunning
    from rind.execution.lines import Lines, Stream
    from rind.model import Container
    from rind.sync.portal import Portal

__all__ = ["SyncProcess"]

In_co = TypeVar("In_co", covariant=True)
Out_co = TypeVar("Out_co", covariant=True)
Err_co = TypeVar("Err_co", covariant=True)

_Inner = Process[Any, Any, Any]


class SyncProcess(Blocking[_Inner], Generic[In_co, Out_co, Err_co]):
    """A command and its streams. Made by :meth:`rind.SyncTarget.open_process`.

    Use it as a context manager: leaving the context while the command runs ends its whole process
    tree. What an ended command left in the background is left alone.

    Attributes:
        args: the command's words, or its script and the script's parameters.
        stdin: a file to write to, with ``stdin=PIPE``; else None.
        stdout, stderr: files to read from, with ``PIPE``; else None. A command with a TTY writes
            both to its stdout. The files are buffered; with an encoding, they are text files.
    """

    stdin: In_co
    stdout: Out_co
    stderr: Err_co

    def __init__(  # noqa: PLR0913 # only open_process() calls it
        self,
        portal: Portal,
        context: AbstractAsyncContextManager[_Inner],
        inner: _Inner,
        args: list[str],
        decoding: tuple[str, str] | None,
        *,
        limit: int,
        owner: object,
    ) -> None:
        super().__init__(inner)
        self.args = args
        self._open_portal = portal
        self._owner = owner  # keeps the client alive as long as its commands
        self._context = context
        self._is_left = False
        self._tasks = Tasks()
        self._exchange: asyncio.Task[list[bytes]] | None = None
        self._raw_in = inner.stdin and RawWriter(portal, _bytes_of(inner.stdin))
        self._raw_out = [
            end and RawReader(portal, _bytes_of(end)) for end in (inner.stdout, inner.stderr)
        ]
        files: list[Any] = [
            self._raw_in and writer(self._raw_in, limit, decoding),
            *(raw and reader(raw, limit, decoding) for raw in self._raw_out),
        ]
        self.stdin, self.stdout, self.stderr = files

    def __repr__(self) -> str:
        return repr(self._inner).replace("<Process", "<SyncProcess", 1)

    @property
    def _portal(self) -> Portal:
        return self._open_portal

    @property
    def returncode(self) -> int | None:
        """The exit status, once the command's end was seen; 128+n where signal n ended it."""
        return self._inner.returncode

    @property
    def container(self) -> Container:
        """The container that the command runs in."""
        return self._inner.container

    @property
    def exec_id(self) -> str:
        """The engine's ID of the exec instance."""
        return self._inner.exec_id

    @property
    def size(self) -> tuple[int, int] | None:
        """The window size (rows, columns) that was set last; None without a TTY."""
        return self._inner.size

    @property
    def ending(self) -> Ending | None:
        """How the command was killed, after :meth:`wait` returned 137; None if that is unknown."""
        return self._inner.ending

    @property
    def left_running(self) -> LeftRunning | None:
        """After leaving: why the command's processes could not be ended; None if they were."""
        return self._inner.left_running

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._is_left:
            return
        self._is_left = True
        if self._raw_in is not None:
            self._raw_in.leave()
        try:
            if self._portal.is_open:  # otherwise its client has ended the command
                with suppress(Closed):
                    self._portal.call(self._context.__aexit__, exc_type, exc, traceback)
        finally:
            files: list[Any] = [self.stdin, self.stdout, self.stderr]
            for file in files:
                if file is not None:
                    file.close()

    def __del__(self) -> None:
        if self.__dict__.get("_is_left", True):
            return
        if self._raw_in is not None:
            self._raw_in.leave()
        # The context is dropped with this object: its loop leaves it, and ends the command.
        if self.returncode is None and self._portal.is_open:
            warnings.warn(
                f"unclosed {self!r}: use it as a context manager, or call its close()",
                ResourceWarning,
                stacklevel=2,
                source=self,
            )

    def close(self) -> None:
        """End the command as leaving its context does, and close the files. Idempotent.

            process.close()

        Raises:
            LeftRunning: some processes could not be ended.
        """
        self.__exit__(None, None, None)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the command's end; return its exit status.

            with web.open_process(["true"]) as process:
                assert process.wait(timeout=60) == 0

        As with subprocess, a command may wait for its output to be read: use :meth:`communicate`.

        Args:
            timeout: in seconds; None for no limit.

        Raises:
            TimedOut: the time is over, and the command runs on.
            StartError: the command never started.
            EngineError: the connection failed, or the container was stopped or removed.
        """
        return self._portal.call(self._wait, timeout)

    async def _wait(self, timeout: float | None) -> int:  # noqa: ASYNC109 # as Popen calls it
        async with Deadline(timeout).limit(lambda: TimedOut(self.args, timeout or 0)):
            return await self._inner.wait()

    def poll(self) -> int | None:
        """Return the exit status; None while the command runs.

            assert process.poll() is None

        Raises:
            StartError, EngineError: as :meth:`wait`.
        """
        if self.returncode is not None:
            return self.returncode
        return self._portal.call(self._inner.poll)

    @overload
    def communicate(
        self: SyncProcess[Any, IO[bytes], IO[bytes]],
        input: bytes | None = None,
        timeout: float | None = None,
    ) -> tuple[bytes, bytes]: ...

    @overload
    def communicate(
        self: SyncProcess[Any, IO[str], IO[str]],
        input: str | None = None,
        timeout: float | None = None,
    ) -> tuple[str, str]: ...

    @overload
    def communicate(
        self: SyncProcess[Any, IO[bytes], None],
        input: bytes | None = None,
        timeout: float | None = None,
    ) -> tuple[bytes, None]: ...

    @overload
    def communicate(
        self: SyncProcess[Any, IO[str], None],
        input: str | None = None,
        timeout: float | None = None,
    ) -> tuple[str, None]: ...

    @overload
    def communicate(
        self: SyncProcess[Any, IO[bytes] | None, IO[bytes] | None],
        input: bytes | None = None,
        timeout: float | None = None,
    ) -> tuple[bytes | None, bytes | None]: ...

    @overload
    def communicate(
        self: SyncProcess[Any, IO[str] | None, IO[str] | None],
        input: str | None = None,
        timeout: float | None = None,
    ) -> tuple[str | None, str | None]: ...

    def communicate(
        self,
        input: Any = None,  # noqa: A002 # as subprocess calls it
        timeout: float | None = None,
    ) -> tuple[Any, Any]:
        """Send ``input`` and the end of stdin, read all output, and wait for the end.

            with web.open_process(["cat"]) as process:
                assert process.communicate(b"x", timeout=60) == (b"x", b"")

        After TimedOut the command runs on, and another call continues: no output is lost.

        Args:
            input: for stdin; None for nothing.
            timeout: in seconds; None for no limit.

        Returns:
            Stdout and stderr; None for a stream that is not a PIPE.

        Raises:
            TimedOut: the command did not end in time.
            ValueError: there is input, but an earlier call has ended stdin.
            UnicodeError: the input cannot be encoded, or the output cannot be decoded.
            StartError, EngineError: as :meth:`wait`.
        """
        self._send(input)
        rest = self._portal.call(self._communicate, timeout)
        files = cast("list[IO[Any] | None]", [self.stdout, self.stderr])
        for raw, data in zip(self._raw_out, rest, strict=True):
            if raw is not None:
                raw.replace(data)
        out, err = (None if file is None else file.read() for file in files)
        return out, err

    def _send(self, data: Any) -> None:
        stdin = cast("IO[Any] | None", self.stdin)
        if self._raw_in is None or stdin is None:
            return
        self._raw_in.waits = False  # the output, which may block it, is read only below
        with suppress(BrokenPipeError):  # as in Popen: a command may ignore its input
            if data:
                stdin.write(data)
            stdin.close()

    async def _communicate(self, timeout: float | None) -> list[bytes]:  # noqa: ASYNC109 # as above
        if self._exchange is None:
            self._exchange = self._tasks.spawn(self._read_all())
        async with Deadline(timeout).limit(lambda: TimedOut(self.args, timeout or 0)):
            await wait({self._exchange})
        return self._exchange.result()

    async def _read_all(self) -> list[bytes]:
        """Wait for the end; return the rest of stdout and stderr."""
        seen = bytearray(), bytearray()
        ends = [end and _bytes_of(end) for end in (self._inner.stdout, self._inner.stderr)]
        await exchange(None, None, {end: take.extend for end, take in zip(ends, seen, strict=True)})
        await self._inner.wait()
        for end in ends:
            if end is not None and (failure := end.exception()) is not None:
                raise failure
        return [bytes(data) for data in seen]

    @overload
    def lines(
        self: SyncProcess[Any, IO[bytes] | None, IO[bytes] | None],
    ) -> Iterator[tuple[Stream, bytes]]: ...

    @overload
    def lines(
        self: SyncProcess[Any, IO[str] | None, IO[str] | None],
    ) -> Iterator[tuple[Stream, str]]: ...

    def lines(self) -> Iterator[tuple[Stream, Any]]:
        """Iterate over the lines of stdout and stderr, in the order in which they arrive.

            with web.open_process(["ls", "/", "/nowhere"]) as process:
                for stream, line in process.lines():
                    print(stream, line)

        Each line ends with its newline, except perhaps the last one of a stream. A line that is
        longer than ``limit`` comes in parts. Call it before any read; afterwards, ``stdout`` and
        ``stderr`` are empty.

        Raises:
            UnicodeDecodeError: the output cannot be decoded.
            StartError, EngineError: as :meth:`wait`, after the last line.
        """
        lines = self._portal.call(self._lines)
        while some := self._portal.call(_next_of, lines):
            yield from some

    async def _lines(self) -> Lines:
        return cast("Lines", self._inner.lines())

    send_signal = blocking(_Inner.send_signal)
    terminate = blocking(_Inner.terminate)
    kill = blocking(_Inner.kill)
    end = blocking(_Inner.end)
    resize = blocking(_Inner.resize)


async def _next_of(lines: Lines) -> list[tuple[Stream, Any]]:
    """Wait for lines; return all that have arrived, or an empty list at the end."""
    some = []
    async for line in lines:
        some.append(line)
        if not lines.is_ready:
            break
    return some


def _bytes_of(stream: Any) -> Any:
    """Return the byte stream below a text stream; a byte stream itself."""
    return getattr(stream, "buffer", stream)
