"""The text of ``--help``, made from the option table."""

import textwrap
from typing import Final

from rind.cli.option_table import OPTIONS
from rind.cli.options import Option

__all__ = ["ABOUT", "EXAMPLES", "STATUSES", "WIDTH", "WORDS", "help_text"]

WIDTH: Final = 80
"""Columns of the narrowest usual terminal."""

_COLUMN: Final = 29
"""The column where descriptions begin."""

EXAMPLES: Final = {
    "rind ./manage.py migrate": "in the container of this project",
    "rind -s web -c 'ls | wc -l'": "a script, in the service web",
    "rind -T pg_dump shop > shop.sql": "exact bytes, and the exact exit status",
    "rind --all -p shop python -V": "in all containers of a project at once",
    "rind": "a shell",
}

ABOUT: Final = """\
Run COMMAND (default: /bin/sh) in the running container that has the label
app.rind. The label's value, a shell fragment, sets up the environment.
"""

WORDS: Final = """\
Options end at the first word that is not an option; this word and all after it
belong to the command.
"""

STATUSES: Final = """\
The exit status is the command's own; 124 when --timeout ended it, 125 when rind
or the engine failed, 126 when the command cannot be executed, 127 when it is
not found, 128+N when signal N ended it.
"""


def help_text() -> str:
    """Return the text of ``--help``."""
    groups = (
        "\n".join([*textwrap.wrap(f"{heading}:", WIDTH), *map(_described, options), ""])
        for heading, options in OPTIONS.items()
    )
    width = max(map(len, EXAMPLES)) + 2
    examples = "".join(f"  {line.ljust(width)}{text}\n" for line, text in EXAMPLES.items())
    usage = "Usage: rind [OPTIONS] [--] [COMMAND [ARG...]]\n"
    parts = usage, ABOUT, examples, WORDS, "\n".join(groups), STATUSES
    return "\n".join(parts)


def _described(option: Option) -> str:
    names = option.names if option.short else f"    {option.names}"
    named = f"  {names}{option.value}"
    indent = " " * _COLUMN
    begin = named.ljust(_COLUMN) if len(named) < _COLUMN - 1 else f"{named}\n{indent}"
    lines = textwrap.wrap(option.help, WIDTH - _COLUMN)
    return begin + f"\n{indent}".join(lines)
