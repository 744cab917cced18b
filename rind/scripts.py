"""The shell scripts that find the processes of commands, and signal them. Text only.

Every command carries a cookie in its environment, which its descendants inherit. A process is of
a command's tree when its environment has the cookie, when its session has such a process in it
(every exec'd command leads a session of its own), or when its parent is of the tree. So one that
clears its environment is still found, unless it also starts a session of its own and its parent
has ended. Where the engine is on this machine, the command's own session is known from outside,
and it needs no bearer.

The scripts need nothing but ``sh`` and ``/proc``: what they use besides builtins of dash, busybox
ash and bash, they can do without. They have no ``sleep``, so waiting is done from outside.
"""

from typing import Final

__all__ = ["COOKIE", "LEASH_SCRIPT", "MARK", "SIGNAL_SCRIPT"]

COOKIE: Final = "RIND_EXEC_ID"
"""The variable that marks a command's tree. Its value is 32 hexadecimal digits."""

MARK: Final = "RIND_REAPER"
"""The variable by which a script knows that its readers find what they look for: it must be set,
to hexadecimal digits that no other process has there."""

_TREE: Final = r"""
# find_tree sets $tree to the numbers of the living processes of the commands in $held, and $own to
# 1 where what was exec'd is one of them, which has no parent in here. $held is three words a
# command: its cookie, its session, and the start time of the session's leader, "-" for what is not
# known.
#
# Reading is where a shell is slow, a system call for each byte: where the usual programs are there,
# and are seen to find our own mark, they do it; else builtins do.
fast_environs() {
  set +f
  head -c 1000000 /proc/[0-9]*/environ | tr '\0' '\n' |
    grep -e '^==> /proc/' -e '^RIND_EXEC_ID=[0-9a-f]*$' -e "^RIND_REAPER=$RIND_REAPER\$"
}
slow_environs() {
  set +f
  for proc in /proc/[0-9]*; do
    while IFS= read -r line || [ "$line" ]; do
      for cookie in $cookies; do
        case $line in *"RIND_EXEC_ID=$cookie"*) echo "$proc/environ RIND_EXEC_ID=$cookie" ;; esac
      done
    done <"$proc/environ"
  done
}
# A line of stat is: pid (name) state parent group session ... The name may hold anything. Gives:
# pid state parent session.
fast_stats() {
  set +f
  sed -n 's/^\([0-9]*\) (.*) \([A-Z]\) \([0-9]*\) [0-9]* \([0-9]*\) .*/\1 \2 \3 \4/p' \
    /proc/[0-9]*/stat
}
slow_stats() {
  set +f
  for proc in /proc/[0-9]*; do
    IFS= read -r line <"$proc/stat" || continue
    line=${line##*) } pid=${proc#/proc/}
    state=${line%% *} line=${line#* }
    parent=${line%% *} line=${line#* * }
    echo "$pid $state $parent ${line%% *}"
  done
}
# A number is used again, but not one of a session that has processes in it: the session $1 is the
# one that was meant unless its leader was started at another time than $2.
is_session() {
  [ "$1" != - ] || return 1
  IFS= read -r line <"/proc/$1/stat" || return 0
  line=${line##*) } start=$2
  set -- $line
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
    *) speed=slow environs=$(slow_environs) ;;
  esac
  for word in $environs; do
    case $word in
      /proc/*/environ) pid=${word#/proc/} pid=${pid%/environ} ;;
      RIND_EXEC_ID=*) case $cookies in *" ${word#*=} "*) bearers="$bearers$pid " ;; esac ;;
    esac
  done
  case $bearers$sessions in *[0-9]*) ;; *) tree=; return 0 ;; esac
  stats=$(${speed}_stats) grown=yes
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
"""

SIGNAL_SCRIPT: Final = (
    _TREE
    + r"""
# $1 is the signal's number, 0 only looks; then come find_tree's words for one command. Prints how
# many processes there are, and $own.
number=$1
shift
held=$*
find_tree
[ "$number" = 0 ] || [ -z "$tree" ] || kill "-$number" $tree 2>/dev/null
set -- $tree
echo $# $own
"""
)

LEASH_SCRIPT: Final = (
    _TREE
    + r"""
# Takes lines: "hold" and find_tree's words for one command, or "release" and a cookie. When there
# are no more, the trees that are held are ended: SIGTERM, a few looks for those that end by
# themselves, then SIGKILL until nobody is left to start others.
trap '' HUP INT TERM PIPE
held=
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
