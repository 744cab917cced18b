"""Helpers for processes left behind in a container, and for this machine's memory."""

import asyncio
import gc
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import TestContainer, linux_only

from rind.reaper.leash import Leash
from rind.reaper.scripts import Session

sees_processes = linux_only(reason="only on Linux does this machine show a container's processes")
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
"""Bytes of memory that a run may use beyond a run without data."""


def sleepers(container: TestContainer, mark: str = MARK) -> int:
    listed = container.engine.cli("top", container.name, "-eo", "pid,args")
    return len(re.findall(rf"^ *\d+ +sleep {mark}$", listed, re.MULTILINE))


def kill_all(container: TestContainer, pattern: str) -> None:
    """Kill every process whose command line matches; the pattern must not match itself."""
    container.inside(
        f"for it in /proc/[0-9]*; do grep -q {shlex.quote(pattern)} $it/cmdline && "
        "kill -9 ${it#/proc/}; done 2>/dev/null; true"
    )


class HeldTrees:
    """The cookies of the trees that leashes hold, with an event for each change."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.cookies: set[str] = set()
        self._changed = asyncio.Event()
        hold, release = Leash.hold, Leash.release

        async def hold_and_note(leash: Leash, cookie: str, session: Session | None) -> None:
            await hold(leash, cookie, session)
            self.cookies.add(cookie)
            self._changed.set()

        async def release_and_note(leash: Leash, cookie: str, *, ends: bool = False) -> None:
            self.cookies.discard(cookie)
            await release(leash, cookie, ends=ends)

        monkeypatch.setattr(Leash, "hold", hold_and_note)
        monkeypatch.setattr(Leash, "release", release_and_note)

    async def wait_for(self, true: Callable[[set[str]], bool]) -> None:
        while not true(self.cookies):
            self._changed.clear()
            await self._changed.wait()


def is_leashed(container: TestContainer) -> bool:
    return "rind-leash" in container.engine.cli("top", container.name, "-eo", "pid,args")


def resident(pid: int) -> int:
    """Return a process's largest resident size so far, in bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(pid)


def descriptors() -> int:
    """Count open descriptors, including the one of the folder that lists them.

    What earlier tests left as garbage is closed before, and not between two counts.
    """
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir()))
