"""A terminal's screen: the output of a program on a PTY, drawn by an emulator."""

import time
from collections.abc import Callable
from contextlib import suppress

import pexpect
import pyte
from conftest import TIMEOUT


class _Pyte(pyte.Screen):
    def report_device_status(self, mode: int, *, private: bool = False) -> None:
        """Send no answer. pyte's own method rejects some of the queries."""


class Screen:
    """The screen of a terminal of the given size."""

    def __init__(self, child: "pexpect.spawn[bytes]", rows: int, columns: int) -> None:
        self.child = child
        self.screen = _Pyte(columns, rows)
        self.stream = pyte.ByteStream(self.screen)

    def resize(self, rows: int, columns: int) -> None:
        self.screen.resize(rows, columns)
        self.child.setwinsize(rows, columns)

    def wait_for(self, seen: Callable[[list[str]], bool]) -> list[str]:
        """Read until ``seen`` accepts the screen's lines; return them."""
        deadline = time.monotonic() + TIMEOUT
        while not seen(lines := [line.rstrip() for line in self.screen.display]):
            assert time.monotonic() < deadline, "\n".join(lines)
            with suppress(pexpect.TIMEOUT):  # the caller's assertion shows the screen
                self.stream.feed(self.child.read_nonblocking(65536, timeout=1))
        return lines

    def last(self) -> list[str]:
        """Read to the end; return the screen's last lines."""
        with suppress(pexpect.EOF):
            while True:
                self.stream.feed(self.child.read_nonblocking(65536, timeout=TIMEOUT))
        self.child.wait()
        return [line.rstrip() for line in self.screen.display if line.strip()]
