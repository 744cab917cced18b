"""Processes to leave behind in a container, and what is left of them; memory of our own."""

import re
import shlex
from pathlib import Path

from conftest import TestContainer

MARK = "424242"
IN_CONTAINER = f"""
trap '' HUP INT QUIT TERM
if command -v setsid >/dev/null; then setsid sleep {MARK} &
else python3 -c "import os; os.setsid(); os.execlp('sleep', 'sleep', '{MARK}')" &
fi
sleep {MARK} &
env -i sleep {MARK} &
sh -c 'trap "" HUP INT QUIT TERM; sleep {MARK} & echo ready; wait; wait' &
wait; wait; wait; wait
"""

MIB = 1024 * 1024
MOST_MEMORY = 32 * MIB
"""Bytes that a run may take more than one that moves nothing."""


def sleepers(container: TestContainer, mark: str = MARK) -> int:
    listed = container.engine.cli("top", container.name, "-eo", "pid,args")
    return len(re.findall(rf"^ *\d+ +sleep {mark}$", listed, re.MULTILINE))


def kill_all(container: TestContainer, pattern: str) -> None:
    """Kill every process with such a command line; the pattern must not match itself."""
    container.inside(
        f"for it in /proc/[0-9]*; do grep -q {shlex.quote(pattern)} $it/cmdline && "
        "kill -9 ${it#/proc/}; done 2>/dev/null; true"
    )


def is_leashed(container: TestContainer) -> bool:
    return "rind-leash" in container.engine.cli("top", container.name, "-eo", "pid,args")


def resident(pid: int) -> int:
    """Give a process's largest resident size so far, in bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(pid)
