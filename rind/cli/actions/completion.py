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

from rind.base.records import dataclass, replace
from rind.cli.actions.shell_words import FISH, common, inserts, quoted, split
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

__all__ = ["LIMIT", "SCRIPTS", "Gap", "answer", "decide"]

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

SCRIPTS: Final = {
    # $2 is the text that readline replaces, as typed but without an open quote; the printed text
    # is appended to it. With "filenames", readline lists only the last part of each path. A single
    # match is not marked so: a directory of that name on this machine would add a slash. When it
    # inserts all matches (COMP_TYPE 42 is "*"), readline removes the open quote: none are offered.
    "bash": r"""_rind() {
  COMPREPLY=()
  (( COMP_TYPE != 42 )) || return
  while IFS= read -r; do
    COMPREPLY+=("$2$REPLY")
  done < <(rind --complete bash "${COMP_LINE:0:COMP_POINT}" "${COMP_LINE:COMP_POINT}")
  [[ ${COMPREPLY-} != */ ]] || compopt -o nospace
  [[ ${#COMPREPLY[@]} -lt 2 ]] || compopt -o filenames -o noquote
} 2>/dev/null
complete -F _rind rind
""",
    # zsh quotes the candidates that it inserts, with three exceptions, which are not offered.
    # Within backquotes, a second shell unquotes them once more. In an open brace, or after a
    # bracket, zsh's word differs from the one on the line. Within $(...), the backslash of "\!"
    # is not removed. -p hides the folder, so that it is not listed with each file.
    "zsh": r"""_rind() {
  [[ $PREBUFFER$LBUFFER != *\`* ]] || return
  [[ -n $words[CURRENT] || $LBUFFER == *[[:space:]] ]] || return
  (( ${#words[CURRENT]//[^\{]} == ${#${:-$PREFIX$SUFFIX}//[^\{]} )) || return
  local -a found
  found=(${(f)"$(rind --complete zsh "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)"})
  [[ $compstate[quote] != \" || $PREBUFFER$LBUFFER != *\(* ]] || found=("${(@)found:#*!*}")
  if [[ ${found[1]-} == -*$'\t'* ]]; then
    local -a shown
    shown=("${(@)found/$'\t'/  -- }")
    compadd -l -d shown -- "${(@)found%%$'\t'*}"
    return
  fi
  local folder=${(Q)PREFIX}
  folder=${folder%"${folder##*/}"}
  found=("${(@)found#"$folder"}")
  compadd -p "$folder" -- ${found:#*/}
  compadd -p "$folder" -S '' -- ${(M)found:#*/}
  (( compstate[nmatches] ))
}
compdef _rind rind
""",
    "fish": r"""complete --command rind --no-files --arguments \
  '(rind --complete fish-token (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'
""",
}


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
            the words, the last one as it was typed. Any other name: the words.
        env: our own environment.
    """
    try:
        match words:
            case ["bash", line, *after]:
                return _for_bash(line.lstrip(" \t"), "".join(after), env)
            case ["fish-token", *before, token]:
                return _with_help(_for_fish(before, token, env))
            case _:
                return _with_help(_complete(words[1:], env))
    except (RindError, OSError):
        return []


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
    # The cursor must be at the end of a word: followed by the closing quote, if one is open, and
    # then a blank or nothing. An open backslash would escape that text.
    if after and (quote == "\\" or not re.match(rf"{quote}(?:[ \t]|\Z)", after)):
        return []
    rests = [candidate.removeprefix(typed[-1]) for candidate in _complete(typed[1:], env)]
    shared = quoted(common(rests), quote)
    found = [rest for rest in (quoted(rest, quote) for rest in rests) if inserts(rest, line, quote)]
    # readline inserts the common prefix of the candidates. If it would end within an escape, the
    # shared text is listed too, so that the common prefix ends before the escape.
    if len(common(found)) > len(shared):
        return [shared, *found] if inserts(shared, line, quote) else []
    return found


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

# $1 is the kind to list, $2 the beginning of each name. NULs separate the names, which may contain
# newlines. The pre-step may have changed the shell's options, and dash, ash and bash differ: in
# whether a glob without a match expands to nothing, and whether `.*` matches `.`.
_LIST: Final = r"""
set +efu
if [ "$1" = commands ]; then
  IFS=:
  for rind_folder in $PATH; do
    for rind_file in "${rind_folder:-.}/$2"*; do
      if [ -f "$rind_file" ] && [ -x "$rind_file" ]; then printf '%s\0' "${rind_file##*/}"; fi
    done
  done
elif [ "$1" = users ]; then
  printf 'host\0'
  while IFS=: read -r rind_user rind_rest; do printf '%s\0' "$rind_user"; done </etc/passwd
else
  for rind_file in "$2"*; do
    case ${rind_file##*/} in . | ..) continue ;; esac
    if [ -d "$rind_file" ]; then printf '%s/\0' "$rind_file"
    elif [ "$1" = programs ] && ! [ -x "$rind_file" ]; then :
    elif [ "$1" = directories ]; then :
    elif [ -e "$rind_file" ] || [ -L "$rind_file" ]; then printf '%s\0' "$rind_file"
    fi
  done
fi
"""


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
        script=_LIST,
        argv=[gap.kind, gap.text],
        env=environment(options.env_files, options.env, env),
        stdin=False,
    )
    early, selected = early.find(wanted_from(options))
    container = selected.container
    config = early.settle(command, container, profile_of(container, options.wanted.label))
    begun = early.start(early.create(container, config), tty=False, size=None)
    import asyncio  # while the engine starts it

    from rind.client import continued

    async def read() -> list[str]:
        async with asyncio.timeout(ASK_LIMIT), continued(early) as client:
            return await _read(await client.target(container).execute(config, begun=begun))

    return asyncio.run(read())


async def _read(execution: Exec) -> list[str]:
    out = bytearray()
    async with execution:
        while (part := await execution.read()) is not None:
            out += part[1] if part[0] == STDOUT else b""
            if len(out) > OUTPUT_LIMIT:
                return []
    return out.decode(errors="surrogateescape").split("\0")[:-1]
