"""A line at the bottom of the terminal that says how many of several commands have ended."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from typing import Final

from rind.terminal.standard import STDERR_FD

__all__ = ["Progress"]

_QUIET: Final = 1.0
"""Seconds without output after which the line is shown: what is quick needs none."""
_ERASE: Final = b"\r\x1b[K"


class Progress:
    """Shows the line while nothing else is written, and leaves nothing of it.

    Args:
        total: how many commands there are.
        shown: whether to show it at all.
    """

    def __init__(self, total: int, *, shown: bool) -> None:
        self._total = total
        self._shown = shown
        self._ended = 0
        self._is_there = False
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Show the line once it has been quiet for a while."""
        if self._shown and self._timer is None and not self._is_there:
            self._timer = asyncio.get_running_loop().call_later(_QUIET, self._draw)

    def count(self) -> None:
        """Count one more command that has ended."""
        self._ended += 1
        if self._is_there:
            self._draw()

    def make_way(self) -> None:
        """Take the line away: something else will be written, and a whole line of it."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._is_there:
            self._is_there = False
            _write(_ERASE)

    def stop(self) -> None:
        """Show it no more."""
        self._shown = False
        self.make_way()

    def _draw(self) -> None:
        self._is_there = True
        text = f"rind: {self._ended} of {self._total} have ended"
        _write(_ERASE + text.encode())


def _write(data: bytes) -> None:
    with suppress(OSError):  # it is for the eye only
        os.write(STDERR_FD, data)
