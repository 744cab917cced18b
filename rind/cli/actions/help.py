"""The texts of ``--help`` and ``--help all``, made from the option table."""

import textwrap
from typing import Final

from rind.cli.option_table import OPTIONS
from rind.cli.options import Option

__all__ = ["ABOUT", "EXAMPLES", "STATUSES", "WIDTH", "WORDS", "help_text", "short_help"]

_FIRST: Final = (
    *("--all", "--service", "--container", "--command", "--env", "--user", "--workdir"),
    *("--no-tty", "--list", "--doctor"),
)
"""The options that people use first."""

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


_MORE: Final = """\
rind --help all lists all options, and man rind says more.
"""


def short_help() -> str:
    """Return the text of ``--help``: one screen."""
    known = {option.long: option for group in OPTIONS.values() for option in group}
    options = "".join(f"{_described(known[name])}\n" for name in _FIRST)
    return "\n".join([*_introduction(), options, _MORE])


def help_text() -> str:
    """Return the text of ``--help all``."""
    groups = (
        "\n".join([*textwrap.wrap(f"{heading}:", WIDTH), *map(_described, options), ""])
        for heading, options in OPTIONS.items()
    )
    return "\n".join([*_introduction(), WORDS, "\n".join(groups), STATUSES])


def _introduction() -> tuple[str, str, str]:
    width = max(map(len, EXAMPLES)) + 2
    examples = "".join(f"  {line.ljust(width)}{text}\n" for line, text in EXAMPLES.items())
    return "Usage: rind [OPTIONS] [--] [COMMAND [ARG...]]\n", ABOUT, examples


def _described(option: Option) -> str:
    names = option.names if option.short else f"    {option.names}"
    named = f"  {names}{option.value}"
    indent = " " * _COLUMN
    begin = named.ljust(_COLUMN) if len(named) < _COLUMN - 1 else f"{named}\n{indent}"
    lines = textwrap.wrap(option.help, WIDTH - _COLUMN)
    return begin + f"\n{indent}".join(lines)
