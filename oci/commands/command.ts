/** What every verb is: its help text and what it does. */

export interface Command {
  /** The help text: usage line, options, exit codes. */
  readonly help: string;
  /**
   * @param args behind the verb
   * @returns the exit code
   * @throws UserError
   */
  run(args: readonly string[]): number | Promise<number>;
}

export interface Verb {
  /** One line for the list of verbs. */
  readonly summary: string;
  readonly command: Command;
}
