from itertools import pairwise

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rind.terminal.screen_modes import TerminalModes


def undo(*parts: bytes) -> bytes:
    modes = TerminalModes()
    for part in parts:
        modes.feed(part)
    return modes.undo()


@pytest.mark.parametrize(
    ("output", "undone"),
    [
        (b"plain \x1b[31mred\x1b[0m", b""),
        (b"\x1b[?1049h", b"\x1b[?1049l"),
        (b"\x1b[?1049hvi\x1b[?1049l", b""),
        (b"\x1b[?25l", b"\x1b[?25h"),
        (b"\x1b[?25h\x1b[?7h", b""),
        (b"\x1b[?1049h\x1b[?1;2004h\x1b[?25l", b"\x1b[?25h\x1b[?2004l\x1b[?1l\x1b[?1049l"),
        (b"\x1b[?1000;1006h", b"\x1b[?1006l\x1b[?1000l"),
        (b"\x1b[?12h\x1b[?9999h", b""),
        (b"\x1b[?;h", b""),
    ],
)
def test_modes_left_on_are_reset(output: bytes, undone: bytes) -> None:
    assert undo(output) == undone


@given(st.lists(st.integers(0, 60)))
def test_any_cutting_of_the_output_yields_the_same(cuts: list[int]) -> None:
    output = b"a\x1b[?1049hb\x1b[?25lc\x1b[?2004h\x1b[?2004ld\x1b\x1b[?1002h"
    places = sorted({0, len(output), *(min(cut, len(output)) for cut in cuts)})
    parts = [output[a:b] for a, b in pairwise(places)]
    assert undo(*parts) == undo(output) == b"\x1b[?1002l\x1b[?25h\x1b[?1049l"


def test_undo_restores_the_modes_of_a_screen() -> None:
    screen = pyte.Screen(20, 5)
    stream = pyte.ByteStream(screen)
    before = set(screen.mode)
    left = b"\x1b[?25l\x1b[?7l"
    stream.feed(left)
    assert screen.mode != before
    stream.feed(undo(left))
    assert screen.mode == before


def test_modes_are_set_again_in_order() -> None:
    modes = TerminalModes()
    modes.feed(b"\x1b[?1049h\x1b[?25l\x1b[?2004h\x1b[?2004l")
    assert modes.undo() == b"\x1b[?25h\x1b[?1049l"
    assert modes.redo() == b"\x1b[?1049h\x1b[?25l"
