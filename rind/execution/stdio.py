"""The values for a command's stdin, stdout and stderr: a pipe, the null device, or a local file."""

import os
from typing import Final, Literal, Protocol

__all__ = [
    "DEFAULT_LIMIT",
    "DEVNULL",
    "PIPE",
    "STDOUT",
    "Duplicate",
    "Elsewhere",
    "LocalFile",
    "ToUs",
    "has_fileno",
]

# The numbers of asyncio.subprocess, which is "int" to type checkers.
PIPE: Final = -1
"""A stream of ours: we write a command's stdin, and read its stdout or stderr."""

STDOUT: Final = -2
"""For stderr: it goes where stdout goes."""

DEVNULL: Final = -3
"""No input; or the output is discarded."""

DEFAULT_LIMIT: Final = 64 * 1024
"""Bytes: the default limit of asyncio's StreamReader."""


class HasFileno(Protocol):
    """An object with a descriptor: a file, a socket, or an end of a pipe."""

    def fileno(self) -> int:
        """Return the descriptor."""


LocalFile = int | HasFileno
"""A descriptor, or an object that has one. The caller still owns it; its flags are not changed."""

ToUs = Literal[-1]
"""The type of PIPE."""

Elsewhere = Literal[-3, 0, 1, 2] | HasFileno
"""What certainly is no PIPE: DEVNULL, a file, or a standard descriptor."""


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
