_rind() {
  COMPREPLY=()
  (( COMP_TYPE != 42 )) || return
  while IFS= read -r; do
    COMPREPLY+=("$2$REPLY")
  done < <(rind --complete bash "${COMP_LINE:0:COMP_POINT}" "${COMP_LINE:COMP_POINT}")
  [[ ${COMPREPLY-} != */ ]] || compopt -o nospace
  [[ ${#COMPREPLY[@]} -lt 2 ]] || compopt -o filenames -o noquote
} 2>/dev/null
complete -F _rind rind
