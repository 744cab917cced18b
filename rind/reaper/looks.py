"""Looks at a container's processes, by a script in it. Concurrent callers share one look.

Goal: count and signal the processes of many commands in bounded time. A look costs an exec, 50 to
100 ms, and hardly more for a hundred commands than for one.

Plan: callers queue their requests. One task takes all that are queued, makes one look for them, and
gives each caller its result. Requests that arrive during a look are served by the next one. An
error of a look is raised for all of its callers. Only that task runs the script, so a caller that
is cancelled does not disturb the others.

Doubts: the script runs in the container's own /bin/sh, which is hostile. So its output is limited
in size and time, and anything but the expected numbers means that it cannot look.
"""

import asyncio
import signal
import sys
from collections import deque
from contextlib import suppress
from typing import Final, NamedTuple

from rind.decide.start_failure import not_started
from rind.engine.engine import Engine
from rind.model import ExecConfig
from rind.reaper.scripts import SIGNAL_SCRIPT, Session, script_config, tree_words
from rind.transport.frames import STDOUT, FrameDecoder
from rind.transport.hijacked import HijackedStream

__all__ = ["CannotLook", "Look", "Looks", "run_script"]

BOUND: Final = 10.0
"""Seconds for one look."""

_LINUX: Final = {
    "SIGBUS": 7,
    "SIGUSR1": 10,
    "SIGUSR2": 12,
    "SIGCHLD": 17,
    "SIGCONT": 18,
    "SIGSTOP": 19,
    "SIGTSTP": 20,
    "SIGURG": 23,
    "SIGIO": 29,
    "SIGSYS": 31,
}
"""Linux's numbers of the signals that have another on macOS (signal(7); macOS's sys/signal.h)."""

_NOT_ON_LINUX: Final = {"SIGEMT", "SIGINFO"}

MOST_AT_ONCE: Final = 250
"""Commands in one look, at most."""

MOST_PRINTED: Final = 64 * 1024
"""Bytes that a script may print. It runs in the container's /bin/sh, which is hostile."""


class Look(NamedTuple):
    """The result of a look at one command's tree.

    Attributes:
        found: the number of processes before the signal.
        left: the number after it.
        denied: the number of those left that may not be signalled from inside the container.
        has_root: whether the command's own process was one of those found.
    """

    found: int
    left: int
    denied: int
    has_root: bool


class CannotLook(Exception):  # its text is the reason
    """No script can run in the container. The text of the exception is the reason.

    Attributes:
        is_final: whether another attempt would fail too, as without a shell.
    """

    def __init__(self, why: str, *, is_final: bool) -> None:
        super().__init__(why)
        self.is_final = is_final


async def run_script(engine: Engine, container_id: str, config: ExecConfig) -> tuple[bytes, bytes]:
    """Run a script to its end; return its stdout and its stderr.

    If it cannot be started, stdout is the engine's message about that.

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
        # Let the start finish: until the container stops, an engine keeps an exec instance that
        # was created and never started.
        opening.add_done_callback(_close_late)
        raise
    try:
        decoder, out, err = FrameDecoder(), b"", b""
        while len(out) + len(err) < MOST_PRINTED and (data := await stream.read()):
            for kind, part in decoder.feed(data):
                if kind == STDOUT:
                    out += part
                else:  # stderr, or the engine's error message
                    err += part
    finally:
        stream.close()
    return out, err


def linux_number(number: int) -> int:
    """Return the number in a container of a signal, which may have another one on this machine.

    Raises:
        ValueError: Linux has no such signal.
    """
    if sys.platform != "linux" and number:
        name = signal.Signals(number).name
        if name in _NOT_ON_LINUX:
            raise ValueError(f"Linux has no {name}")
        return _LINUX.get(name, number)
    return number


def _close_late(opening: "asyncio.Task[HijackedStream]") -> None:
    """Close the stream of an abandoned start."""
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()


class _Request(NamedTuple):
    """A signal number, the script's words for the command, and the future of its caller."""

    number: int
    held: str
    answer: "asyncio.Future[Look]"


class Looks:
    """The looks at one container's processes, as one user.

    Args:
        engine: an open engine.
        container_id: the container.
        user: the user whose processes are reached.
        turns: limits the looks at the same time, as many delay each other.
    """

    def __init__(
        self, engine: Engine, container_id: str, user: str, turns: asyncio.Semaphore
    ) -> None:
        self._engine = engine
        self._container_id = container_id
        self._user = user
        self._turns = turns
        self._requests: deque[_Request] = deque()
        self._looking: asyncio.Task[None] | None = None

    async def take(self, number: int, cookie: str, session: Session | None) -> Look:
        """Look at a command's tree, and signal it.

        Args:
            number: the signal, by this machine's number; 0 sends none.
            cookie: the tree's cookie.
            session: the command's session; None if unknown.

        Raises:
            ValueError: a container has no such signal.
            CannotLook: no script can run in the container.
            EngineError, TimeoutError: the look failed.
        """
        answer = asyncio.get_running_loop().create_future()
        self._requests.append(_Request(linux_number(number), tree_words(cookie, session), answer))
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
            self._looking.add_done_callback(self._wake_callers)
        look: Look = await answer
        return look

    def _wake_callers(self, looking: "asyncio.Task[None]") -> None:
        """Wake the callers of a look that a loop's end has cancelled before it began."""
        if looking is self._looking:
            for request in self._requests:
                request.answer.cancel()
            self._requests.clear()

    async def until_idle(self) -> None:
        """Wait for the current look, if there is one. Bounded in time."""
        if self._looking is not None:
            await asyncio.wait({self._looking})

    async def _look(self) -> None:
        while self._requests:
            async with self._turns:
                count = min(len(self._requests), MOST_AT_ONCE)
                requests = [self._requests.popleft() for _ in range(count)]
                failure: Exception | None = None
                looks: list[Look] = []
                try:
                    async with asyncio.timeout(BOUND):
                        looks = await self._look_once(requests)
                except Exception as exc:  # noqa: BLE001 # raised for all callers
                    failure = exc
                except BaseException:
                    # Ctrl-C may be raised in any task. Without this, the callers would never wake.
                    for request in requests:
                        request.answer.cancel()
                    raise
            for position, request in enumerate(requests):
                if request.answer.done():
                    continue  # its caller was cancelled
                if failure is not None:
                    request.answer.set_exception(failure)
                else:
                    request.answer.set_result(looks[position])

    async def _look_once(self, requests: list[_Request]) -> list[Look]:
        """Run the script for some requests; return their results in order."""
        numbers, held = (
            (str(request.number) for request in requests),
            " ".join(request.held for request in requests),
        )
        config = script_config(SIGNAL_SCRIPT, *numbers, user=self._user, held=held)
        stdout, stderr = await run_script(self._engine, self._container_id, config)
        with suppress(ValueError):
            rows = [tuple(map(int, line.split())) for line in stdout.splitlines()]
            if len(rows) == len(requests) and {len(row) for row in rows} == {4}:
                return [Look(found, left, denied, bool(own)) for found, left, denied, own in rows]
        why, is_final = not_started((stderr or stdout).decode(errors="replace"))
        raise CannotLook(
            f"no shell in the container can signal the command ({why})", is_final=is_final
        )
