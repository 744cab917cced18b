"""Detach keys: parses docker's syntax, and finds the keys in typed input. Pure.

Rind looks for them itself. The engine's own detach keys cannot be switched off
(:data:`rind.decide.plan.NO_DETACH_KEYS`), and when a stream ends, the engine does not report
whether that was a detach.
"""

from __future__ import annotations

from rind.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

__all__ = ["LINE_STARTS", "DetachKeys", "parse_keys"]

# docker/cli's reference for --detach-keys; ctrl-] is not in it, but in moby/term's ASCII table.
_CONTROL: Final = {
    f"ctrl-{ch}": bytes([ord(ch) & 0x1F]) for ch in "@abcdefghijklmnopqrstuvwxyz[\\]^_"
}


SSH_ESCAPE: Final = b"~."
"""ssh's escape sequence for disconnecting, recognized only at the start of a line."""

LINE_STARTS: Final = {b"", b"\r", b"\n"}
"""The last byte before the start of a line; empty at the very beginning."""


def parse_keys(text: str) -> bytes:
    r"""Return the bytes that the keys in ``text`` send; ``b""`` if it is empty.

    Keys are separated by commas. A key is a single ASCII character, ``ctrl-`` and one of ``a``-``z
    @ [ \ ] ^ _``, or ``DEL``. ``~.`` is ssh's escape sequence.

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
                f"no such detach key: {key!r} (in {text!r}); keys are single characters, ctrl-a "
                "to ctrl-z, or ctrl- and one of @ [ \\ ] ^ _, separated by commas"
            )
    return keys


class DetachKeys:
    """Finds a sequence of keys in typed input; ssh's sequence only at the start of a line.

    Attributes:
        seen: whether the whole sequence was typed. If so, feed no more input.
    """

    def __init__(self, keys: bytes) -> None:
        self._keys = keys
        self._held = b""  # a possible start of the sequence, typed but not passed on
        self._last = b""  # the last byte that was passed on
        self.seen = False

    def feed(self, typed: bytes) -> bytes:
        """Return the typed input without the sequence, for the command.

        A possible start of the sequence is held back until the next key decides.
        """
        if not self._keys:
            return typed
        waiting = self._held + typed
        found = self._find(waiting)
        if found is not None:
            self.seen = True
            return waiting[:found]
        # Hold back the longest end of the input that is a start of the sequence.
        size = next(
            size
            for size in range(min(len(self._keys) - 1, len(waiting)), -1, -1)
            if waiting.endswith(self._keys[:size])
            and (size == 0 or self._counts(waiting, len(waiting) - size))
        )
        self._held = waiting[len(waiting) - size :]
        passed_on = waiting[: len(waiting) - size]
        self._last = passed_on[-1:] or self._last
        return passed_on

    def _find(self, waiting: bytes) -> int | None:
        """Return the position of the first sequence that counts; None without one."""
        at = waiting.find(self._keys)
        while at >= 0:
            if self._counts(waiting, at):
                return at
            at = waiting.find(self._keys, at + 1)
        return None

    def _counts(self, waiting: bytes, at: int) -> bool:
        """Whether a sequence at this position counts: ssh's must start a line."""
        before = waiting[at - 1 : at] if at else self._last
        return self._keys != SSH_ESCAPE or before in LINE_STARTS
