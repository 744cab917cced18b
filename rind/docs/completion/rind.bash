_rind_program() {
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
_rind_here() {
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
