/**
 * Runs a verb and turns what it throws into one line, on stderr and in the client's log, and an exit code. What is neither
 * a message for people nor a call that the host refuses is a bug, and shown with its stack.
 */

import { SyscallError } from "../../ffi/sys/errors.ts";
import type { Command } from "./command.ts";
import { type Globals, noGlobals } from "./globals.ts";
import { writeLog } from "../client_log.ts";
import { shownLines } from "../shown_text.ts";
import { EXIT_FAILURE, explain, UserError } from "../user_error.ts";

/** LIMIT: characters of a command line that the log shows. */
const SHOWN = 4096;

/** @returns the exit code */
export async function runCommand(
  command: Command,
  args: readonly string[],
  globals: Globals = noGlobals(),
): Promise<number> {
  writeLog(globals, "debug", `dvisor with ${JSON.stringify(Deno.args).slice(0, SHOWN)}`);
  try {
    return await command.run(args, globals);
  } catch (error) {
    writeLog(globals, "error", explain(error));
    if (error instanceof UserError) {
      console.error(shownLines(`dvisor: ${explain(error)}`));
      return command.failureCode ?? error.exitCode;
    }
    if (error instanceof SyscallError) {
      console.error(shownLines(`dvisor: the host refuses ${error.message}`));
      return command.failureCode ?? EXIT_FAILURE;
    }
    console.error(shownLines(`dvisor: this is a bug in dvisor: ${Deno.inspect(error)}`));
    return command.failureCode ?? EXIT_FAILURE;
  }
}
