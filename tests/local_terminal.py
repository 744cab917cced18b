"""A terminal for the program under test."""

import os
import termios


class Terminal:
    """A PTY that outlives rind; rind's end stays open for inspection."""

    def __init__(self) -> None:
        self.master, self.slave = os.openpty()
        attributes = termios.tcgetattr(self.slave)
        # Unlike a new PTY's modes, so that restoring defaults would fail.
        attributes[0] |= termios.IXOFF
        attributes[3] &= ~termios.ECHOK
        attributes[6][termios.VINTR] = b"\x1c"
        termios.tcsetattr(self.slave, termios.TCSANOW, attributes)
        self.attributes = termios.tcgetattr(self.slave)

    def is_as_before(self) -> bool:
        return termios.tcgetattr(self.slave) == self.attributes

    def is_raw(self) -> bool:
        flags = termios.tcgetattr(self.slave)
        return not (flags[1] & termios.OPOST or flags[3] & (termios.ICANON | termios.ECHO))

    def read_until(self, text: bytes) -> bytes:
        seen = b""
        while text not in seen:
            seen += os.read(self.master, 65536)
        return seen

    def foreground(self) -> int:
        """Return the terminal's foreground process group."""
        return os.tcgetpgrp(self.master)

    def close(self) -> None:
        os.close(self.master)
        os.close(self.slave)
