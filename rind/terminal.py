"""The local terminal: raw mode, its end, and the window size.

The standard library's termios and tty do all of this; prompt_toolkit, whose raw mode leaves
output processing on, would add 100 ms to the start of every interactive run.
"""

import os
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager, suppress

__all__ = ["is_terminal", "raw_mode", "window_size"]


def is_terminal(fd: int) -> bool:
    """Tell whether ``fd`` is an open terminal."""
    try:
        return os.isatty(fd)
    except OSError:
        return False


@contextmanager
def raw_mode(fd: int) -> Iterator[None]:
    """Hand every key through as it is typed, and every byte of output as it is.

    The attributes are given back bit for bit at the end. Keys that were typed before stay.
    """
    saved = termios.tcgetattr(fd)
    tty.setraw(fd, termios.TCSADRAIN)
    try:
        yield
    finally:
        # Not TCSADRAIN: where nobody reads the terminal any more, that would never return.
        # A terminal that has hung up has no attributes left to give back.
        with suppress(termios.error):
            termios.tcsetattr(fd, termios.TCSANOW, saved)


def window_size(*fds: int) -> tuple[int, int] | None:
    """Return (rows, columns) of the first of ``fds`` that knows them."""
    for fd in fds:
        try:
            size = os.get_terminal_size(fd)
        except (OSError, ValueError):
            continue
        if size.lines and size.columns:
            return size.lines, size.columns
    return None
