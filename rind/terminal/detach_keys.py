"""Detach keys: parses docker's syntax, and finds the keys in typed input. Pure.

Rind looks for them itself. The engine's own detach keys cannot be switched off
(:data:`rind.decide.plan.NO_DETACH_KEYS`), and when a stream ends, the engine does not report
whether that was a detach.
"""

from __future__ import annotations

from rind.errors import UsageError
from rind.terminal.escapes import SSH_ESCAPE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

__all__ = ["DetachKeys", "parse_keys"]

# docker/cli's reference for --detach-keys; ctrl-] is not in it, but in moby/term's ASCII table.
_CONTROL: Final = {
    f"ctrl-{ch}": bytes([ord(ch) & 0x1F]) for ch in "@abcdefghijklmnopqrstuvwxyz[\\]^_"
}


def parse_keys(text: str, source: str = "--detach-keys") -> bytes:
    r"""Return the bytes that the keys in ``text`` send; ``b""`` if it is empty.

    Keys are separated by commas. A key is a single ASCII character, ``ctrl-`` and one of ``a``-``z
    @ [ \ ] ^ _``, or ``DEL``. ``~.`` stands for ssh's escape
    sequences (:mod:`rind.terminal.escapes`).

    Raises:
        UsageError: a key is not one of these.
    """
    if text.encode(errors="replace") == SSH_ESCAPE:
        return SSH_ESCAPE
    keys = b""
    for key in text.split(",") if text else ():
        if key in _CONTROL:
            keys += _CONTROL[key]
        elif key == "DEL":
            keys += b"\x7f"
        elif len(key) == 1 and key.isascii() and key.isprintable():
            keys += key.encode()
        else:
            raise UsageError(
                f"no such detach key: {key!r} (in {text!r}, from {source}); keys are single "
                "characters, ctrl-a to ctrl-z, or ctrl- and one of @ [ \\ ] ^ _, separated by "
                "commas"
            )
    return keys


class DetachKeys:
    """Finds a sequence of keys in typed input.

    Attributes:
        seen: whether the whole sequence was typed. If so, feed no more input.
    """

    def __init__(self, keys: bytes) -> None:
        self._keys = keys
        self._held = b""  # a possible start of the sequence, typed but not passed on
        self.seen = False

    def feed(self, typed: bytes) -> bytes:
        """Return the typed input without the sequence, for the command.

        A possible start of the sequence is held back until the next key decides.
        """
        if not self._keys:
            return typed
        waiting = self._held + typed
        passed_on, found, _ = waiting.partition(self._keys)
        if found:
            self.seen = True
            return passed_on
        # Hold back the longest end of the input that is a start of the sequence.
        size = next(
            size
            for size in range(min(len(self._keys) - 1, len(waiting)), -1, -1)
            if waiting.endswith(self._keys[:size])
        )
        self._held = waiting[len(waiting) - size :]
        return waiting[: len(waiting) - size]
