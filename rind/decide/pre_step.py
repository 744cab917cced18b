"""Wraps a command in the shell code that runs the pre-step first. Pure.

Goal: the pre-step sets up the command's environment, and has no other effect on the command, its
words or its streams.

Plan: without a pre-step, the words go to the engine unchanged, so a container without a shell
works. With one, they become the positional parameters of a small shell script, and are never joined
or quoted. The script must run in dash, busybox ash and bash, so:

* The pre-step is a parameter too, and is run by ``eval``. If it were part of the script's text, an
  open quote or a trailing ``||`` in it would swallow the code after it.
* It runs in a function, so that its ``set --`` changes the function's parameters and not the
  command's words. In bash, a ``declare`` in a function would be local; so bash runs it outside of a
  function, and keeps the words in an array.
* Its stdout is redirected to stderr: stdout belongs to the command.
* dash has no ``source``, so we define one. Like bash's, it looks in the current directory if PATH
  has no such file, and it returns a failure where dash's ``.`` would end the shell.
* ``exec`` replaces the shell with the command, which then receives the signals and determines the
  exit status. A function that the pre-step defined cannot be exec'd, so it is called. ``type``
  distinguishes functions from builtins, which must not hide a program of the container (``rind
  echo``).
* The command does not see the shell's own changes to its environment
  (:mod:`rind.decide.environment`). Nor do variables in the environment influence the script: with
  ``-p``, bash ignores BASH_ENV, SHELLOPTS and exported functions.
* None of our variables are left behind, and none of our functions are exported, even if the
  pre-step runs ``set -a``.
* All of our code is in parameters, which the first line evaluates. So when a shell reports an error
  with a line number, it counts the user's own lines: those of the pre-step from 1, and those of the
  script from 2. The script begins on a new line because a shell expands the pre-step's aliases only
  in lines that it reads later.
"""

from __future__ import annotations

import re

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
"""The beginning of the line that the wrapper prints if the command cannot start. It is read by
:mod:`rind.decide.start_failure`."""

MAX_WORD: Final = 128 * 1024 - 1
"""Bytes: Linux's MAX_ARG_STRLEN without the final NUL, the longest word that execve accepts."""

FIRST_LINE: Final = 'eval "$1"; eval "$2"\n'
"""The first line of the shell's text. It evaluates our definitions and :data:`RUN`."""

# Our source is defined in an eval because busybox ash has its own, and refuses to parse another.
# The trap reports a pre-step that ends the shell, even by `exit 0`. It is not removed after the
# pre-step, which may have set a trap of its own; instead, rind_exit is redefined to do nothing.
_DEFINITIONS: Final = r"""
rind_exit() {
  echo "rind: the ${2-pre-step} of RIND_NAME ended with exit status $1; the command was not run" >&2
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

# The script runs this file itself, with its stdout on stderr: without -p, bash would run it before
# our text, with its stdout on the command's.
_BASH_ENV: Final = r"""
eval "rind_file=\"${BASH_ENV-}\""
if [ -r "$rind_file" ]; then
  trap 'rind_exit "$?" "BASH_ENV"' EXIT
  . "$rind_file" >&2
  trap 'rind_exit "$?"' EXIT
fi
unset rind_file
"""

# For a user that the container does not know, the engine sets HOME to /. A folder in /tmp replaces
# it, unless another user has created that folder or link first. /tmp itself would not be safe:
# anybody may put files there.
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

# $1 are the definitions, $2 is this code, $3 is the directory to change to after the pre-step, or
# empty, and $4 is the pre-step. After the pre-step, its status is inserted before them; at the end,
# only the command's words are left. All code up to the pre-step is on the first line, and so is the
# eval of this code: so shells count the pre-step's own lines.
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

# The pre-step may have set errexit and nounset; the script starts without them.
_SCRIPT: Final = "set +eu\n"

_CHECK_FOUND: Final = rf"""command -v -- "$1" >/dev/null || {{
      printf '{NOT_STARTED}%s: not found in the PATH of RIND_NAME%s\n' "$1" RIND_HINT >&2
      exit 127
    }}"""

# bash's and ash's exec accept options; dash's accepts none, and would look for a program "--". So a
# first word with a hyphen is a case of its own. Failures that we can predict are reported here, in
# the wording of :mod:`rind.decide.start_failure`.
_EXEC: Final = rf"""
case $1 in
  -*)
    {_CHECK_FOUND}
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
      printf '{NOT_STARTED}%s: a part of the shell, not a program%s\n' "$1" RIND_HINT >&2
      exit 127
    fi
    rind_exec "$@"
    ;;
  *)
    {_CHECK_FOUND}
    rind_exec "$@"
    ;;
esac
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreStep:
    """The preparations in the container before a command.

    Attributes:
        text: the pre-step, a shell fragment; None or blank for none.
        shell: the shell that runs it, a path or a program's name.
        container: the container's name, for messages.
        workdir: an absolute path to change to after it; empty to stay where the pre-step ends.
        hint: a remedy for the message that the command's first word is not a program.
        login: the name of a user that the container may not know, of letters, digits and ``_@.-``;
            that user gets a home directory. Empty for other users.
    """

    text: str | None = None
    shell: str = DEFAULT_SHELL
    container: str = "the container"
    workdir: str = ""
    hint: str = ""
    login: str = ""


def wrap(argv: Sequence[str], step: PreStep) -> list[str]:
    """Return the words for the engine that run ``argv`` after a pre-step.

    Raises:
        UsageError: a word cannot be executed on any Linux, or the pre-step is incomplete in a
            way that shells do not report.
    """
    if not _is_needed(step):
        return _checked(argv)
    import shlex

    hint = shlex.quote(f" ({step.hint})" if step.hint else "")
    execute = _EXEC.replace("RIND_NAME", _name(step)).replace("RIND_HINT", hint)
    return _checked([*_wrapper(step, execute, restores=True), *argv])


def wrap_script(script: str, args: Sequence[str], step: PreStep) -> list[str]:
    """Return the words for the engine that run ``script`` after a pre-step.

    The shell that has run the pre-step also runs the script, so the script can use its functions.

    Args:
        script: a script for the container's shell.
        args: the script's parameters, ``$1`` and so on.
        step: the preparations.

    Raises:
        UsageError: as for :func:`wrap`.
    """
    if not _is_needed(step):
        # sh would parse a script that begins with "-" or "+" as an option.
        text = f"\n{script}" if script[:1] in {"-", "+"} else script
        return _checked([step.shell, "-c", text, "sh", *args])
    return _checked([*_wrapper(step, script, _SCRIPT), *args])


def _wrapper(step: PreStep, rest: str, between: str = "", *, restores: bool = False) -> list[str]:
    """Return the words of the wrapper, to be followed by the command's words.

    Args:
        step: the preparations.
        rest: shell text to run after the pre-step, on lines of its own.
        between: shell text to run before ``rest``, on our line.
        restores: whether to define ``rind_exec``, which restores the command's environment.
    """
    definitions = (KEEP if restores else "") + _DEFINITIONS
    definitions = definitions.replace("RIND_NAME", _name(step))
    if step.login:
        definitions += _HOME.replace("RIND_LOGIN", step.login)
    option = "-c"
    if step.shell.rpartition("/")[2] == "bash":
        option, definitions = "-pc", definitions + _BASH_ENV
    evaluated = [definitions, RUN + between, step.workdir, step.text or ""]
    return [step.shell, option, f"{FIRST_LINE}{rest}", "sh", *evaluated]


def _name(step: PreStep) -> str:
    """Return the container's name, safe in shell text: invalid characters become ``?``."""
    return re.sub(r"[^\w. -]", "?", step.container, flags=re.ASCII)


def _is_needed(step: PreStep) -> bool:
    """Whether there is a pre-step, or a user that may need a home directory.

    Raises:
        UsageError: the pre-step ends in a backslash, so it is incomplete; shells do not report it.
    """
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


def flaw(text: str) -> str | None:
    """Return why a text cannot be a word of a command or a variable; None if it can.

    The reason completes a message that begins with the word or the variable.
    """
    try:
        encoded = text.encode()
    except UnicodeEncodeError:
        # The API is JSON, which cannot carry other bytes.
        return "is not valid UTF-8"
    if b"\0" in encoded:
        return "has a NUL byte in it"
    if len(encoded) > MAX_WORD:
        return f"is too long for Linux: it has {len(encoded)} bytes, and at most {MAX_WORD} fit"
    return None
