"""Signals sent to Rind: the first ends the command, the second ends Rind.

Python's own handlers take them, not the event loop's: those only run while the loop does, and
they restart a system call that blocks. A full stdout, a network file system or an engine that does
not answer must not block the user. So after the second signal a timer ends the program wherever it
is: it restores the terminal, says what may be left, and dies of the signal.
"""

from __future__ import annotations

import os
import select
import signal
from contextlib import contextmanager, suppress

from rind.cli.report import line
from rind.terminal.tty import give_back

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Iterator, Sequence
    from types import FrameType
    from typing import Final, NoReturn, Protocol

__all__ = ["ENDING", "Relay", "die_of", "left_running", "say", "taken"]

ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_FORWARDED: Final = (signal.SIGUSR1, signal.SIGUSR2)

GIVE_UP_AFTER: Final = 1.0
"""Seconds after the second signal, in which SIGKILL has its effect on an engine that works."""

SAY_WITHIN: Final = 1.0
"""Seconds in which stderr must take a line, else it is not said."""


if TYPE_CHECKING:

    class Endable(Protocol):
        """Work that can be ended from outside."""

        def interrupt(self, number: int) -> None:
            """End it with a signal; called again, at once."""

        def forward(self, number: int) -> None:
            """Forward a signal that does not end it."""

        def left(self) -> str:
            """Return what may be left running if we exit now."""


class Relay:
    """Passes signals to work in an event loop, and keeps them until there is one.

    Args:
        name: the container in which a command may be left running until then; empty for none.
    """

    def __init__(self, name: str = "") -> None:
        self._name = name
        self._kept: list[tuple[str, int]] = []
        self._work: Endable | None = None
        self._loop: AbstractEventLoop | None = None

    def attach(self, work: Endable, loop: AbstractEventLoop) -> None:
        """Pass the signals to ``work`` from now on, and those that were kept."""
        self._work, self._loop = work, loop
        for method, number in self._kept:
            self._pass(method, number)

    def interrupt(self, number: int) -> None:
        """Pass a signal that ends the work."""
        self._pass("interrupt", number)

    def forward(self, number: int) -> None:
        """Pass a signal that does not end it."""
        self._pass("forward", number)

    def left(self) -> str:
        """Return what may be left running if we exit now."""
        if self._work is not None:
            return self._work.left()
        return left_running([self._name] if self._name else [])

    def _pass(self, method: str, number: int) -> None:
        if self._loop is None:
            self._kept.append((method, number))
        else:
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(getattr(self._work, method), number)


def left_running(names: Sequence[str]) -> str:
    """Say that Rind gives up, and in which containers a command may be left running."""
    if not names:
        return "gave up; no command was started"
    return f"gave up; the command may be left running in {', '.join(names)}"


@contextmanager
def taken(work: Endable) -> Iterator[None]:
    """Hand the signals sent to us to ``work``, within their handlers.

    Signals that our parent ignores, as nohup does, stay ignored. At the end the exit status is
    settled: another Ctrl-C does not change it.
    """
    first = 0

    def take(number: int, _: FrameType | None) -> None:
        nonlocal first
        work.interrupt(number)
        if first and not signal.getitimer(signal.ITIMER_REAL)[0]:
            signal.setitimer(signal.ITIMER_REAL, GIVE_UP_AFTER)
        first = first or number

    def forward(number: int, _: FrameType | None) -> None:
        work.forward(number)

    def give_up(_number: int, _: FrameType | None) -> None:
        give_back()
        say(work.left(), within=0)
        die_of(first)

    signal.signal(signal.SIGALRM, give_up)
    for numbers, handler in ((ENDING, take), (_FORWARDED, forward)):
        for number in numbers:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, handler)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number in ENDING:
            signal.signal(number, signal.SIG_IGN)


def die_of(number: int, *, with_group: bool = False) -> NoReturn:
    """End the program by a signal, as a shell must see it for its loop or script to end too.

    Args:
        number: the signal.
        with_group: send it to our process group, as a terminal does where Ctrl-C is typed. Ours
            was in raw mode, and a shell that runs a script goes on unless it gets the signal too.
    """
    if number == signal.SIGQUIT:
        import resource  # noqa: PLC0415 # only here

        # A core dump would be of no use.
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(number, signal.SIG_DFL)
    if with_group:
        os.killpg(0, number)
    else:
        os.kill(os.getpid(), number)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])
    os._exit(128 + number)  # where it could not be delivered


def say(text: str, within: float = SAY_WITHIN) -> None:
    """Print a line on stderr, unless that takes none within some seconds."""
    # Not sys.stderr: it would try once more at exit.
    poll = select.poll()
    poll.register(2, select.POLLOUT)
    left = line(text).encode()
    # One that is gone cannot be told so.
    with suppress(OSError):
        while left and poll.poll(within * 1000):
            # A pipe that is ready takes as much without blocking.
            left = left[os.write(2, left[: select.PIPE_BUF]) :]
