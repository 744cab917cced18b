"""Splits a line that is being typed as bash and fish do, and quotes words for bash."""

import os
import re
from collections.abc import Mapping, Sequence
from typing import Final

from rind.errors import UsageError

__all__ = ["BASH", "FISH", "common", "inserts", "located", "quoted", "split"]

# The parts of a line, by the open quote. The shell expands the part "active". Text that matches no
# part, such as "$(" or ";", may change the meaning of the rest of the line. bash does not expand
# history at a "!" before a blank, "=" or a closing quote.
BASH: Final = {
    "": re.compile(
        r"""
          (?P<blank> [ \t]+ )
        | (?P<quote> ['"] | \\\Z )
        | \\ (?P<escaped> [^\n] )
        | (?P<plain> (?: [\w@%+=:,./\]}^-] | [^\x00-\x7f] | (?<=[^ \t])\# | !(?=[ \t=]) )+ )
        | (?P<active> [*?\[{~] | \$\w+ | \$\{\w+\} )
        """,
        re.VERBOSE,
    ),
    "'": re.compile(r"(?P<quote>') | (?P<plain>[^']+)", re.VERBOSE),
    '"': re.compile(
        r"""
          (?P<quote> " )
        | \\ (?P<escaped> ["$`\\] )
        | (?P<plain> (?: [^"$`\\!] | \\[^"$`\\\n] | !(?=[ \t="]) )+ )
        | (?P<active> \$\w+ | \$\{\w+\} )
        """,
        re.VERBOSE,
    ),
}
# During completion, fish takes even a quoted * for a wildcard.
FISH: Final = {
    "": re.compile(
        r"""
          (?P<quote> ['"] | \\\Z )
        | \\ (?P<escaped> [^\w\n*] )
        | (?P<plain> (?: [\w@+=:,./!\[\]^\#-] | [^\x00-\x7f] | (?<=.)% )+ )
        """,
        re.VERBOSE,
    ),
    "'": re.compile(
        r"""(?P<quote>') | \\(?P<escaped>['\\]) | (?P<plain>(?:[^'\\*]|\\[^'\\*])+)""", re.VERBOSE
    ),
    '"': re.compile(
        r"""(?P<quote>") | \\(?P<escaped>["$\\]) | (?P<plain>(?:[^"$\\*]|\\[^"$\\*\n])+)""",
        re.VERBOSE,
    ),
}


def split(line: str, parts: Mapping[str, re.Pattern[str]] = BASH) -> tuple[list[str], str]:
    """Return a line's words as the shell reads them, and the quote that is open at its end.

    A backslash at the end counts as an open quote.

    Raises:
        UsageError: the last word is not literal, or a part of the line does not match ``parts``.
    """
    words, _, quote = located(line, parts)
    return words, quote


def located(
    line: str, parts: Mapping[str, re.Pattern[str]] = BASH
) -> tuple[list[str], list[int], str]:
    """Return a line's words, the index in the line where each begins, and the open quote.

    Raises:
        UsageError: as :func:`split`.
    """
    words, starts, quote, literal, at = [""], [0], "", True, 0
    while at < len(line):
        part = parts[quote].match(line, at)
        if part is None or part.lastgroup is None:
            raise UsageError(f"not a literal line: {line!r}")
        at = part.end()
        match part.lastgroup:
            case "blank":
                words.append("")
                starts.append(at)
                literal = True
            case "quote":
                quote = "" if quote else part[0]
            case kind:
                words[-1] += part[kind]
                literal &= kind != "active"
    if not literal:
        raise UsageError(f"not a literal word: {words[-1]!r}")
    return words, starts, quote


def inserts(text: str, line: str, quote: str) -> bool:
    """Whether readline inserts ``text`` unchanged, and then closes the quote.

    It takes a quote at the end for the closing one, and a quote right after the open one for its
    double.
    """
    if quote in {"'", '"'}:
        doubled = line.endswith(quote) and text.startswith(quote)
        return not doubled and not (line + text).endswith(quote)
    return bool(text) or not quote


def common(texts: Sequence[str]) -> str:
    """Return the longest common prefix."""
    return os.path.commonprefix(texts)  # noqa: RUF071 # of names, not of paths


def quoted(text: str, quote: str) -> str:
    """Return ``text`` quoted for bash, to follow an open ``quote``.

    Only a backslash outside of quotes prevents the expansion of history: double quotes do not, nor
    do single quotes in a line that has an escaped double quote.
    """
    if quote == "\\":
        return text[:1] + quoted(text[1:], "")
    if quote == "'":
        return re.sub("['!]", r"'\\\g<0>'", text)
    if quote == '"':
        return re.sub(r'["$`\\]', r"\\\g<0>", text).replace("!", r'"\!"')
    return re.sub(r"[^\w@%+=:,./-]", r"\\\g<0>", text)
