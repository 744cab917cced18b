"""Signals into a container, and the leash: how nothing is left behind.

The Engine API cannot signal an exec'd command (moby#9098, moby#35703), and a command outlives
whoever started it. So every command carries a cookie in its environment, which its descendants
inherit, and a second exec, a small shell script, signals all that bear it:

* A process is of the tree when its environment has the cookie, or when its session has such a
  process in it: every exec'd command leads a session of its own, so one that clears its
  environment is still found. One that clears it *and* starts a session of its own escapes.
* The script needs nothing but ``sh`` and ``/proc``: what it uses besides builtins of dash, busybox
  ash and bash, it can do without. It has no ``sleep``, so waiting is done from here.
* Where a container has no shell, but the engine is on this machine and we may, the processes are
  found and signalled from outside (:meth:`Reaper._signal_from_outside`).

The leash is the same script, which first reads its stdin, and that only we hold. When we die, by
whatever cause, the engine ends that stdin, and the script ends the tree. A line of input releases
it: what a command leaves running on purpose lives on.
"""

import asyncio
import os
import signal
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Final

from rind.engine import Engine, ExecConfig
from rind.errors import EngineError, LeftRunning, Refused
from rind.frames import STDOUT, FrameDecoder
from rind.stream import HijackedStream

__all__ = ["COOKIE", "LEASH_SCRIPT", "SIGNAL_SCRIPT", "Reaper"]

COOKIE: Final = "RIND_EXEC_ID"

SHELL: Final = "/bin/sh"

LEASH_AFTER: Final = 1.0
"""Seconds that a command has run when its leash is armed: short ones do not pay for it."""

POLL: Final = 0.1
"""Seconds between two looks at what is left: a look costs an exec, 50 to 100 ms."""

BOUND: Final = 5.0
"""Seconds in which SIGKILL must have had its effect, and in which each look must be done."""

_TREE: Final = r"""
# Sets $tree to the numbers of the living processes that have the cookie $1, or are in the
# session of one that has. Reading is where a shell is slow, a system call for each byte: where the
# usual programs are there, and are seen to find our own mark, they do it; else builtins do.
fast_environs() {
  set +f
  head -c 1000000 /proc/[0-9]*/environ | tr '\0' '\n' | grep -e '^==> /proc/' -e "RIND_.*=$1"
}
slow_environs() {
  set +f
  for proc in /proc/[0-9]*; do
    while IFS= read -r line || [ "$line" ]; do
      case $line in *"RIND_EXEC_ID=$1"*) echo "$proc/environ RIND_EXEC_ID=$1"; break ;; esac
    done <"$proc/environ"
  done
}
# A line of stat is: pid (name) state ppid pgrp session ... The name may hold anything.
fast_stats() {
  set +f
  sed -n 's/^\([0-9]*\) (.*) \([A-Z]\) [0-9]* [0-9]* \([0-9]*\) .*/\1 \2 \3/p' /proc/[0-9]*/stat
}
slow_stats() {
  set +f
  for proc in /proc/[0-9]*; do
    IFS= read -r line <"$proc/stat" || continue
    line=${line##*) } pid=${proc#/proc/}
    state=${line%% *} line=${line#* * * }
    echo "$pid $state ${line%% *}"
  done
}
find_tree() {
  cookie=$1 bearers=' ' sessions=' ' tree= speed=fast
  environs=$(fast_environs "$cookie")
  case $environs in
    *"RIND_REAPER=$cookie"*) ;;
    *) speed=slow environs=$(slow_environs "$cookie") ;;
  esac
  for word in $environs; do
    case $word in
      /proc/*/environ) pid=${word#/proc/} pid=${pid%/environ} ;;
      *"RIND_EXEC_ID=$cookie"*) bearers="$bearers$pid " ;;
    esac
  done
  [ "$bearers" != ' ' ] || return 0
  stats=$(${speed}_stats)
  for pass in 1 2; do
    set -- $stats
    while [ "${3-}" ]; do
      case $pass$2$bearers in
        ?[XZ]*) ;;
        1*" $1 "*) sessions="$sessions$3 " ;;
        2*) case $sessions in *" $3 "*) tree="$tree $1" ;; esac ;;
      esac
      shift 3
    done
  done
} 2>/dev/null
# What is read is split into words, and they are not patterns; the readers look for files.
set -f
"""

SIGNAL_SCRIPT: Final = (
    _TREE
    + r"""
# $1 is the cookie, $2 the signal's number; 0 only looks. Prints how many processes there are.
find_tree "$1"
[ "$2" = 0 ] || [ -z "$tree" ] || kill "-$2" $tree 2>/dev/null
set -- $tree
echo $#
"""
)

LEASH_SCRIPT: Final = (
    _TREE
    + r"""
# $1 is the cookie. Released by a line; without one, the tree is ended: SIGTERM, a few looks for
# those that end by themselves, then SIGKILL until nobody is left to start others.
trap '' HUP INT TERM PIPE
if read -r line; then exit 0; fi
find_tree "$1"
kill -15 $tree 2>/dev/null
for look in 1 2 3 4; do
  find_tree "$1"
  [ "$tree" ] || exit 0
done
for look in 1 2 3 4 5 6 7 8 9; do
  kill -9 $tree 2>/dev/null
  find_tree "$1"
  [ "$tree" ] || exit 0
done
"""
)


class Reaper:
    """Signals one command's tree, and holds its leash.

    Attributes:
        cookie: the value of the tree's :data:`COOKIE`, made for it.
    """

    def __init__(self, engine: Engine, container_id: str, user: str) -> None:
        self.cookie = uuid.uuid4().hex
        self._engine = engine
        self._container_id = container_id
        self._user = user
        self._leash: asyncio.Task[HijackedStream] | None = None
        self._urgent = asyncio.Event()

    @property
    def variable(self) -> str:
        """The cookie as an environment variable."""
        return f"{COOKIE}={self.cookie}"

    async def signal(self, number: int) -> int:
        """Send a signal to every process of the tree; 0 sends none. Return how many there are.

        Raises:
            LeftRunning: they cannot be reached.
        """
        try:
            async with asyncio.timeout(BOUND):
                return await self._signal_from_inside(number)
        except TimeoutError as exc:
            raise LeftRunning("the engine does not answer") from exc
        except EngineError as exc:
            raise LeftRunning(str(exc)) from exc

    async def end(self, number: int, kill_after: float) -> bool:
        """Signal the tree, and return once it is gone; tell whether it took SIGKILL.

        Args:
            number: the signal that it gets first.
            kill_after: seconds that it then has, unless :meth:`hurry` is called.

        Raises:
            LeftRunning: some of it is still there, and why.
        """
        clock = asyncio.get_running_loop().time
        deadline = clock() + kill_after
        left = await self.signal(number)
        while left and clock() < deadline and not self._urgent.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._urgent.wait(), min(POLL, deadline - clock()))
            left = await self.signal(0)
        killed = left > 0
        deadline = clock() + BOUND
        while left:
            if clock() > deadline:
                raise LeftRunning(f"{left} processes survived SIGKILL")
            # Again and again: between the look and the signal, one may have started another.
            await self.signal(signal.SIGKILL)
            left = await self.signal(0)
        return killed

    def hurry(self) -> None:
        """Let :meth:`end` go on to SIGKILL at once."""
        self._urgent.set()

    async def hold_leash(self) -> None:
        """Arm the leash once the command has run for a while. Cancel this at will.

        What it has begun by then is a task of its own: a leash that is dropped while it is being
        armed may be there all the same, and would end the tree.
        """
        await asyncio.sleep(LEASH_AFTER)
        self._leash = asyncio.create_task(self._start(LEASH_SCRIPT, self.cookie))

    async def release_leash(self) -> None:
        """Leave what still runs of the tree to itself. Idempotent.

        Where the engine refused the leash, or is gone, there is none to release.
        """
        leash, self._leash = self._leash, None
        if leash is not None:
            with suppress(EngineError):
                stream = await leash
                try:
                    await stream.write(b"\n")
                finally:
                    stream.close()

    async def _signal_from_inside(self, number: int) -> int:
        stream = await self._start(SIGNAL_SCRIPT, self.cookie, str(number))
        try:
            decoder, said = FrameDecoder(), b""
            while data := await stream.read():
                said += b"".join(part for kind, part in decoder.feed(data) if kind == STDOUT)
        finally:
            stream.close()
        try:
            return int(said)
        except ValueError:
            # It is the engine that speaks: there is no shell.
            return self._signal_from_outside(number)

    async def _start(self, script: str, *args: str) -> HijackedStream:
        config = ExecConfig(
            argv=[SHELL, "-c", script, "sh", *args],
            env=[f"RIND_REAPER={self.cookie}"],
            user=self._user,
            workdir="/",
        )
        exec_id = await self._engine.create_exec(self._container_id, config)
        return await self._engine.start_exec(exec_id, tty=False)

    def _signal_from_outside(self, number: int) -> int:
        """Find the tree among the processes of this machine, and signal it.

        Raises:
            Refused: the engine's processes are not among them, or are not ours to look at.
        """
        wanted = self.variable.encode()
        tree = []
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if wanted in (folder / "environ").read_bytes().split(b"\0"):
                    tree.append(int(folder.name))
        if not tree and os.geteuid() != 0:
            raise Refused(0, "the container has no shell to signal it with, and we are not root")
        for pid in tree:
            with suppress(OSError):
                os.kill(pid, number)
        return len(tree)
