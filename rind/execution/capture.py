"""What a command that has ended wrote: captured up to a limit, as bytes or as text."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, Final, Generic

from rind.base.records import dataclass
from rind.errors import CommandFailed, RindError, TooMuchOutput
from rind.execution.stdio import DEVNULL, PIPE
from rind.execution.text import Decoder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Literal

    from typing_extensions import TypeVar

    from rind.errors import Captured
    from rind.execution.stdio import LocalFile

    Stream = Literal["stdout", "stderr"]

    OnOutput = Callable[[Stream, Any], object]
    """Gets the name of a stream, and a part of what the command wrote to it."""

    T_co = TypeVar("T_co", covariant=True, default=bytes)
else:
    from typing import TypeVar

    T_co = TypeVar("T_co", covariant=True)

__all__ = ["Capture", "CompletedProcess", "captured_streams", "encoded", "exchange", "source_of"]


@dataclass(frozen=True, slots=True)
class CompletedProcess(Generic[T_co]):
    """A command that has ended, as :class:`subprocess.CompletedProcess` has it.

    Attributes:
        args: its words, or its script and the script's parameters.
        returncode: the exit status; 128+n where signal n ended it.
        stdout, stderr: what it wrote; None for what was not captured.
        container: the name of the container that it ran in.
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
    """Return what stdin is fed from: ``stdin``, the text or bytes of ``input``, or nothing.

    Raises:
        ValueError: both are given, or ``stdin`` is PIPE.
        TypeError, UnicodeEncodeError: as :func:`encoded`.
    """
    if stdin is not None and (text is not None or stdin == PIPE):
        raise ValueError("stdin is for a file, and input for text or bytes: give one of them")
    if text is not None:
        return encoded(text, encoding, errors)
    return DEVNULL if stdin is None else stdin


def encoded(data: object, encoding: str | None, errors: str) -> bytes:
    """Return what is sent for ``input``: text with an encoding, bytes without one.

    Raises:
        TypeError: it is of another type.
        UnicodeEncodeError: it has characters that the encoding has not.
    """
    if encoding is None:
        if isinstance(data, bytes | bytearray | memoryview):
            return bytes(data)
    elif isinstance(data, str):
        return data.encode(encoding, errors)
    wanted = "bytes" if encoding is None else "str"
    raise TypeError(f"input must be {wanted}, but is of type {type(data).__name__}")


def captured_streams(stdout: object, stderr: object, *, tty: bool) -> set[Stream]:
    """Return the streams that are captured: those that are PIPE, and that there are."""
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
        streams: those that are captured.
        encoding: None for bytes.
        errors: what is done about bytes that are no text, as :mod:`codecs` has it.
        limit: the most bytes of each stream; None for no limit.
        on_output: gets every part of the output as it comes.
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

    def take(self, stream: Stream, data: bytes) -> None:
        """Take a part of the output.

        Raises:
            TooMuchOutput: it is more than the limit.
        """
        seen = self._data[stream]
        room = len(data) if self._limit is None else self._limit - len(seen)
        seen += data[:room]
        self._tell(stream, data[:room])
        if len(data) > room:
            raise TooMuchOutput(self.argv, self._limit or 0, **self.captured())

    def finish(self) -> None:
        """Take the end of the output."""
        for stream in self._data:
            self._tell(stream, b"", final=True)

    def _tell(self, stream: Stream, data: bytes, *, final: bool = False) -> None:
        if self._on_output is not None:
            told = (
                data if self._decoding is None else self._decoders[stream].feed(data, final=final)
            )
            if told:
                self._on_output(stream, told)

    def captured(self, *, strict: bool = False) -> Captured:
        """Return what was captured so far, as an error's keywords.

        Args:
            strict: whether bytes that are no text raise where ``errors`` is "strict".

        Raises:
            UnicodeDecodeError: it is no text in this encoding.
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
        """Return what the command has come to.

        Raises:
            CommandFailed: with ``check``, the exit status is not 0.
            UnicodeDecodeError: the output is no text in this encoding.
        """
        if check and status != 0:
            raise CommandFailed(self.argv, status, **self.captured())
        return CompletedProcess(self.argv, status, **self.captured(strict=True))


_AT_ONCE: Final = 64 * 1024
"""Bytes, or characters, to read at once."""


async def exchange(stdin: Any, data: Any, takers: Mapping[Any, Callable[[Any], object]]) -> None:
    """Send ``data`` and the end of stdin, and hand on what is read, until the end of all of it.

    A failure of the command, or of its connection, is left to who waits for the command.

    Args:
        stdin: a writer; None for none.
        data: what it takes.
        takers: what gets each part of the output, by the readers; None is no reader.

    Raises:
        Exception: what a taker or a reader raises.
    """
    try:
        async with asyncio.TaskGroup() as group:
            if stdin is not None:
                group.create_task(_send(stdin, data))
            for reader, take in takers.items():
                if reader is not None:
                    group.create_task(_collect(reader, take))
    except ExceptionGroup as wrong:
        # As it would be raised without tasks.
        raise wrong.exceptions[0] from None


async def _send(writer: Any, data: Any) -> None:
    # A command need not read its stdin.
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
