"""The reaper: signals into a container. How nothing is left behind.

The Engine API cannot signal an exec'd command (moby#9098, moby#35703), and a command outlives
whoever started it. So every command carries a cookie (:mod:`rind.scripts`), and a second exec, a
small shell script, signals all that bear it. Where a container has no shell, but the engine is on
this machine and we may, the processes are found and signalled from outside
(:meth:`Tree._signal_from_outside`).
"""

import asyncio
import os
import re
import signal
import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol
from weakref import WeakValueDictionary

from rind.engine import Engine
from rind.errors import EngineError, LeftRunning, Refused
from rind.frames import STDOUT, FrameDecoder
from rind.leash import Leash, script_config
from rind.scripts import COOKIE, SIGNAL_SCRIPT

__all__ = ["BOUND", "Reaper", "Tree"]

LEASH_AFTER: Final = 1.0
"""Seconds that a command has run when its leash is armed: short ones do not pay for it."""

POLL: Final = 0.1
"""Seconds between two looks at what is left: a look costs an exec, 50 to 100 ms."""

START_BOUND: Final = 5.0
"""Seconds in which a command that an engine was asked to start must have been."""

BOUND: Final = 10.0
"""Seconds in which SIGKILL must have had its effect, and in which each look must be done."""

MOST_TURNS: Final = 16
"""Looks at once. A hundred containers signalled at once on two cores: 8 s until the last answer
without a limit, 2 s with this one, and all are done at the same time."""


class Closable(Protocol):
    """A command that is in use."""

    async def aclose(self) -> None:
        """End it, unless it is to run on."""


class Reaper:
    """Signals the trees of commands on one engine, and holds their leashes.

    Attributes:
        engine: an open one.
        turns: one is taken for each look, which has a time limit: many at once would make each
            other late.
        opening: the requests to start a command that are on their way.
        open: the commands that somebody uses.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.opening: set[asyncio.Task[Closable]] = set()
        self.open: set[Closable] = set()
        self.turns = asyncio.Semaphore(MOST_TURNS)
        self._leashes: WeakValueDictionary[tuple[str, str], Leash] = WeakValueDictionary()

    def leash(self, container_id: str, user: str) -> Leash:
        """Give the one leash of a container for a user."""
        key = container_id, user
        leash = self._leashes.get(key)
        if leash is None:
            self._leashes[key] = leash = Leash(self.engine, container_id, user)
        return leash

    async def aclose(self) -> None:
        """Close the commands that are in use, or about to be."""
        if self.opening:
            await asyncio.wait(self.opening, timeout=BOUND)
        await asyncio.gather(*(it.aclose() for it in self.open))


class Tree:
    """The processes of one command: itself, and all that it has started.

    Attributes:
        cookie: the value of their :data:`~rind.scripts.COOKIE`, made for them.
        exec_id: the command's, once it is known.
    """

    def __init__(self, reaper: Reaper, container_id: str, user: str) -> None:
        self.cookie = uuid.uuid4().hex
        self.exec_id: str | None = None
        self._engine = reaper.engine
        self._turns = reaper.turns
        self._container_id = container_id
        self._user = user
        self._leash = reaper.leash(container_id, user)
        self._holding: asyncio.Task[None] | None = None
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
        count, _ = await self._reach(number)
        return count

    async def has_root(self) -> bool:
        """Tell whether the command's own process is there; False too where that is not known.

        Raises:
            LeftRunning: as :meth:`signal`.
        """
        _, has_root = await self._reach(0)
        return has_root

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
        """Be held by the leash once the command has run for a while. Cancel this at will.

        What it has begun by then is a task of its own: a leash that is dropped while it is being
        armed may be there all the same, and would end the tree.
        """
        await asyncio.sleep(LEASH_AFTER)
        session = await self._session()
        self._holding = asyncio.create_task(self._leash.hold(self.cookie, session))

    async def release_leash(self) -> None:
        """Leave what still runs of the tree to itself. Idempotent.

        Where the engine refused the leash, or is gone, there is none to release.
        """
        holding, self._holding = self._holding, None
        if holding is not None:
            with suppress(EngineError):
                await holding
            with suppress(EngineError):
                await self._leash.release(self.cookie)

    async def _reach(self, number: int) -> tuple[int, bool]:
        try:
            async with self._turns, asyncio.timeout(BOUND):
                return await self._signal_from_inside(number)
        except TimeoutError as exc:
            raise LeftRunning("the engine does not answer") from exc
        except EngineError as exc:
            raise LeftRunning(str(exc)) from exc

    async def _signal_from_inside(self, number: int) -> tuple[int, bool]:
        args = str(number), self.cookie, *await self._session()
        config = script_config(SIGNAL_SCRIPT, *args, user=self._user)
        exec_id = await self._engine.create_exec(self._container_id, config)
        stream = await self._engine.start_exec(exec_id, tty=False)
        try:
            decoder, said = FrameDecoder(), b""
            while data := await stream.read():
                said += b"".join(part for kind, part in decoder.feed(data) if kind == STDOUT)
        finally:
            stream.close()
        try:
            count, own = map(int, said.split())
        except ValueError:
            # It is the engine that speaks: there is no shell.
            root = await self._root()
            return self._signal_from_outside(number, root), root is not None
        return count, bool(own)

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

        Where the engine is not on this machine, both are "-": it knows only its own numbers.
        """
        folder = await self._root()
        if folder is not None:
            with suppress(OSError):
                status = (folder / "status").read_text()
                if found := re.search(r"^NSpid:.*\t(\d+)$", status, re.MULTILINE):
                    return found[1], _stat(folder)[_START_TIME]
        return "-", "-"

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
