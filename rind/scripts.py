"""The shell scripts that find the processes of commands, and signal them. Text only.

Every command carries a cookie in its environment, which its descendants inherit. A process is of
a command's tree when its environment has the cookie, when its session has such a process in it
(every exec'd command leads a session of its own), or when its parent is of the tree. So one that
clears its environment is still found, unless it also starts a session of its own and its parent
has ended. Where the command's own session is known by other means, it needs no bearer.

The scripts need nothing but ``sh`` and ``/proc``: what they use besides builtins of dash, busybox
ash and bash, they can do without. They have no ``sleep``, so waiting is done from outside.

A container's processes may be hostile to each other. So no text of a process is ever structure: a
process is of the tree by what a look at it alone has shown. And the cookie stands on no command
line, which every user of a container may read, but in environments, which only the same user and
root may: a script and what it is about are variables (:func:`script_variables`).
"""

from typing import Final

__all__ = [
    "BOOTSTRAP",
    "COOKIE",
    "LEASH_SCRIPT",
    "ROOTS_SCRIPT",
    "SIGNAL_SCRIPT",
    "script_variables",
]

COOKIE: Final = "RIND_EXEC_ID"
"""The variable that marks a command's tree. Its value is 32 hexadecimal digits."""

BOOTSTRAP: Final = 'eval "$RIND_SCRIPT"'
"""The script that is on the command line."""


def script_variables(script: str, held: str, mark: str) -> list[str]:
    """Return the environment of :data:`BOOTSTRAP`, as ``NAME=value``.

    Args:
        script: the one to run.
        held: three words for each command: its cookie, its session, and the start time of the
            session's leader; "-" for what is not known.
        mark: hexadecimal digits that no other process has in its environment. By these a script
            sees whether the programs that it uses find what they look for.
    """
    return [f"RIND_SCRIPT={script}", f"RIND_HELD={held}", f"RIND_REAPER={mark}"]


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
# find_tree sets $tree to the numbers of the living processes of the commands in $held, and $own to
# 1 where what was exec'd is one of them, which has no parent in here. $held is three words a
# command: its cookie, its session, and the start time of the session's leader, "-" for what is not
# known.
#
# Reading is where a shell is slow, a system call for each byte: where the usual programs are there,
# and are seen to find our own mark, they do it; else builtins do.
#
# What head prints between two files can be in a file too: its output only says which processes to
# look at one by one.
fast_environs() {
  set +f
  head -c 1000000 /proc/[0-9]*/environ | tr '\0' '\n' |
    grep -e '^==> /proc/' -e '^RIND_EXEC_ID=[0-9a-f]*$' -e "^RIND_REAPER=$RIND_REAPER\$"
}
fast_bears() {
  for word in $(tr '\n\0' ' \n' <"/proc/$1/environ" | grep '^RIND_EXEC_ID=[0-9a-f]*$'); do
    case $cookies in *" ${word#*=} "*) return 0 ;; esac
  done
  return 1
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
        if fast_bears "$pid"; then bearers="$bearers$pid "; fi
        ;;
    esac
  done
}
slow_bearers() {
  set +f
  for proc in /proc/[0-9]*; do
    while IFS= read -r line || [ "$line" ]; do
      for cookie in $cookies; do
        case $line in *"RIND_EXEC_ID=$cookie"*) bearers="$bearers${proc#/proc/} " ;; esac
      done
    done <"$proc/environ"
  done
  set -f
}
# Of each process: pid state parent session. Its name may hold anything, a newline too: status has
# it escaped, in stat all that counts comes after it.
fast_stats() {
  set +f
  sed -n -e '/^State:/h' -e '/^Pid:/H' -e '/^PPid:/H' -e '/^NSsid:/{
    H
    x
    s/^State:.\([A-Z]\) ([a-z ]*)\nPid:/\1/
    s/\nPPid:/ /
    s/^\([A-Z]\).\([0-9]*\) .\([0-9]*\)\nNSsid:.\([0-9]*\).*/\2 \1 \3 \4/p
  }' /proc/[0-9]*/status
}
slow_stats() {
  set +f
  for proc in /proc/[0-9]*; do
    pid=${proc#/proc/}
    read_stat "$pid" || continue
    state=${stat%% *} stat=${stat#* }
    parent=${stat%% *} stat=${stat#* * }
    echo "$pid $state $parent ${stat%% *}"
  done
}
# A number is used again, but not one of a session that has processes in it: the session $1 is the
# one that was meant unless its leader was started at another time than $2.
is_session() {
  [ "$1" != - ] || return 1
  read_stat "$1" || return 0
  start=$2
  set -- $stat
  [ "${20}" = "$start" ]
}
find_tree() {
  cookies=' ' bearers=' ' sessions=' ' tree=' ' own=0 speed=fast
  set -- $held
  while [ "${3-}" ]; do
    cookies="$cookies$1 "
    if is_session "$2" "$3"; then sessions="$sessions$2 "; fi
    shift 3
  done
  environs=$(fast_environs)
  case $environs in
    *"RIND_REAPER=$RIND_REAPER"*) ;;
    *) speed=slow ;;
  esac
  ${speed}_bearers
  case $bearers$sessions in *[0-9]*) ;; *) tree=; return 0 ;; esac
  stats=$(${speed}_stats) grown=yes
  [ "$stats" ] || stats=$(slow_stats)
  while [ "$grown" ]; do
    grown=
    set -- $stats
    while [ "${4-}" ]; do
      case $tree in
        *" $1 "*) ;;
        *)
          case "$2 $bearers/$sessions/$tree" in
            [XZ]*) ;;
            *" $1 "*/*/* | */*" $4 "*/* | */*/*" $3 "*)
              tree="$tree$1 " grown=yes
              [ "$3" != 0 ] || own=1
              [ "$4" = 0 ] || sessions="$sessions$4 "  # 0 is any session from outside
              ;;
          esac
          ;;
      esac
      shift 4
    done
  done
  tree=${tree% }
} 2>/dev/null
# What is read is split into words, and they are not patterns; the readers look for files.
set -f
held=$RIND_HELD
"""

SIGNAL_SCRIPT: Final = (
    _READ_STAT
    + _TREE
    + r"""
# $1 is the signal's number, 0 only looks. Prints how many processes there are, and $own.
number=$1
find_tree
[ "$number" = 0 ] || [ -z "$tree" ] || kill "-$number" $tree 2>/dev/null
set -- $tree
echo $# $own
"""
)

LEASH_SCRIPT: Final = (
    _READ_STAT
    + _TREE
    + r"""
# Takes lines: "hold" and find_tree's words for one command, or "release" and a cookie. When there
# are no more, the trees that are held are ended: SIGTERM, a few looks for those that end by
# themselves, then SIGKILL until nobody is left to start others.
trap '' HUP INT TERM PIPE
while read -r verb cookie session start; do
  set -- $held
  held=
  while [ "${3-}" ]; do
    [ "$1" = "$cookie" ] || held="$held$1 $2 $3 "
    shift 3
  done
  [ "$verb" = release ] || held="$held$cookie $session $start "
done
find_tree
kill -15 $tree 2>/dev/null
for look in 1 2 3 4; do
  find_tree
  [ "$tree" ] || exit 0
done
for look in 1 2 3 4 5 6 7 8 9; do
  kill -9 $tree 2>/dev/null
  find_tree
  [ "$tree" ] || exit 0
done
"""
)

ROOTS_SCRIPT: Final = (
    _READ_STAT
    + r"""
# Prints the processes that have no parent in here: what the container runs, and what was exec'd,
# but for ourselves. A line for each: its number, its session, and its start time.
for proc in /proc/[0-9]*; do
  pid=${proc#/proc/}
  read_stat "$pid" || continue
  set -- $stat
  if [ "$2" = 0 ] && [ "$pid" != $$ ]; then echo "$pid $4 ${20}"; fi
done 2>/dev/null
"""
)
