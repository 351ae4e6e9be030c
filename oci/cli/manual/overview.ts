/** What is said of dvisor as a whole: in `help`, in dvisor(1), and in docs/command-line.md. */

import { RUNTIME_OPTIONS, SHARED_OPTIONS } from "../../options/global_options.ts";
import type { Commands } from "../command.ts";
import { alignedLines, optionLines, wrap } from "./help_text.ts";

export const ABOUT =
  "dvisor runs programs in a sandbox on an application kernel written in TypeScript.";

export const USAGE = "dvisor [OPTION...] VERB [OPTION...] [ARGUMENT...]";

/** About the options of verbs that may stand in front of the verb too. */
export const ALSO_IN_FRONT = "These options of dvisor run may also stand in front of the verb: " +
  `${Object.keys(SHARED_OPTIONS).map((name) => `--${name}`).join(", ")}.`;

export const EXIT_CODES =
  "the program's own; 128+N when signal N ended it. Of do: 126 when the command cannot be " +
  "executed, 127 when there is none, 2 for a wrong command line, 1 for any other failure. The " +
  "verbs that runc has end with 1 for each failure, and exec with 255, as with runc.";

/** The text of `dvisor help`. */
export function overview(verbs: Commands): string {
  return `${ABOUT}

Usage: ${USAGE}

Verbs:
${alignedLines(Object.values(verbs).map(({ name, summary }) => [name, summary]))}

Options in front of the verb:
${optionLines(RUNTIME_OPTIONS)}

${wrap(ALSO_IN_FRONT)}

dvisor help VERB shows a verb's options.

${wrap(`Exit codes: ${EXIT_CODES}`)}`;
}
