"""Draws what two terminals show over time as one SVG, which CSS alone sets in motion.

A frame becomes marks, each in a slot of its own: a piece of a row, a cursor, a title, the caption.
A mark that stays over several frames is drawn once, with @keyframes that show it meanwhile. Marks
of the last frame are visible where nothing moves: without CSS animation, or where the reader wants
less motion.
"""

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Final

PICTURE: Final = Path(__file__).parents[1] / "rind" / "docs" / "picture.svg"
COLUMNS: Final = 88
COLOURS: Final = {
    "light": {
        "back": "#eaeef2",
        "bar": "#f6f8fa",
        "line": "#d0d7de",
        "paper": "#ffffff",
        "default": "#1f2328",
        "muted": "#59636e",
        "red": "#cf222e",
        "green": "#116329",
        "brown": "#7d4e00",
        "blue": "#0550ae",
        "magenta": "#6f42c1",
        "cyan": "#1b6c73",
    },
    "dark": {
        "back": "#010409",
        "bar": "#161b22",
        "line": "#30363d",
        "paper": "#0d1117",
        "default": "#e6edf3",
        "muted": "#9198a1",
        "red": "#ff7b72",
        "green": "#3fb950",
        "brown": "#d29922",
        "blue": "#58a6ff",
        "magenta": "#bc8cff",
        "cyan": "#39c5cf",
    },
}
"""Fills of the two colour schemes; from `default` on, those of text, by pyte's names."""

_WIDTH, _EDGE, _BAR, _PAD, _ROW, _CAPTION = 800, 12, 27, 14, 19, 44
_COLUMN = (_WIDTH - 2 * (_EDGE + _PAD)) / COLUMNS
_STYLE = """\
text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
.b{font-weight:700}
.title{font-size:13px}
.caption{font:600 18px system-ui,-apple-system,"Segoe UI",Helvetica,Arial,sans-serif}
.m{visibility:hidden}
.m.last{visibility:visible}
"""


@dataclass(frozen=True)
class View:
    """What a terminal shows: its title, and the rows' pieces as (column, class, text)."""

    title: str
    rows: tuple[tuple[tuple[int, str, str], ...], ...]
    cursor: tuple[int, int] | None = None
    """(row, column), where it is the terminal in use."""
    killed: bool = False


@dataclass(frozen=True)
class Frame:
    """The terminals and the caption for some seconds."""

    seconds: float
    caption: str
    views: tuple[View, ...]


def view(screen: Any, *, active: bool) -> View:
    """Return a pyte screen's contents."""
    rows = tuple(tuple(_pieces(screen.buffer[row])) for row in range(screen.lines))
    cursor = (screen.cursor.y, screen.cursor.x) if active and not screen.cursor.hidden else None
    return View(screen.title, rows, cursor)


def _pieces(row: Any) -> Iterator[tuple[int, str, str]]:
    """Yield the pieces of a row: of one colour, and without two spaces, which browsers join."""
    cells = [(column, row[column]) for column in range(COLUMNS)]
    for (colour, bold), group in groupby(cells, key=lambda cell: (cell[1].fg, cell[1].bold)):
        piece = list(group)
        text = "".join(cell.data for _, cell in piece)
        kind = colour.removeprefix("bright") + " b" * bold
        for words in re.finditer(r"\S+( \S+)*", text):
            yield piece[0][0] + words.start(), kind, words[0]


def drawn(frames: Sequence[Frame], title: str, description: str) -> str:
    """Return the picture; the title and description are for those who do not see it."""
    heights = [len(view.rows) * _ROW + _BAR + _PAD for view in frames[0].views]
    tops = [_EDGE + sum(heights[:number]) + number * _EDGE for number in range(len(heights))]
    height = tops[-1] + heights[-1] + _CAPTION
    duration = round(sum(frame.seconds for frame in frames), 2)
    motion, marks = _motion(frames, tops, duration)
    size = f'viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-labelledby="title desc">',
        f'<title id="title">{html.escape(title)}</title>',
        f'<desc id="desc">{html.escape(description)}</desc>',
        f"<style>\n{_STYLE}{_fills('light')}",
        f"@media (prefers-color-scheme:dark){{\n{_fills('dark')}}}",
        f"@media (prefers-reduced-motion:no-preference){{\n{motion}}}\n</style>",
        _box("back", (0, 0), (_WIDTH, height), 10),
        *(_window(top, tall) for top, tall in zip(tops, heights, strict=True)),
        *marks,
    ]
    return "\n".join([*lines, "</svg>", ""])


def _fills(scheme: str) -> str:
    fills = "".join(f".{name}{{fill:{fill}}}" for name, fill in COLOURS[scheme].items())
    return f"{fills}\n.edge{{stroke:{COLOURS[scheme]['line']}}}\n"


def _box(kind: str, at: tuple[float, float], size: tuple[float, float], radius: int = 0) -> str:
    corners = f' rx="{radius}"' * (radius > 0)
    place = f'x="{at[0]}" y="{at[1]}" width="{size[0]}" height="{size[1]}"'
    return f'<rect class="{kind}" {place}{corners}/>'


def _window(top: int, height: int) -> str:
    width = _WIDTH - 2 * _EDGE
    paper = _box("paper edge", (_EDGE, top), (width, height), 8)
    return paper + _box("bar", (_EDGE + 1, top + 1), (width - 2, _BAR - 2), 7)


def _motion(frames: Sequence[Frame], tops: Sequence[int], duration: float) -> tuple[str, list[str]]:
    """Return the @keyframes, and the marks that they show and hide."""
    names: dict[str, str] = {}
    marks = []
    for mark, start, end in _spans(frames, tops):
        if end - start > duration - 0.01:
            marks.append(mark.format(""))
            continue
        steps = _steps(start / duration * 100, end / duration * 100)
        name = names.setdefault(steps, f"k{len(names)}")
        last = " last" * (end > duration - 0.01)
        marks.append(mark.format(f"m {name}{last} "))
    rules = (
        f".{name}{{animation-name:{name}}}@keyframes {name}{{{steps}}}\n"
        for steps, name in names.items()
    )
    run = f".m{{animation:{duration}s step-end infinite}}\n"
    return run + "".join(rules), marks


def _steps(start: float, end: float) -> str:
    """Return keyframes that show a mark from one percentage of the time to another."""
    shown, hidden = "{visibility:visible}", "{visibility:hidden}"
    before = f"0%{hidden}" if start > 0 else ""
    after = f"{end:.2f}%,to{hidden}" if end < 99.99 else f"to{shown}"
    return f"{before}{start:.2f}%{shown}{after}"


def _spans(frames: Sequence[Frame], tops: Sequence[int]) -> Iterator[tuple[str, float, float]]:
    """Yield each mark with the seconds at which it comes and goes."""
    now = 0.0
    shown: dict[tuple[object, ...], tuple[str, float]] = {}
    for frame in [*frames, None]:
        marks = {} if frame is None else dict(_marks(frame, tops))
        for slot, (mark, since) in list(shown.items()):
            if marks.get(slot) != mark:
                yield mark, since, now
                del shown[slot]
        for slot, mark in marks.items():
            shown.setdefault(slot, (mark, now))
        now += 0 if frame is None else frame.seconds


def _marks(frame: Frame, tops: Sequence[int]) -> Iterator[tuple[tuple[object, ...], str]]:
    """Yield each slot that is filled, and its mark, in which `{}` stands for more classes."""
    y = tops[-1] + len(frame.views[-1].rows) * _ROW + _BAR + _PAD + 29
    yield ("caption",), _text("default caption", _EDGE + 4, y, frame.caption)
    for number, (shown, top) in enumerate(zip(frame.views, tops, strict=True)):
        x = _EDGE + _PAD
        kind = "red" if shown.killed else "default" if shown.cursor else "muted"
        title = f"✕ {shown.title}: killed" if shown.killed else f"● {shown.title}"
        yield (number, "title"), _text(f"{kind} title", x, top + 18, title)
        text_top = top + _BAR + 6
        for row, pieces in enumerate(shown.rows):
            for column, colour, text in pieces:
                kind = "muted" if shown.killed else colour
                left = round(x + column * _COLUMN, 1)
                mark = _text(kind, left, text_top + row * _ROW + 14, text, len(text) * _COLUMN)
                yield (number, row, column), mark
        if shown.cursor and not shown.killed:
            row, column = shown.cursor
            left = round(x + column * _COLUMN, 1)
            place = (left, text_top + row * _ROW + 1)
            yield (number, "cursor"), _box("{}muted", place, (round(_COLUMN, 1), _ROW - 2))


def _text(kind: str, x: float, y: float, text: str, length: float = 0) -> str:
    fit = f' textLength="{length:.1f}"' * (length > 0)
    words = html.escape(text, quote=False).replace("{", "{{").replace("}", "}}")
    return f'<text class="{{}}{kind}" x="{x}" y="{y}"{fit}>{words}</text>'
