"""Prefixes that tell the lines of several commands on one stream apart. Pure."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from rind.cli.report import clean

__all__ = ["LONGEST", "Lines", "prefixes", "wants_colour"]

LONGEST: Final = 64 * 1024
"""Bytes of a line. What a longer one has more goes on as a line of its own: a command that writes
no newline must fill no memory."""

_COLOURS: Final = (36, 33, 32, 35, 34, 96, 93, 92, 95, 94)
"""SGR's foreground colours but for the greys, and for red, which looks like an error."""


class Lines:
    """Puts ``prefix`` before each line of a command's output.

    The bytes of a line are left as they are, but where a carriage return on a terminal would let
    what follows overwrite the prefix: there it is repeated. Only whole lines are given: those of
    another command may come between any two.
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
            again = b"\r" + self._prefix.replace(b"\\", rb"\\")
            lines = [re.sub(rb"\r(?!\r*\Z)", again, line) for line in lines]
        return b"".join(b"%b%b\n" % (self._prefix, line) for line in lines)


def prefixes(names: Sequence[str], *, coloured: bool) -> list[bytes]:
    """Return a prefix for each container, all of the same width."""
    cleaned = [clean(name) for name in names]
    width = max(map(len, cleaned))
    aligned = [f"{name:{width}}  | " for name in cleaned]
    if coloured:
        # From a fresh start, whatever the line before has left the terminal in.
        colours = [_COLOURS[number % len(_COLOURS)] for number in range(len(names))]
        aligned = [
            f"\x1b[0;{colour}m{it}\x1b[0m" for it, colour in zip(aligned, colours, strict=True)
        ]
    return [prefix.encode() for prefix in aligned]


def wants_colour(env: Mapping[str, str], *, terminal: bool) -> bool:
    """Return whether to colour what goes to a stream (see no-color.org)."""
    return terminal and not env.get("NO_COLOR") and env.get("TERM") != "dumb"


def _pieces(line: bytes) -> list[bytes]:
    return [line[start : start + LONGEST] for start in range(0, len(line), LONGEST)] or [b""]
