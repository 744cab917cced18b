"""Paths in a program's output on a terminal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rind.decide.path_map import PathMap
from rind.decide.screen_rewriter import ScreenRewriter
from rind.model import Mount

PATHS = PathMap([Mount("/home/me/my shop", "/app"), Mount("/home/me/api", "/app/api")])


def rewritten(*parts: bytes) -> bytes:
    rewriter = ScreenRewriter(PATHS)
    return b"".join([*map(rewriter.feed, parts), rewriter.close()])


@pytest.mark.parametrize(
    ("said", "seen"),
    [
        (b"/app/x.py:3:1\r\n", b"/home/me/my shop/x.py:3:1\r\n"),
        (
            b"\x1b[1m\x1b[35m/app/x.py\x1b[m\x1b[K:3:\x1b[36m1\x1b[m\r\n",
            b"\x1b[1m\x1b[35m/home/me/my shop/x.py\x1b[m\x1b[K:3:\x1b[36m1\x1b[m\r\n",
        ),
        (b"\x1b(B\x1b[m/app", b"\x1b(B\x1b[m/home/me/my shop"),
        (b"at \x1b[2m(\x1b[22m/app/api/y:1", b"at \x1b[2m(\x1b[22m/home/me/api/y:1"),
        (b"50 %\x1b[1A\r\x1b[0K/app/x\x1b[J", b"50 %\x1b[1A\r\x1b[0K/home/me/my shop/x\x1b[J"),
        (
            b"\x1b]8;id=1;file:///app/x%20y\x1b\\x\x1b]8;;\x1b\\ /app/x",
            b"\x1b]8;id=1;file:///home/me/my%20shop/x%20y\x1b\\x\x1b]8;;\x1b\\ /home/me/my shop/x",
        ),
        (b"\x1b]8;;file://3f2a/app/x\x07x", b"\x1b]8;;file:///home/me/my%20shop/x\x07x"),
        (b"\x1b[?25l/app/x\x1b[?25h", b"\x1b[?25l/home/me/my shop/x\x1b[?25h"),
    ],
)
def test_a_containers_path_on_a_terminal_becomes_a_local_one(said: bytes, seen: bytes) -> None:
    assert rewritten(said) == seen


@pytest.mark.parametrize(
    "said",
    [
        b"x\x1b[31m/app\x1b[m",  # the path x/app
        b"\x1b]0;/app/x\x07",
        b"\x1b]8;;https://example.org/app/x\x1b\\",
        b"\x1b]8;;file://3f2a/etc/x\x1b\\",
        b"\x1b",
        b"\x1b[",
        b"\x1b]8;;file:///app/x",
    ],
)
def test_other_terminal_output_is_unchanged(said: bytes) -> None:
    assert rewritten(said) == said


@pytest.mark.parametrize(
    "taking",
    [
        b"\x1b[?1049h",
        b"\x1b[?2004h",
        b"\x1b[H\x1b[2J",
        b"\x1b[2J",
        b"\x1b[10;1H",
        b"\x1b[6n",
        b"\x1bP+q\x1b\\",
        b"\x1b=",
        b"\x1b[?1h",
        b"\x1b]" + b"x" * 5000,
    ],
)
def test_a_program_that_takes_the_screen_is_left_alone(taking: bytes) -> None:
    screen = taking + b"/app/x \x1b[m/app/y \x1b[?1049l/app/z\r\n"
    assert rewritten(b"/app/x\r\n" + screen) == b"/home/me/my shop/x\r\n" + screen


def test_typing_ends_the_rewriting_but_an_interrupt_does_not() -> None:
    rewriter = ScreenRewriter(PATHS)
    rewriter.typed(b"\x03")
    assert rewriter.feed(b"/app/x\r\n/ap") == b"/home/me/my shop/x\r\n"
    rewriter.typed(b"c")
    assert rewriter.feed(b"p/x") + rewriter.close() == b"/app/x"


PIECES = st.sampled_from(
    [
        *(b"/app/x", b"/app", b" ", b"\r\n", b"x", b"\x1b[31m", b"\x1b[m", b"\x1b", b"[", b"8;;"),
        *(b"\x1b]8;;file:///app/x\x1b\\", b"\x1b]8;;\x07", b"\x1b[?1049h", b"\x1b[H", b"/apple"),
    ]
)


@given(st.lists(PIECES | st.binary(max_size=3)), st.data())
def test_any_cutting_yields_the_same_screen(pieces: list[bytes], data: st.DataObject) -> None:
    said = b"".join(pieces)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(said)), max_size=8)))
    parts = [said[a:b] for a, b in zip([0, *cuts], [*cuts, len(said)], strict=True)]
    assert rewritten(*parts) == rewritten(said)


@given(st.binary(), st.data())
def test_no_byte_of_a_full_screen_program_changes(drawn: bytes, data: st.DataObject) -> None:
    said = b"\x1b[?1049h" + drawn
    cut = data.draw(st.integers(0, len(said)))
    assert rewritten(said[:cut], said[cut:]) == said
