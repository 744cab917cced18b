"""A process that keeps engines up for another, and puts all back however that one ends."""

from __future__ import annotations

import os
import signal
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn, Protocol

from bed.say import Trouble, say

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Kept(Protocol):
    """What can be kept: an engine."""

    def start(self, *, tied: bool = False) -> None:
        """Begin; *tied*: end when this process does, by whatever cause."""

    def stop(self) -> None:
        """End, and leave all as it was."""


@contextmanager
def kept(things: Sequence[Kept]) -> Iterator[None]:
    """Have things started, and stopped in the end, even that of a SIGKILL.

    The keeper is a fork that reads from a pipe of which only this process has the other end: its
    end of file is the end of this process. Locks that this process holds are the keeper's too, so
    they are let go only when all has been put back.

    Raises:
        Trouble: one did not start.
    """
    leash, held = os.pipe()
    report, reporting = os.pipe()
    keeper = os.fork()
    if keeper == 0:
        os.close(held)
        os.close(report)
        _keep(things, leash, reporting)
    os.close(leash)
    os.close(reporting)
    try:
        with os.fdopen(report) as answer:
            if trouble := answer.read():
                raise Trouble(trouble)
        yield
    finally:
        os.close(held)
        os.waitpid(keeper, 0)


def _keep(things: Sequence[Kept], leash: int, reporting: int) -> NoReturn:
    try:
        os.setsid()  # out of reach of the terminal's Ctrl-C
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # A handler, because SIG_IGN would be passed on to the engine and its containers.
            signal.signal(number, lambda *_: None)
        try:
            for thing in things:
                thing.start(tied=True)
        except (Trouble, OSError) as exc:
            os.write(reporting, str(exc).encode())
        os.close(reporting)
        os.read(leash, 1)
        for thing in things:
            try:
                thing.stop()
            except (Trouble, OSError) as exc:
                say(f"left something behind: {exc}")
    except BaseException:  # noqa: BLE001 - nothing may unwind into what the fork is a copy of
        traceback.print_exc()
    finally:
        os._exit(0)
