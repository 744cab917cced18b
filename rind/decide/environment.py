"""Restores the variables that a shell drops or changes by itself. Shell text only.

Goal: the command gets the environment that the engine set, with the changes of the pre-step, but
without those of the shell. dash and busybox ash drop every variable whose name is invalid in a
shell (``discovery.type``), and all shells set IFS, PS1, SHLVL and others to values of their own.

Plan: before the pre-step, ``rind_keep`` reads the engine's environment from ``/proc`` and records
the variables that the shell has changed or may change. After it, ``rind_exec`` executes the command
through ``env``, which accepts any name, and restores the recorded variables that the pre-step has
not changed. In most containers there is nothing to restore; then it executes the command directly.

Variables whose names begin with ``rind_`` are restored too, because our own may overwrite them.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

__all__ = ["IS_BASH", "KEEP"]

IS_BASH: Final = "PATH=/dev/null shopt >/dev/null 2>&1"
"""Only bash has this builtin. Its variables prove nothing: images set ``BASH_VERSION`` too."""

# $rind_kept has one line for each variable to restore. A line that begins with "=" is for a
# variable that the pre-step may also change: it is restored only if its value is still
# $rind_was_NAME, which the shell had set before the pre-step. All others are restored in any case,
# because only the shell changes them. In the lines, newlines of a value are replaced by a byte that
# occurs in no value: the byte that tr and printf write as \$rind_mark.
#
# Every shell sets PWD, OLDPWD and SHLVL, and bash sets "_" when it executes a command: those that
# the engine's environment does not have are removed.
KEEP: Final = r"""
rind_tr() { { command -p tr "$@" || tr "$@"; } </proc/$$/environ; } 2>/dev/null
rind_keep() {
  rind_bash= rind_was_SHLVL=${SHLVL-} rind_line='
'
  if RIND_IS_BASH; then rind_bash=yes; fi
  for rind_mark in 1 2 3 4 5 6 16 17 20 21; do
    rind_collect
    [ "$rind_kept" ] || return 0
    rind_text=$(rind_tr -cd "\\$rind_mark")
    [ "$rind_text" ] || break
  done
  rind_mark=$(printf "\\$rind_mark")
}
rind_collect() {
  rind_kept= rind_given=' ' rind_text=$(rind_tr '\n\0' "\\$rind_mark\n") rind_was_IFS=$IFS
  IFS=$rind_line
  set -f
  for rind_entry in $rind_text; do
    rind_name=${rind_entry%%=*}
    case $rind_bash:$rind_name in
      *:IFS | *:PS[1-4] | *:OPTARG | *:PWD | *:OLDPWD | *:SHLVL | yes:BASH | yes:OPTERR)
        rind_given="$rind_given$rind_name "
        [ "$rind_name" = IFS ] || eval "rind_was_$rind_name=\${$rind_name-rind_unset}"
        eval "[ \"\$rind_was_$rind_name\" != \"\${rind_entry#*=}\" ]" || continue
        rind_entry="=$rind_entry"
        ;;
      *:rind_* | *:LINENO | *:OPTIND | *:PPID | *:RANDOM) ;;
      yes:_) rind_given="${rind_given}_ " ;;
      yes:BASH_FUNC_*) continue ;;
      yes:BASH* | yes:*UID | yes:SHELLOPTS | yes:EPOCH* | yes:SECONDS | yes:SRANDOM) ;;
      yes:FUNCNAME | yes:GROUPS | yes:DIRSTACK | yes:HISTCMD | yes:PIPESTATUS | yes:*TYPE) ;;
      yes:*) continue ;;
      :[0-9]* | :*[!0-9A-Za-z_]*) ;;
      *) continue ;;
    esac
    rind_kept="$rind_kept$rind_entry$rind_line"
  done
  IFS=$rind_was_IFS
  set +f
}
rind_exec() {
  set +aeu
  rind_env=/usr/bin/env
  [ -x "$rind_env" ] || rind_env=/bin/env
  [ -x "$rind_env" ] || rind_env=$(command -v env)
  [ -x "$rind_env" ] || rind_env=
  case $1 in *=*) rind_env= rind_kept= ;; esac
  if [ -z "$rind_env" ] && [ "$rind_kept" ]; then
    rind_kept=${rind_kept#=}
    echo "rind: RIND_NAME has no program env: the command does not get ${rind_kept%%=*}" >&2
    rind_kept=
  fi
  rind_give=
  while [ "$rind_kept" ]; do
    rind_entry=${rind_kept%%"$rind_line"*} rind_kept=${rind_kept#*"$rind_line"}
    case $rind_entry in
      =*)
        rind_entry=${rind_entry#=}
        rind_name=${rind_entry%%=*}
        eval "[ \"\${$rind_name-rind_unset}\" = \"\$rind_was_$rind_name\" ]" || continue
        ;;
    esac
    while :; do
      case $rind_entry in
        *"$rind_mark"*)
          rind_entry=${rind_entry%%"$rind_mark"*}$rind_line${rind_entry#*"$rind_mark"}
          ;;
        *) break ;;
      esac
    done
    set -- "$rind_entry" "$@"
    rind_give=yes
  done
  case $rind_given in *" PWD "*) ;; *) unset PWD ;; esac
  case $rind_given in *" OLDPWD "*) ;; *) unset OLDPWD ;; esac
  case $rind_given${SHLVL-} in
    *" SHLVL "*) rind_level=given ;;
    *" $rind_was_SHLVL") unset SHLVL rind_level ;;
    *) rind_level=given ;;
  esac
  if [ "$rind_env" ] && [ "$rind_give$rind_bash" ]; then
    set -- -- "$@"
    case $rind_bash$rind_given in yes*" _ "*) ;; yes*) set -- -u _ "$@" ;; esac
    [ "${rind_level-}" ] || set -- -u SHLVL "$@"
    set -- "$rind_env" "$@"
  fi
  unset rind_bash rind_line rind_mark rind_kept rind_given rind_text rind_entry rind_name \
    rind_env rind_give rind_level rind_was_SHLVL rind_was_IFS rind_was_PS1 rind_was_PS2 \
    rind_was_PS3 rind_was_PS4 rind_was_OPTARG rind_was_OPTERR rind_was_PWD rind_was_OLDPWD \
    rind_was_BASH
  case $1 in
    -*) if (exec --) 2>/dev/null; then exec -- "$@"; fi ;;
  esac
  exec "$@"
}
rind_keep
""".replace("RIND_IS_BASH", IS_BASH)
