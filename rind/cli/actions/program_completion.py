r"""A program's own completion, in the container: the questions and their answers. Pure.

One script lists the files first, and then asks, in this order and until one answers:

* bash, if the container has it, with the completion that is installed there for the program's name;
* a program of Python's that is recognizably Django's ``manage.py``, by Django's protocol;
* a program of Python's with argcomplete's mark, by argcomplete's protocol.

No other program runs. A path is looked up by its name only if the PATH leads to the same file: a
``./make`` need not understand what make's completion asks of it.

The files stand first, and an empty name after them, so that they are there if a program takes too
long to answer.
"""

from __future__ import annotations

import os
import re
import shlex

from rind.cli.actions.completion_scripts import ASK_PROGRAM

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

__all__ = ["LIST", "parameters", "read"]

_IN_BASH: Final = (
    ASK_PROGRAM
    + r"""
COMP_LINE=$1 COMP_POINT=${#1} COMP_TYPE=9 COMP_KEY=9 rind_current=$2
COMP_WORDS=("${@:3}") COMP_CWORD=$(($# - 3))
rind_name=${COMP_WORDS[0]} rind_files=
set --
for rind_folder in {/usr,/usr/local}/share/bash-completion; do
  [[ ! -r $rind_folder/bash_completion ]] || . "$rind_folder/bash_completion"
  [[ ! -r $rind_folder/completions/$rind_name ]] || . "$rind_folder/completions/$rind_name"
done >/dev/null 2>&1
compopt() { [[ " $* " != *" -o filenames "* ]] || rind_files=1; }
COMPREPLY=()
_rind_program "$rind_current" >/dev/null 2>&1
[[ $rind_options != *" filenames "* ]] || rind_files=1
for rind_name in "${COMPREPLY[@]}"; do
  [[ ! $rind_files || ! -d $rind_name ]] || rind_name=${rind_name%/}/
  printf '%s\0' "$rind_name"
done
[[ ${COMPREPLY-} ]]
"""
)

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
[ $# -gt 2 ] || exit 0
"""

# After the first two, the parameters are those of `parameters`. dash and ash drop the NULs of a
# binary file in $(...), bash warns of them. _ARGCOMPLETE_SHELL=fish means unquoted candidates.
_ASK: Final = r"""
printf '\0'
shift 2
exec </dev/null 2>/dev/null
rind_python=$1 rind_program=$2 rind_name=${2##*/} rind_index=$3 rind_bytes=$4 rind_line=$5
rind_file=$rind_program
[ "$rind_python" ] || rind_file=$(command -v -- "$rind_program")
case $rind_file in
  */*) ;;
  *) [ "$rind_python" ] || exit 0 ;;
esac
if ! [ "$rind_python" ] && command -v bash >/dev/null &&
  [ "$(command -v -- "$rind_name")" -ef "$rind_file" ]; then
  rind_text=$6
  shift 6
  ! BASH_ENV= bash --noprofile --norc -c "$RIND_IN_BASH" bash \
    "$rind_line" "$rind_text" "$rind_name" "$@" || exit 0
fi
rind_text=$(head -c 4096 "$rind_file")
rind_first=${rind_text%%"
"*}
[ "$rind_python" ] || case $rind_first in
  '#!'*python*) ;;
  *) exit 0 ;;
esac
rind_told() {
  set -f
  for rind_name in $1; do printf '%s\0' "$rind_name"; done
}
case $rind_text in
  *django.core.management*execute_from_command_line*)
    unset IFS
    rind_told "$(DJANGO_AUTO_COMPLETE=1 COMP_WORDS=$rind_line COMP_CWORD=$rind_index \
      ${rind_python:+"$rind_python"} "$rind_file")"
    exit 0 ;;
esac
case $(head -c 1024 "$rind_file") in
  *PYTHON_ARGCOMPLETE_OK*)
    IFS=$(printf '\013')
    rind_told "$(_ARGCOMPLETE=1 _ARGCOMPLETE_SHELL=fish _ARGCOMPLETE_IFS=$IFS \
      _ARGCOMPLETE_SUPPRESS_SPACE=1 COMP_LINE=$rind_line COMP_POINT=$rind_bytes COMP_TYPE=9 \
      ${rind_python:+"$rind_python"} "$rind_file" 8>&1 9>/dev/null >/dev/null)" ;;
esac
"""

LIST: Final = _LIST + f"RIND_IN_BASH={shlex.quote(_IN_BASH)}\n" + _ASK
"""The script that prints names, each followed by a NUL; :func:`read` reads them. Its parameters are
the kind to list and the beginning of the names; for a program's argument, :func:`parameters` too.
"""

_BREAKS: Final = re.compile(r"[=:]+")
"""Where bash splits a word too: its COMP_WORDBREAKS."""


def parameters(words: Sequence[str]) -> list[str]:
    """Return the parameters of :data:`LIST` that ask a program about the last of its words.

    Args:
        words: the command line, from the program to the word to complete.
    """
    python, program, *rest = _with_python(words)
    line = " ".join([*map(shlex.quote, [program, *rest[:-1]]), shlex.quote(rest[-1])])
    if not rest[-1]:
        line = line.removesuffix("''")
    pieces = [piece for word in rest for piece in _pieces(word)]
    return [
        *(python, program, str(len(rest)), str(len(os.fsencode(line))), line),
        *(rest[-1].removeprefix(_head(rest[-1])), *pieces),
    ]


def _with_python(words: Sequence[str]) -> list[str]:
    """Return the words after an interpreter, which is the first of them, or empty."""
    is_script = words[2:] and words[1][:1] != "-" and re.fullmatch(r"(.*/)?python[\d.]*", words[0])
    return [*words] if is_script else ["", *words]


def _pieces(word: str) -> list[str]:
    """Return what bash makes of a word in COMP_WORDS."""
    plain = shlex.quote(word)
    if plain != word:
        return [plain if word else ""]
    return [piece for piece in re.split(r"([=:]+)", word) if piece]


def _head(word: str) -> str:
    """Return the part of a word that bash's candidates leave out."""
    ends = [match.end() for match in _BREAKS.finditer(word)]
    return word[: ends[-1]] if ends else ""


def read(output: bytes, head: str, text: str, ended: bool) -> list[str]:  # noqa: FBT001
    """Return the names in the output of :data:`LIST`: a program's own candidates, else the files.

    Args:
        output: what the script printed.
        head: the part of the word before ``text``; the names are without it.
        text: the beginning of the names to return from a program's own.
        ended: whether the script ended. Otherwise the last of the lists is incomplete.
    """
    names = output.decode(errors="surrogateescape").split("\0")[:-1]
    if "" not in names:
        return names if ended else []
    at = names.index("")
    word = head + text
    own = [_whole(name.removesuffix(" "), word) for name in names[at + 1 :]]
    fit = [name.removeprefix(head) for name in own if name.startswith(word)]
    return fit if fit and ended else names[:at]


def _whole(name: str, word: str) -> str:
    return name if name.startswith(word) else _head(word) + name
