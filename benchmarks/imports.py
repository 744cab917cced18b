"""Reports the modules imported before a command's start is requested, the slowest first."""

import re
import subprocess
import sys

PROGRAM = "import rind.cli.main, rind.cli.program, rind.cli.running.opening"
SHOWN = 25
_LINE = re.compile(r"^import time: +(\d+) \| +\d+ \| +(\S+)$", re.MULTILINE)


def report() -> str:
    """Return the modules, each with its own milliseconds."""
    bare, ours = (times(program) for program in ("pass", PROGRAM))
    found = sorted(((cost, name) for name, cost in ours.items() if name not in bare), reverse=True)
    lines = [f"{cost / 1000:7.2f} ms  {name}" for cost, name in found[:SHOWN]]
    total = sum(cost for cost, _ in found) / 1000
    return "\n".join([f"{total:7.2f} ms  {len(found)} modules beside Python's own", *lines])


def times(program: str) -> dict[str, int]:
    """Return each module's own microseconds, the minimum of several runs."""
    least: dict[str, int] = {}
    for _ in range(7):
        said = subprocess.run(
            [sys.executable, "-X", "importtime", "-c", program],
            capture_output=True,
            check=True,
            text=True,
        ).stderr
        for cost, name in _LINE.findall(said):
            least[name] = min(int(cost), least.get(name, int(cost)))
    return least
