"""What a command's stdin, stdout and stderr may be: a pipe, nothing, or a local file."""

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
"""Bytes: asyncio's own limit of a StreamReader."""


class HasFileno(Protocol):
    """An object with a descriptor: a file, a socket, the end of a pipe."""

    def fileno(self) -> int:
        """Return the descriptor."""


LocalFile = int | HasFileno
"""A descriptor, or an object that has one. The caller keeps it; its flags are not changed."""


class Duplicate:
    """A duplicated descriptor: the caller may close theirs, and the number may be reused."""

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
    """Return whether ``file`` is a :data:`LocalFile`; PIPE and the like are negative numbers."""
    return file >= 0 if isinstance(file, int) else hasattr(file, "fileno")
