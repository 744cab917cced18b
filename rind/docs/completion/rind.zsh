#compdef rind
_rind_here() {
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
_rind "$@"
