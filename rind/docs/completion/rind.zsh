#compdef rind
_rind() {
  [[ $PREBUFFER$LBUFFER != *\`* ]] || return
  [[ -n $words[CURRENT] || $LBUFFER == *[[:space:]] ]] || return
  (( ${#words[CURRENT]//[^\{]} == ${#${:-$PREFIX$SUFFIX}//[^\{]} )) || return
  local -a found
  found=(${(f)"$(rind --complete zsh "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)"})
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
  compadd -p "$folder" -- ${found:#*/}
  compadd -p "$folder" -S '' -- ${(M)found:#*/}
  (( compstate[nmatches] ))
}
compdef _rind rind
_rind "$@"
