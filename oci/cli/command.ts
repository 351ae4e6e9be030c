/** The interface of a verb: its help text and its function. */

import type { Globals } from "../options/globals.ts";

export interface Command {
  /** The help text: usage line, options, exit codes. */
  readonly help: string;
  /**
   * The exit code of every failure, where clients of OCI runtimes expect a certain one. Without it
   * an error has its own code.
   */
  readonly failureCode?: number;
  /**
   * @param args the words after the verb
   * @param globals the options in front of it
   * @returns the exit code
   * @throws UserError
   */
  run(args: readonly string[], globals: Globals): number | Promise<number>;
}

export interface Verb {
  /** One line for the list of verbs. */
  readonly summary: string;
  readonly command: Command;
}
