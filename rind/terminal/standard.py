"""The standard streams: their kinds, and the window size of their terminal."""

from __future__ import annotations

import fcntl
import os
import stat

from rind.terminal.tty import window_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

__all__ = ["STDERR_FD", "STDIN_FD", "STDOUT_FD", "can_read", "is_null", "local_window_size"]

STDIN_FD: Final = 0
STDOUT_FD: Final = 1
STDERR_FD: Final = 2


def is_null(fd: int) -> bool:
    """Whether ``fd`` is closed or /dev/null, so that there is nothing to attach."""
    try:
        status = os.fstat(fd)
    except OSError:
        return True
    try:
        # Not pathlib: importing it takes 9 ms.
        null = os.stat(os.devnull)
    except OSError:
        return False  # a root file system may lack it
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == null.st_rdev


def can_read(fd: int) -> bool:
    """Whether ``fd`` is open for reading."""
    try:
        return fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE != os.O_WRONLY
    except OSError:
        return False


def local_window_size() -> tuple[int, int] | None:
    """Return the local terminal's window size (rows, columns); None without a terminal."""
    return window_size(STDOUT_FD, STDIN_FD, STDERR_FD)
