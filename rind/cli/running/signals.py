"""Signals sent to Rind: the first ends the command, the second ends Rind.

The handlers are Python's own, not the event loop's: those run only while the loop does, and a
system call that blocks is restarted after them. A full stdout, a network file system or an engine
that does not answer must not block the user. So after the second signal a timer ends the program
in any state: it restores the terminal, reports a command that may be left running, and lets the
signal end the process.
"""

from __future__ import annotations

import os
import select
from contextlib import contextmanager, suppress

from rind.base.light import signal
from rind.cli.report import line
from rind.terminal.tty import restore_terminals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable, Iterator, Sequence
    from types import FrameType
    from typing import Final, NoReturn, Protocol

__all__ = ["ENDING", "Relay", "die_of", "handling_signals", "left_running", "say"]

ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_FORWARDED: Final = (signal.SIGUSR1, signal.SIGUSR2)

GIVE_UP_AFTER: Final = 1.0
"""Seconds after the second signal, enough for SIGKILL to take effect on an engine that works."""

SAY_WITHIN: Final = 1.0
"""Seconds for stderr to accept a message, which is otherwise dropped."""


if TYPE_CHECKING:

    class Endable(Protocol):
        """Work that can be ended from outside."""

        def interrupt(self, number: int) -> None:
            """End the work with a signal; the second call ends it at once."""

        def forward(self, number: int) -> None:
            """Forward a signal that does not end the work."""

        def left(self) -> str:
            """Return a message about a command that may be left running if we exit now."""


class Relay:
    """Passes signals to work in an event loop, and keeps them until work is attached.

    Args:
        name: the container in which a command may be left running until then; None if none.
    """

    def __init__(self, name: str | None = None) -> None:
        self._name = name
        self._kept: list[Callable[[Endable], None]] = []
        self._work: Endable | None = None
        self._loop: AbstractEventLoop | None = None

    def attach(self, work: Endable, loop: AbstractEventLoop) -> None:
        """Pass signals to ``work`` from now on, beginning with those that were kept."""
        self._work, self._loop = work, loop
        for action in self._kept:
            self._pass(action)

    def interrupt(self, number: int) -> None:
        """Pass a signal that ends the work."""
        self._pass(lambda work: work.interrupt(number))

    def forward(self, number: int) -> None:
        """Pass a signal that does not end the work."""
        self._pass(lambda work: work.forward(number))

    def left(self) -> str:
        """Return a message about a command that may be left running if we exit now."""
        if self._work is not None:
            return self._work.left()
        return left_running([] if self._name is None else [self._name])

    def _pass(self, action: Callable[[Endable], None]) -> None:
        if self._loop is None or self._work is None:
            self._kept.append(action)
        else:
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(action, self._work)


def left_running(names: Sequence[str]) -> str:
    """Return the message that Rind gives up, and where a command may be left running."""
    if not names:
        return "gave up; no command was started"
    return f"gave up; the command may be left running in {', '.join(names)}"


@contextmanager
def handling_signals(work: Endable) -> Iterator[None]:
    """Pass signals sent to us to ``work``, directly from their handlers.

    Signals that our parent ignores, as nohup does, stay ignored. After the context, all signals
    that end the work are ignored: another Ctrl-C does not change the exit status.
    """
    first = 0

    def interrupt(number: int, _: FrameType | None) -> None:
        nonlocal first
        work.interrupt(number)
        # The second signal starts the timer; later ones do not extend it.
        if first and not signal.getitimer(signal.ITIMER_REAL)[0]:
            signal.setitimer(signal.ITIMER_REAL, GIVE_UP_AFTER)
        first = first or number

    def forward(number: int, _: FrameType | None) -> None:
        work.forward(number)

    def give_up(_number: int, _: FrameType | None) -> None:
        restore_terminals()
        say(work.left(), within=0)
        die_of(first)

    signal.signal(signal.SIGALRM, give_up)
    for numbers, handler in ((ENDING, interrupt), (_FORWARDED, forward)):
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
    """End the program by a signal, so that the calling shell ends its loop or script too.

    Args:
        number: the signal.
        with_group: send it to our process group, as a terminal does on Ctrl-C. Ours did not, in
            raw mode, and a shell that runs a script continues unless it gets the signal too.
    """
    if number == signal.SIGQUIT:
        import resource

        # SIGQUIT would dump core, which is of no use.
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(number, signal.SIG_DFL)
    if with_group:
        os.killpg(0, number)
    else:
        os.kill(os.getpid(), number)
    # If the signal is blocked, it is delivered now.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])
    os._exit(128 + number)  # if the signal could not be delivered


def say(text: str, within: float = SAY_WITHIN) -> None:
    """Print a line on stderr; drop it if stderr accepts nothing for ``within`` seconds."""
    # Not through sys.stderr, whose buffer Python would try to write once more at exit.
    poll = select.poll()
    poll.register(2, select.POLLOUT)
    left = line(text).encode()
    # There is no place to report a stderr that fails.
    with suppress(OSError):
        while left and poll.poll(within * 1000):
            # A pipe that is ready accepts PIPE_BUF bytes without blocking.
            left = left[os.write(2, left[: select.PIPE_BUF]) :]
