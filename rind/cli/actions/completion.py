"""Completion: the candidates for the word at the cursor.

A shell's script knows no options: at each TAB it calls ``rind --complete SHELL WORD...`` with the
words up to the cursor, and offers the printed lines. bash splits words at ``=`` and ``:``, so its
script passes the whole line; fish's script passes the last word as it was typed.

Candidates are hostile: a file in the container may be named ``$(reboot)``. The local shell must
never expand one when Enter is pressed. zsh and fish quote the candidates that they insert; for
bash, this module quotes them. A word that is not literal, such as ``$x/``, is not completed: the
shell would expand it together with the candidate.

:func:`decide` is pure. Candidates for the command and its arguments come from the container, listed
as the command would see them: after the pre-step, in its working directory. After any error there
are no candidates, since a message in the middle of the line would not help.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress

from rind.base.records import dataclass, replace
from rind.cli.actions.program_completion import LIST, parameters, read
from rind.cli.actions.shell_words import FISH, common, inserts, located, quoted, split
from rind.cli.option_table import SHELLS
from rind.cli.parser import LONG, MissingValue, parse
from rind.cli.variables import environment
from rind.decide.wanted import Wanted, matching, service_names
from rind.endpoint.docker_config import context_names
from rind.errors import RindError
from rind.transport.frames import STDOUT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Final

    from rind.cli.options import Candidates, Options
    from rind.execution.exec import Exec
    from rind.find.blocking import EarlyClient
    from rind.model import Container

__all__ = ["LIMIT", "Gap", "answer", "decide"]

ASK_LIMIT: Final = 1.5
"""Seconds for the container to answer: a cold engine takes 0.3, a pre-step any time."""
LIMIT: Final = 3.0
"""Seconds for everything: ending the tree of a pre-step that hangs takes 0.1, or 1 under load."""

OUTPUT_LIMIT: Final = 4 * 2**20
"""Bytes of a container's answer, 10 000 paths of 400 bytes. A longer one yields no candidates."""
CANDIDATE_LIMIT: Final = 10_000
"""Candidates. Larger sets are not offered: a subset may share a prefix that the others lack."""
LENGTH_LIMIT: Final = 4096
"""Bytes of a candidate: Linux's PATH_MAX."""


@dataclass(frozen=True, slots=True)
class Gap:
    """The word to complete.

    Attributes:
        kind: the kind of its candidates.
        options: the options before the word.
        text: the beginning of the candidates, as typed.
        head: the part of the same word before ``text``, such as ``--service=``.
    """

    kind: Candidates
    options: Options
    text: str
    head: str = ""

    @property
    def program(self) -> list[str]:
        """The program and its words, the one to complete the last; empty for any other word."""
        if self.kind != "files" or self.options.command.script is not None:
            return []
        words = self.options.words
        return [*words, self.head + self.text] if words else []


# The last word of a script, if it is free of shell syntax.
_LAST_WORD: Final = re.compile(
    r"""(?: (?:\A|[;&|(\n])[ ]* | (?P<space>[^ ;&|(\n][ ]+) ) (?P<word>[\w@%+=:,./-]*)\Z""",
    re.VERBOSE,
)


def decide(words: Sequence[str], env: Mapping[str, str]) -> Gap:
    """Return how to complete the last of the words that follow the program's name.

    Raises:
        UsageError: the words before it are invalid.
    """
    *before, word = words or [""]
    try:
        options = parse(before, env)
    except MissingValue as exc:
        return _in_value(exc.option.completes, parse(before[:-1], env), word)
    # If the options have not ended, this "--" ends them, and no command was typed yet. Otherwise it
    # is one more of the command's words.
    typed = parse([*before, "--"], env).words
    name, equals, value = word.partition("=")
    if not typed and word.startswith("-"):
        if not equals:
            return Gap("options", options, word)
        gap = _in_value(LONG[name].completes if name in LONG else "", options, value)
        return replace(gap, head=f"{name}={gap.head}")
    if options.command.script is None and not typed[1:]:
        return Gap("programs" if "/" in word else "commands", options, word)
    if equals and word.startswith("-"):
        return Gap("files", options, value, f"{name}=")
    return Gap("files", options, word)


def _in_value(kind: Candidates, options: Options, value: str) -> Gap:
    if kind == "shell":
        # A program's name or an absolute path; a relative path is not allowed.
        path: Candidates = "programs" if value.startswith("/") else ""
        return Gap(path if "/" in value else "commands", options, value)
    if kind == "script":
        match = _LAST_WORD.search(value)
        if match is None:
            return Gap("", options, value)
        word, head = match["word"], value[: match.start("word")]
        program: Candidates = "programs" if "/" in word else "commands"
        return Gap("files" if match["space"] else program, options, word, head)
    return Gap(kind, options, value)


def answer(words: Sequence[str], env: Mapping[str, str]) -> list[str]:
    """Return the candidates for a shell's script.

    Args:
        words: the script's name for itself, then the text to complete. "bash": the line up to the
            cursor, and the rest of the line; the candidates are the texts to insert. "fish-token":
            the words, the last one as it was typed. Any other name: the words. "local" before a
            name: if the word is a program's argument, return only a tab and where the program is.
        env: our own environment.
    """
    try:
        match words:
            case ["local", *rest] if place := _place(rest, env):
                return [f"\t{place}"]
            case ["local", *rest]:
                return answer(rest, env)
            case ["bash", line, *after]:
                return _for_bash(line.lstrip(" \t"), "".join(after), env)
            case ["fish-token", *before, token]:
                return _with_help(_for_fish(before, token, env))
            case _:
                return _with_help(_complete(words[1:], env))
    except (RindError, OSError):
        return []


def _place(words: Sequence[str], env: Mapping[str, str]) -> int:
    """Return the position of a program that this machine may complete, or 0.

    It is an index in bash's line, else the number of words before it. A path, such as
    ``./manage.py``, names a file of the container, which this machine cannot complete.
    """
    starts: Sequence[int] = range(len(words))
    match words:
        case ["bash", line, *after]:
            blank = len(line) - len(line.lstrip(" \t"))
            typed, starts, quote = located(line[blank:])
            starts = [blank + start for start in starts]
            if not _ends_there(quote, "".join(after)):
                return 0
        case ["fish-token", *before, token]:
            typed = ["rind", *before, *split(token, FISH)[0]]
        case _:
            typed = ["rind", *words[1:]]
    program = decide(typed[1:], env).program
    if not program or "/" in program[0] or env.get("RIND_NO_LOCAL_COMPLETION"):
        return 0
    return starts[len(typed) - len(program)]


def _with_help(found: Sequence[str]) -> list[str]:
    """Append each option's description after a tab. No candidate contains one."""
    return [f"{name}\t{LONG[name].help}" if name in LONG else name for name in found]


def _complete(words: Sequence[str], env: Mapping[str, str]) -> list[str]:
    gap = decide(words, env)
    found = _LOCAL[gap.kind](gap.text, env) if gap.kind in _LOCAL else _ask(gap, env)
    matching = {gap.head + candidate for candidate in found if candidate.startswith(gap.text)}
    # Unprintable characters would reach the terminal, and a newline would begin a new candidate.
    fit = [
        candidate
        for candidate in matching
        if candidate.isprintable() and len(candidate.encode()) <= LENGTH_LIMIT
    ]
    return sorted(fit) if len(fit) <= CANDIDATE_LIMIT else []


def _for_fish(before: Sequence[str], token: str, env: Mapping[str, str]) -> list[str]:
    """Return the candidates for fish, which quotes them, except for a ``~`` at the beginning."""
    [word], quote = split(token, FISH)
    found = _complete([*before, word], env)
    is_quoted = word or quote in {"'", '"'}
    return [candidate for candidate in found if is_quoted or not candidate.startswith("~")]


def _for_bash(line: str, after: str, env: Mapping[str, str]) -> list[str]:
    """Return the texts that bash may insert between ``line`` and ``after``, quoted.

    Words are completed only at their end: there, the text already typed keeps its meaning.
    """
    typed, quote = split(line)
    if not _ends_there(quote, after):
        return []
    rests = [candidate.removeprefix(typed[-1]) for candidate in _complete(typed[1:], env)]
    shared = quoted(common(rests), quote)
    found = [rest for rest in (quoted(rest, quote) for rest in rests) if inserts(rest, line, quote)]
    # readline inserts the common prefix of the candidates. If it would end within an escape, the
    # shared text is listed too, so that the common prefix ends before the escape.
    if len(common(found)) > len(shared):
        return [shared, *found] if inserts(shared, line, quote) else []
    return found


def _ends_there(quote: str, after: str) -> bool:
    """Whether the cursor is at the end of a word, before the text ``after``.

    So it is before the closing quote, if one is open, and then a blank or nothing. An open
    backslash would escape that text.
    """
    return not after or (quote != "\\" and bool(re.match(rf"{quote}(?:[ \t]|\Z)", after)))


# --- candidates from this machine -------------------------------------------------------------


def _files(text: str, _env: Mapping[str, str]) -> list[str]:
    """Return the files in the folder of ``text``, including hidden ones such as ``.env``."""
    folder = text[: text.rfind("/") + 1]
    with os.scandir(folder or ".") as found:
        return [
            f"{folder}{entry.name}/" if entry.is_dir() else f"{folder}{entry.name}"
            for entry in found
        ]


_LOCAL: Final[Mapping[str, Callable[[str, Mapping[str, str]], Sequence[str]]]] = {
    "": lambda _text, _env: (),
    "options": lambda _text, _env: sorted(LONG),
    "shells": lambda _text, _env: SHELLS,
    "contexts": lambda _text, env: context_names(env),
    "variables": lambda _text, env: list(env),
    "local files": _files,
}


# --- candidates from the engine ---------------------------------------------------------------

_TRAITS: Final[Mapping[str, Callable[[Container], Iterable[str]]]] = {
    "containers": lambda container: [container.name],
    "indexes": lambda container: [container.index],
    "projects": lambda container: [container.project],
    "services": service_names,
}


def _ask(gap: Gap, env: Mapping[str, str]) -> list[str]:
    from rind.cli.translate import endpoint_from
    from rind.find.blocking import EarlyClient  # option names need no engine

    options = gap.options
    endpoint = endpoint_from(options, env)
    early = EarlyClient(endpoint, env, interactive=False)
    return _traits(early, gap) if gap.kind in _TRAITS else _list(early, gap, env)


def _traits(early: EarlyClient, gap: Gap) -> list[str]:
    """Return the trait of each container that fits the options before the word."""
    options = gap.options
    wanted = Wanted(
        label="",
        service=options.wanted.service if gap.kind in {"projects", "indexes"} else None,
        project=options.wanted.project if gap.kind in {"services", "indexes"} else None,
    )
    found = early.with_tasks(matching(early.running(), wanted), wanted)
    return [trait for container in found for trait in _TRAITS[gap.kind](container) if trait]


def _list(early: EarlyClient, gap: Gap, env: Mapping[str, str]) -> list[str]:
    """Return the names that the command would find, listed in its container."""
    from rind.cli.translate import wanted_from
    from rind.find.resolve import profile_of

    options = gap.options
    command = replace(
        options.command,
        script=LIST,
        argv=[gap.kind, gap.text, *(parameters(gap.program) if gap.program else ())],
        env=environment(options.env_files, options.env, env),
        stdin=False,
    )
    early, selected = early.find(wanted_from(options))
    container = selected.container
    config = early.settle(command, container, profile_of(container, options.wanted.label))
    begun = early.start(early.create(container, config), tty=False, size=None)
    import asyncio  # while the engine starts it

    from rind.client import continued

    out, ended = bytearray(), False

    async def ask() -> None:
        async with asyncio.timeout(ASK_LIMIT), continued(early) as client:
            await _read(await client.target(container).execute(config, begun=begun), out)

    with suppress(TimeoutError):
        asyncio.run(ask())
        ended = True
    return read(bytes(out), gap.head, gap.text, ended) if len(out) <= OUTPUT_LIMIT else []


async def _read(execution: Exec, out: bytearray) -> None:
    async with execution:
        while len(out) <= OUTPUT_LIMIT and (part := await execution.read()) is not None:
            out += part[1] if part[0] == STDOUT else b""
