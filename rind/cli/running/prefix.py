"""Prefixes for the output lines of several commands that share a stream. Pure."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from rind.cli.report import clean

__all__ = ["LONGEST", "PrefixedLines", "prefixes", "wants_colour"]

LONGEST: Final = 64 * 1024
"""Bytes of a line. The rest of a longer one becomes a line of its own: a command that writes no
newline must not fill the memory."""

_COLOURS: Final = (36, 33, 32, 35, 34, 96, 93, 92, 95, 94)
"""SGR's foreground colours without the greys, and without red, which looks like an error."""


class PrefixedLines:
    """Puts ``prefix`` before each line of a command's output.

    The bytes of a line are unchanged, with one exception: on a terminal, the prefix is repeated
    after a carriage return, because the text that follows would overwrite it. Only whole lines are
    returned: lines of another command may be written between any two.
    """

    def __init__(self, prefix: bytes, *, terminal: bool = False) -> None:
        self._prefix = prefix
        self._terminal = terminal
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        """Return the lines that ``data`` completes."""
        *complete, rest = (self._rest + data).split(b"\n")
        *full, self._rest = _pieces(rest)
        return self._prefixed([piece for line in complete for piece in _pieces(line)] + full)

    def close(self) -> bytes:
        """Return the last line, with a newline, if the output did not end with one."""
        rest, self._rest = self._rest, b""
        return self._prefixed([rest] if rest else [])

    def _prefixed(self, lines: Sequence[bytes]) -> bytes:
        if self._terminal:
            repeated = b"\r" + self._prefix.replace(b"\\", rb"\\")
            lines = [re.sub(rb"\r(?!\r*\Z)", repeated, line) for line in lines]
        return b"".join(b"%b%b\n" % (self._prefix, line) for line in lines)


def prefixes(names: Sequence[str], *, coloured: bool) -> list[bytes]:
    """Return a prefix for each container, all of the same width."""
    cleaned = [clean(name) for name in names]
    width = max(map(len, cleaned))
    aligned = [f"{name:{width}}  | " for name in cleaned]
    if coloured:
        # The 0 resets the attributes that the line before may have left on the terminal.
        colours = [_COLOURS[number % len(_COLOURS)] for number in range(len(names))]
        aligned = [
            f"\x1b[0;{colour}m{prefix}\x1b[0m"
            for prefix, colour in zip(aligned, colours, strict=True)
        ]
    return [prefix.encode() for prefix in aligned]


def wants_colour(env: Mapping[str, str], *, terminal: bool) -> bool:
    """Whether to colour the output on a stream (see no-color.org)."""
    return terminal and not env.get("NO_COLOR") and env.get("TERM") != "dumb"


def _pieces(line: bytes) -> list[bytes]:
    """Return the line in pieces of at most ``LONGEST`` bytes; one empty piece if it is empty."""
    return [line[start : start + LONGEST] for start in range(0, len(line), LONGEST)] or [b""]
