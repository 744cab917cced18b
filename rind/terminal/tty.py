"""The local terminal: raw mode, its end, job control, and the window size.

The standard library's termios and tty do all of this; prompt_toolkit, whose raw mode leaves
output processing on, would add 100 ms to the start of every interactive run.
"""

from __future__ import annotations

import os
import signal
import termios
import tty
from contextlib import contextmanager, suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable, Iterator, Mapping
    from typing import Final, Self

__all__ = [
    "RawMode",
    "give_back",
    "handed_over",
    "in_foreground",
    "is_raw",
    "is_terminal",
    "raw_mode",
    "signals_handled",
    "window_size",
]

# What both Debian's ncurses-base and Alpine's ncurses-terminfo-base describe.
_TERMS: Final = frozenset(
    [
        "ansi",
        "dumb",
        "linux",
        "rxvt",
        "screen",
        "screen-256color",
        "tmux",
        "tmux-256color",
        "vt100",
        "vt102",
        "vt220",
        "vt52",
        "xterm",
        "xterm-256color",
        "xterm-color",
        "xterm-xfree86",
    ]
)


_COLORTERMS: Final = frozenset(["truecolor", "24bit"])
"""Values by which programs know a terminal that has all colours."""


def is_terminal(fd: int) -> bool:
    """Return whether ``fd`` is an open terminal."""
    try:
        return os.isatty(fd)
    except OSError:
        return False


def in_foreground(fd: int) -> bool:
    """Return whether we are in the foreground process group of the terminal ``fd``."""
    try:
        return os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:
        return True  # not our controlling terminal: there is no job control on it


_raw: list[RawMode] = []
"""Those that are entered."""


def is_raw() -> bool:
    """Return whether we have a terminal in raw mode."""
    return bool(_raw)


def give_back() -> None:
    """Restore all terminals that are in raw mode. Safe at any point of the program."""
    for mode in reversed(_raw):
        mode.suspend()


@contextmanager
def signals_handled(
    loop: AbstractEventLoop, handlers: Mapping[signal.Signals, Callable[[], object]]
) -> Iterator[None]:
    """Call functions in an event loop on signals; restore the previous handlers at the end.

    The loop's own handlers are not used: it has one for each signal, which may be the host
    program's. Does nothing in threads other than the main one, which get no signals.
    """
    import threading  # noqa: PLC0415 # asyncio needs it too, a start does not

    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def take(number: int, _: object) -> None:
        loop.call_soon_threadsafe(handlers[signal.Signals(number)])

    before = {number: signal.signal(number, take) for number in handlers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


def raw_mode(fd: int) -> RawMode:
    """Return the raw mode of a terminal: the one that is entered, or else a new one."""
    return next((mode for mode in _raw if mode.fd == fd), None) or RawMode(fd)


class RawMode:
    """A context in which a terminal is in raw mode: keys and output pass unchanged.

    At its end the attributes are restored bit for bit. Pending input is kept. It may be entered
    again before its end, which changes nothing: the first end counts. Made by :func:`raw_mode`.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._saved: list[int | list[bytes | int]] = []

    def __enter__(self) -> Self:
        if self in _raw:
            return self
        if not in_foreground(self.fd):
            # What a job is stopped with that sets the terminal from the background. Stopped now,
            # and not at the first change: the attributes are still the shell's own.
            os.kill(os.getpid(), signal.SIGTTOU)
        self._saved = termios.tcgetattr(self.fd)
        _raw.append(self)
        self.resume()
        return self

    def __exit__(self, *_: object) -> None:
        if self in _raw:
            self.suspend()
            _raw.remove(self)

    def resume(self) -> None:
        """Set raw mode, for the first time or again. Idempotent."""
        # A terminal that has hung up has no attributes; its SIGHUP comes with a SIGCONT.
        with suppress(termios.error):
            tty.setraw(self.fd, termios.TCSADRAIN)

    def suspend(self) -> None:
        """Restore the terminal's attributes. Idempotent."""
        # Not TCSADRAIN: on a terminal that is no longer read, it would never return.
        # A terminal that has hung up has no attributes to restore.
        with suppress(termios.error):
            termios.tcsetattr(self.fd, termios.TCSANOW, self._saved)


def window_size(*fds: int) -> tuple[int, int] | None:
    """Return (rows, columns) of the first of ``fds`` that knows them, or knows one and has 0."""
    half = None
    for fd in fds:
        try:
            columns, rows = os.get_terminal_size(fd)
        except (OSError, ValueError):
            continue
        if rows and columns:
            return rows, columns
        if rows or columns:
            half = half or (rows, columns)
    return half


def handed_over(env: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that tell a command in a container about the local terminal.

    A ``TERM`` that the container cannot be expected to have a description of becomes
    ``xterm-256color``, which what is newer than these descriptions is compatible with. It cannot be
    expected to have the local locale either, and programs complain of one that they do not have.
    What matters to the terminal is the encoding: any locale with UTF-8 becomes ``C.UTF-8``.
    """
    chosen = {}
    if env.get("COLORTERM") in _COLORTERMS:
        chosen["COLORTERM"] = env["COLORTERM"]
    locale = env.get("LC_ALL") or env.get("LC_CTYPE") or env.get("LANG") or ""
    if locale.partition("@")[0].lower().endswith(("utf-8", "utf8")):
        chosen["LANG"] = "C.UTF-8"
    if term := env.get("TERM"):
        chosen["TERM"] = term if term in _TERMS else "xterm-256color"
    return chosen
