/** `dvisor help [VERB]`. */

import { readFlags } from "../../options/flags.ts";
import { usageError } from "../../user_error.ts";
import type { Command, Verb } from "../command.ts";

const HELP = `Usage: dvisor help [VERB]

Shows all verbs, or how one is used.`;

/** By name, in the order in which they are shown. */
type Verbs = Readonly<Record<string, Verb>>;

function overview(verbs: Verbs): string {
  const width = Math.max(...Object.keys(verbs).map((name) => name.length));
  const lines = Object.entries(verbs).map(([name, verb]) =>
    `  ${name.padEnd(width)}  ${verb.summary}`
  );
  return `dvisor runs programs in a sandbox on an application kernel written in TypeScript.

Usage: dvisor VERB [OPTION...] [ARGUMENT...]

Verbs:
${lines.join("\n")}

Options:
  --version  show the version
  --help     show this

dvisor help VERB shows a verb's options.

Exit codes: the program's own; 128+N when signal N ended it; 126 when the command cannot be
executed, 127 when there is none; 2 for a wrong command line or config.json; 1 when the host
does not let dvisor do its work.`;
}

/**
 * @param verbs returns the table of verbs; called when help is shown, because that table contains
 * this command
 */
export function helpCommand(verbs: () => Verbs): Command {
  return {
    help: HELP,
    run(args) {
      const [name, extra] = readFlags(args, {}).rest;
      if (extra !== undefined) throw usageError(`unexpected argument "${extra}"`);
      if (name === undefined) {
        console.log(overview(verbs()));
        return 0;
      }
      const verb = Object.hasOwn(verbs(), name) ? verbs()[name] : undefined;
      if (verb === undefined) throw usageError(`there is no verb "${name}"; try: dvisor help`);
      console.log(verb.command.help);
      return 0;
    },
  };
}
