"""The text of ``--help``, made from the option table."""

import textwrap
from typing import Final

from rind.cli.options import OPTIONS, Option

__all__ = ["help_text"]

WIDTH: Final = 80
"""Columns of the narrowest usual terminal."""

_COLUMN: Final = 29
"""The column where descriptions begin."""

_HEAD: Final = """\
Usage: rind [OPTIONS] [--] [COMMAND [ARG...]]

Run COMMAND (default: /bin/sh) in the running container that has the label
app.rind, in the environment that the label's value, a shell fragment, sets up.

Options end at the first word that is not one; all words after it are the
command's.
"""

_FOOT: Final = """
The exit status is the command's own; 125 when Rind or the engine failed, 126
when the command cannot be executed, 127 when it is not found, 128+N when signal
N ended it.
"""


def help_text() -> str:
    """Return what ``--help`` prints."""
    groups = (
        "\n".join(["", *textwrap.wrap(f"{heading}:", WIDTH), *map(_described, options), ""])
        for heading, options in OPTIONS.items()
    )
    return _HEAD + "".join(groups) + _FOOT


def _described(option: Option) -> str:
    space = "" if option.metavar.startswith("[") else " "
    names = option.names if option.short else f"    {option.names}"
    named = f"  {names}{space}{option.metavar}".rstrip()
    indent = " " * _COLUMN
    begin = named.ljust(_COLUMN) if len(named) < _COLUMN - 1 else f"{named}\n{indent}"
    lines = textwrap.wrap(option.help, WIDTH - _COLUMN)
    return begin + f"\n{indent}".join(lines)
