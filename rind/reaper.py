"""Signals into a container, and the leash: how nothing is left behind.

The Engine API cannot signal an exec'd command (moby#9098, moby#35703), and a command outlives
whoever started it. So every command carries a cookie in its environment, which its descendants
inherit, and a second exec, a small shell script, signals all that bear it:

* A process is of the tree when its environment has the cookie, when its session has such a
  process in it (every exec'd command leads a session of its own), or when its parent is of the
  tree. So one that clears its environment is still found, unless it also starts a session of its
  own and its parent has ended. Where the engine is on this machine, the command's own session is
  known from outside, and it needs no bearer.
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
import re
import signal
import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from rind.engine import Engine
from rind.errors import EngineError, LeftRunning, Refused
from rind.frames import STDOUT, FrameDecoder
from rind.plan import ExecConfig
from rind.stream import HijackedStream

__all__ = ["BOUND", "COOKIE", "LEASH_SCRIPT", "SIGNAL_SCRIPT", "Reaper"]

COOKIE: Final = "RIND_EXEC_ID"

SHELL: Final = "/bin/sh"

LEASH_AFTER: Final = 1.0
"""Seconds that a command has run when its leash is armed: short ones do not pay for it."""

POLL: Final = 0.1
"""Seconds between two looks at what is left: a look costs an exec, 50 to 100 ms."""

START_BOUND: Final = 5.0
"""Seconds in which a command that an engine was asked to start must have been."""

BOUND: Final = 10.0
"""Seconds in which SIGKILL must have had its effect, and in which each look must be done."""

_TREE: Final = r"""
# find_tree COOKIE [SESSION START] sets $tree to the numbers of the living processes that have the
# cookie, and of what is theirs: see above. SESSION is the command's own, START its leader's time.
#
# Reading is where a shell is slow, a system call for each byte: where the usual programs are there,
# and are seen to find our own mark, they do it; else builtins do.
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
# A line of stat is: pid (name) state parent group session ... The name may hold anything. Gives:
# pid state parent session.
fast_stats() {
  set +f
  sed -n 's/^\([0-9]*\) (.*) \([A-Z]\) \([0-9]*\) [0-9]* \([0-9]*\) .*/\1 \2 \3 \4/p' \
    /proc/[0-9]*/stat
}
slow_stats() {
  set +f
  for proc in /proc/[0-9]*; do
    IFS= read -r line <"$proc/stat" || continue
    line=${line##*) } pid=${proc#/proc/}
    state=${line%% *} line=${line#* }
    parent=${line%% *} line=${line#* * }
    echo "$pid $state $parent ${line%% *}"
  done
}
# A number is used again, but not one of a session that has processes in it: the session $1 is the
# one that was meant unless its leader was started at another time than $2.
is_session() {
  [ "$1" ] || return 1
  IFS= read -r line <"/proc/$1/stat" || return 0
  line=${line##*) } start=$2
  set -- $line
  [ "${20}" = "$start" ]
}
find_tree() {
  cookie=$1 bearers=' ' sessions=' ' tree=' ' speed=fast
  if is_session "$2" "$3"; then sessions=" $2 "; fi
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
  case $bearers$sessions in *[0-9]*) ;; *) tree=; return 0 ;; esac
  stats=$(${speed}_stats) grown=yes
  while [ "$grown" ]; do
    grown=
    set -- $stats
    while [ "${4-}" ]; do
      case $tree in
        *" $1 "*) ;;
        *)
          case "$2 $bearers/$sessions/$tree" in
            [XZ]*) ;;
            *" $1 "*/*/* | */*" $4 "*/* | */*/*" $3 "*)
              tree="$tree$1 " grown=yes
              [ "$4" = 0 ] || sessions="$sessions$4 "  # 0 is any session from outside
              ;;
          esac
          ;;
      esac
      shift 4
    done
  done
  tree=${tree% }
} 2>/dev/null
# What is read is split into words, and they are not patterns; the readers look for files.
set -f
"""

SIGNAL_SCRIPT: Final = (
    _TREE
    + r"""
# $1 is the signal's number, 0 only looks; the others are find_tree's. Prints how many processes
# there are.
number=$1
shift
find_tree "$@"
[ "$number" = 0 ] || [ -z "$tree" ] || kill "-$number" $tree 2>/dev/null
set -- $tree
echo $#
"""
)

LEASH_SCRIPT: Final = (
    _TREE
    + r"""
# The parameters are find_tree's. Released by a line; without one, the tree is ended: SIGTERM, a few
# looks for those that end by themselves, then SIGKILL until nobody is left to start others.
trap '' HUP INT TERM PIPE
if read -r line; then exit 0; fi
find_tree "$@"
kill -15 $tree 2>/dev/null
for look in 1 2 3 4; do
  find_tree "$@"
  [ "$tree" ] || exit 0
done
for look in 1 2 3 4 5 6 7 8 9; do
  kill -9 $tree 2>/dev/null
  find_tree "$@"
  [ "$tree" ] || exit 0
done
"""
)


class Reaper:
    """Signals one command's tree, and holds its leash.

    Attributes:
        cookie: the value of the tree's :data:`COOKIE`, made for it.
        exec_id: the command's, once it is known.
    """

    def __init__(self, engine: Engine, container_id: str, user: str) -> None:
        self.cookie = uuid.uuid4().hex
        self.exec_id: str | None = None
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
            async with self._engine.turns, asyncio.timeout(BOUND):
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
        await self._until_started()
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
        self._leash = asyncio.create_task(self._start(LEASH_SCRIPT))

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
        stream = await self._start(SIGNAL_SCRIPT, str(number))
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
            return self._signal_from_outside(number, await self._root())

    async def _start(self, script: str, *args: str) -> HijackedStream:
        config = ExecConfig(
            argv=[SHELL, "-c", script, "sh", *args, self.cookie, *await self._session()],
            env=[f"RIND_REAPER={self.cookie}"],
            user=self._user,
            workdir="/",
        )
        exec_id = await self._engine.create_exec(self._container_id, config)
        return await self._engine.start_exec(exec_id, tty=False)

    async def _until_started(self) -> None:
        """Wait for the tree to be there, so that it is not looked for too early.

        The engine upgrades the connection first, and starts the command then, also where the
        connection has been closed meanwhile (moby, postContainerExecStart).
        """
        with suppress(EngineError, TimeoutError):
            async with asyncio.timeout(START_BOUND):
                while self.exec_id is not None:
                    state = await self._engine.inspect_exec(self.exec_id)
                    # It says that the command runs before there is a process.
                    if state.pid or state.exit_code is not None:
                        return
                    await asyncio.sleep(POLL / 10)

    async def _root(self) -> Path | None:
        """Find the command's own process among those of this machine, while it runs."""
        if self.exec_id is not None:
            with suppress(EngineError, OSError):
                state = await self._engine.inspect_exec(self.exec_id)
                folder = Path("/proc", str(state.pid))
                # It might be the number of another machine's process.
                if state.running and self._container_id in (folder / "cgroup").read_text():
                    return folder
        return None

    async def _session(self) -> tuple[str, str]:
        """Give the command's session as the container numbers it, and its leader's start time.

        Where the engine is not on this machine, both are empty: it knows only its own numbers.
        """
        folder = await self._root()
        if folder is not None:
            with suppress(OSError):
                status = (folder / "status").read_text()
                if found := re.search(r"^NSpid:.*\t(\d+)$", status, re.MULTILINE):
                    return found[1], _stat(folder)[_START_TIME]
        return "", ""

    def _signal_from_outside(self, number: int, root: Path | None) -> int:
        """Find the tree among the processes of this machine, and signal it.

        Args:
            number: the signal; 0 for none.
            root: the command's own process, if known.

        Raises:
            Refused: the engine's processes are not among them, or are not ours to look at.
        """
        wanted = self.variable.encode()
        bearers = set() if root is None else {int(root.name)}
        stats = {}
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                stats[int(folder.name)] = _stat(folder)
                if wanted in (folder / "environ").read_bytes().split(b"\0"):
                    bearers.add(int(folder.name))
        if not bearers and os.geteuid() != 0:
            raise Refused(0, "the container has no shell to signal it with, and we are not root")
        tree = _tree(stats, bearers)
        for pid in tree:
            with suppress(OSError):
                os.kill(pid, number)
        return len(tree)


_STATE, _PARENT, _SESSION, _START_TIME = 0, 1, 3, 19


def _stat(folder: Path) -> list[str]:
    """Give the fields of a process's stat after its name, which may hold anything."""
    return (folder / "stat").read_text().rpartition(") ")[2].split()


def _tree(stats: Mapping[int, list[str]], bearers: set[int]) -> set[int]:
    """Add to processes those in their sessions and their children: as ``find_tree`` does it."""
    living = {pid: stat for pid, stat in stats.items() if stat[_STATE] not in "XZ"}
    tree = bearers & living.keys()
    while True:
        sessions = {living[pid][_SESSION] for pid in tree}
        grown = {
            pid
            for pid, stat in living.items()
            if pid in tree or stat[_SESSION] in sessions or int(stat[_PARENT]) in tree
        }
        if grown == tree:
            return tree
        tree = grown
