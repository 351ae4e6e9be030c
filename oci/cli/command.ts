/** What every verb is: its help text and what it does. */

import type { Globals } from "./globals.ts";

export interface Command {
  /** The help text: usage line, options, exit codes. */
  readonly help: string;
  /** What every failure exits with, where the clients of OCI runtimes know a number; else each error has its own. */
  readonly failureCode?: number;
  /**
   * @param args behind the verb
   * @param globals what stood in front of it
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
