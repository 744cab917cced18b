"""The process tree of a command: finds it, signals it, and ends it.

Goal: signal a command and all its descendants, and report the tree as gone only if it is. The
Engine API has no request for that (moby#9098, moby#35703), and a command runs on when the client
that started it has ended.

Plan:

* Every command carries a cookie in its environment. A second exec, a small shell script, signals
  all processes that bear it (:mod:`rind.reaper.scripts`).
* A command may hide its environment, by clearing it or by changing its user. It is then found by
  its session: the kernel shows that if the engine is on this machine, otherwise
  the engine's list of processes does (:mod:`rind.reaper.root_process`).
* The processes are found and signalled from outside (:mod:`rind.reaper.host_processes`) if the
  container has no shell, if no process can be started in it, or if none in it may signal another.
  That needs an engine on this machine, and the permission.
* A tree is gone only when the engine confirms it: finding no process is not enough.
* A command that runs for a while is held by a leash, which ends the tree if Rind dies
  (:mod:`rind.reaper.leash`).

Doubts: a descendant with another environment and another session, whose parent has ended, is not
found. Between a look and its signal, a process may start another, so SIGKILL is repeated.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from contextlib import suppress
from functools import cached_property
from http import HTTPStatus
from weakref import WeakValueDictionary

from rind.errors import EngineError, LeftRunning, Refused, Unreachable
from rind.reaper import host_processes
from rind.reaper.leash import Leash, Loss
from rind.reaper.looks import CannotLook, Look, Looks
from rind.reaper.root_process import RootProcess
from rind.reaper.scripts import COOKIE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

    from rind.engine.engine import Engine
    from rind.reaper.scripts import Session

__all__ = ["BOUND", "Tree", "Trees"]

LEASH_AFTER: Final = 1.0
"""Seconds from the request to start a command until its leash is armed. Short commands need none.
"""

LEASH_ATTEMPTS: Final = 3
"""Leashes for a command, each after the one before was lost. The waits are 0, 1 and 2 seconds."""

POLL: Final = 0.1
"""Seconds between two looks at a tree. A look costs an exec, 50 to 100 ms."""

BOUND: Final = 10.0
"""Seconds for SIGKILL to take effect."""

ENGINE_BACK: Final = 5.0
"""Seconds to wait for an engine that is gone: a restart takes one or two."""

END_SEEN: Final = 0.3, 5.0
"""Seconds to wait for the engine to notice a command's end: at the first check, and at the last. It
takes milliseconds, but two seconds while the engine holds unread output."""

MOST_LATE: Final = 2
"""Looks that time out before the engine counts as not answering."""

MOST_TURNS: Final = 16
"""Looks at the same time. When a hundred containers were signalled at once on two cores, the
slowest look took 8 s without a limit and 2 s with this one; the total time did not change."""


_log: Final = logging.getLogger(__name__)


class Trees:
    """The process trees of commands on one engine, with the leashes and looks that they share.

    Attributes:
        engine: an open engine.
        turns: limits the looks at the same time, because many delay each other beyond their time
            limit.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.turns = asyncio.Semaphore(MOST_TURNS)
        # Each lives as long as a tree uses it.
        self._leashes: WeakValueDictionary[tuple[str, str], Leash] = WeakValueDictionary()
        self._looks: WeakValueDictionary[tuple[str, str], Looks] = WeakValueDictionary()

    def new(self, container_id: str, user: str, cookie: str, exec_id: str) -> Tree:
        """Return the tree of a command that was created."""
        return Tree(self, container_id, user, cookie, exec_id)

    @cached_property
    def is_local(self) -> bool:
        """Whether the engine's processes are proven to be this machine's."""
        scheme, _, path = self.engine.endpoint.url.partition("://")
        return scheme == "unix" and host_processes.is_engine(path)

    def leash(self, container_id: str, user: str) -> Leash:
        """Return the leash that all commands of one user in one container share."""
        key = container_id, user
        leash = self._leashes.get(key)
        if leash is None:
            self._leashes[key] = leash = Leash(self.engine, container_id, user)
        return leash

    def looks(self, container_id: str, user: str) -> Looks:
        """Return the looks that all commands of one user in one container share."""
        key = container_id, user
        looks = self._looks.get(key)
        if looks is None:
            self._looks[key] = looks = Looks(self.engine, container_id, user, self.turns)
        return looks

    async def aclose(self) -> None:
        """Wait for looks that are under way. Bounded in time."""
        await asyncio.gather(*(looks.until_idle() for looks in list(self._looks.values())))


class Tree:
    """The process tree of one command: the command and all its descendants.

    Attributes:
        cookie: the value of the tree's :data:`~rind.reaper.scripts.COOKIE`, unique to it.
        exec_id: the command's exec ID; None for a tree that is known by its cookie alone.
        was_killed: whether SIGKILL was sent to it.
    """

    def __init__(
        self,
        trees: Trees,
        container_id: str,
        user: str,
        cookie: str,
        exec_id: str | None = None,
    ) -> None:
        self.cookie = cookie
        self.exec_id = exec_id
        self.was_killed = False
        self._trees = trees
        self._engine = trees.engine
        self._turns = trees.turns
        self._container_id = container_id
        self._user = user
        self._root = RootProcess(trees.engine, container_id, user, exec_id)
        self._holding: asyncio.Task[None] | None = None
        self._arming: asyncio.TimerHandle | None = None
        self._session: Session | None = None
        self._urgent = asyncio.Event()

    @property
    def variable(self) -> str:
        """The cookie as an environment variable."""
        return f"{COOKIE}={self.cookie}"

    @cached_property
    def _leash(self) -> Leash:
        return self._trees.leash(self._container_id, self._user)

    @cached_property
    def _looks(self) -> Looks:
        return self._trees.looks(self._container_id, self._user)

    async def signal(self, number: int) -> int:
        """Send a signal to every process of the tree; return their number. Signal 0 only counts.

        Raises:
            LeftRunning: the processes cannot be reached, or none can be found although the engine
                reports that the command runs.
        """
        return (await self._signal(number)).found

    async def _signal(self, number: int) -> Look:
        """Signal the tree; search for its session if no process is found but the command runs.

        Raises:
            LeftRunning: as :meth:`signal`.
        """
        self.was_killed |= number == signal.SIGKILL
        await self._root.until_started()
        look = await self._reach(number)
        if number:
            _log.debug("signal %d to %d processes of exec %s", number, look.found, self.exec_id)
        # If the engine still reports it as running after a moment, the command hides.
        if look.found == 0 and await self._root.runs_on(END_SEEN[0]):
            self._session = await self._match_session()
            look = await self._reach(number)
            if look.found == 0 and await self._root.runs_on(END_SEEN[1]):
                raise LeftRunning(
                    "the command runs, says the engine, but none of its processes can be found "
                    "from here"
                )
        return look

    async def has_root(self) -> bool:
        """Whether the command's own process is found; False if that is unknown.

        Raises:
            LeftRunning: as :meth:`signal`.
        """
        return (await self._reach(0)).has_root

    async def end(self, number: int, kill_after: float) -> bool:
        """Signal the tree, and wait until it is gone; return whether SIGKILL was needed.

        Args:
            number: the first signal.
            kill_after: seconds until SIGKILL; :meth:`hurry` cuts them short.

        Raises:
            LeftRunning: processes are left; the message says why.
        """
        clock = asyncio.get_running_loop().time
        deadline = clock() + kill_after
        found, left, *_ = await self._signal(number)
        while left and clock() < deadline and not self._urgent.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._urgent.wait(), min(POLL, deadline - clock()))
            left = (await self._signal(0)).left
        killed = left > 0 or (number == signal.SIGKILL and found > 0)
        deadline = clock() + BOUND
        while left:
            if clock() > deadline:
                raise LeftRunning(f"{left} of the command's processes survived SIGKILL")
            # Repeat it: between the look and the signal, a process may have started another.
            look = await self._signal(signal.SIGKILL)
            left = look.left
            if left and left == look.denied:
                raise LeftRunning(
                    f"nothing in the container may signal {left} of the command's processes"
                )
        return killed

    def hurry(self) -> None:
        """Make :meth:`end` send SIGKILL now. Idempotent."""
        self._urgent.set()

    def keep_leashed(self, requested: float, on_loss: Callable[[Loss], None]) -> None:
        """Keep the tree on a leash until :meth:`release_leash`; if that fails for good, tell why.

        While it is held, no task waits for it: a program may have thousands of idle commands.

        Args:
            requested: when the command's start was requested, by the clock of
                :func:`time.monotonic`. On a slow machine, part of :data:`LEASH_AFTER` is over.
            on_loss: called with the reason.
        """
        self._on_loss = on_loss
        self._arm_in(max(0.0, requested + LEASH_AFTER - time.monotonic()), attempt=1)

    def _arm_in(self, seconds: float, attempt: int) -> None:
        loop = asyncio.get_running_loop()
        self._arming = loop.call_later(seconds, self._arm, attempt)

    def _arm(self, attempt: int) -> None:
        """Start to hold the tree, in a task that is never cancelled.

        A leash that is abandoned while it is armed may exist nevertheless, and would kill the tree
        unless it is released.
        """
        self._arming = None
        self._attempt = attempt
        self._holding = asyncio.create_task(self._hold())
        self._holding.add_done_callback(self._heard)

    def _heard(self, holding: asyncio.Task[None]) -> None:
        """Note whether the leash holds the tree now."""
        if holding is not self._holding or holding.cancelled():
            return  # it is released already
        failure = holding.exception()
        if failure is None:
            self._leash.when_lost(self.cookie, self._lose)
        elif isinstance(failure, EngineError):
            self._lose(Loss(str(failure)))

    def _lose(self, loss: Loss) -> None:
        if self._holding is None:
            return  # it is released already
        if loss.is_final or self._attempt == LEASH_ATTEMPTS:
            self._on_loss(loss)
        else:
            self._arm_in(self._attempt, self._attempt + 1)

    async def _hold(self) -> None:
        """Have the leash hold the tree, by its cookie and its session.

        Raises:
            EngineError: the engine refused the leash, or failed.
        """
        session = await self._find_session()
        await self._leash.hold(self.cookie, session)
        _log.debug("a leash holds exec %s", self.exec_id)
        # A command without the cookie is held by its session. With a local engine, a session that
        # is not found has ended.
        if session is None and not (self._trees.is_local or await self._bears_cookie()):
            await self._leash.hold(self.cookie, await self._match_session())

    @property
    def may_be_leashed(self) -> bool:
        """Whether there may be a leash to release."""
        return self._holding is not None

    def disarm(self) -> None:
        """Arm no leash from now on. Idempotent."""
        if self._arming is not None:
            self._arming.cancel()
            self._arming = None

    async def release_leash(self, *, ends: bool = False) -> None:
        """Release the tree from the leash; processes that still run are left alone. Idempotent.

        Does nothing if the engine refused the leash, or is gone.

        Args:
            ends: whether the leash shall end the remaining processes instead, on receiving this.
        """
        self.disarm()
        holding, self._holding = self._holding, None
        if holding is not None:
            with suppress(EngineError):
                await holding
            with suppress(EngineError):
                await self._leash.release(self.cookie, ends=ends)

    async def until_root_ended(self, pid: int) -> bool:
        """Wait until the command's own process ends; return False at once if it is not visible.

        Args:
            pid: its number on the engine's machine.
        """
        is_visible = pid > 0 and self._trees.is_local
        return is_visible and await host_processes.until_ended(pid, self._container_id)

    def container_is_up(self) -> bool:
        """Whether the command's container is seen to be up; False if that is unknown."""
        return self._trees.is_local and host_processes.is_up(self._container_id)

    async def _reach(self, number: int) -> Look:
        """Look at the tree and signal it, with retries.

        Raises:
            LeftRunning: the processes cannot be reached.
        """
        clock = asyncio.get_running_loop().time
        deadline, late = clock() + ENGINE_BACK, 0
        while True:
            try:
                return await self._signal_from_inside(number)
            except (CannotLook, Unreachable) as exc:
                # Worth another attempt: the containers of a restarting engine may run on
                # ("live-restore"), and a container full of processes may have room for a script
                # soon.
                if clock() >= deadline or (isinstance(exc, CannotLook) and exc.is_final):
                    raise LeftRunning(str(exc)) from exc
                await asyncio.sleep(POLL)
            except TimeoutError as exc:
                # One late look may be due to other Rind processes that look at the same time.
                late += 1
                if late == MOST_LATE:
                    raise LeftRunning("the engine does not answer") from exc
            except Refused as exc:
                # A container is removed only after all of its processes were killed.
                is_missing = exc.http_status == HTTPStatus.NOT_FOUND
                if is_missing and not await self._engine.has_container(self._container_id):
                    return Look(0, 0, 0, has_root=False)
                raise LeftRunning(str(exc)) from exc
            except EngineError as exc:
                raise LeftRunning(str(exc)) from exc

    async def _signal_from_inside(self, number: int) -> Look:
        """Signal the tree by a script in the container; if that cannot work, from outside.

        Raises:
            CannotLook: neither is possible.
            EngineError, TimeoutError: the look failed.
        """
        # Keep the session: once its leader has ended, it cannot be found again, but may still have
        # processes.
        if self._session is None:
            self._session = await self._find_session()
        try:
            look = await self._looks.take(number, self.cookie, self._session)
        except CannotLook as exc:
            return await self._signal_from_outside(number, exc)
        # We may be allowed to signal the denied processes from outside. If not, this look counts.
        if look.denied:
            with suppress(CannotLook):
                return await self._signal_from_outside(number, CannotLook("", is_final=True))
        return look

    async def _find_session(self) -> Session | None:
        """Return the command's session; None if the engine is not on this machine."""
        return await self._root.session_here() if self._trees.is_local else None

    async def _match_session(self) -> Session | None:
        """Find the session by the engine's list of processes, as a remote engine requires."""
        async with self._turns:
            return await self._root.session_by_list()

    async def _bears_cookie(self) -> bool:
        """Whether the command's own process is found by its cookie; True if nothing can look."""
        with suppress(LeftRunning):
            return await self.has_root()
        return True  # without a shell, there can be no leash either

    async def _signal_from_outside(self, number: int, why: CannotLook) -> Look:
        """Find the tree among the processes of this machine, and signal it.

        Args:
            number: the signal.
            why: the reason why it cannot be signalled from inside.

        Raises:
            CannotLook: the engine is not on this machine, or we may not see its processes.
        """
        if not self._trees.is_local:
            raise CannotLook(f"{why}, and the engine is not on this machine", is_final=why.is_final)
        root = await self._root.pid()
        if root is not None and host_processes.session_of(root, self._container_id) is None:
            root = None
        try:
            count = host_processes.signal_tree(number, self.variable, root, self._container_id)
        except PermissionError as exc:
            raise CannotLook(
                f"{why}, and only root can from outside", is_final=why.is_final
            ) from exc
        return Look(count, count, 0, has_root=root is not None)
