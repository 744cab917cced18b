"""Text of others in our messages: without control characters, and as a word to paste. Pure.

Names of containers, services and projects are chosen by others, and stand in our hints.
"""

from __future__ import annotations

import re
import shlex

__all__ = ["printable", "quoted"]


def printable(text: str) -> str:
    r"""Return ``text`` with a space for each character that is not printable.

    >>> printable("a\x1b[2J")
    'a [2J'
    """
    return text if text.isprintable() else "".join(ch if ch.isprintable() else " " for ch in text)


def quoted(word: str) -> str:
    r"""Quote a word for bash, zsh and other POSIX shells.

    The result is printable, on one line, and nothing in it changes when white space is collapsed.

    >>> quoted("web; rm -r ~")
    "'web; rm -r ~'"
    """
    if word.isprintable():
        text = re.sub("(?<= ) ", "'' ", shlex.quote(word))
        # zsh replaces =ls by the path of ls.
        return f"'{text}'" if text.startswith("=") else text
    # $'…' is understood by bash, busybox ash, ksh and zsh, and by POSIX shells since 2024. To
    # older ones it is a dollar sign and a quoted word, and as harmless.
    text = re.sub("(?<= ) ", r"\\040", "".join(map(_escaped, word)))
    return f"$'{text}'"


def _escaped(ch: str) -> str:
    # A shell with a history might expand what follows an exclamation mark.
    if ch.isprintable() and ch not in "\\'!":
        return ch
    # A lone surrogate is a byte of our command line or of a file's name, or else of no text at all.
    of_a_byte = "\udc80" <= ch <= "\udcff"
    data = ch.encode(errors="surrogateescape" if of_a_byte else "surrogatepass")
    return "".join(f"\\{byte:03o}" for byte in data)
