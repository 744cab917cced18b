"""What to type instead, where the first word of a command is no program in the container. Pure.

Habits of shells, of docker and of Rind's own options; a line of help costs nothing where the
command cannot run anyway, and a program of such a name goes before.
"""

from __future__ import annotations

import re
import shlex

from rind.base.quoting import quoted
from rind.cli.parser import LONG
from rind.decide.plan import BUILTINS
from rind.decide.profile import DEFAULT_SHELL
from rind.decide.selection import service_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Final

    from rind.cli.options import Options
    from rind.errors import StartError
    from rind.model import Container

__all__ = ["hint_by_names", "hint_by_words", "hint_of_shell"]


_SCRIPT: Final = re.compile(r"[|&;<>()$`*?\"']")
"""What only a shell understands."""

_ASSIGNMENT: Final = re.compile(r"[A-Za-z_]\w*=.*", re.DOTALL)

_ONCE: Final = "it would only change a shell that ends at once: rind"

_OF_SHELLS: Final[Mapping[str, Callable[[str], str]]] = {
    "cd": lambda rest: f"{_ONCE} -w {rest or 'DIR'} COMMAND",
    "exec": lambda rest: (
        f"a service: rind -s {rest}; a container: rind --container {rest}"
        if rest and not rest.startswith("-")
        else "leave it out, and name the container by -s SERVICE or --container NAME"
    ),
    "exit": lambda _: "each rind ends with its command; a shell to stay in is: rind",
    "export": lambda rest: f"{_ONCE} -e {rest.split()[0] if rest else 'A=1'} COMMAND",
    "source": lambda rest: "for one command: rind -c " + quoted(f". {rest or 'FILE'} && COMMAND"),
}
"""Hints by the first word; what they take is the rest of the line."""


def hint_by_words(options: Options) -> str:
    """Return a hint by the command's words alone; empty for none."""
    if options.script is not None or not options.command:
        return ""
    first, *rest = options.command
    line = " ".join(map(quoted, rest))
    if first in _OF_SHELLS:
        return _OF_SHELLS[first](line)
    if first in BUILTINS:
        return f"it is a part of the shell: rind -c {quoted(shlex.join(options.command))}"
    return _hint_by_form(first, line)


def _hint_by_form(first: str, line: str) -> str:
    """Return a hint by how the first word looks; empty for none."""
    words = first.split()
    if first.startswith("-") and first != "-":
        return f"an option goes before the command, and before --: rind {quoted(first)}"
    if f"--{first}" in LONG:
        return f"the option is: rind --{first}"
    if words[1:] and not first.startswith(("/", ".")):
        is_script = not words[0].isidentifier() or _SCRIPT.search(first)
        several = "" if is_script else f"rind {' '.join(map(quoted, words))}, or: "
        return f"this word is one program's name: {several}rind -c {quoted(first)}"
    if _ASSIGNMENT.fullmatch(first):
        return f"a variable is set by: rind -e {quoted(first)} {line}"
    return ""


def hint_of_shell(exc: StartError, options: Options) -> str:
    """Return a hint if it is the shell of the pre-step that is not there; else empty."""
    shell = options.shell or DEFAULT_SHELL
    is_typed = options.script is not None or options.command[:1] in ([], [shell])
    if is_typed or not exc.reason.startswith(f"{quoted(shell)}: not found"):
        return ""
    return "it would run the pre-step, or find a home for -u host; without: rind --no-pre-step"


def hint_by_names(options: Options, running: Sequence[Container]) -> str:
    """Return a hint if the first word is a running container, or its service; else empty."""
    first, *rest = options.command or [""]
    if first in {container.name for container in running}:
        what, option = "container", "--container"
    elif first and first in {name for container in running for name in service_names(container)}:
        what, option = "service", "--service"
    else:
        return ""
    line = " ".join(map(quoted, ["rind", option, first, *rest]))
    return f"{first} is a {what}: {line}"
