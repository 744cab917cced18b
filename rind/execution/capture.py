"""Captures a command's output up to a limit, as bytes or as text."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, Final, Generic

from rind.base.records import dataclass
from rind.errors import CommandFailed, ContainerGone, RindError, TimedOut, TooMuchOutput
from rind.execution.stdio import DEVNULL, PIPE
from rind.execution.text import Decoder

TYPE_CHECKING = not __name__
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Literal, Protocol

    from typing_extensions import TypeVar

    from rind.errors import Captured
    from rind.execution.stdio import LocalFile

    class Runs(Protocol):
        """A command whose output is captured (:class:`~rind.execution.pump.Running`)."""

        async def run_to_end(self) -> int:
            """Move all of the output; return the exit status."""

    Stream = Literal["stdout", "stderr"]

    OnOutput = Callable[[Stream, Any], object]
    """Called with the name of a stream, and a part of the output on it."""

    T_co = TypeVar("T_co", covariant=True, default=bytes)
else:
    from typing import TypeVar

    T_co = TypeVar("T_co", covariant=True)

__all__ = ["Capture", "CompletedProcess", "captured_streams", "encoded", "exchange", "source_of"]


@dataclass(frozen=True, slots=True)
class CompletedProcess(Generic[T_co]):
    """The result of a command that has ended, like :class:`subprocess.CompletedProcess`.

    Attributes:
        args: the command's words, or its script and the script's parameters.
        returncode: the exit status; 128+n if signal n ended the command.
        stdout, stderr: the output; None for a stream that was not captured.
        container: the name of the container that the command ran in.
    """

    args: list[str]
    returncode: int
    stdout: T_co
    stderr: T_co
    container: str

    def check_returncode(self) -> None:
        """Raise the error that ``check=True`` raises.

        Raises:
            CommandFailed: the exit status is not 0.
        """
        if self.returncode != 0:
            out: Any = self.stdout
            err: Any = self.stderr
            raise CommandFailed(
                self.args, self.returncode, stdout=out, stderr=err, container=self.container
            )


def source_of(
    stdin: int | bytes | LocalFile | None, text: object, encoding: str | None, errors: str
) -> int | bytes | LocalFile:
    """Return the source of stdin: ``stdin`` itself, the bytes of ``input``, or DEVNULL.

    Raises:
        ValueError: both are set, or ``stdin`` is PIPE.
        TypeError, UnicodeEncodeError: as :func:`encoded`.
    """
    if stdin is not None and (text is not None or stdin == PIPE):
        raise ValueError(
            "stdin cannot be PIPE, nor be combined with input: "
            "use stdin for a file, or input for text or bytes"
        )
    if text is not None:
        return encoded(text, encoding, errors)
    return DEVNULL if stdin is None else stdin


def encoded(data: object, encoding: str | None, errors: str) -> bytes:
    """Return the bytes of ``input``, which must be text with an encoding, and bytes without one.

    Raises:
        TypeError: it is of another type.
        UnicodeEncodeError: the encoding lacks some of its characters.
    """
    if encoding is None:
        if isinstance(data, bytes | bytearray | memoryview):
            return bytes(data)
    elif isinstance(data, str):
        return data.encode(encoding, errors)
    wanted = "bytes" if encoding is None else "str"
    raise TypeError(f"input must be {wanted}, but is of type {type(data).__name__}")


def captured_streams(stdout: object, stderr: object, *, tty: bool) -> set[Stream]:
    """Return the streams to capture: those that are PIPE. With a TTY, there is no stderr."""
    wanted: set[Stream] = set()
    if stdout == PIPE:
        wanted.add("stdout")
    if stderr == PIPE and not tty:
        wanted.add("stderr")
    return wanted


class Capture:
    """Captures the output of a command.

    Args:
        argv: the command's words.
        container: the name of its container.
        streams: the streams to capture.
        encoding: the encoding of text; None for bytes.
        errors: the error handler for bytes that are invalid in the encoding (:mod:`codecs`).
        limit: the most bytes of each stream; None for no limit.
        on_output: called with each part of the output as it arrives.
    """

    def __init__(  # noqa: PLR0913 # only run() calls it
        self,
        argv: list[str],
        container: str,
        streams: set[Stream],
        *,
        encoding: str | None,
        errors: str,
        limit: int | None,
        on_output: OnOutput | None,
    ) -> None:
        self.argv = argv
        self.container = container
        self._decoding = None if encoding is None else (encoding, errors)
        self._limit = limit
        self._on_output = on_output
        self._data = {stream: bytearray() for stream in streams}
        self._decoders = {stream: Decoder(*self._decoding or ()) for stream in streams}

    def output(self, stream: Stream) -> CapturedOutput:
        """Return the destination of a stream that is captured."""
        return CapturedOutput(self, stream)

    def take(self, stream: Stream, data: bytes) -> None:
        """Add a part of the output.

        Raises:
            TooMuchOutput: the output is longer than the limit.
        """
        captured = self._data[stream]
        room = len(data) if self._limit is None else self._limit - len(captured)
        captured += data[:room]
        self._report(stream, data[:room])
        if len(data) > room:
            raise TooMuchOutput(self.argv, self._limit or 0, **self.captured())

    async def collect(self, running: Runs) -> int:
        """Run a command to its end whose output is captured here; return its exit status.

        Raises:
            TooMuchOutput: the output is longer than the limit.
            ContainerGone: with the output until then. Other errors of the command are passed on.
        """
        try:
            return await running.run_to_end()
        except ContainerGone as gone:
            captured = self.captured()
            gone.stdout, gone.stderr = captured["stdout"], captured["stderr"]
            raise

    def timed_out(self, seconds: float | None) -> TimedOut:
        """Return the error for a command that did not end within ``seconds``."""
        return TimedOut(self.argv, seconds or 0, **self.captured())

    def finish(self) -> None:
        """End the output: decode and report the last bytes."""
        for stream in self._data:
            self._report(stream, b"", final=True)

    def _report(self, stream: Stream, data: bytes, *, final: bool = False) -> None:
        """Call ``on_output``, with text if there is an encoding."""
        if self._on_output is None:
            return
        part: Any = data
        failure: UnicodeDecodeError | None = None
        if self._decoding is not None:
            part, failure = self._decoders[stream].feed_to_error(data, final=final)
        if part:
            self._on_output(stream, part)
        if failure is not None:
            raise failure

    def captured(self, *, strict: bool = False) -> Captured:
        """Return the output captured so far, as keyword arguments of an error.

        Args:
            strict: whether invalid bytes raise if ``errors`` is "strict"; else they are replaced.

        Raises:
            UnicodeDecodeError: the output is invalid in the encoding.
        """
        whole: dict[str, Any] = {stream: bytes(data) for stream, data in self._data.items()}
        if self._decoding is not None:
            encoding, errors = self._decoding
            if errors == "strict" and not strict:
                errors = "replace"
            whole = {
                stream: Decoder(encoding, errors).feed(data, final=True)
                for stream, data in whole.items()
            }
        return {
            "stdout": whole.get("stdout"),
            "stderr": whole.get("stderr"),
            "container": self.container,
        }

    def completed(self, status: int, *, check: bool) -> CompletedProcess[Any]:
        """Return the command's result.

        Raises:
            CommandFailed: with ``check``, the exit status is not 0.
            UnicodeDecodeError: the output is invalid in the encoding.
        """
        if check and status != 0:
            raise CommandFailed(self.argv, status, **self.captured())
        return CompletedProcess(self.argv, status, **self.captured(strict=True))


class CapturedOutput:
    """The destination of a stream that is captured, as in :mod:`rind.execution.outputs`."""

    def __init__(self, capture: Capture, stream: Stream) -> None:
        self._capture = capture
        self._stream = stream

    def take(self, data: memoryview) -> bool:
        """Capture a part; return True: there is always room.

        Raises:
            TooMuchOutput: as :meth:`Capture.take`.
        """
        self._capture.take(self._stream, bytes(data))
        return True

    async def until_room(self) -> None:
        """Do nothing."""

    def close(self, failure: Exception | None) -> None:
        """Do nothing."""


_AT_ONCE: Final = 64 * 1024
"""Bytes, or characters, to read at once."""


async def exchange(stdin: Any, data: Any, takers: Mapping[Any, Callable[[Any], object]]) -> None:
    """Send ``data`` and the end of stdin; pass the output to the takers until all streams end.

    A failure of the command or of its connection is not raised here: waiting for the command raises
    it.

    Args:
        stdin: a writer, or None.
        data: the writer's bytes or text.
        takers: maps readers to functions that are called with each part; a reader may be None.

    Raises:
        Exception: the first other exception of a taker or a reader.
    """
    try:
        async with asyncio.TaskGroup() as group:
            if stdin is not None:
                group.create_task(_send(stdin, data))
            for reader, take in takers.items():
                if reader is not None:
                    group.create_task(_collect(reader, take))
    except ExceptionGroup as failures:
        # The caller knows nothing of these tasks: raise the exception itself.
        raise failures.exceptions[0] from None


async def _send(writer: Any, data: Any) -> None:
    # Not an error: a command may end, or close its stdin, without having read all of it.
    with suppress(BrokenPipeError):
        if data and not writer.is_closing():
            writer.write(data)
        writer.write_eof()
        await writer.wait_closed()


async def _collect(reader: Any, take: Callable[[Any], object]) -> None:
    while True:
        try:
            data = await reader.read(_AT_ONCE)
        except (RindError, OSError):
            return
        if not data:
            return
        take(data)
