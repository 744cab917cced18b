"""Looks at a container's processes, by a script in it. Concurrent callers share one look.

A look costs an exec, 50 to 100 ms, and hardly more for a hundred commands than for one.
"""

import asyncio
from collections import deque
from contextlib import suppress
from typing import Final, NamedTuple

from rind.decide.start_failure import not_started
from rind.engine.engine import Engine
from rind.model import ExecConfig
from rind.reaper.scripts import SIGNAL_SCRIPT, script_config
from rind.transport.frames import STDOUT, FrameDecoder
from rind.transport.hijacked import HijackedStream

__all__ = ["CannotLook", "Look", "Looks", "run_script"]

BOUND: Final = 10.0
"""Seconds for one look."""

MOST_AT_ONCE: Final = 250
"""Commands in one look, at most."""

MOST_SAID: Final = 64 * 1024
"""Bytes that a script may print. It runs in the container's /bin/sh, which is hostile."""


class Look(NamedTuple):
    """The result of a look at one command's tree.

    Attributes:
        found: the number of processes before the signal.
        left: the number after it.
        denied: the number of those left that may not be signalled from inside the container.
        has_root: whether the command's own process was one of them.
    """

    found: int
    left: int
    denied: int
    has_root: bool


class CannotLook(Exception):  # it says what is the matter
    """No script can run in the container. Its text says why.

    Attributes:
        is_final: whether that is so at any time: there is no shell.
    """

    def __init__(self, why: str, *, is_final: bool) -> None:
        super().__init__(why)
        self.is_final = is_final


async def run_script(engine: Engine, container_id: str, config: ExecConfig) -> tuple[bytes, bytes]:
    """Run a script to its end; return its stdout and its stderr.

    Where it could not be started, stdout is what the engine says about it.

    Raises:
        EngineError: the engine failed.
    """

    async def start() -> HijackedStream:
        exec_id = await engine.create_exec(container_id, config)
        return await engine.start_exec(exec_id, tty=False)

    opening = asyncio.create_task(start())
    try:
        stream = await asyncio.shield(opening)
    except asyncio.CancelledError:
        # An engine keeps what is created and never started, until the container stops.
        opening.add_done_callback(_close_late)
        raise
    try:
        decoder, out, err = FrameDecoder(), b"", b""
        while len(out) + len(err) < MOST_SAID and (data := await stream.read()):
            for kind, part in decoder.feed(data):
                if kind == STDOUT:
                    out += part
                else:  # stderr, or an error of the engine's
                    err += part
    finally:
        stream.close()
    return out, err


def _close_late(opening: "asyncio.Task[HijackedStream]") -> None:
    """Close the stream of an abandoned start."""
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()


class _Asked(NamedTuple):
    number: int
    held: str
    answer: "asyncio.Future[Look]"


class Looks:
    """The looks at one container's processes, as one user.

    Args:
        engine: an open one.
        container_id: the container.
        user: whose processes are reached.
        turns: one is taken for each look: many at once delay each other.
    """

    def __init__(
        self, engine: Engine, container_id: str, user: str, turns: asyncio.Semaphore
    ) -> None:
        self._engine = engine
        self._container_id = container_id
        self._user = user
        self._turns = turns
        self._asked: deque[_Asked] = deque()
        self._looking: asyncio.Task[None] | None = None

    async def take(self, number: int, cookie: str, session: tuple[str, str]) -> Look:
        """Look at a command's tree, and signal it.

        Args:
            number: the signal; 0 sends none.
            cookie: the tree's.
            session: the command's session and its leader's start time.

        Raises:
            CannotLook: no script can run there.
            EngineError, TimeoutError: the look failed.
        """
        answer = asyncio.get_running_loop().create_future()
        self._asked.append(_Asked(number, " ".join([cookie, *session]), answer))
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        look: Look = await answer
        return look

    async def until_idle(self) -> None:
        """Wait for the look that is under way, if any. Bounded in time."""
        if self._looking is not None:
            await asyncio.wait({self._looking})

    async def _look(self) -> None:
        while self._asked:
            async with self._turns:
                count = min(len(self._asked), MOST_AT_ONCE)
                asked = [self._asked.popleft() for _ in range(count)]
                wrong: Exception | None = None
                seen: list[Look] = []
                try:
                    async with asyncio.timeout(BOUND):
                        seen = await self._see(asked)
                except Exception as exc:  # noqa: BLE001 # all who have asked get it
                    wrong = exc
                except BaseException:
                    # Ctrl-C strikes any task. Who has asked would wait for ever.
                    for it in asked:
                        it.answer.cancel()
                    raise
            for position, it in enumerate(asked):
                if it.answer.done():
                    continue  # it was cancelled
                if wrong is not None:
                    it.answer.set_exception(wrong)
                else:
                    it.answer.set_result(seen[position])

    async def _see(self, asked: list[_Asked]) -> list[Look]:
        numbers, held = (
            (str(request.number) for request in asked),
            " ".join(request.held for request in asked),
        )
        config = script_config(SIGNAL_SCRIPT, *numbers, user=self._user, held=held)
        said, wrong = await run_script(self._engine, self._container_id, config)
        with suppress(ValueError):
            rows = [tuple(map(int, line.split())) for line in said.splitlines()]
            if len(rows) == len(asked) and {len(row) for row in rows} == {4}:
                return [Look(found, left, denied, bool(own)) for found, left, denied, own in rows]
        why, is_final = not_started((wrong or said).decode(errors="replace"))
        raise CannotLook(f"no shell can signal it there ({why})", is_final=is_final)
