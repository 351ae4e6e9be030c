/** Runs a verb and turns what it throws into one line and an exit code. */

import type { Command } from "./commands/command.ts";
import { EXIT_FAILURE, explain, UserError } from "./user_error.ts";

/** @returns the exit code */
export async function runCommand(command: Command, args: readonly string[]): Promise<number> {
  try {
    return await command.run(args);
  } catch (error) {
    if (error instanceof UserError) {
      console.error(`dvisor: ${explain(error)}`);
      return error.exitCode;
    }
    console.error("dvisor: this is a bug in dvisor:", error);
    return EXIT_FAILURE;
  }
}
