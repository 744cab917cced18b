"""The local terminal: raw mode and its restoration, job control, and the window size.

The standard library's termios and tty are enough. prompt_toolkit's raw mode leaves output
processing on, and importing it would add 100 ms to the start of every interactive run.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress

from rind.base.light import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable, Iterator, Mapping
    from typing import Final, Self

__all__ = [
    "RawMode",
    "in_foreground",
    "is_raw",
    "is_terminal",
    "raw_mode",
    "restore_terminals",
    "signals_handled",
    "terminal_variables",
    "window_size",
]

# The terminals that both Debian's ncurses-base and Alpine's ncurses-terminfo-base describe.
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
"""Values of COLORTERM by which programs recognize a terminal with 24-bit colours."""


def is_terminal(fd: int) -> bool:
    """Whether ``fd`` is an open terminal."""
    try:
        return os.isatty(fd)
    except OSError:
        return False


def in_foreground(fd: int) -> bool:
    """Whether we are in the foreground process group of the terminal ``fd``."""
    try:
        return os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:
        return True  # not our controlling terminal: there is no job control on it


_raw: list[RawMode] = []
"""The raw modes that are entered."""


def is_raw() -> bool:
    """Whether we have set a terminal to raw mode."""
    return bool(_raw)


def restore_terminals() -> None:
    """Restore all terminals that are in raw mode. Safe to call at any time."""
    for mode in reversed(_raw):
        mode.suspend()


@contextmanager
def signals_handled(
    loop: AbstractEventLoop, handlers: Mapping[signal.Signals, Callable[[], object]]
) -> Iterator[None]:
    """Call functions in an event loop on signals; restore the previous handlers at the end.

    The loop's ``add_signal_handler`` is not used: it allows one handler for each signal, and the
    host program may have set it. In any thread but the main one this does nothing, because only
    the main thread handles signals.
    """
    import threading  # asyncio needs it too, a start does not

    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def take(number: int, _: object) -> None:
        loop.call_soon_threadsafe(called[number])

    called = {int(number): function for number, function in handlers.items()}
    before = {number: signal.signal(number, take) for number in handlers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


def raw_mode(fd: int) -> RawMode:
    """Return the raw mode of a terminal: the one that is entered already, or a new one."""
    return next((mode for mode in _raw if mode.fd == fd), None) or RawMode(fd)


class RawMode:
    """A context manager for a terminal's raw mode, in which keys and output pass unchanged.

    Leaving it restores the terminal's attributes bit for bit, and keeps pending input. Entering it
    again has no effect, and the first exit ends it. Use :func:`raw_mode` to make one.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._saved: list[int | list[bytes | int]] = []

    def __enter__(self) -> Self:
        self.begin()
        return self

    def begin(self) -> None:
        """Enter raw mode, until the context is left or the terminal restored. Idempotent."""
        if self in _raw:
            return
        if not in_foreground(self.fd):
            # A background job that sets a terminal's attributes is stopped by this signal. Stop
            # now, before reading the attributes: in the background, they are the shell's.
            os.kill(os.getpid(), signal.SIGTTOU)
        import termios

        self._saved = termios.tcgetattr(self.fd)
        _raw.append(self)
        self.resume()

    def __exit__(self, *_: object) -> None:
        if self in _raw:
            self.suspend()
            _raw.remove(self)

    def resume(self) -> None:
        """Set raw mode, for the first time or again. Idempotent."""
        # A hangup sends SIGCONT with its SIGHUP: the terminal may have no attributes any more.
        import termios
        import tty

        with suppress(termios.error):
            tty.setraw(self.fd, termios.TCSADRAIN)

    def suspend(self) -> None:
        """Restore the terminal's attributes. Idempotent."""
        # Not TCSADRAIN: if nothing reads the terminal any more, it would never return.
        # A terminal that has hung up has no attributes to restore.
        import termios

        with suppress(termios.error):
            termios.tcsetattr(self.fd, termios.TCSANOW, self._saved)


def window_size(*fds: int) -> tuple[int, int] | None:
    """Return (rows, columns) of the first of ``fds`` that knows both; None without any.

    If none knows both, return the first size with one of them, and 0 for the other.
    """
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


def terminal_variables(env: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that describe the local terminal to a command in a container.

    A container may lack the description of the local ``TERM``. Any that is not commonly installed
    becomes ``xterm-256color``, with which newer terminals are compatible. It may lack the local
    locale too, and programs complain about a missing one. The terminal depends only on the
    encoding, so any UTF-8 locale becomes ``C.UTF-8``.
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
