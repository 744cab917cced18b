"""Where a command's stdin, stdout and stderr lead to, and what is in them: bytes or text."""

from __future__ import annotations

from typing import Any, TypeVar

from rind.base.records import dataclass, replace
from rind.execution.capture import source_of
from rind.execution.stdio import DEFAULT_LIMIT, DEVNULL, PIPE, STDOUT, Duplicate, has_fileno
from rind.execution.text import UTF_8, check_encoding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from contextlib import ExitStack

    from rind.execution.stdio import LocalFile

__all__ = ["Streams", "streams_of_run"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Streams:
    """A command's three streams.

    Attributes:
        stdin: PIPE, DEVNULL, bytes, a file or a descriptor.
        stdout: PIPE, DEVNULL, a file or a descriptor.
        stderr: what stdout may be, or STDOUT.
        limit: the bytes after which an unread PIPE blocks the command.
        encoding: of text streams; None for bytes.
        errors: the error handler of the encoding, as for :mod:`codecs`.
    """

    stdin: int | bytes | LocalFile = PIPE
    stdout: int | LocalFile = PIPE
    stderr: int | LocalFile = PIPE
    limit: int = DEFAULT_LIMIT
    encoding: str | None = None
    errors: str = "strict"

    @property
    def decoding(self) -> tuple[str, str] | None:
        """The encoding and its error handler; None for bytes."""
        return None if self.encoding is None else (self.encoding, self.errors)

    def check(self) -> None:
        """Check that a command can have these streams.

        Raises:
            ValueError: it cannot; the message names the stream and what it may be.
        """
        choices = {
            "stdin": (self.stdin, "PIPE, DEVNULL, bytes", {PIPE, DEVNULL}),
            "stdout": (self.stdout, "PIPE, DEVNULL", {PIPE, DEVNULL}),
            "stderr": (self.stderr, "PIPE, DEVNULL, STDOUT", {PIPE, DEVNULL, STDOUT}),
        }
        for name, (stream, words, constants) in choices.items():
            is_constant = isinstance(stream, int) and stream in constants
            is_bytes = name == "stdin" and isinstance(stream, bytes)
            if not (is_constant or is_bytes or has_fileno(stream)):
                what = f"{words}, a file or a descriptor"
                raise ValueError(f"{name} must be {what}, but is {stream!r}")
        check_encoding(self.encoding or UTF_8, self.errors)

    def duplicated(self, stack: ExitStack) -> Streams:
        """Return the streams with each file duplicated; the stack closes the duplicates.

        Raises:
            OSError: a descriptor is closed.
        """

        def own(stream: T) -> T | Duplicate:
            if isinstance(stream, bytes) or not has_fileno(stream):
                return stream
            file = Duplicate(stream)  # type: ignore[arg-type] # has_fileno has checked it
            stack.callback(file.close)
            return file

        streams = own(self.stdin), own(self.stdout), own(self.stderr)
        return replace(self, stdin=streams[0], stdout=streams[1], stderr=streams[2])


def streams_of_run(  # noqa: PLR0913 # as many as a run has
    *,
    text: bool = False,
    encoding: str | None = None,
    errors: str = "strict",
    input: Any = None,  # noqa: A002 # as subprocess calls it
    stdin: int | bytes | LocalFile | None = None,
    stdout: int | LocalFile = PIPE,
    stderr: int | LocalFile = PIPE,
    **_: object,
) -> Streams:
    """Return the streams of a command that runs to its end, by the keywords of its call.

    Raises:
        ValueError: as :meth:`Streams.check`, or ``stdin`` is PIPE, or is set with ``input``.
        TypeError, UnicodeEncodeError: ``input`` does not fit the encoding.
    """
    encoding = encoding or (UTF_8 if text else None)
    check_encoding(encoding or UTF_8, errors)
    source = source_of(stdin, input, encoding, errors)
    streams = Streams(source, stdout, stderr, encoding=encoding, errors=errors)
    streams.check()
    return streams
