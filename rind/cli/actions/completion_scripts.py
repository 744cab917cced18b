"""The completion scripts of the shells, and the bash code that asks a program's own completion.

A script first calls ``rind --complete local SHELL ...``. For a program's argument, that prints a
tab and the place where the program's own command line begins; the script then asks this machine's
completion of the program, as for a line without Rind. If it knows nothing, or nothing but files,
which would be this machine's, the script calls ``rind --complete SHELL ...`` for the container's.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

__all__ = ["ASK_PROGRAM", "SCRIPTS"]

# $1 is the text that the candidates replace. COMP_WORDS and its companions are the program's own.
# _longopt runs the program to read its help, and _minimal offers files; both serve any program.
# The completion of a program by its path runs that very file, so only a name is looked up. bash 3.2
# has no compopt: a blank after a candidate would be a second one.
ASK_PROGRAM: Final = r"""_rind_program() {
  local rind_text=$1 rind_name=${COMP_WORDS[0]} rind_load rind_function= rind_command=
  [[ $rind_name != -* && $rind_name != */* ]] || return
  for rind_load in _comp_complete_load _completion_loader; do
    ! declare -F "$rind_load" || complete -p "$rind_name" || "$rind_load" "$rind_name"
  done >/dev/null
  eval "set -- $(complete -p "$rind_name")"
  rind_options=
  while [[ $# -gt 1 ]]; do
    case $1 in
      -F) rind_function=$2 ;;
      -C) rind_command=$2 ;;
      -o) rind_options+=" $2" ;;
    esac
    shift
  done
  set -- "$rind_name" "$rind_text" "${COMP_WORDS[COMP_CWORD-1]}"
  case $rind_function in
    *_longopt | *_minimal) ;;
    ?*) "$rind_function" "$@" ;;
    *) [[ ! $rind_command ]] || while IFS= read -r; do
        COMPREPLY+=("$REPLY")
      done < <(export COMP_LINE COMP_POINT COMP_TYPE COMP_KEY; eval "$rind_command "'"$@"')
  esac
  rind_options+=" "
}
"""

SCRIPTS: Final = {
    # $2 is the text that readline replaces, as typed but without an open quote; the printed text
    # is appended to it. With "filenames", readline lists only the last part of each path. A single
    # match is not marked so: a directory of that name on this machine would add a slash. When it
    # inserts all matches (COMP_TYPE 42 is "*"), readline removes the open quote: none are offered.
    "bash": ASK_PROGRAM
    + r"""_rind_here() {
  local rind_at=0 rind_word rind_options rind_option
  for (( rind_word = 0; rind_word < COMP_CWORD; rind_word++ )); do
    while [[ ${COMP_LINE:rind_at:1} == [$' \t'] ]]; do (( rind_at += 1 )); done
    (( rind_at < $2 )) || break
    (( rind_at += ${#COMP_WORDS[rind_word]} ))
  done
  (( rind_at == $2 )) || return
  COMP_WORDS=("${COMP_WORDS[@]:rind_word}") COMP_LINE=${COMP_LINE:rind_at}
  (( COMP_CWORD -= rind_word, COMP_POINT -= rind_at ))
  _rind_program "$1"
  if [[ ! ${COMPREPLY-} || "$rind_options$(compopt) " == *" -o filenames "* ||
    $rind_options == *" filenames "* ]]; then
    compopt +o filenames +o nospace +o noquote +o dirnames +o plusdirs
    compopt +o nosort
    return 1
  fi
  for rind_option in nospace noquote nosort; do
    [[ $rind_options != *" $rind_option "* ]] || compopt -o "$rind_option"
  done
  type compopt >/dev/null || COMPREPLY=("${COMPREPLY[@]% }")
}
_rind_ask() {
  local rind_text=$1
  shift
  COMPREPLY=()
  while IFS= read -r; do
    COMPREPLY+=("$rind_text$REPLY")
  done < <(rind --complete "$@")
}
_rind() {
  COMPREPLY=()
  (( COMP_TYPE != 42 )) || return
  set -- "$2" "${COMP_LINE:0:COMP_POINT}" "${COMP_LINE:COMP_POINT}"
  _rind_ask "$1" local bash "$2" "$3"
  if [[ ${COMPREPLY-} == "$1"$'\t'* ]]; then
    set -- "$@" "${COMPREPLY#*$'\t'}"
    COMPREPLY=()
    ! _rind_here "$1" "$4" || return
    _rind_ask "$1" bash "$2" "$3"
  fi
  [[ ${COMPREPLY-} != *[/=] ]] || compopt -o nospace
  [[ ${#COMPREPLY[@]} -lt 2 ]] || compopt -o filenames -o noquote
} 2>/dev/null
complete -F _rind rind
""",
    # zsh quotes the candidates that it inserts, with three exceptions, which are not offered.
    # Within backquotes, a second shell unquotes them once more. In an open brace, or after a
    # bracket, zsh's word differs from the one on the line. Within $(...), the backslash of "\!"
    # is not removed. -p hides the folder, so that it is not listed with each file.
    "zsh": r"""_rind_here() {
  local default=${_comps[-default-]-}
  {
    _comps[-default-]=
    _path_files() { return 1 }
    shift $1 words
    (( CURRENT -= $1 ))
    _normal
  } always {
    unfunction _path_files
    autoload -Uz _path_files
    _comps[-default-]=$default
  }
  (( compstate[nmatches] ))
}
_rind_ask() {
  found=(${(f)"$(rind --complete $@ "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)"})
}
_rind() {
  [[ $PREBUFFER$LBUFFER != *\`* ]] || return
  [[ -n $words[CURRENT] || $LBUFFER == *[[:space:]] ]] || return
  (( ${#words[CURRENT]//[^\{]} == ${#${:-$PREFIX$SUFFIX}//[^\{]} )) || return
  local -a found
  _rind_ask local zsh
  if [[ ${found[1]-} == $'\t'* ]]; then
    ! _rind_here ${found[1]#$'\t'} 2>/dev/null || return 0
    _rind_ask zsh
  fi
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
  compadd -p "$folder" -- ${found:#(*/|-*=)}
  compadd -p "$folder" -S '' -- ${(M)found:#(*/|-*=)}
  (( compstate[nmatches] ))
}
compdef _rind rind
""",
    # fish does not say which candidates are files: those that it has for an unknown program.
    "fish": r"""function __rind_here
    set --local line (string escape -- $argv[1..-2] | string join ' ') $argv[-1]
    set --local files (complete -C "'' $argv[-1]" | string replace --regex '\t.*' '')
    for candidate in (complete -C "$line")
        contains -- (string replace --regex '\t.*' '' -- $candidate) $files
        or printf '%s\n' $candidate
    end
end
function __rind_complete
    set --local words (commandline -opc) (commandline -ct)
    set --local found (rind --complete local fish-token $words[2..])
    if string match --quiet \t'*' -- $found[1]
        set --local here (__rind_here $words[(math 1 + (string trim -- $found[1]))..])
        if set --query here[1]
            set found $here
        else
            set found (rind --complete fish-token $words[2..])
        end
    end
    string join \n -- $found
end
complete --command rind --no-files --arguments '(__rind_complete 2>/dev/null)'
""",
}
"""The script of each shell."""
