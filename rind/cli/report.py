"""Rind's own messages, one line each and without control characters; and its tables."""

from __future__ import annotations

from rind.base.quoting import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

    from rind.model import Container

__all__ = ["HEADER", "age", "clean", "cut", "line", "partial_note", "row", "table"]

HEADER: Final = ("NAME", "HERE", "SERVICE", "PROJECT", "NODE", "IMAGE", "AGE", "STATE", "PRE-STEP")
"""Of a table of containers, see :func:`row`."""

_SHORT_ID: Final = 12
"""Digits of an image's ID, as docker shows it."""


_UNITS: Final = (
    ("year", 365 * 24 * 3600),
    ("month", 30 * 24 * 3600),
    ("week", 7 * 24 * 3600),
    ("day", 24 * 3600),
    ("hour", 3600),
    ("minute", 60),
)

_WIDEST: Final = 40
"""Columns of the screen that one of a table's may have, unless it is the first or the last."""


def clean(text: str) -> str:
    """Return ``text`` on one line, without a control or other unprintable character.

    Names, labels and messages come from containers and engines: written as they are, an escape
    sequence in them would reach the terminal.
    """
    return " ".join(printable(text).split())


def line(text: str) -> str:
    """Return ``text`` as a line of ours."""
    return f"rind: {clean(text)}\n"


def age(seconds: float) -> str:
    """Return a duration in the largest unit that it has two of, much as docker does."""
    whole = max(0, int(seconds))
    for unit, size in _UNITS:
        if whole >= 2 * size:
            return f"{whole // size} {unit}s"
    return f"{whole} second{'' if whole == 1 else 's'}"


def row(container: Container, label: str, now: float, *, is_here: bool = False) -> tuple[str, ...]:
    """Return a container's cells, clean. ``now`` is in seconds since 1970.

    That it runs is not said. ``is_here`` marks the one that a command would run in.
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
    """Say that a swarm's other tasks are not known, if that is so; else empty."""
    unknown = any(container.is_task and not container.node for container in containers)
    return "some are a swarm's, of which only what runs here is known" if unknown else ""


def table(rows: Sequence[Sequence[str]], width: int | None = None) -> list[str]:
    """Align the rows' cells, by the columns that they take on a screen.

    Args:
        rows: of clean text, the first one being the header. A column with nothing but that is
            left out.
        width: what no line may exceed.
    """
    columns = [[cut(cell, _WIDEST) for cell in column] for column in zip(*rows, strict=True)]
    if columns:  # a name is there to be copied
        columns[0], columns[-1] = [row[0] for row in rows], [row[-1] for row in rows]
    columns = [column for column in columns if any(column[1:])]
    widths = [max(map(_width, column)) for column in columns]
    lines = []
    for cells in zip(*columns, strict=True):
        padded = [it + " " * (wide - _width(it)) for it, wide in zip(cells, widths, strict=True)]
        text = "  ".join(padded).rstrip()
        lines.append(text if width is None else cut(text, width))
    return lines


def cut(text: str, width: int) -> str:
    """Return ``text``, shortened with an ellipsis if it does not fit."""
    if _width(text) <= width:
        return text
    kept, left = "", width - 1
    for ch in text:
        left -= _width(ch)
        if left < 0:
            break
        kept += ch
    return f"{kept}…" if width > 0 else ""


def _width(text: str) -> int:
    if text.isascii():
        return len(text)
    from unicodedata import category, east_asian_width  # noqa: PLC0415 # a large table

    return sum(
        0 if category(ch) in {"Mn", "Me"} else 2 if east_asian_width(ch) in "WF" else 1
        for ch in text
    )
