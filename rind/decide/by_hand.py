"""Shortens a command wrapped by :mod:`rind.decide.pre_step` to one that a person would type. Pure.

The wrapper is long because it must be correct for every pre-step, in every shell. For a known
pre-step, a short line is enough.
"""

from __future__ import annotations

import re
import shlex

from rind.base.quoting import octal
from rind.decide.pre_step import FIRST_LINE, RUN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

__all__ = ["by_hand", "pasted"]

_PLAIN: Final = re.compile(
    r"((\.|cd|export|umask|unset) |[A-Za-z_]\w*=)[\w@%+=:,./~${}\" -]*"
    r"( && ((\.|cd|export|umask|unset) |[A-Za-z_]\w*=)[\w@%+=:,./~${}\" -]*)*"
)
"""A pre-step that writes nothing and can stand before ``&&``."""

_UNSAFE: Final = re.compile(
    r"\b(set|shift|return|exit|trap|exec|eval|function|source)\b|\(\)|\$[@*#0-9]|\$\{[@*#0-9]"
)
"""Shell syntax that would change the line's parameters or options, or end its shell early."""

_SOURCE: Final = re.compile(r"((?:\A|[;&|({\n]|\b(?:then|do|else)\b)\s*)source(?=[ \t]+[^\s;&|]*/)")
"""A ``source`` that dash's ``.`` can replace: at the beginning of a command, with a path."""


def by_hand(argv: Sequence[str]) -> list[str]:
    """Return short words that do what a wrapped command does; other commands unchanged."""
    words = [*argv]
    if len(words) < len(("sh", "-c", "", "sh", "", "", "", "")) or not words[5].startswith(RUN):
        return words
    shell, _, text, name, definitions, run, workdir, pre_step, *rest = words
    if "HOME=" in definitions:
        return words  # no short line can set up a home directory
    script = "" if run == RUN else text.removeprefix(FIRST_LINE)
    step = _SOURCE.sub(r"\1.", pre_step.strip())
    if _UNSAFE.search(step):
        return words
    if not _PLAIN.fullmatch(step):
        step = f"{{\n{step}\n}} >&2"
    if workdir and re.search(r"\b(cd|pushd)\b", step):
        step += f" && cd {shlex.quote(workdir)}"
    if run == RUN:
        text = f'{step} && exec "$@"'
    else:
        text = f"{step} || exit{chr(10) if chr(10) in step + script else '; '}{script}"
    return ["sh" if shell == "/bin/sh" else shell, "-c", text, name, *rest]


def pasted(word: str) -> str:
    """Quote a word for bash and zsh: newlines stay, other unprintable characters are escaped.

    >>> pasted("a b")
    "'a b'"
    """
    if not all(ch.isprintable() or ch == "\n" for ch in word):
        return "$'" + "".join(map(_escaped, word)) + "'"
    text = shlex.quote(word)
    # zsh expands =ls to the path of ls.
    return f"'{text}'" if text.startswith("=") else text


def _escaped(ch: str) -> str:
    if ch in "\\'":
        return f"\\{ch}"
    if ch.isprintable() or ch == "\n":
        return ch
    return octal(ch)
