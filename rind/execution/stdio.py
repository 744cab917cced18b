"""The values for a command's stdin, stdout and stderr: a pipe, the null device, or a local file."""

import os
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from typing import Final, Protocol

__all__ = [
    "DEFAULT_LIMIT",
    "DEVNULL",
    "PIPE",
    "STDOUT",
    "Duplicate",
    "LocalFile",
    "has_fileno",
]

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
