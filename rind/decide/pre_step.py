"""What to execute: the user's words, and the pre-step around them. Pure.

Without a pre-step the words go to the engine as they are, so a container with no shell works.
With one, they become the positional parameters of a small shell script, and are never joined
or quoted. The script must run in dash, busybox ash and bash, so:

* The pre-step is a parameter too, and is run by ``eval``. Were it part of the script's text, an
  open quote or a trailing ``||`` in it would swallow what follows.
* It runs in a function, so that its ``set --`` changes the function's parameters and not the
  command's words. bash has arrays, and a ``declare`` in a function would be local there: it
  keeps the words in one instead.
* Its stdout is stderr: stdout belongs to the command.
* dash has no ``source``. Ours, like bash's, looks in the current directory when PATH has no such
  file, and fails where dash's ``.`` would end the shell.
* ``exec`` leaves the command in the shell's place: signals and status are its own. A function
  that the pre-step defined cannot be exec'd, so it is called. ``type`` tells functions from
  builtins, which must not hide a program of the container's (``rind echo``).
* The environment is the command's own, whatever shells make of it:
  :mod:`rind.decide.environment`. And no variable in it decides what is done here: bash is told to
  read neither BASH_ENV nor SHELLOPTS nor functions from there (``-p``).
* No variable of ours is left behind, and no function of ours is exported: the pre-step may have
  said ``set -a``.
* All of this is parameters too, which the first line evaluates: so a shell that names the line of
  an error counts the user's own, of the pre-step, and from the second on of the script. It is a
  line of its own, for the aliases of the pre-step.
"""

from __future__ import annotations

import re
import shlex

from rind.base.records import dataclass
from rind.decide.environment import IS_BASH, KEEP
from rind.decide.profile import DEFAULT_SHELL
from rind.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

__all__ = ["FIRST_LINE", "NOT_STARTED", "RUN", "PreStep", "flaw", "wrap", "wrap_script"]

NOT_STARTED: Final = "rind: cannot start the command: "
"""How the line begins in which the wrapper says so, see :mod:`rind.decide.start_failure`."""

MAX_WORD: Final = 128 * 1024 - 1
"""Bytes: Linux's MAX_ARG_STRLEN without the final NUL, the longest word that execve takes."""

FIRST_LINE: Final = 'eval "$1"; eval "$2"\n'
"""Of what the shell runs."""

# The eval around our source is for busybox ash, which has its own and refuses to parse another.
# What ends the shell in the pre-step, `exit 0` too, is told by the trap. It stays, for it may have
# been replaced by the pre-step's own, but has nothing to tell after that.
_DEFINITIONS: Final = r"""
rind_exit() {
  echo "rind: the ${2-pre-step} of RIND_NAME ended with $1; the command was not run" >&2
  [ "$1" != 0 ] || exit 125
  exit "$1"
}
trap 'rind_exit "$?"' EXIT
command -v source >/dev/null 2>&1 || eval 'source() {
  case $1 in
    */*) [ -r "$1" ] || { echo "source: cannot read $1" >&2; return 1; } ;;
    *) [ ! -f "./$1" ] || command -v -- "$1" >/dev/null || set -- "./$@" ;;
  esac
  local rind_file="$1"
  shift
  command . "$rind_file"
}'
"""

# Otherwise bash would read this file before our text, with its stdout on the command's.
_BASH_ENV: Final = r"""
eval "rind_file=\"${BASH_ENV-}\""
if [ -r "$rind_file" ]; then
  trap 'rind_exit "$?" "BASH_ENV"' EXIT
  . "$rind_file" >&2
  trap 'rind_exit "$?"' EXIT
fi
unset rind_file
"""

# Of a user whom the container does not know, the engine says that / is the home directory. A folder
# that somebody else has put there is not taken for one, nor is /tmp, where anybody may put files.
_HOME: Final = r"""
if ! [ -w "${HOME:-/}" ]; then
  USER=${USER:-RIND_LOGIN} LOGNAME=${LOGNAME:-RIND_LOGIN}
  export USER LOGNAME
  rind_home=/tmp/rind-RIND_LOGIN
  mkdir -m 700 $rind_home 2>/dev/null
  if ! [ -L $rind_home ] && [ -d $rind_home ] && [ -O $rind_home ]; then export HOME=$rind_home; fi
  unset rind_home
fi
"""

# $1 and $2 are these two, $3 is the directory to be in after it, or empty, $4 is the pre-step. When
# this is done, the words after these are $1… again. All up to the pre-step's text is on the first
# line, as is what evaluates it: from there on, shells count the pre-step's own lines.
RUN: Final = r"""\
rind_pre_step() { eval "shift; $1"; }; \
if RIND_IS_BASH; then \
eval 'rind_words=("$@"); set -- "$4"; eval "shift; $1" >&2; \
set -- "$?" "${rind_words[@]}"; unset rind_words'; \
else rind_pre_step "$4" >&2; set -- "$?" "$@"; fi
[ "$1" = 0 ] || exit "$1"
case $- in
  *a*) set +a; rind_exit() { :; }; set -a ;;
  *) rind_exit() { :; } ;;
esac
[ -z "$4" ] || cd "$4" || exit 125
shift 5
""".replace("\\\n", "").replace("RIND_IS_BASH", IS_BASH)

# The pre-step's errexit and nounset are not the script's.
_SCRIPT: Final = "set +eu\n"

_IS_THERE: Final = rf"""command -v -- "$1" >/dev/null || {{
      printf '{NOT_STARTED}%s: not found in the PATH of RIND_NAME%s\n' "$1" RIND_HINT >&2
      exit 127
    }}"""

# bash's and ash's exec take options; dash's takes none, and would look for a program "--". What can
# be seen to fail, we say ourselves, in the words of :mod:`rind.decide.start_failure`.
_EXEC: Final = rf"""
case $1 in
  -*)
    {_IS_THERE}
    rind_exec "$@"
    ;;
  "") ;;
  */*)
    if [ -d "$1" ] || {{ [ -e "$1" ] && ! [ -x "$1" ]; }}; then
      printf '{NOT_STARTED}%s: permission denied\n' "$1" >&2
      exit 126
    elif ! [ -e "$1" ] && [ -x "${{1%/*}}/" ]; then
      printf '{NOT_STARTED}%s: not found\n' "$1" >&2
      exit 127
    fi
    rind_exec "$@"
    ;;
esac
case $(LC_ALL=C type "$1" 2>/dev/null) in
  "$1 is a function"* | "$1 is a shell function"*) "$@" ;;
  "$1 is a"*)
    if ! (
      set -f
      IFS=:
      for rind_folder in $PATH; do [ -x "${{rind_folder:-.}}/$1" ] && exit; done
      exit 1
    ); then
      printf '{NOT_STARTED}%s: no program, but a part of the shell%s\n' "$1" RIND_HINT >&2
      exit 127
    fi
    rind_exec "$@"
    ;;
  *)
    {_IS_THERE}
    rind_exec "$@"
    ;;
esac
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreStep:
    """What is done in the container before a command.

    Attributes:
        text: a piece of shell; None or blank for nothing.
        shell: what runs it, a path or a program's name.
        container: the container's name, for messages.
        workdir: an absolute path to be in after it; empty for where it ends.
        hint: what to do instead, where the command's first word is no program.
        login: the name of a user whom the container may not know, of letters, digits and ``_@.-``;
            that user gets a home directory.
    """

    text: str | None = None
    shell: str = DEFAULT_SHELL
    container: str = "the container"
    workdir: str = ""
    hint: str = ""
    login: str = ""


def wrap(argv: Sequence[str], step: PreStep) -> list[str]:
    """Return what the engine is to execute so that ``argv`` runs after a pre-step.

    Raises:
        UsageError: a word cannot be executed on any Linux, or the pre-step is incomplete in a
            way that shells pass over.
    """
    if not _is_a_step(step):
        return _checked(argv)
    hint = shlex.quote(f" ({step.hint})" if step.hint else "")
    execute = _EXEC.replace("RIND_NAME", _name(step)).replace("RIND_HINT", hint)
    return _checked([*_begun(step, execute, keeps=True), *argv])


def wrap_script(script: str, args: Sequence[str], step: PreStep) -> list[str]:
    """Return what runs ``script`` in the container's shell, ``args`` being ``$1`` and so on.

    With a pre-step, it is the pre-step's own shell, which knows its functions.

    Raises:
        UsageError: as :func:`wrap`.
    """
    if not _is_a_step(step):
        # sh would take a first "-" or "+" for an option.
        text = f"\n{script}" if script[:1] in {"-", "+"} else script
        return _checked([step.shell, "-c", text, "sh", *args])
    return _checked([*_begun(step, script, _SCRIPT), *args])


def _begun(step: PreStep, rest: str, between: str = "", *, keeps: bool = False) -> list[str]:
    definitions = (KEEP if keeps else "") + _DEFINITIONS
    definitions = definitions.replace("RIND_NAME", _name(step))
    if step.login:
        definitions += _HOME.replace("RIND_LOGIN", step.login)
    option = "-c"
    if step.shell.rpartition("/")[2] == "bash":
        option, definitions = "-pc", definitions + _BASH_ENV
    evaluated = [definitions, RUN + between, step.workdir, step.text or ""]
    return [step.shell, option, f"{FIRST_LINE}{rest}", "sh", *evaluated]


def _name(step: PreStep) -> str:
    """Return the container's name; of what is none, as an engine checks them, nothing is left."""
    return re.sub(r"[^\w. -]", "?", step.container, flags=re.ASCII)


def _is_a_step(step: PreStep) -> bool:
    """Whether anything is to be done before the command."""
    body = (step.text or "").rstrip("\n")
    if not body.strip():
        return bool(step.login)
    if (len(body) - len(body.rstrip("\\"))) % 2:
        raise UsageError("the pre-step (the label's value) is incomplete: it ends in a backslash")
    return True


def _checked(argv: Sequence[str]) -> list[str]:
    for word in argv:
        if why := flaw(word):
            raise UsageError(f"a word of the command {why}: {word[:40]!a}")
    return list(argv)


def flaw(text: str) -> str:
    """Return why a text cannot be a word of a command or a variable; empty if it can."""
    try:
        encoded = text.encode()
    except UnicodeEncodeError:
        # The API is JSON, which has no place for other bytes.
        return "is not valid UTF-8"
    if b"\0" in encoded:
        return "has a NUL byte in it"
    if len(encoded) > MAX_WORD:
        return f"is too long for Linux: it has {len(encoded)} bytes, {MAX_WORD} being the most"
    return ""
