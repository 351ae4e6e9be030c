/**
 * The command line: finds the verb and runs it. Errors become one line on stderr and in the
 * client's log, and an exit code. An error that is neither a UserError nor a refused host call is a
 * bug, and printed with its stack.
 *
 * part_table.ts chooses the verbs of each part; verb_table.ts has all of them.
 */

import type { Command, Commands } from "./command.ts";
import { suggestion } from "../closest_name.ts";
import { EXIT_FAILURE, EXIT_USAGE, explain, usageError, UserError } from "../user_error.ts";
import {
  type Globals,
  noGlobals,
  type SplitCommandLine,
  splitCommandLine,
} from "../options/globals.ts";
import { VERSION_TEXT } from "../version.ts";
import { SyscallError } from "../../ffi/sys/errors.ts";
import { writeLog } from "../options/client_log.ts";
import { shownLines } from "../shown_text.ts";

/** Runs a command line. @returns the exit code */
export async function main(args: readonly string[], verbs: Commands): Promise<number> {
  let line: SplitCommandLine;
  try {
    line = splitCommandLine(args);
  } catch (error) {
    return await report(() => raise(error), noGlobals(), EXIT_FAILURE);
  }
  const { globals, verb, rest, asks } = line;
  if (asks === "version") {
    console.log(VERSION_TEXT);
    return 0;
  }
  const known = asks === "help" ? "help" : verb;
  if (known === undefined) {
    console.error("dvisor: no verb given; try: dvisor help");
    return EXIT_USAGE;
  }
  const command = Object.hasOwn(verbs, known) ? verbs[known] : undefined;
  const run = () => (command ?? findVerb(verbs, known)).run(rest, globals);
  return await report(run, globals, command?.failureCode);
}

function raise(error: unknown): never {
  throw error;
}

/** @throws UserError if there is none of that name */
export function findVerb(verbs: Commands, name: string): Command {
  const verb = Object.hasOwn(verbs, name) ? verbs[name] : undefined;
  if (verb !== undefined) return verb;
  const hint = suggestion(name, Object.keys(verbs)) || "; try: dvisor help";
  throw usageError(`there is no verb "${name}"${hint}`);
}

/** LIMIT: characters of a command line that the log shows. */
const SHOWN = 4096;

/**
 * Runs a verb and reports its error.
 *
 * @param failureCode of any error, in place of its own
 * @returns the exit code
 */
async function report(
  run: () => number | Promise<number>,
  globals: Globals,
  failureCode?: number,
): Promise<number> {
  writeLog(globals, "debug", `dvisor with ${JSON.stringify(Deno.args).slice(0, SHOWN)}`);
  try {
    return await run();
  } catch (error) {
    writeLog(globals, "error", explain(error));
    if (error instanceof UserError) {
      console.error(shownLines(`dvisor: ${explain(error)}`));
      return failureCode ?? error.exitCode;
    }
    if (error instanceof SyscallError) {
      console.error(shownLines(`dvisor: the host refuses ${error.message}`));
      return failureCode ?? EXIT_FAILURE;
    }
    console.error(shownLines(`dvisor: this is a bug in dvisor: ${Deno.inspect(error)}`));
    return failureCode ?? EXIT_FAILURE;
  }
}
