"""The leash: ends the process trees of commands when Rind dies.

The leash is an exec of its own: a shell script whose stdin only Rind holds. When Rind dies, for any
reason, the engine closes that stdin, and the script kills the trees that it holds. A released tree
lives on, as do the processes that a command leaves running on purpose.

One leash serves all commands of one user in one container. A leash for each command would double
the number of execs, and Docker 20.10 hangs for more than a minute if an exec is started while
dozens of others end (containerd#2709).
"""

from __future__ import annotations

import asyncio
import uuid
from contextlib import suppress
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Final

from rind.decide.start_failure import not_started
from rind.errors import Broken, EngineError, Refused
from rind.reaper.looks import run_script
from rind.reaper.scripts import (
    COOKIE,
    HOLDS,
    LEASH_SCRIPT,
    MAY_NOT_SIGNAL,
    SIGNAL_SCRIPT,
    script_config,
    tree_words,
)
from rind.transport.frames import FrameDecoder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from rind.engine.engine import Engine
    from rind.reaper.scripts import Session
    from rind.transport.hijacked import HijackedStream

__all__ = ["Leash", "Loss", "why_no_leash"]

LOST_BOUND: Final = 5.0
"""Seconds to kill a script whose connection was lost."""

MOST_PRINTED: Final = 4096
"""Bytes to keep of a leash's output: only a leash that fails prints more than a word."""


@dataclass(frozen=True, slots=True)
class Loss:
    """How a leash was lost.

    Attributes:
        why: the reason.
        is_final: whether another leash would be lost in the same way.
        is_silence: whether the engine's machine has stopped answering. The leash's connection
            notices that first, as nothing is sent on it while a command runs. On a connection with
            unacknowledged data, the kernel retransmits for a quarter of an hour (tcp(7),
            tcp_retries2).
    """

    why: str
    is_final: bool = False
    is_silence: bool = False


@dataclass(frozen=True, slots=True)
class _Script:
    """A leash's script, as it was started.

    Attributes:
        cookie: marks the script's own processes.
        exec_id: of the exec that runs it.
        stream: of that exec.
        watch: waits until the leash is lost.
        failure: the reason why the leash does not hold; None once it reports that it does.
    """

    cookie: str
    exec_id: str
    stream: HijackedStream
    watch: asyncio.Task[Loss]
    failure: asyncio.Future[str | None]


class Leash:
    """The leash in one container, for commands that run as one user.

    Started at the first hold, ended after the last release. A lost leash is started again at the
    next hold.
    """

    def __init__(self, engine: Engine, container_id: str, user: str) -> None:
        self._engine = engine
        self._container_id = container_id
        self._user = user
        self._held: dict[str, str] = {}  # the script's "hold" lines, by cookie
        self._turn = asyncio.Lock()
        self._losers: dict[str, Callable[[Loss], None]] = {}  # by cookie
        self._script: _Script | None = None

    async def hold(self, cookie: str, session: Session | None) -> None:
        """Have a tree killed when Rind dies. Call :meth:`release` for each held cookie.

        Args:
            cookie: the tree's cookie.
            session: the command's session; None if unknown.

        Raises:
            EngineError: the engine refused, or failed.
        """
        async with self._turn:
            self._held[cookie] = line = f"hold {tree_words(cookie, session)}\n"
            if self._script is not None and not self._script.watch.done():
                await self._script.stream.write(line.encode())
            else:
                await self._end()
                await self._begin()

    async def release(self, cookie: str, *, ends: bool = False) -> None:
        """Leave the rest of a tree running; with ``ends``, end it now. Idempotent.

        Raises:
            Broken: the leash is gone.
        """
        self._losers.pop(cookie, None)
        async with self._turn:
            if self._held.pop(cookie, None) is not None:
                try:
                    if self._script is not None:
                        line = f"{'end' if ends else 'release'} {cookie}\n"
                        await self._script.stream.write(line.encode())
                finally:
                    if not self._held:
                        await self._end()

    def when_lost(self, cookie: str, lose: Callable[[Loss], None]) -> None:
        """Call ``lose`` once, after the leash is lost, unless the held cookie is released before.

        A callback and not a task: a task for each idle command would take 10 kB.
        """
        self._losers[cookie] = lose
        if self._script is not None and self._script.watch.done():
            self._tell(self._script.watch)

    def _tell(self, watch: asyncio.Task[Loss]) -> None:
        if self._script is not None and watch is self._script.watch and not watch.cancelled():
            losers, self._losers = self._losers, {}
            for lose in losers.values():
                lose(watch.result())

    async def why_none(self) -> str | None:
        """Return why there is no leash; None if there is one. Only while a tree is held."""
        assert self._script is not None  # noqa: S101 # set by a hold
        return await asyncio.shield(self._script.failure)

    async def _begin(self) -> None:
        cookie = uuid.uuid4().hex
        # The trees to hold are not passed in the script's environment: if an engine drops the input
        # that comes before the script runs, it drops a "release" only with the "hold" before it.
        config = script_config(LEASH_SCRIPT, user=self._user, name="rind-leash")
        config = replace(config, env=[f"{COOKIE}={cookie}", *config.env])
        exec_id = await self._engine.create_exec(self._container_id, config)
        stream = await self._engine.start_exec(exec_id, tty=False)
        failure = asyncio.get_running_loop().create_future()
        watch = asyncio.create_task(_until_lost(stream, failure))
        watch.add_done_callback(self._tell)
        self._script = _Script(cookie, exec_id, stream, watch, failure)
        await stream.write("".join(self._held.values()).encode())

    async def _end(self) -> None:
        """Close the script's stdin; trees that were not released are killed."""
        script, self._script = self._script, None
        if script is not None:
            was_lost = script.watch.done()
            script.watch.cancel()
            await asyncio.wait({script.watch})
            script.stream.close()
            if was_lost:
                with suppress(EngineError, TimeoutError):
                    async with asyncio.timeout(LOST_BOUND):
                        await self._kill(script)

    async def _kill(self, script: _Script) -> None:
        """Kill a script whose stdin will never be closed.

        An engine that restarts with "live-restore" leaves such scripts in its containers.
        """
        try:
            if not (await self._engine.inspect_exec(script.exec_id)).running:
                return
        except Refused as exc:
            if exc.http_status != HTTPStatus.NOT_FOUND:
                raise
        config = script_config(SIGNAL_SCRIPT, "9", user=self._user, held=tree_words(script.cookie))
        await run_script(self._engine, self._container_id, config)


async def why_no_leash(engine: Engine, container_id: str, user: str) -> str | None:
    """Try a leash; return why it cannot hold a command; None if it can."""
    leash, cookie = Leash(engine, container_id, user), uuid.uuid4().hex
    try:
        await leash.hold(cookie, None)
        return await leash.why_none()
    except EngineError as exc:
        return str(exc)
    finally:
        with suppress(EngineError):
            await leash.release(cookie)


async def _until_lost(stream: HijackedStream, failure: asyncio.Future[str | None]) -> Loss:
    """Wait until a leash is lost; return how.

    Args:
        stream: the stream of the leash's exec.
        failure: set to the reason why the leash does not hold, or to None once it reports that
            it does.
    """
    decoder, printed = FrameDecoder(), b""
    try:
        while data := await stream.read():
            printed = (printed + b"".join(part for _, part in decoder.feed(data)))[:MOST_PRINTED]
            if printed.startswith(HOLDS.encode()) and not failure.done():
                failure.set_result(None)
        loss = Loss("it was ended from outside")
        if not failure.done():
            loss = _not_begun(printed)
            failure.set_result(loss.why)
    except Broken as exc:
        silence = isinstance(exc.__cause__, TimeoutError)
        loss = Loss(str(exc), is_final=silence, is_silence=silence)
        if not failure.done():
            failure.set_result(loss.why)
    finally:
        failure.cancel()  # after Ctrl-C, nothing else would wake the tasks that await it
    return loss


def _not_begun(printed: bytes) -> Loss:
    """Return why a leash has never held, by its output."""
    text = printed.decode(errors="replace").strip()
    if text == MAY_NOT_SIGNAL:
        return Loss(text, is_final=True)
    return Loss(*not_started(text))
