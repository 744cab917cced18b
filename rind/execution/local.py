"""Our side of a command's streams: stdin, stdout, stderr and the terminal.

It is used by the pump that has no event loop (:mod:`rind.execution.direct`), by the one in an
event loop (:mod:`rind.attach`), and handed over from the first to the second: so no byte and no
failure is lost in between.
"""

from __future__ import annotations

import errno
import os
import time
from contextlib import suppress

from rind.base.light import signal
from rind.terminal.descriptors import Sink
from rind.terminal.detach_keys import DetachKeys
from rind.terminal.escapes import HELP, SSH_ESCAPE, SshEscapes
from rind.terminal.standard import STDERR_FD, STDIN_FD, STDOUT_FD
from rind.terminal.tty import in_foreground, is_terminal
from rind.transport.frames import STDERR, STDOUT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Final

    from rind.terminal.screen_modes import TerminalModes
    from rind.terminal.tty import RawMode

__all__ = ["Local", "Output", "Pace"]

PATIENCE: Final = 0.002
"""Seconds to block for room in a pipe. Its reader is usually quick, and to wait for it in the event
loop takes more CPU than to move the bytes."""


class Local:
    """The local side of one attached command.

    Args:
        tty: whether the command has a TTY.
        detach_keys: with a TTY, the bytes that detach when typed; empty for none.

    Attributes:
        output: our stdout and stderr.
        keys: finds the detach keys, or ssh's escape sequences.
        raw: the terminal's raw mode, while a pump runs.
        was_suspended: whether the screen must be drawn again, since we were stopped.
        unsent: bytes of our stdin that were read, and not sent to the command.
        stdin_ended: whether our stdin has ended, and the command's was ended.
    """

    def __init__(self, *, tty: bool, detach_keys: bytes) -> None:
        self._modes: TerminalModes | None = None
        if tty and is_terminal(STDOUT_FD):
            from rind.terminal.screen_modes import TerminalModes

            self._modes = TerminalModes()
        self.output = Output(self._modes)
        is_sshs = detach_keys == SSH_ESCAPE
        self.keys = SshEscapes(self.suspend, _help) if is_sshs else DetachKeys(detach_keys)
        self.raw: RawMode | None = None
        self.was_suspended = False
        self.unsent = b""
        self.stdin_ended = False

    def suspend(self) -> None:
        """Stop this process, as SIGTSTP does; meanwhile the terminal is as it was before us."""
        self.undo_modes()
        if self.raw is not None:
            self.raw.suspend()
        # Stop by the signal's default action: so the shell sees which signal stopped us.
        handler = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, handler)
        self.resume()
        if self._modes is not None:
            _write(self._modes.redo())
        self.was_suspended = True

    def resume(self) -> None:
        """Set the terminal to raw mode again, after this process was stopped."""
        if self.raw is not None and in_foreground(STDIN_FD):
            self.raw.resume()

    def undo_modes(self) -> None:
        """Reset the screen modes that the program has changed, and may have left so."""
        if self._modes is not None:
            _write(self._modes.undo())


def _help() -> None:
    _write(HELP)


def _write(text: bytes) -> None:
    """Write to the terminal, which may have hung up."""
    with suppress(OSError):
        os.write(STDOUT_FD, text)


class Pace:
    """Decides how long to wait before a write, so that more output arrives. Pure.

    An engine passes on as little as 4 KiB at once, and moving a small part takes as much CPU as a
    large one. So while parts arrive in quick succession, they are written at a slower pace, until
    each is large: the output of a command that prints lines then takes half the CPU.
    """

    LARGE: Final = 64 * 1024
    """Bytes of a part that is large enough."""

    GAP: Final = 0.002
    """Seconds between two parts after which they are not in quick succession."""

    STEP: Final = 0.00001
    SHORTEST: Final = 0.0001
    LONGEST: Final = 0.001
    """Seconds by which the pause grows with each small part, and its bounds. In the longest, a
    quick command fills the engine's socket, which holds 200 kB."""

    def __init__(self) -> None:
        self._pause = 0.0
        self._last = 0.0

    def pause(self, size: int, now: float) -> float:
        """Return the seconds to wait, 0 for none.

        Args:
            size: of the part to write next, in bytes.
            now: the time in seconds.
        """
        if now - self._last > self.GAP:
            self._pause = 0.0
        elif size < self.LARGE:
            self._pause = min(self._pause + self.STEP, self.LONGEST)
        else:
            self._pause /= 2
        pause = self._pause if self._pause >= self.SHORTEST else 0.0
        self._last = now + pause
        return pause


class Output:
    """Our stdout and stderr. Parts of a command's output are written in their order.

    If writing to one of them fails, its output is dropped, and the other is still written.

    Attributes:
        failure: the first error of a stream that was open when Rind began.
        stdout_failed: whether stdout cannot be written.
        on_stdout_failed: is called once it cannot.
        gathers: whether small parts in quick succession are written together. Not while our stdin
            is open: then output may be the reply that somebody waits for.
    """

    def __init__(self, modes: TerminalModes | None) -> None:
        self.failure: OSError | None = None
        self.stdout_failed = False
        self.gathers = False
        self.on_stdout_failed: Callable[[], object] = bool
        self._modes = modes
        self._sinks = {STDOUT: Sink(STDOUT_FD), STDERR: Sink(STDERR_FD)}
        self._pace = Pace()
        self._failed: set[int] = set()
        self._left: list[tuple[int, list[memoryview]]] = []

    def take(self, parts: list[tuple[int, memoryview]]) -> bool:
        """Write as much as is possible without blocking; return whether it was everything.

        :meth:`flush` writes the rest.
        """
        if self.gathers:
            self._gather(sum(len(data) for _, data in parts))
        for stream, data in _grouped(parts):
            if self._modes is not None:
                self._modes.feed(b"".join(data))
            if stream in self._failed:
                continue
            try:
                if self._left or not self._sinks[stream].write_at_once(data, PATIENCE):
                    self._left.append((stream, data))
            except OSError as exc:
                self._fail(stream, exc)
        return not self._left

    def _gather(self, size: int) -> None:
        if pause := self._pace.pause(size, time.monotonic()):
            time.sleep(pause)

    async def flush(self) -> None:
        """Write the parts that :meth:`take` has not written."""
        left, self._left = self._left, []
        for stream, data in left:
            if stream not in self._failed:
                try:
                    await self._sinks[stream].write(*data)
                except OSError as exc:
                    self._fail(stream, exc)

    def end(self) -> None:
        """Check that the output has not ended too early.

        Raises:
            Broken: it has.
        """

    def close(self) -> None:
        """Close the descriptors that the sinks have opened; ours stay open."""
        for sink in self._sinks.values():
            sink.close()

    def _fail(self, stream: int, exc: OSError) -> None:
        self._failed.add(stream)
        if exc.errno == errno.EBADF:
            return  # the stream was closed before Rind began
        self.failure = self.failure or exc
        if stream == STDOUT:
            self.stdout_failed = True
            self.on_stdout_failed()


def _grouped(
    parts: list[tuple[int, memoryview]],
) -> Iterator[tuple[int, list[memoryview]]]:
    """Yield each run of consecutive parts of the same stream, as one write can take them."""
    at = 0
    while at < len(parts):
        first, stream = at, parts[at][0]
        while at < len(parts) and parts[at][0] == stream:
            at += 1
        yield stream, [part for _, part in parts[first:at]]
