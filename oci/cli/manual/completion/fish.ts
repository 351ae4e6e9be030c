/**
 * The completion script for fish. Its functions walk through the words in front of the cursor as
 * flags.ts does, because fish knows no options with values in front of a verb. See complete(1) of
 * fish.
 */

import type { Commands } from "../../command.ts";
import type { Option } from "../../../options/option.ts";
import { type Kind, type Scope, scopesOf, spellings, valueKind } from "./subject.ts";

export function fishScript(verbs: Commands): string {
  const scopes = scopesOf(verbs);
  return `# Completion of dvisor for fish: dvisor completion fish | source

# The verb and the words besides options in front of the cursor, and = if no option may follow.
function __dvisor_words
    set -l verb
    set -l over
    set -l skip
    for word in (commandline -opc)[2..]
        if set -q skip[1]
            set -e skip[1]
        else if not set -q over[1]; and test x$word = x--
            set over 1
        else if not set -q over[1]; and string match -qr -- '^-.' $word
            contains -- "$verb $word" $__dvisor_valued; and set skip 1
        else if not set -q verb[1]
            set verb $word
            echo $word
        else
            contains -- $verb $__dvisor_anywhere; or set over 1
            echo $word
        end
    end
    set -q over[1]; and echo =
end

# Whether an option of the verb may stand at the cursor.
function __dvisor_option -a verb
    set -l words (__dvisor_words)
    test "$words[1]" = "$verb"; and not contains = $words
end

# Whether the cursor is at a word besides the options of the verb, of this number.
function __dvisor_operand -a verb number
    set -l words (string match -v -- = (__dvisor_words))
    test "$words[1]" = $verb; and test (count $words) -eq (math $number + 1)
end

# Whether the cursor is in a command behind this number of words.
function __dvisor_in_command -a verb number
    set -l words (string match -v -- = (__dvisor_words))
    test "$words[1]" = $verb; and test (count $words) -gt $number
end

# Completions of a command behind this number of words.
function __dvisor_command -a number
    set -l all (commandline -opc)
    set -l words (string match -v -- = (__dvisor_words))
    set -l at (math (count $all) - (count $words) + $number + 2)
    complete -C "$(string escape -- $all[$at..] | string join ' ') $(commandline -ct)"
end

function __dvisor_containers
    dvisor list --quiet 2>/dev/null
end

set -g __dvisor_anywhere ${scopes.filter((s) => s.anywhere).map((s) => s.verb).join(" ")}
set -g __dvisor_valued ${scopes.flatMap(valuedOptions).map(quoted).join(" ")}

complete -c dvisor -f
${scopes.flatMap(lines).join("\n")}
`;
}

function valuedOptions({ verb, options }: Scope): string[] {
  return Object.entries(options).flatMap(([name, option]) =>
    valueKind(option) === null ? [] : spellings(name, option).map((word) => `${verb} ${word}`)
  );
}

function lines(scope: Scope): string[] {
  const { verb, summary, options, operands } = scope;
  return [
    ...verb === "" ? [] : [
      `complete -c dvisor -n '__dvisor_option ""' -a ${verb} -d ${quoted(summary)}`,
      `complete -c dvisor -n '__dvisor_operand help 0' -a ${verb} -d ${quoted(summary)}`,
    ],
    ...Object.entries(options).map(([name, option]) => optionLine(scope, name, option)),
    ...operands.flatMap((kind, i) => operandLine(verb, kind, i)),
  ];
}

function optionLine({ verb }: Scope, name: string, option: Option): string {
  const kind = valueKind(option);
  const short = option.short === undefined ? "" : ` -s ${option.short}`;
  const value = kind === null ? "" : kind === "file" ? " -r -F" : ` -x${values(kind)}`;
  return `complete -c dvisor -n '__dvisor_option "${verb}"' -l ${name}${short}${value}` +
    ` -d ${quoted(option.help)}`;
}

function operandLine(verb: string, kind: Kind, i: number): string[] {
  if (verb === "" || kind === "any") return [];
  if (kind === "command") {
    return [
      `complete -c dvisor -n '__dvisor_in_command ${verb} ${i}' -a '(__dvisor_command ${i})'`,
    ];
  }
  return [`complete -c dvisor -n '__dvisor_operand ${verb} ${i}'${values(kind)}`];
}

function values(kind: Kind): string {
  if (typeof kind !== "string") return ` -a ${quoted(kind.join(" "))}`;
  if (kind === "directory") return " -a '(__fish_complete_directories)'";
  return kind === "container" ? " -a '(__dvisor_containers)'" : "";
}

function quoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
