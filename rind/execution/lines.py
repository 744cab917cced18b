"""The lines of a command's stdout and stderr, in the order in which they arrive."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import Any, Final

from rind.errors import RindError
from rind.execution.outputs import Pipe
from rind.execution.text import Decoder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Literal, Self

    from rind.execution.outputs import Output

    Stream = Literal["stdout", "stderr"]

__all__ = ["Lines", "LinesOutput"]

_MUCH: Final = 2**30
"""Bytes: more than a reader can have buffered."""


class Lines:
    r"""Joins streams line by line. Iterate over it asynchronously.

    It yields ``(stream, line)``, the line with its newline, which the last line of a stream may
    lack. A line that is longer than the limit is yielded in parts.

    Args:
        decoding: an encoding and an error handler, for text; None for bytes.
        limit: the most bytes or characters to buffer, and the longest line.
    """

    def __init__(self, decoding: tuple[str, str] | None, limit: int) -> None:
        self.newline: Any = "\n" if decoding else b"\n"
        self._decoding = decoding
        self.limit = limit
        self.full = asyncio.Event()
        self._lines: deque[tuple[Stream, Any]] = deque()
        self._size = 0
        self._open = 0
        self._failure: Exception | None = None
        self._some = asyncio.Event()  # set while there is a line, or the end
        self._room = asyncio.Event()
        self._room.set()

    def joined(self, output: Output, stream: Stream, *, has_ended: bool) -> Output:
        """Return the output that sends a stream's lines here, in place of a pipe.

        An output that is not a pipe is returned as it is.

        Args:
            output: the stream's present output. Bytes that its reader has not read are taken over.
            stream: the stream's name.
            has_ended: whether the stream has ended.
        """
        if not isinstance(output, Pipe):
            return output
        self._open += 1
        decode = Decoder(*self._decoding).feed_to_error if self._decoding else _same
        join = LinesOutput(self, stream, decode)
        # A failure is raised at the end of the lines.
        with suppress(RindError, OSError, UnicodeDecodeError):
            join.take(memoryview(_at_once(output.reader.read(_MUCH))))
        if has_ended:
            join.close(output.reader.exception())
        return join

    def put(self, stream: Stream, lines: list[Any]) -> None:
        """Buffer lines. Called by the outputs."""
        self._lines.extend((stream, line) for line in lines)
        self._size += sum(map(len, lines))
        if self._lines:
            self._some.set()
        if self._size > self.limit:
            self._room.clear()
            self.full.set()
        else:
            self._room.set()

    async def until_room(self) -> None:
        """Wait until there is room for more. Called by the outputs."""
        await self._room.wait()

    def end(self, failure: Exception | None) -> None:
        """Note that a stream has ended, or failed. Called by the outputs."""
        self._open -= 1
        self.fail(failure)
        if not self._open:
            self._some.set()

    def fail(self, failure: Exception | None) -> None:
        """Raise a failure, if there is one, after the lines. Called by the outputs."""
        self._failure = self._failure or failure
        if self._failure is not None:
            self._some.set()

    @property
    def is_ready(self) -> bool:
        """Whether the next line is there already."""
        return bool(self._lines)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> tuple[Stream, Any]:
        await self._some.wait()
        if not self._lines:
            if self._failure is not None:
                raise self._failure
            raise StopAsyncIteration
        stream, line = self._lines.popleft()
        self._size -= len(line)
        if self._size <= self.limit:
            self.full.clear()
            self._room.set()
        if not self._lines and self._open and self._failure is None:
            self._some.clear()
        return stream, line


class LinesOutput:
    """The output of one stream that :class:`Lines` joins."""

    def __init__(self, lines: Lines, stream: Stream, decode: Callable[..., Any]) -> None:
        self.full = lines.full
        self._lines = lines
        self._stream = stream
        self._decode = decode
        self._begun = lines.newline[:0]  # a line without its newline yet
        self._failure: UnicodeDecodeError | None = None

    def take(self, data: memoryview) -> bool:
        """Split a part of the stream into lines; return whether there is room for more.

        Raises:
            UnicodeDecodeError: it cannot be decoded; the lines before were taken.
        """
        self._feed(bytes(data))
        return not self.full.is_set()

    async def until_room(self) -> None:
        """Return once there is room for more."""
        await self._lines.until_room()

    def close(self, failure: Exception | None) -> None:
        """End the stream, with a failure if it broke."""
        try:
            self._feed(b"", final=True)
        except UnicodeDecodeError as exc:
            failure = failure or exc
        self._lines.end(failure)

    def _feed(self, data: bytes, *, final: bool = False) -> None:
        if self._failure is not None:
            raise self._failure
        newline = self._lines.newline
        text, self._failure = self._decode(data, final=final)
        *lines, self._begun = (self._begun + text).split(newline)
        lines = [line + newline for line in lines]
        is_last = final or self._failure is not None
        if self._begun and (is_last or len(self._begun) >= self._lines.limit):
            lines.append(self._begun)
            self._begun = newline[:0]
        self._lines.put(self._stream, lines)
        if self._failure is not None:
            self._lines.fail(self._failure)
            raise self._failure


def _same(data: bytes, *, final: bool = False) -> tuple[bytes, None]:  # noqa: ARG001 # as decoders
    return data, None


def _at_once(coroutine: Coroutine[Any, Any, bytes]) -> bytes:
    """Return a coroutine's result; ``b""`` if it would have to wait."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return bytes(stop.value)
    finally:
        coroutine.close()
    return b""
