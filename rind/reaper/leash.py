"""The leash: what ends the trees of commands when we die.

It is an exec of its own, a shell script that reads its stdin, and that only we hold. When we die,
by whatever cause, the engine ends that stdin, and the script ends the trees that it was told to
hold. What it was told to release lives on: so does what a command leaves running on purpose.

One serves all commands that run in a container as the same user. An exec for each of them would
double their number, and Docker 20.10 stands still for a minute and more where one is started in
the moment in which dozens end (containerd#2709).
"""

import asyncio
import uuid
from contextlib import suppress
from dataclasses import replace
from http import HTTPStatus
from typing import Final

from rind.engine.engine import Engine
from rind.engine.hijacked import HijackedStream
from rind.errors import Broken, EngineError, Refused
from rind.reaper.looks import NOT_KNOWN, run_script, script_config
from rind.reaper.scripts import COOKIE, LEASH_SCRIPT, SIGNAL_SCRIPT

__all__ = ["Leash"]

LOST_BOUND: Final = 5.0
"""Seconds to end a script that was lost."""


class Leash:
    """The leash in one container, for commands that run as one user.

    Started at the first hold, ended after the last release.
    """

    def __init__(self, engine: Engine, container_id: str, user: str) -> None:
        self._engine = engine
        self._container_id = container_id
        self._user = user
        self._held: dict[str, str] = {}  # what says so to the script, by cookie
        self._turn = asyncio.Lock()
        self._stream: HijackedStream | None = None
        self._watch: asyncio.Task[None] | None = None
        self._cookie = ""
        self._exec_id = ""

    async def hold(self, cookie: str, session: tuple[str, str]) -> None:
        """Have a tree ended when we die. Every call needs its :meth:`release`.

        Args:
            cookie: that of the tree.
            session: the command's own and its leader's start time, "-" for what is not known.

        Raises:
            EngineError: the engine refused, or failed.
        """
        async with self._turn:
            self._held[cookie] = told = f"hold {cookie} {' '.join(session)}\n"
            if self._watch is None or self._watch.done():
                await self._end()
                await self._begin()
            else:
                await self._tell(told)

    async def release(self, cookie: str) -> None:
        """Leave what still runs of a tree to itself. Idempotent.

        Raises:
            Broken: there was no leash any more.
        """
        async with self._turn:
            if self._held.pop(cookie, None) is not None:
                try:
                    await self._tell(f"release {cookie}\n")
                finally:
                    if not self._held:
                        await self._end()

    async def _begin(self) -> None:
        self._cookie = uuid.uuid4().hex
        config = script_config(LEASH_SCRIPT, user=self._user, name="rind-leash")
        config = replace(config, env=[f"{COOKIE}={self._cookie}", *config.env])
        self._exec_id = await self._engine.create_exec(self._container_id, config)
        self._stream = await self._engine.start_exec(self._exec_id, tty=False)
        self._watch = asyncio.create_task(_until_gone(self._stream))
        await self._tell("".join(self._held.values()))

    async def _tell(self, lines: str) -> None:
        if self._stream is not None:
            await self._stream.write(lines.encode())

    async def _end(self) -> None:
        """Close the script's stdin; trees that were not released are killed."""
        stream, self._stream = self._stream, None
        watch, self._watch = self._watch, None
        if stream is not None and watch is not None:
            was_lost = watch.done()
            watch.cancel()
            await asyncio.wait({watch})
            stream.close()
            if was_lost:
                with suppress(EngineError, TimeoutError):
                    async with asyncio.timeout(LOST_BOUND):
                        await self._kill()

    async def _kill(self) -> None:
        """Kill a script that no engine holds the stdin of any more, so that it would never end.

        So does a restart leave it, where the containers live on ("live-restore").
        """
        try:
            if not (await self._engine.inspect_exec(self._exec_id)).running:
                return
        except Refused as exc:
            if exc.http_status != HTTPStatus.NOT_FOUND:
                raise
        held = " ".join([self._cookie, *NOT_KNOWN])
        config = script_config(SIGNAL_SCRIPT, "9", user=self._user, held=held)
        await run_script(self._engine, self._container_id, config)


async def _until_gone(stream: HijackedStream) -> None:
    """Return when a script has ended, or was never started."""
    with suppress(Broken):
        while await stream.read():
            pass
