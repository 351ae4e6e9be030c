/**
 * A verb: its declaration and its function. The declaration alone makes the parser of its command
 * line, its help text, its man page, completion, and its part of docs/command-line.md (manual/).
 */

import { type Flags, type OptionSyntax, readFlags } from "../options/flags.ts";
import type { Globals } from "../options/globals.ts";
import type { Options } from "../options/option.ts";
import { usageError } from "../user_error.ts";
import { verbHelp } from "./manual/help_text.ts";

/**
 * What a word besides the options is: the ID of a container that there is or of a new one, a verb,
 * one of a list, the beginning of a command, or of any number of other words.
 */
type Operand =
  | "container"
  | "new container"
  | "verb"
  | "command"
  | "arguments"
  | readonly string[];

/** Texts are wrapped where they are shown; an empty line begins a paragraph. */
export interface Declaration<O extends Options = Options> extends OptionSyntax<O> {
  readonly name: string;
  /** One line for the list of verbs. */
  readonly summary: string;
  /** A line each, without `dvisor NAME`. */
  readonly usage: readonly string[];
  /** The words besides the options, the optional ones too. More words are an error. */
  readonly operands?: readonly Operand[];
  readonly description: string;
  /** Names of options that texts show together, below the other ones, by their titles. */
  readonly sections?: Readonly<Record<string, readonly string[]>>;
  /** Text below the options. */
  readonly notes?: string;
  readonly exitCodes?: string;
}

interface Ending {
  /**
   * The exit code of every failure, where clients of OCI runtimes expect a certain one. Without it
   * an error has its own code.
   */
  readonly failureCode?: number;
}

export interface Command extends Declaration, Ending {
  /**
   * @param args the words after the verb
   * @param globals the options in front of it
   * @returns the exit code
   * @throws UserError
   */
  run(args: readonly string[], globals: Globals): number | Promise<number>;
}

/** A verb as it is written: its function gets the options of its table. */
interface CommandText<O extends Options> extends Declaration<O>, Ending {
  run(flags: Flags<O>, globals: Globals): number | Promise<number>;
}

/** By name. */
export type Commands = Readonly<Record<string, Command>>;

export function defineCommand<const O extends Options>(text: CommandText<O>): Command {
  return {
    ...text,
    run(args, globals) {
      const flags = readFlags(args, text);
      // Clients use it to find out whether a verb exists.
      if (flags.asksHelp) {
        console.log(verbHelp(text));
        return 0;
      }
      refuseFurther(flags.rest, text.operands ?? []);
      return text.run(flags, globals);
    },
  };
}

function refuseFurther(words: readonly string[], operands: readonly Operand[]): void {
  const extra = words[operands.length], last = operands.at(-1);
  if (extra === undefined || last === "command" || last === "arguments") return;
  const hint = extra.startsWith("-") ? "; options stand in front of other words" : "";
  throw usageError(`unexpected argument "${extra}"${hint}`);
}
