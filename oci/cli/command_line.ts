/**
 * The command line: finds the verb and runs it. Errors become one line on stderr and in the
 * client's log, and an exit code. An error that is neither a UserError nor a refused host call is a
 * bug, and printed with its stack.
 *
 * part_table.ts chooses the verbs of each part; verb_table.ts has all of them.
 */

import type { Command, Verb } from "./command.ts";
import { EXIT_FAILURE, EXIT_USAGE, explain, usageError, UserError } from "../user_error.ts";
import {
  type Globals,
  noGlobals,
  type SplitCommandLine,
  splitCommandLine,
} from "../options/globals.ts";
import { COMMIT, OCI_VERSION, VERSION } from "../version.ts";
import { SyscallError } from "../../ffi/sys/errors.ts";
import { writeLog } from "../options/client_log.ts";
import { shownLines } from "../shown_text.ts";

type Verbs = Readonly<Record<string, Verb>>;

/** Runs a command line. @returns the exit code */
export async function main(args: readonly string[], verbs: Verbs): Promise<number> {
  let line: SplitCommandLine;
  try {
    line = splitCommandLine(args);
  } catch (error) {
    const failureCode = EXIT_FAILURE;
    return await runCommand({ help: "", failureCode, run: () => raise(error) }, []);
  }
  const { globals, verb, rest, asks } = line;
  if (asks === "version") {
    console.log(`dvisor version ${VERSION}\ncommit: ${COMMIT}\nspec: ${OCI_VERSION}`);
    return 0;
  }
  const known = asks === "help" ? "help" : verb;
  if (known === undefined) {
    console.error("dvisor: no verb given; try: dvisor help");
    return EXIT_USAGE;
  }
  const run = () => runVerb(verbs, known, rest, globals);
  return await runCommand({ ...codesOf(verbs, known), help: "", run }, rest, globals);
}

/** `VERB --help` prints the verb's help. Clients use it to find out whether a verb exists. */
function runVerb(
  verbs: Verbs,
  name: string,
  rest: readonly string[],
  globals: Globals,
): number | Promise<number> {
  const { command } = findVerb(verbs, name);
  if (name !== "help" && rest.length === 1 && (rest[0] === "--help" || rest[0] === "-h")) {
    console.log(command.help);
    return 0;
  }
  return command.run(rest, globals);
}

function raise(error: unknown): never {
  throw error;
}

function codesOf(verbs: Verbs, name: string): Pick<Command, "failureCode"> {
  const verb = Object.hasOwn(verbs, name) ? verbs[name] : undefined;
  const code = verb?.command.failureCode;
  return code === undefined ? {} : { failureCode: code };
}

function findVerb(verbs: Verbs, name: string): Verb {
  const verb = Object.hasOwn(verbs, name) ? verbs[name] : undefined;
  if (verb !== undefined) return verb;
  const what = name.startsWith("-") ? "option" : "verb";
  throw usageError(`there is no ${what} "${name}"; try: dvisor help`);
}

/** LIMIT: characters of a command line that the log shows. */
const SHOWN = 4096;

/**
 * Runs a verb and reports its error.
 * @returns the exit code
 */
async function runCommand(
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
