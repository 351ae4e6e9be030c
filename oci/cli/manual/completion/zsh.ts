/**
 * The completion script for zsh: a list of specifications for `_arguments` for each verb. See
 * zshcompsys(1).
 */

import type { Commands } from "../../command.ts";
import { type Option, takesValue, valueName } from "../../../options/option.ts";
import { type Kind, type Scope, scopesOf, spellings, valueKind } from "./subject.ts";

export function zshScript(verbs: Commands): string {
  const [front, ...scopes] = scopesOf(verbs);
  return `#compdef dvisor
# Completion of dvisor for zsh: source <(dvisor completion zsh), or a file _dvisor in $fpath.

_dvisor_containers() {
  local -a ids
  ids=(\${(f)"$(dvisor $dvisor_front list --quiet 2> /dev/null)"})
  compadd -a ids
}

_dvisor_verbs() {
  local -a verbs
  verbs=(
${scopes.map(({ verb, summary }) => `    ${quoted(`${verb}:${summary}`)}`).join("\n")}
  )
  _describe verb verbs
}

_dvisor() {
  local curcontext=$curcontext context state line
  local -a dvisor_front
  typeset -A opt_args
  _arguments -C -A '-*' \\
${front === undefined ? "" : optionSpecs(front)} \\
    ':verb:_dvisor_verbs' \\
    '*:: :->words' && return
  [[ $state == words ]] || return 1
  [[ -n \${opt_args[--root]} ]] && dvisor_front=(--root \${(Q)opt_args[--root]})
  curcontext=\${curcontext%:*}-$line[1]:
  case $line[1] in
${scopes.map(arm).join("\n")}
    *) _message 'there is no such verb' ;;
  esac
}

if [[ $funcstack[1] == _dvisor ]]; then _dvisor "$@"; else compdef _dvisor dvisor; fi
`;
}

function arm(scope: Scope): string {
  const specs = [optionSpecs(scope), ...scope.operands.map(operandSpec)].join(" \\\n");
  const style = scope.anywhere ? "-S" : "-S -A '-*'";
  return `    ${scope.verb})\n      _arguments ${style} \\\n${specs} ;;`;
}

function optionSpecs({ options }: Scope): string {
  return Object.entries(options).map(([name, option]) => optionSpec(name, option)).join(" \\\n");
}

/** `(-b --bundle)`{-b,--bundle}`[text]:DIR:_files -/` */
function optionSpec(name: string, option: Option): string {
  const words = spellings(name, option);
  const exclusive = option.repeats ? "*" : words.length > 1 ? `(${words.join(" ")})` : "";
  const kind = valueKind(option);
  const value = kind === null ? "" : `:${escaped(valueName(option))}:${action(kind)}`;
  const rest = `[${escaped(option.help)}]${value}`;
  const forms = words.map((word) =>
    `${word}${word.startsWith("--") && takesValue(option) ? "=" : ""}`
  );
  return forms.map((form) => `      ${quoted(`${exclusive}${form}${rest}`)}`).join(" \\\n");
}

function operandSpec(kind: Kind, i: number): string {
  if (kind === "command") {
    return `      '(-)${i + 1}:command:_command_names -e' \\\n      '*::argument:_normal'`;
  }
  return `      ${quoted(`${i + 1}:${typeof kind === "string" ? kind : "word"}:${action(kind)}`)}`;
}

function action(kind: Kind): string {
  switch (kind) {
    case "any":
      return " ";
    case "file":
      return "_files";
    case "directory":
      return "_files -/";
    case "container":
      return "_dvisor_containers";
    case "verb":
      return "_dvisor_verbs";
    case "command":
      return "_command_names -e";
    default:
      return `(${kind.join(" ")})`;
  }
}

function escaped(text: string): string {
  return text.replaceAll(/[\\[\]:]/g, "\\$&");
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
