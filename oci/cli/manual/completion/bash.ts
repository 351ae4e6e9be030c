/**
 * The completion script for bash. It walks through the words in front of the cursor as flags.ts
 * does, so that a word behind an option with a value is that value, and a command is left to bash's
 * own completion. See "Programmable Completion" in bash(1).
 */

import type { Commands } from "../../command.ts";
import { type Kind, type Scope, scopesOf, spellings, valueKind } from "./subject.ts";

export function bashScript(verbs: Commands): string {
  const scopes = scopesOf(verbs);
  return `# Completion of dvisor for bash: source <(dvisor completion bash)
# shellcheck shell=bash

# The kind of an option's value in $kind, "" if it has none. Arguments: verb, option.
_dvisor_value() {
  case "$1 $2" in
${arms(scopes.flatMap(valueArms))}
    *) kind="" ;;
  esac
}

# The kind of a word in $kind. Arguments: verb, number of the word.
_dvisor_operand() {
  case "$1 $2" in
${arms(scopes.flatMap(operandArms))}
    *) kind="" ;;
  esac
}

# The options of a verb in $options.
_dvisor_options() {
  case "$1" in
${arms(scopes.map(optionsArm))}
    *) options="" ;;
  esac
}

_dvisor_complete() {
  local kind=$1 cur=$2
  case "$kind" in
    any) return ;;
    container)
      kind=$("\${COMP_WORDS[0]}" "\${front[@]}" list --quiet 2> /dev/null)
      # compgen would expand other characters.
      kind=\${kind//[!A-Za-z0-9._+$'\\n'-]/}
      ;;
    verb) kind="${scopes.slice(1).map(({ verb }) => verb).join(" ")}" ;;
  esac
  case "$kind" in
    file | directory) compopt -o filenames 2> /dev/null ;;&
    file | directory | command) mapfile -t COMPREPLY < <(compgen -A "$kind" -- "$cur") ;;
    *) mapfile -t COMPREPLY < <(compgen -W "$kind" -- "$cur") ;;
  esac
}

_dvisor() {
  local cur=\${COMP_WORDS[COMP_CWORD]} verb="" kind="" options="" option="" isOver="" count=0 i word
  local front=()
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if [[ -n $option ]]; then
      # bash cuts --option=value into three words, and values at each colon.
      [[ $word == = ]] && continue
      [[ $verb$option == --root ]] && front=(--root "$word")
      while ((i < COMP_CWORD)) && [[ \${COMP_WORDS[i + 1]} == : ]]; do ((i += 2)); done
      ((i < COMP_CWORD)) && option=""
    elif [[ -z $isOver && $word == -- ]]; then
      isOver=1
    elif [[ -z $isOver && $word == -?* ]]; then
      _dvisor_value "$verb" "$word"
      [[ -n $kind ]] && option=$word
    elif [[ -z $verb ]]; then
      verb=$word
    else
      case "$verb" in ${anywhereVerbs(scopes)}) ;; *) isOver=1 ;; esac
      _dvisor_operand "$verb" $count
      [[ $kind == command ]] && break
      ((count++))
    fi
  done
  if [[ -n $option ]]; then
    [[ $cur == [=:] ]] && cur=""
    _dvisor_value "$verb" "$option"
  elif [[ -z $isOver && $cur == -* ]]; then
    _dvisor_options "$verb"
    kind=$options
  elif [[ -z $verb ]]; then
    kind=verb
  else
    _dvisor_operand "$verb" $count
  fi
  if [[ $kind == command ]] && declare -F _command_offset > /dev/null; then
    _command_offset "$i"
  elif [[ $kind == command ]] && ((i < COMP_CWORD)); then
    _dvisor_complete file "$cur"
  else
    _dvisor_complete "$kind" "$cur"
  fi
}

complete -F _dvisor dvisor
`;
}

type Arm = readonly [pattern: string, body: string];

function arms(list: readonly Arm[]): string {
  return list.map(([pattern, body]) => `    ${pattern}) ${body} ;;`).join("\n");
}

function valueArms({ verb, options }: Scope): Arm[] {
  return Object.entries(options).flatMap(([name, option]) => {
    const kind = valueKind(option);
    if (kind === null) return [];
    const patterns = spellings(name, option).map((word) => `"${verb} ${word}"`);
    return [[patterns.join(" | "), `kind="${text(kind)}"`] as const];
  });
}

function operandArms({ verb, operands }: Scope): Arm[] {
  return operands.map((kind, i) => [`"${verb} ${i}"`, `kind="${text(kind)}"`] as const);
}

function optionsArm({ verb, options }: Scope): Arm {
  const words = Object.entries(options).flatMap(([name, option]) => spellings(name, option));
  return [`"${verb}"`, `options="${words.join(" ")}"`];
}

function anywhereVerbs(scopes: readonly Scope[]): string {
  return scopes.filter(({ anywhere }) => anywhere).map(({ verb }) => verb).join(" | ");
}

function text(kind: Kind): string {
  return typeof kind === "string" ? kind : kind.join(" ");
}
