"""A line at the bottom of the terminal that shows how many of several commands have ended."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from typing import Final

from rind.terminal.standard import STDERR_FD

__all__ = ["Progress"]

_QUIET: Final = 1.0
"""Seconds without output after which the line is shown: short runs do not need it."""
_ERASE: Final = b"\r\x1b[K"


class Progress:
    """Shows the line while there is no other output, and erases it completely.

    Args:
        total: the number of commands.
        shown: whether to show the line at all.
    """

    def __init__(self, total: int, *, shown: bool) -> None:
        self._total = total
        self._shown = shown
        self._ended = 0
        self._is_drawn = False
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Show the line after a second without output."""
        if self._shown and self._timer is None and not self._is_drawn:
            self._timer = asyncio.get_running_loop().call_later(_QUIET, self._draw)

    def count(self) -> None:
        """Count one more command that has ended."""
        self._ended += 1
        if self._is_drawn:
            self._draw()

    def make_way(self) -> None:
        """Erase the line, so that whole lines of other output can be written."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._is_drawn:
            self._is_drawn = False
            _write(_ERASE)

    def stop(self) -> None:
        """Erase the line, and do not show it again."""
        self._shown = False
        self.make_way()

    def _draw(self) -> None:
        self._is_drawn = True
        text = f"rind: {self._ended} of {self._total} have ended"
        _write(_ERASE + text.encode())


def _write(data: bytes) -> None:
    with suppress(OSError):  # a terminal that has gone needs no line
        os.write(STDERR_FD, data)
