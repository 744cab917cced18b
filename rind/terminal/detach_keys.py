"""Detach keys: docker's syntax, and the recognition of them among what is typed. Pure.

They are looked for here and not by the engine, which cannot be told to have none
(:data:`rind.decide.plan.NO_DETACH_KEYS`), and does not say whether the stream's end was a detach.
"""

from __future__ import annotations

from rind.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

__all__ = ["DetachKeys", "parse_keys"]

# docker/cli's reference for --detach-keys; ctrl-] is not in it, but in moby/term's ASCII table.
_CONTROL: Final = {
    f"ctrl-{ch}": bytes([ord(ch) & 0x1F]) for ch in "@abcdefghijklmnopqrstuvwxyz[\\]^_"
}


SSH_ESCAPE: Final = b"~."
"""ssh's escape sequence that disconnects; it counts at the start of a line only."""

_LINE_STARTS: Final = {b"", b"\r", b"\n"}
"""The last byte before the start of a line; empty at the very beginning."""


def parse_keys(text: str) -> bytes:
    r"""Return the bytes that the keys in ``text`` send; none for ``""``.

    Keys are separated by commas: a single ASCII character, ``ctrl-`` and one of ``a``-``z @ [ \ ]
    ^ _``, or ``DEL``. ``~.`` is ssh's.

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
    """Looks for a sequence of keys in what is typed; for ssh's, at the start of a line.

    Attributes:
        seen: whether the whole sequence was typed; then nothing more is to be fed.
    """

    def __init__(self, keys: bytes) -> None:
        self._keys = keys
        self._held = b""  # the beginning of the sequence, typed and not yet handed on
        self._last = b""  # what was handed on last
        self.seen = False

    def feed(self, typed: bytes) -> bytes:
        """Return what the command is to get of ``typed``: all but the sequence.

        What may be the sequence's beginning is held back until the next key tells.
        """
        if not self._keys:
            return typed
        waiting = self._held + typed
        found = self._find(waiting)
        if found is not None:
            self.seen = True
            return waiting[:found]
        size = next(
            size
            for size in range(min(len(self._keys) - 1, len(waiting)), -1, -1)
            if waiting.endswith(self._keys[:size])
            and (size == 0 or self._counts(waiting, len(waiting) - size))
        )
        self._held = waiting[len(waiting) - size :]
        given = waiting[: len(waiting) - size]
        self._last = given[-1:] or self._last
        return given

    def _find(self, waiting: bytes) -> int | None:
        at = waiting.find(self._keys)
        while at >= 0:
            if self._counts(waiting, at):
                return at
            at = waiting.find(self._keys, at + 1)
        return None

    def _counts(self, waiting: bytes, at: int) -> bool:
        before = waiting[at - 1 : at] if at else self._last
        return self._keys != SSH_ESCAPE or before in _LINE_STARTS
