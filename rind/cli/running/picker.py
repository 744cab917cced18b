"""The picker: if several containers fit, the user chooses one from a table.

The table is drawn on stderr, since stdout belongs to the command; in place, not on an alternate
screen; and it is erased at the end. Keys typed after Enter also belong to the command. So keys are
read byte by byte: those that prompt_toolkit has not read wait in the terminal for the command.

Imported only when there is a choice to make: prompt_toolkit takes 100 ms to load.
"""

import os
import sys
import termios
import time
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from io import TextIOBase
from typing import Final, TextIO, cast

from prompt_toolkit.application import Application
from prompt_toolkit.data_structures import Size
from prompt_toolkit.input.posix_utils import PosixStdinReader
from prompt_toolkit.input.vt100 import Vt100Input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys
from prompt_toolkit.layout import FormattedTextControl, Layout, Window
from prompt_toolkit.output.vt100 import Vt100_Output

from rind.cli.report import HEADER, clean, cut, row, table
from rind.model import Container
from rind.terminal.standard import STDERR_FD, STDIN_FD
from rind.terminal.tty import RawMode, window_size

__all__ = ["Choice", "Interrupted", "draw", "pick"]

_HINT: Final = "(type to filter; Enter runs there, Esc cancels)"

_MOST_ROWS: Final = 15
"""Rows of containers that are shown at once."""

_ESCAPE: Final = 0.05
"""Seconds for the rest of a key's escape sequence to follow its ESC; else it was the Esc key."""


class Interrupted(Exception):  # not an error
    """Ctrl-C was typed."""


class Choice:
    """One row, chosen among those that fit a filter. Pure.

    Attributes:
        rows: the rows to choose from.
        typed: the filter: words that must each occur somewhere in a row, ignoring case.
        at: the position of the chosen row among those that fit.
    """

    def __init__(self, rows: Sequence[Sequence[str]]) -> None:
        self.rows = rows
        self.typed = ""
        self.at = 0

    @property
    def matches(self) -> list[int]:
        """The indices of the rows that fit."""
        words = self.typed.casefold().split()
        texts = ["\n".join(cells).casefold() for cells in self.rows]
        return [index for index, text in enumerate(texts) if all(word in text for word in words)]

    @property
    def chosen(self) -> int | None:
        """The index of the chosen row; None if no row fits."""
        return self.matches[self.at] if self.matches else None

    def move(self, by: int) -> None:
        """Move the choice down, or up if ``by`` is negative, as far as the last or first row."""
        self.at = max(0, min(self.at + by, len(self.matches) - 1))

    def type(self, text: str) -> None:
        """Append to the filter, and choose the first row that fits."""
        self.typed += "".join(ch for ch in text if ch.isprintable())
        self.at = 0

    def erase(self) -> None:
        """Remove the filter's last character."""
        self.typed = self.typed[:-1]
        self.at = 0

    def erase_word(self) -> None:
        """Remove the filter's last word."""
        kept = self.typed.rstrip().rpartition(" ")
        self.typed = kept[0] + kept[1]
        self.at = 0

    def clear(self) -> None:
        """Clear the filter."""
        self.typed = ""
        self.at = 0


def draw(choice: Choice, size: tuple[int, int]) -> Iterator[tuple[str, str]]:
    """Yield styles and texts for a terminal of this size, (rows, columns)."""
    _, columns = size
    header, *lines = table([HEADER, *choice.rows], columns - 2)
    matches = choice.matches
    question = cut(f"Which container ({len(matches)}/{len(lines)})? ", columns - 1)
    room = columns - 1 - len(question)
    typed = choice.typed[-max(1, room) :]
    while cut(typed, room) != typed:
        typed = typed[1:]  # keep the end, where the cursor is
    yield "", question + typed
    yield "[SetCursorPosition]", " "
    if not typed:
        yield "", cut(_HINT, room)
    yield "bold", f"\n  {header}"
    shown = _shown(size)
    top = max(0, min(choice.at - shown // 2, len(matches) - shown))
    for index in matches[top : top + shown]:
        if index == choice.chosen:
            yield "reverse", f"\n> {lines[index]}"
        else:
            yield "", f"\n  {lines[index]}"


async def pick(containers: Sequence[Container], label: str) -> Container | None:
    """Let the user choose a container; stdin and stderr must be a terminal.

    The terminal is restored at the end, also on cancellation. Until then, SIGWINCH's handler is
    replaced, and no other signal's.

    Args:
        containers: at least one.
        label: the key of the label that has the pre-step.

    Returns:
        The chosen container; None if the user leaves by Esc or Ctrl-D, or the terminal has gone.

    Raises:
        Interrupted: the user typed Ctrl-C, which also ends a shell's loop or script.
    """
    choice = Choice([row(container, label, time.time()) for container in containers])
    control = FormattedTextControl(lambda: list(draw(choice, _size())), focusable=True)
    app: Application[int | None] = Application(
        layout=Layout(Window(control)),
        key_bindings=_bindings(choice),
        erase_when_done=True,
        input=_Keys(),
        # Do not request the cursor's position: the answer might arrive after we have exited.
        output=Vt100_Output(cast("TextIO", _Stderr()), lambda: Size(*_size()), enable_cpr=False),
    )
    app.ttimeoutlen = _ESCAPE
    try:
        chosen = await app.run_async(handle_sigint=False, set_exception_handler=False)
    except EOFError:
        return None
    return None if chosen is None else containers[chosen]


def _bindings(choice: Choice) -> KeyBindings:
    def move(by: Callable[[], int]) -> Callable[[KeyPressEvent], None]:
        return lambda _: choice.move(by())

    def leave(event: KeyPressEvent) -> None:
        event.app.exit(result=None)

    def interrupt(event: KeyPressEvent) -> None:
        event.app.exit(exception=Interrupted)

    def take(event: KeyPressEvent) -> None:
        if choice.chosen is not None:
            event.app.exit(result=choice.chosen)

    actions: dict[Keys, Callable[[KeyPressEvent], None]] = {
        Keys.Up: move(lambda: -1),
        Keys.ControlP: move(lambda: -1),
        Keys.Down: move(lambda: 1),
        Keys.ControlN: move(lambda: 1),
        Keys.PageUp: move(lambda: -_shown(_size())),
        Keys.PageDown: move(lambda: _shown(_size())),
        Keys.Home: move(lambda: -len(choice.rows)),
        Keys.End: move(lambda: len(choice.rows)),
        # More than one character is the escape sequence of a key without a binding.
        Keys.Any: lambda event: choice.type(event.data if len(event.data) == 1 else ""),
        Keys.BracketedPaste: lambda event: choice.type(clean(event.data)),
        Keys.Backspace: lambda _: choice.erase(),
        Keys.ControlW: lambda _: choice.erase_word(),
        Keys.ControlU: lambda _: choice.clear(),
        Keys.Enter: take,
        Keys.ControlJ: take,
        Keys.Escape: leave,
        Keys.ControlC: interrupt,
        Keys.ControlD: leave,
    }
    keys = KeyBindings()
    for key, act in actions.items():
        # Eager: do not wait for a longer sequence that prompt_toolkit binds.
        keys.add(key, eager=True)(act)
    return keys


class _ByteByByte(PosixStdinReader):
    def __init__(self) -> None:
        super().__init__(STDIN_FD)
        self._decoder = getincrementaldecoder("utf-8")("replace")

    def read(self, count: int = 1) -> str:
        try:
            data = os.read(STDIN_FD, min(count, 1))
        except OSError:
            data = b""
        self.closed = not data
        return self._decoder.decode(data)


class _Keys(Vt100Input):
    def __init__(self) -> None:
        super().__init__(sys.stdin)
        self.stdin_reader = _ByteByByte()

    @contextmanager
    def raw_mode(self) -> Iterator[None]:
        with RawMode(STDIN_FD):
            # Keys typed before the table was shown are no answer: discard them, erase their echo.
            termios.tcflush(STDIN_FD, termios.TCIFLUSH)
            os.write(STDERR_FD, b"\r\x1b[J")
            yield


class _Stderr(TextIOBase):
    """Our stderr without a buffer, which Python would try to write once more at exit."""

    encoding = "utf-8"

    def fileno(self) -> int:
        return STDERR_FD

    def write(self, text: str) -> int:
        left = text.encode(errors="replace")
        # If the terminal has gone, its SIGHUP or the end of stdin ends us.
        with suppress(OSError):
            while left:
                left = left[os.write(STDERR_FD, left) :]
        return len(text)


def _size() -> tuple[int, int]:
    return window_size(STDERR_FD, STDIN_FD) or (24, 80)


def _shown(size: tuple[int, int]) -> int:
    """Return how many rows to show: at most half the screen, and at most all but two lines."""
    rows, _ = size
    return max(1, min(_MOST_ROWS, rows // 2, rows - 2))
