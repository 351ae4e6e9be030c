/** `dvisor help [VERB]`. */

import { RUNTIME_OPTIONS, SHARED_OPTIONS } from "../../options/global_options.ts";
import { usageError } from "../../user_error.ts";
import { type Commands, defineCommand } from "../command.ts";
import { findVerb } from "../command_line.ts";
import { alignedLines, optionLines, verbHelp, wrap } from "../manual/help_text.ts";

const ABOUT = "dvisor runs programs in a sandbox on an application kernel in TypeScript.";

const EXIT_CODES =
  "the program's own; 128+N when signal N ended it. Of do: 126 when the command cannot be " +
  "executed, 127 when there is none, 2 for a wrong command line, 1 for any other failure. The " +
  "verbs that runc has end with 1 for each failure, and exec with 255, as with runc.";

function overview(verbs: Commands): string {
  const shared = Object.keys(SHARED_OPTIONS).map((name) => `--${name}`).join(", ");
  return `${ABOUT}

Usage: dvisor [OPTION...] VERB [OPTION...] [ARGUMENT...]

Verbs:
${alignedLines(Object.values(verbs).map(({ name, summary }) => [name, summary]))}

Options in front of the verb:
${optionLines(RUNTIME_OPTIONS)}

${wrap(`These options of dvisor run may also stand in front of the verb: ${shared}.`)}

dvisor help VERB shows a verb's options.

${wrap(`Exit codes: ${EXIT_CODES}`)}`;
}

/** @param verbs returns the table of verbs, which contains this command */
export function helpCommand(verbs: () => Commands) {
  return defineCommand({
    name: "help",
    summary: "show how a verb is used",
    usage: ["[VERB]"],
    operands: ["verb"],
    description: "Shows all verbs, or how one is used.",
    options: {},
    run({ rest: [name, extra] }) {
      if (extra !== undefined) throw usageError(`unexpected argument "${extra}"`);
      console.log(name === undefined ? overview(verbs()) : verbHelp(findVerb(verbs(), name)));
      return 0;
    },
  });
}
