"""Tracks the terminal modes that a program has changed, to reset them if it is killed. Pure.

A killed program may leave the alternate screen and mouse reporting on, and the cursor hidden.
Resetting every mode blindly would do harm: leaving an alternate screen that is not on moves the
cursor. So the program's output is searched for the sequences that switch modes: DECSET and DECRST
of xterm's control sequences (invisible-island.net/xterm/ctlseqs).
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

__all__ = ["TerminalModes"]

# The modes that disturb a shell, and whether each is on by default.
_DEFAULTS: Final = {
    1: False,  # application cursor keys
    7: True,  # wraparound
    9: False,  # mouse: X10
    25: True,  # cursor shown
    47: False,  # alternate screen
    1000: False,  # mouse: clicks
    1002: False,  # mouse: drags
    1003: False,  # mouse: every move
    1004: False,  # focus events
    1005: False,  # mouse: UTF-8 coordinates
    1006: False,  # mouse: SGR coordinates
    1015: False,  # mouse: urxvt coordinates
    1047: False,  # alternate screen
    1049: False,  # alternate screen, and the saved cursor position
    2004: False,  # bracketed paste
}
_SEQUENCE: Final = re.compile(rb"\x1b\[\?([\d;]{1,64})([hl])")
_BEGUN: Final = re.compile(rb"\x1b(\[(\?[\d;]{0,64})?)?\Z")


class TerminalModes:
    """Reads a program's output, and returns the sequence that resets the modes it has changed."""

    def __init__(self) -> None:
        self._changed: dict[int, None] = {}
        self._tail = b""

    def feed(self, output: bytes) -> None:
        """Read the next part of the output, which may be cut anywhere."""
        output = self._tail + output
        for numbers, letter in _SEQUENCE.findall(output):
            for number in map(int, filter(None, numbers.split(b";"))):
                self._changed.pop(number, None)
                if _DEFAULTS.get(number) is (letter == b"l"):
                    self._changed[number] = None
        begun = _BEGUN.search(output, max(0, len(output) - 70))
        self._tail = begun[0] if begun else b""

    def undo(self) -> bytes:
        """Return the sequence that resets the changed modes; empty if no mode is changed.

        The last change is undone first.
        """
        last_first = reversed(self._changed)
        return b"".join(_switched(number, on=_DEFAULTS[number]) for number in last_first)

    def redo(self) -> bytes:
        """Return the sequence that sets the changed modes again, after :meth:`undo`."""
        return b"".join(_switched(number, on=not _DEFAULTS[number]) for number in self._changed)


def _switched(number: int, *, on: bool) -> bytes:
    return b"\x1b[?%d%c" % (number, b"h" if on else b"l")
