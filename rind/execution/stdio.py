"""The values for a command's stdin, stdout and stderr: a pipe, the null device, or a local file."""

import os
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from contextlib import ExitStack
from typing import Final, Protocol, TypeVar

__all__ = [
    "DEFAULT_LIMIT",
    "DEVNULL",
    "PIPE",
    "STDOUT",
    "Duplicate",
    "LocalFile",
    "check_streams",
    "duplicated",
    "has_fileno",
]

T = TypeVar("T")

DEFAULT_LIMIT: Final = 64 * 1024
"""Bytes: the default limit of asyncio's StreamReader."""


class HasFileno(Protocol):
    """An object with a descriptor: a file, a socket, or an end of a pipe."""

    def fileno(self) -> int:
        """Return the descriptor."""


LocalFile = int | HasFileno
"""A descriptor, or an object that has one. The caller still owns it; its flags are not changed."""


class Duplicate:
    """A duplicate of a descriptor: the caller may close the original, and reuse its number."""

    def __init__(self, file: LocalFile) -> None:
        self._fd = os.dup(file if isinstance(file, int) else file.fileno())

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._fd

    def close(self) -> None:
        """Close it. Idempotent."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def has_fileno(file: object) -> bool:
    """Whether ``file`` is a :data:`LocalFile`. PIPE, DEVNULL and STDOUT are negative numbers."""
    return file >= 0 if isinstance(file, int) else hasattr(file, "fileno")


def check_streams(stdin: object, stdout: object, stderr: object) -> None:
    """Check the values for a command's streams.

    Raises:
        ValueError: one is invalid; the message names the stream and its valid values.
    """
    streams = {
        "stdin": (stdin, "PIPE, DEVNULL, bytes", {PIPE, DEVNULL}),
        "stdout": (stdout, "PIPE, DEVNULL", {PIPE, DEVNULL}),
        "stderr": (stderr, "PIPE, DEVNULL, STDOUT", {PIPE, DEVNULL, STDOUT}),
    }
    for name, (where, words, numbers) in streams.items():
        number = isinstance(where, int) and where in numbers
        if not (number or has_fileno(where) or (name == "stdin" and isinstance(where, bytes))):
            raise ValueError(f"{name} must be {words}, a file or a descriptor, but is {where!r}")


def duplicated(
    stack: ExitStack,
    stdin: int | bytes | LocalFile,
    stdout: int | LocalFile,
    stderr: int | LocalFile,
) -> tuple[int | bytes | LocalFile, int | LocalFile, int | LocalFile]:
    """Return the streams, with each local file duplicated; the stack closes the duplicates.

    Raises:
        OSError: a descriptor is closed.
    """

    def own(stream: T) -> T | Duplicate:
        if isinstance(stream, bytes) or not has_fileno(stream):
            return stream
        file = Duplicate(stream)  # type: ignore[arg-type] # has_fileno has checked it
        stack.callback(file.close)
        return file

    return own(stdin), own(stdout), own(stderr)
