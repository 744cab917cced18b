"""Writes results for people: tables in Markdown, and a chart in SVG."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

_UNITS = {"wall": (1000, "ms"), "cpu": (1000, "ms"), "memory": (1 / 2**20, "MiB")}
_COLOURS = ("#4a90c2", "#c33", "#3a3")
_HEADING = "Rind's time, docker exec's being 1 (shorter is better)"
_WIDTH, _ROW, _NAMES, _MOST = 760, 26, 330, 2.5


def table(results: Sequence[Mapping[str, Any]]) -> str:
    """Return a table: the ratio to the yardstick by quantity, the goal, and the medians."""
    lines = ["| question | ratio | goal | medians |", "|---|---|---|---|"]
    for result in results:
        for what, value in result["ratios"].items():
            scale, unit = _UNITS.get(what, (1000, "ms"))
            medians = "; ".join(
                f"{name} {quantities[what] * scale:.3g} {unit}"
                for name, quantities in result["medians"].items()
                if what in quantities
            )
            goal = result["goals"][what]
            lines.append(f"| {result['title']}: {what} | {value:.2f} | {goal:.2f} | {medians} |")
    return "\n".join(lines)


def growth_table(grown: Mapping[str, Mapping[str, Mapping[int, float]]]) -> str:
    """Return a table for each growing quantity."""
    parts = []
    for what, by_program in grown.items():
        counts = sorted({count for times in by_program.values() for count in times})
        lines = [
            f"| {what} | {' | '.join(map(str, counts))} |",
            f"|---|{'---|' * len(counts)}",
        ]
        for program, times in by_program.items():
            cells = " | ".join(f"{times[count] * 1000:.0f} ms" for count in counts)
            lines.append(f"| {program} | {cells} |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def chart(kept: Mapping[str, Any]) -> str:
    """Return a chart of the ratios, the yardstick being 1."""
    questions = kept["questions"]
    rows = [
        (f"{result['title']}: {what}", value)
        for result in questions["results"]
        for what, value in result["ratios"].items()
        if what in {"wall", "p50"}
    ]
    scale = (_WIDTH - _NAMES - 50) / _MOST
    height = _ROW * len(rows) + 80
    one = _NAMES + scale
    bars = []
    for number, (title, value) in enumerate(rows):
        y = 40 + number * _ROW
        width = min(value, _MOST) * scale
        bars.append(
            f'<text x="{_NAMES - 8}" y="{y + 16}" text-anchor="end">{_escaped(title)}</text>'
            f'<rect x="{_NAMES}" y="{y + 3}" width="{width:.0f}" height="{_ROW - 8}"/>'
            f'<text x="{_NAMES + width + 6:.0f}" y="{y + 16}">{value:.2f}</text>'
        )
    about = f"{questions['date']}, {questions['machine']}, Python {questions['python']}"
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" font-size="12" \
font-family="sans-serif" fill="#444">
<rect width="{_WIDTH}" height="{height}" fill="#fff"/>
<text x="{_NAMES}" y="22" font-weight="bold">{_HEADING}</text>
<g>
<style>g rect {{ fill: #4a90c2 }}</style>
{chr(10).join(bars)}
</g>
<path d="M{one:.0f} 34V{height - 36}" stroke="#c33" stroke-dasharray="4 3"/>
<text x="12" y="{height - 12}" font-size="11">{_escaped(about)}</text>
</svg>
"""


def growth_chart(kept: Mapping[str, Any]) -> str:
    """Return a chart of the seconds as the work grows: a plot for each quantity, both axes log."""
    grown = kept["growth"]
    plots = [
        f'<g transform="translate({(number % 2) * 380},{30 + (number // 2) * 250})">{plot}</g>'
        for number, plot in enumerate(_plot(*item) for item in grown["results"].items())
    ]
    about = f"{grown['date']}, {grown['machine']}, Python {grown['python']}"
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} 560" font-size="11" \
font-family="sans-serif" fill="#444">
<rect width="{_WIDTH}" height="560" fill="#fff"/>
{chr(10).join(plots)}
<text x="12" y="550">{_escaped(about)}</text>
</svg>
"""


def _plot(what: str, by_program: Mapping[str, Mapping[str, float]]) -> str:
    """Return a plot of 300 by 190 pixels."""
    points = {
        program: [(float(count), seconds) for count, seconds in times.items()]
        for program, times in by_program.items()
    }
    counts = sorted({count for times in points.values() for count, _ in times})
    seconds = [value for times in points.values() for _, value in times]
    low, high = math.floor(math.log10(min(seconds))), math.ceil(math.log10(max(seconds)))
    span = math.log(counts[-1] / counts[0]) or 1.0

    def at(count: float, value: float) -> tuple[float, float]:
        x = 50 + math.log(count / counts[0]) / span * 290
        return x, 200 - (math.log10(value) - low) / (high - low) * 180

    parts = [f'<text x="195" y="12" text-anchor="middle" font-weight="bold">{what}</text>']
    for power in range(low, high + 1):
        _, y = at(counts[0], 10.0**power)
        parts.append(f'<path d="M50 {y:.0f}H340" stroke="#ddd"/>')
        parts.append(f'<text x="46" y="{y + 4:.0f}" text-anchor="end">{10.0**power:g} s</text>')
    for count in counts:
        x, _ = at(count, 10.0**low)
        parts.append(f'<text x="{x:.0f}" y="216" text-anchor="middle">{count:g}</text>')
    for number, (program, times) in enumerate(points.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        line = " ".join("{:.0f},{:.0f}".format(*at(*point)) for point in times)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="60" y="{34 + number * 14}" fill="{colour}">{program}</text>')
    return "".join(parts)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("`", "")
