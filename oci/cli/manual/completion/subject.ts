/** What the completion scripts of all shells are made of: the tables, as shells need them. */

import { GLOBAL_OPTIONS } from "../../../options/global_options.ts";
import { type Option, type Options, takesValue } from "../../../options/option.ts";
import type { Commands, Declaration } from "../../command.ts";

/** The kind of a word that is completed: `any` is nothing that a script knows. */
export type Kind =
  | "any"
  | "file"
  | "directory"
  | "container"
  | "verb"
  | "command"
  | readonly string[];

/** Options that are completed together: those of a verb, or those in front of it ("" then). */
export interface Scope {
  readonly verb: string;
  readonly summary: string;
  readonly options: Options;
  /** Kinds of the words besides the options. */
  readonly operands: readonly Kind[];
  /** Options may also stand behind those words. */
  readonly anywhere: boolean;
}

const HELP: Options = { help: { short: "h", help: "show how it is used" } };

export function scopesOf(verbs: Commands): Scope[] {
  const front: Scope = {
    verb: "",
    summary: "",
    options: GLOBAL_OPTIONS,
    operands: ["verb"],
    anywhere: false,
  };
  return [front, ...Object.values(verbs).map(scopeOf)];
}

function scopeOf({ name, summary, options, operands = [], anywhere }: Declaration): Scope {
  return {
    verb: name,
    summary,
    options: { ...options, ...HELP },
    operands: operands.map((kind) =>
      kind === "arguments" || kind === "new container" ? "any" : kind
    ),
    anywhere: anywhere === true,
  };
}

/** The kind of an option's value; null if it has none. */
export function valueKind(option: Option): Kind | null {
  if (!takesValue(option)) return null;
  if (option.choices !== undefined) return option.choices;
  // Places such as SRC:DST begin with a file of the host.
  const first = option.value?.split(":")[0];
  if (first === "DIR") return "directory";
  return first === "FILE" || first === "PATH" || first === "SRC" ? "file" : "any";
}

/** The ways to write an option: `--tty`, and `-t` if there is such a letter. */
export function spellings(name: string, { short }: Option): string[] {
  return [`--${name}`, ...short === undefined ? [] : [`-${short}`]];
}
