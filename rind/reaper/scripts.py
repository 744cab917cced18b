"""The shell scripts that find the processes of commands, and signal them. Text only.

Every command carries a cookie in its environment, which its descendants inherit. A process belongs
to a command's tree in three cases: its environment has the cookie (it is a *bearer*), its session
contains a bearer (every exec'd command leads a session of its own), or its parent belongs to the
tree. So a process that clears its environment is still found, unless it also starts a session of
its own and its parent has ended. If the command's own session is known by other means, the session
counts without a bearer.

The scripts need only ``sh`` and ``/proc``; they use other programs where they exist, to be faster.
A container may lack ``sleep``, so Rind does all the waiting.

A container's processes may be hostile to each other. So text of one process is never parsed
together with another's. And cookies are never on a command line, which every user of the container
can read, but in environments, which only the same user and root can read: a script gets its
cookies, and its own text, in variables (:func:`script_variables`).
"""

from __future__ import annotations

import os

from rind.base.records import dataclass
from rind.model import ExecConfig

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final


__all__ = [
    "BOOTSTRAP",
    "COOKIE",
    "HOLDS",
    "LEASH_SCRIPT",
    "MAY_NOT_SIGNAL",
    "ROOTS_SCRIPT",
    "SIGNAL_SCRIPT",
    "Session",
    "script_config",
    "script_variables",
    "tree_words",
]

COOKIE: Final = "RIND_EXEC_ID"
"""The variable that marks a command's tree. Its value is 32 hexadecimal digits."""

BOOTSTRAP: Final = 'eval "$RIND_SCRIPT"'
"""The script on the command line. It runs the script in the environment."""


HOLDS: Final = "holds"
MAY_NOT_SIGNAL: Final = "nothing in the container may signal a process"
"""The two outputs of a leash: it prints one of them."""

MARK_SIZE: Final = 16
"""Bytes of a script's own mark, as many as a UUID has."""

SHELL: Final = "/bin/sh"


@dataclass(frozen=True, slots=True)
class Session:
    """The session of a command.

    Attributes:
        number: in the container's numbering.
        start: the start time of its leader, in clock ticks since the machine's start (proc(5)).
    """

    number: str
    start: str


def tree_words(cookie: str, session: Session | None = None) -> str:
    """Return three words that tell a script which tree to look for, "-" for an unknown one.

    Args:
        cookie: the tree's cookie.
        session: the command's session; None if unknown.
    """
    return f"{cookie} - -" if session is None else f"{cookie} {session.number} {session.start}"


def script_variables(script: str, held: str, mark: str) -> list[str]:
    """Return the environment of :data:`BOOTSTRAP`, as ``NAME=value``.

    Args:
        script: the script to run.
        held: the :func:`tree_words` of each command.
        mark: hexadecimal digits that no other process has in its environment. If the container's
            programs do not find this mark, the script does not rely on them.
    """
    return [f"RIND_SCRIPT={script}", f"RIND_HELD={held}", f"RIND_REAPER={mark}"]


def script_config(
    script: str, *args: str, user: str, held: str = "", name: str = "rind-signal"
) -> ExecConfig:
    """Return the exec configuration of a script.

    Args:
        script: one of those below.
        args: its ``$1`` and so on; every user of the container can read them.
        user: the user whose processes it reaches.
        held: the words for the commands, as in :func:`script_variables`.
        name: its ``$0``, which ``docker top`` shows.
    """
    return ExecConfig(
        argv=[SHELL, "-c", BOOTSTRAP, name, *args],
        env=script_variables(script, held, os.urandom(MARK_SIZE).hex()),
        user=user,
        workdir="/",
    )


_READ_STAT: Final = r"""
# read_stat sets $stat to the fields of a process's stat after its name.
read_stat() {
  stat=
  while IFS= read -r line || [ "$line" ]; do stat="$stat$line "; done <"/proc/$1/stat"
  stat=${stat##*) }
  [ "$stat" ]
} 2>/dev/null
"""

_TREE: Final = r"""
# look reads the processes once, for find_tree to choose from. $held has three words for each
# command: its cookie, its session, and the start time of the session's leader, "-" if unknown.
#
# A shell reads slowly, with a system call for each byte. So the usual programs read, if they exist
# and are seen to find our own mark; otherwise builtins do, which need no other process.
#
# If the container may have no more processes, a shell exits when it tries to start one. Its EXIT
# trap then starts again, with builtins alone ($alone).
#
# The header that head prints before each file can also be inside a file. So its output only shows
# which processes to examine one by one.
look() {
  cookies=' ' bearers=' ' stats= speed=fast environs=
  set -- $held
  while [ "${3-}" ]; do
    cookies="$cookies$1 "
    shift 3
  done
  [ "$alone" ] || environs=$(fast_environs)
  case $environs in
    *"RIND_REAPER=$RIND_REAPER"*) ;;
    *) speed=slow ;;
  esac
  ${speed}_bearers
} 2>/dev/null
fast_environs() {
  set +f
  head -c 1000000 /proc/[0-9]*/environ | tr '\0' '\n' |
    grep -e '^==> /proc/' -e '^RIND_EXEC_ID=[0-9a-f]*$' -e "^RIND_REAPER=$RIND_REAPER\$"
}
# $bearers has a word for each cookie that a process bears: the cookie, a colon, and the process's
# number.
add_bearer() {
  case $cookies in *" $1 "*) bearers="$bearers$1:$2 " ;; esac
}
fast_bearers() {
  seen=' '
  for word in $environs; do
    case $word in
      /proc/*/environ) pid=${word#/proc/} pid=${pid%/environ} ;;
      RIND_EXEC_ID=*)
        case $cookies in *" ${word#*=} "*) ;; *) continue ;; esac
        case $seen$pid in *" $pid "* | *[!0-9\ ]*) continue ;; esac
        seen="$seen$pid "
        for word in $(tr '\n\0' ' \n' <"/proc/$pid/environ" | grep '^RIND_EXEC_ID=[0-9a-f]*$'); do
          add_bearer "${word#*=}" "$pid"
        done
        ;;
    esac
  done
}
slow_bearers() {
  set +f
  for proc in /proc/[0-9]*; do
    while IFS= read -r line || [ "$line" ]; do
      while :; do
        case $line in *RIND_EXEC_ID=*) line=${line#*RIND_EXEC_ID=} ;; *) break ;; esac
        add_bearer "${line%"${line#????????????????????????????????}"}" "${proc#/proc/}"
      done
    done <"$proc/environ"
  done
  set -f
}
# $stats has four words for each process: pid state parent session. A process's name may contain
# anything, even a newline: in status it is escaped, and in stat it comes before the fields in use.
fast_stats() {
  set +f
  stats=$(sed -n -e '/^State:/h' -e '/^Pid:/H' -e '/^PPid:/H' -e '/^NSsid:/{
    H
    x
    s/^State:.\([A-Z]\) ([a-z ]*)\nPid:/\1/
    s/\nPPid:/ /
    s/^\([A-Z]\).\([0-9]*\) .\([0-9]*\)\nNSsid:.\([0-9]*\).*/\2 \1 \3 \4/p
  }' /proc/[0-9]*/status)
  set -f
}
slow_stats() {
  set +f
  for proc in /proc/[0-9]*; do
    pid=${proc#/proc/}
    read_stat "$pid" || continue
    state=${stat%% *} stat=${stat#* }
    parent=${stat%% *} stat=${stat#* * }
    stats="$stats$pid $state $parent ${stat%% *} "
  done
  set -f
}
# is_session checks that the session $1 is still the command's. Numbers are reused, but not that of
# a session with processes in it. So it is another session only if a process has its number and was
# not started at the time $2.
is_session() {
  [ "$1" != - ] || return 1
  read_stat "$1" || return 0
  start=$2
  set -- $stat
  [ "${20}" = "$start" ]
}
# find_tree sets $tree to the numbers of a command's living processes. It sets $own to 1 if the
# exec'd process, which has no parent in the container, is one of them.
find_tree() {
  roots=' ' sessions=' ' tree=' ' own=0
  for word in $bearers; do
    case $word in "$1:"*) roots="$roots${word#*:} " ;; esac
  done
  if is_session "$2" "$3"; then sessions="$sessions$2 "; fi
  case $roots$sessions in *[0-9]*) ;; *) tree=; return 0 ;; esac
  [ "$stats" ] || ${speed}_stats
  [ "$stats" ] || slow_stats
  grown=yes
  while [ "$grown" ]; do
    grown=
    set -- $stats
    while [ "${4-}" ]; do
      case $tree in
        *" $1 "*) ;;
        *)
          case "$2 $roots/$sessions/$tree" in
            [XZ]*) ;;
            *" $1 "*/*/* | */*" $4 "*/* | */*/*" $3 "*)
              tree="$tree$1 " grown=yes
              [ "$3" != 0 ] || own=1
              [ "$4" = 0 ] || sessions="$sessions$4 "  # 0: a session from outside
              ;;
          esac
          ;;
      esac
      shift 4
    done
  done
  tree=${tree% }
} 2>/dev/null
# Variables are split into words, which must not be expanded as patterns. The functions that list
# /proc switch patterns on again.
set -f
held=$RIND_HELD alone=
"""

SIGNAL_SCRIPT: Final = (
    _READ_STAT
    + _TREE
    + r"""
# The arguments are the number of a signal for each command in $held; 0 only looks. For each
# command, this prints four numbers: the processes before the signal, the processes left, those left
# that may not be signalled, and $own.
count_tree() {
  find_tree "$@"
  set -- $tree
  count=$#
}
count_denied() {
  denied=0
  for pid in $tree; do
    kill -0 "$pid" || [ ! -e "/proc/$pid" ] || denied=$((denied + 1))
  done
} 2>/dev/null
signal_all() {
  found=
  look
  set -- $held
  for number in $numbers; do
    count_tree "$1" "$2" "$3"
    found="$found $1 $2 $3 $number $count $own"
    if [ "$number" != 0 ] && [ "$tree" ]; then
      kill "-$number" $tree 2>/dev/null
      sent=yes
    fi
    shift 3
  done
}
report_all() {
  report=
  [ -z "$sent" ] || look
  set -- $found
  while [ "${6-}" ]; do
    count=$5 denied=0
    if [ "$4" != 0 ]; then
      count_tree "$1" "$2" "$3"
      count_denied
    fi
    report="$report$5 $count $denied $6
"
    shift 6
  done
}
work() {
  [ "$sent" ] || signal_all
  report_all
  trap - EXIT
  printf '%s' "$report"
}
numbers=$* sent=
trap 'alone=yes; work' EXIT
work
"""
)

LEASH_SCRIPT: Final = (
    _READ_STAT
    + _TREE
    + f"""
if kill -0 $$ 2>/dev/null; then
  echo '{HOLDS}'
else
  echo '{MAY_NOT_SIGNAL}'
  exit
fi
"""
    + r"""
# Reads lines: "hold" and the words of $held for one command, or "release" or "end" and a cookie. At
# the end of the input, the trees that are still held are ended: SIGTERM, a few looks to let
# processes exit, then SIGKILL until no process remains that could start another.
find_trees() {
  look
  trees=
  set -- $held
  while [ "${3-}" ]; do
    find_tree "$1" "$2" "$3"
    trees="$trees $tree"
    shift 3
  done
  trees=${trees# }
}
none_left() {
  find_trees
  case $trees in *[0-9]*) return 1 ;; esac
}
end_all() {
  none_left && return
  kill -15 $trees 2>/dev/null
  for turn in 1 2 3 4; do
    none_left && return
  done
  for turn in 1 2 3 4 5 6 7 8 9; do
    kill -9 $trees 2>/dev/null
    none_left && return
  done
}
trap '' HUP INT TERM PIPE
while read -r verb cookie session start; do
  set -- $held
  held= named=
  while [ "${3-}" ]; do
    if [ "$1" = "$cookie" ]; then named="$1 $2 $3"; else held="$held$1 $2 $3 "; fi
    shift 3
  done
  case $verb in
    hold) held="$held$cookie $session $start " ;;
    end)
      others=$held held=$named
      end_all
      held=$others
      ;;
  esac
done
trap 'alone=yes; trap - EXIT; end_all' EXIT
end_all
trap - EXIT
"""
)

ROOTS_SCRIPT: Final = (
    _READ_STAT
    + r"""
# Prints a line for each process without a parent in the container: its number, its session, and its
# start time. These are the container's first process and the exec'd ones, except this script.
for proc in /proc/[0-9]*; do
  pid=${proc#/proc/}
  read_stat "$pid" || continue
  set -- $stat
  if [ "$2" = 0 ] && [ "$pid" != $$ ]; then echo "$pid $4 ${20}"; fi
done 2>/dev/null
"""
)
