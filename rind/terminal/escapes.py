"""ssh's escape sequences: finds them in typed input. Pure.

An escape is a tilde at the start of a line and one more key (ssh(1), ESCAPE CHARACTERS).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

__all__ = ["HELP", "LINE_STARTS", "SSH_ESCAPE", "SshEscapes"]

SSH_ESCAPE: Final = b"~."
"""ssh's escape sequence for disconnecting."""

HELP: Final = b"""~?\r
Escape sequences, only at the start of a line:\r
 ~.   detach from the command and leave it running\r
 ~^Z  suspend rind; fg continues\r
 ~?   print this\r
 ~~   send one ~\r
"""

_TILDE, _DOT, _CTRL_Z, _QUESTION = b"~.\x1a?"
LINE_STARTS: Final = b"\r\n"
"""Each byte after which a line starts."""


class SshEscapes:
    """Finds ssh's escape sequences in typed input.

    Args:
        on_suspend: called for ``~^Z``.
        on_help: called for ``~?``.

    Attributes:
        seen: whether ``~.`` was typed. If so, feed no more input.
    """

    def __init__(self, on_suspend: Callable[[], object], on_help: Callable[[], object]) -> None:
        self._actions = {_CTRL_Z: on_suspend, _QUESTION: on_help}
        self._at_start = True  # of a line
        self._has_tilde = False  # typed at the start of a line, and not passed on
        self.seen = False

    def feed(self, typed: bytes) -> bytes:
        """Return the typed input for the command, without escapes.

        A tilde at the start of a line is held back until the next key decides.
        """
        passed_on = bytearray()
        for key in typed:
            if self._has_tilde:
                self._has_tilde = False
                if key == _DOT:
                    self.seen = True
                    break
                if key in self._actions:
                    self._actions[key]()
                    continue
                passed_on.append(_TILDE)
                if key == _TILDE:
                    self._at_start = False
                    continue
            elif key == _TILDE and self._at_start:
                self._has_tilde = True
                continue
            passed_on.append(key)
            self._at_start = key in LINE_STARTS
        return bytes(passed_on)
