"""A process that keeps engines running for another, and cleans up however that one ends."""

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
    """An object that a keeper can start and stop, such as an engine."""

    def start(self, *, tied: bool = False) -> None:
        """Start; *tied*: whether to end when this process ends, for any cause."""

    def stop(self) -> None:
        """Stop, and remove every trace."""


@contextmanager
def kept(things: Sequence[Kept]) -> Iterator[None]:
    """Start things, and stop them at the end, even after a SIGKILL.

    The keeper is a fork that reads a pipe whose other end only this process has: end of file
    means the end of this process. The keeper shares this process's locks, so they are released
    only after the clean-up.

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
            # A handler, because the engine and its containers would inherit SIG_IGN.
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
                say(f"the clean-up is incomplete: {exc}")
    except BaseException:  # noqa: BLE001 - nothing may unwind into what the fork is a copy of
        traceback.print_exc()
    finally:
        os._exit(0)
