"""Makes foreign text safe in messages: without control characters, and as a word to paste. Pure.

Rind's hints contain names of containers, services and projects, which other people choose.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

__all__ = ["octal", "printable", "quoted"]

_PLAIN: Final = frozenset("%+,-./0123456789:@ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz")
"""Characters that no shell interprets. A word of these alone needs no shlex, which takes time to
load."""


def printable(text: str) -> str:
    r"""Replace each character of ``text`` that is not printable by a space.

    >>> printable("a\x1b[2J")
    'a [2J'
    """
    return text if text.isprintable() else "".join(ch if ch.isprintable() else " " for ch in text)


def quoted(word: str) -> str:
    r"""Quote a word for bash, zsh and other POSIX shells.

    The result is printable, on one line, and unchanged when white space is collapsed.

    >>> quoted("web; rm -r ~")
    "'web; rm -r ~'"
    """
    if word and _PLAIN.issuperset(word):
        return word
    if word.isprintable():
        import shlex

        text = re.sub("(?<= ) ", "'' ", shlex.quote(word))
        # zsh would replace an unquoted =ls by the path of ls.
        return f"'{text}'" if text.startswith("=") else text
    # bash, busybox ash, ksh, zsh and, since 2024, POSIX shells understand $'…'. Older shells read a
    # dollar sign and a quoted word, which is wrong but as harmless.
    text = re.sub("(?<= ) ", r"\\040", "".join(map(_escaped, word)))
    return f"$'{text}'"


def _escaped(ch: str) -> str:
    # Also escape the exclamation mark: a shell with a history might expand it and the next word.
    if ch.isprintable() and ch not in "\\'!":
        return ch
    return octal(ch)


def octal(ch: str) -> str:
    """Return a character's bytes as escapes of ``$'…'``."""
    # A lone surrogate in this range stands for a byte of our command line or of a file name that is
    # not UTF-8 (PEP 383). Any other surrogate belongs to no text at all.
    is_byte = "\udc80" <= ch <= "\udcff"
    data = ch.encode(errors="surrogateescape" if is_byte else "surrogatepass")
    return "".join(f"\\{byte:03o}" for byte in data)
