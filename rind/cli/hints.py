"""Hints: what to type instead, if a command's first word is not a program in the container. Pure.

They recognise habits from shells and from docker, and misplaced options of Rind. A hint is printed
only where the command cannot run anyway: a program with such a name takes precedence.
"""

from __future__ import annotations

import re
import shlex

from rind.base.quoting import quoted
from rind.cli.parser import LONG
from rind.decide.plan import BUILTINS
from rind.decide.profile import DEFAULT_SHELL
from rind.decide.wanted import service_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Final

    from rind.cli.options import Options
    from rind.errors import StartError
    from rind.model import Container

__all__ = ["names_hint", "shell_hint", "words_hint"]


_SHELL_SYNTAX: Final = re.compile(r"[|&;<>()$`*?\"']")
"""Characters that only a shell interprets."""

_ASSIGNMENT: Final = re.compile(r"[A-Za-z_]\w*=.*", re.DOTALL)

_NO_EFFECT: Final = "it would change only a shell that exits at once; use: rind"

_SHELL_HABITS: Final[Mapping[str, Callable[[str], str]]] = {
    "cd": lambda rest: f"{_NO_EFFECT} -w {rest or 'DIR'} COMMAND",
    "exec": lambda rest: (
        f"a service: rind -s {rest}; a container: rind --container {rest}"
        if rest and not rest.startswith("-")
        else "leave it out, and name the container by -s SERVICE or --container NAME"
    ),
    "exit": lambda _: "rind exits with its command; for an interactive shell: rind",
    "export": lambda rest: f"{_NO_EFFECT} -e {rest.split()[0] if rest else 'A=1'} COMMAND",
    "source": lambda rest: "for one command: rind -c " + quoted(f". {rest or 'FILE'} && COMMAND"),
}
"""Hints by the first word; each is composed from the rest of the line."""


def words_hint(options: Options) -> str:
    """Return a hint for the command's words alone, or an empty string."""
    if options.command.script is not None or not options.words:
        return ""
    first, *rest = options.words
    line = " ".join(map(quoted, rest))
    if first in _SHELL_HABITS:
        return _SHELL_HABITS[first](line)
    if first in BUILTINS:
        return f"it is part of the shell: rind -c {quoted(shlex.join(options.words))}"
    return _hint_by_form(first, line)


def _hint_by_form(first: str, line: str) -> str:
    """Return a hint for the form of the first word, or an empty string."""
    words = first.split()
    if first.startswith("-") and first != "-":
        return f"options go before the command, and before --: rind {quoted(first)}"
    if f"--{first}" in LONG:
        return f"the option is: rind --{first}"
    # A path may contain blanks; any other such word is probably a quoted command line.
    if words[1:] and not first.startswith(("/", ".")):
        is_script = not words[0].isidentifier() or _SHELL_SYNTAX.search(first)
        several = "" if is_script else f"rind {' '.join(map(quoted, words))}, or: "
        return f"this word is taken as one program's name; use: {several}rind -c {quoted(first)}"
    if _ASSIGNMENT.fullmatch(first):
        return f"to set a variable: rind -e {quoted(first)} {line}"
    return ""


def shell_hint(exc: StartError, options: Options) -> str:
    """Return a hint if the shell for the pre-step was not found, else an empty string."""
    shell = options.command.shell or DEFAULT_SHELL
    # Without the pre-step, a command needs no shell, unless it is one itself.
    is_wanted = options.command.script is not None or options.words[:1] in ([], [shell])
    if is_wanted or not exc.reason.startswith(f"{quoted(shell)}: not found"):
        return ""
    return "the pre-step and -u host need it: choose another by --shell, or use --no-pre-step"


def names_hint(options: Options, running: Sequence[Container]) -> str:
    """Return a hint if the first word is a running container or service, else an empty string."""
    first, *rest = options.words or [""]
    if first in {container.name for container in running}:
        kind, option = "container", "--container"
    elif first and first in {name for container in running for name in service_names(container)}:
        kind, option = "service", "--service"
    else:
        return ""
    line = " ".join(map(quoted, ["rind", option, first, *rest]))
    return f"{first} is a {kind}: {line}"
