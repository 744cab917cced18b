"""Draws what is on a terminal as SVG, for the picture of the README."""

import html
from itertools import groupby
from typing import Any, Final

_ROW, _COLUMN, _MARGIN = 20, 8.43, 16
_COLOURS: Final = {
    "default": "#d4d4d4",
    "red": "#f14c4c",
    "green": "#23d18b",
    "brown": "#f5f543",
    "blue": "#3b8eea",
    "magenta": "#d670d6",
    "cyan": "#29b8db",
}


def drawn(screen: Any) -> str:
    """Return the picture of a pyte screen, without its last, empty lines."""
    rows = [_runs(screen.buffer[row], screen.columns) for row in range(screen.lines)]
    while rows and not rows[-1]:
        rows.pop()
    width = round(screen.columns * _COLUMN + 2 * _MARGIN)
    height = len(rows) * _ROW + 2 * _MARGIN
    size = f'width="{width}" height="{height}"'
    font = 'font-family="ui-monospace, Menlo, Consolas, monospace" font-size="14"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {width} {height}">',
        f'<rect {size} rx="8" fill="#1e1e1e"/>',
        f'<g {font} xml:space="preserve">',
    ]
    for number, runs in enumerate(rows):
        y = _MARGIN + number * _ROW + 14
        for column, colour, text in runs:
            x = round(_MARGIN + column * _COLUMN, 1)
            length = round(len(text) * _COLUMN, 1)
            lines.append(
                f'<text x="{x}" y="{y}" fill="{_COLOURS[colour]}" textLength="{length}">'
                f"{html.escape(text)}</text>"
            )
    return "\n".join([*lines, "</g>", "</svg>", ""])


def _runs(row: Any, columns: int) -> list[tuple[int, str, str]]:
    """Return the pieces of one colour in a row: where each begins, its colour and its text."""
    found = []
    cells = [(column, row[column]) for column in range(columns)]
    for colour, group in groupby(cells, key=lambda cell: cell[1].fg):
        piece = list(group)
        text = "".join(cell.data for _, cell in piece).rstrip()
        if text:
            found.append((piece[0][0], colour, text))
    return found
