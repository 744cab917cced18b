"""Formats Rind's messages, each one line without control characters, and its tables."""

from __future__ import annotations

from rind.base.quoting import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

    from rind.model import Container

__all__ = ["HEADER", "age", "clean", "cut", "line", "partial_note", "row", "table"]

HEADER: Final = ("NAME", "HERE", "SERVICE", "PROJECT", "NODE", "IMAGE", "AGE", "STATE", "PRE-STEP")
"""The header of a table of containers, see :func:`row`."""

_SHORT_ID: Final = 12
"""Digits of an image's ID that are shown, as docker does."""


_UNITS: Final = (
    ("year", 365 * 24 * 3600),
    ("month", 30 * 24 * 3600),
    ("week", 7 * 24 * 3600),
    ("day", 24 * 3600),
    ("hour", 3600),
    ("minute", 60),
)

_COLUMN_LIMIT: Final = 40
"""Width of a table's column on the screen, unless it is the first or the last."""


def clean(text: str) -> str:
    """Return ``text`` on one line, without control characters or others that are unprintable.

    Names, labels and messages come from containers and engines: unfiltered, an escape sequence in
    them would reach the terminal.
    """
    return " ".join(printable(text).split())


def line(text: str) -> str:
    """Return ``text`` as one of Rind's messages: a line that begins with ``rind:``."""
    return f"rind: {clean(text)}\n"


def age(seconds: float) -> str:
    """Return a duration in the largest unit of which it has at least two, much as docker does."""
    whole = max(0, int(seconds))
    for unit, size in _UNITS:
        if whole >= 2 * size:
            return f"{whole // size} {unit}s"
    return f"{whole} second{'' if whole == 1 else 's'}"


def row(container: Container, label: str, now: float, *, is_here: bool = False) -> tuple[str, ...]:
    """Return a container's cells, clean. ``now`` is in seconds since 1970.

    The state "running" is left out. ``is_here`` marks the container that a command would run in.
    """
    image = container.image
    if image.startswith("sha256:"):
        image = image.removeprefix("sha256:")[:_SHORT_ID]
    pre_step = container.labels.get(label, "").strip()
    state = ["" if container.state == "running" else container.state, container.health]
    cells = (
        container.name,
        "*" if is_here else "",
        container.service,
        container.project,
        container.node,
        image,
        age(now - container.created) if container.created else "",
        ", ".join(filter(None, [*state, "one-off" if container.is_one_off else ""])),
        pre_step.partition("\n")[0],
    )
    return tuple(map(clean, cells))


def partial_note(containers: Sequence[Container]) -> str:
    """Return a note if a swarm's other tasks are unknown, else an empty string."""
    unknown = any(container.is_task and not container.node for container in containers)
    return (
        "some are tasks of a swarm, of which only those on this node are known" if unknown else ""
    )


def table(rows: Sequence[Sequence[str]], width: int | None = None) -> list[str]:
    """Return the rows as lines, with the cells aligned by their width on a screen.

    Args:
        rows: clean text; the first row is the header. A column without text below its header is
            left out.
        width: the longest allowed line, in columns of the screen; None for no limit.
    """
    columns = [[cut(cell, _COLUMN_LIMIT) for cell in column] for column in zip(*rows, strict=True)]
    if columns:  # the first is whole, since names are copied from it
        columns[0], columns[-1] = [row[0] for row in rows], [row[-1] for row in rows]
    columns = [column for column in columns if any(column[1:])]
    widths = [max(map(_width, column)) for column in columns]
    lines = []
    for cells in zip(*columns, strict=True):
        padded = [
            cell + " " * (wide - _width(cell)) for cell, wide in zip(cells, widths, strict=True)
        ]
        text = "  ".join(padded).rstrip()
        lines.append(text if width is None else cut(text, width))
    return lines


def cut(text: str, width: int) -> str:
    """Return ``text``, shortened with an ellipsis if it does not fit."""
    if _width(text) <= width:
        return text
    kept, room = "", width - 1
    for ch in text:
        room -= _width(ch)
        if room < 0:
            break
        kept += ch
    return f"{kept}…" if width > 0 else ""


def _width(text: str) -> int:
    """Return the columns that ``text`` takes on a screen."""
    if text.isascii():
        return len(text)
    from unicodedata import category, east_asian_width  # a large table

    return sum(
        0 if category(ch) in {"Mn", "Me"} else 2 if east_asian_width(ch) in "WF" else 1
        for ch in text
    )
