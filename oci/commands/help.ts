/** `dvisor help [VERB]`. */

import { findVerb, VERBS } from "../cli.ts";
import { readFlags } from "../flags.ts";
import { usageError } from "../user_error.ts";
import type { Command } from "./command.ts";

const HELP = `Usage: dvisor help [VERB]

Shows all verbs, or how one is used.`;

function overview(): string {
  const width = Math.max(...Object.keys(VERBS).map((name) => name.length));
  const lines = Object.entries(VERBS).map(([name, verb]) =>
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

export const command: Command = {
  help: HELP,
  async run(args) {
    const [name, extra] = readFlags(args, {}).rest;
    if (extra !== undefined) throw usageError(`unexpected argument "${extra}"`);
    if (name === undefined) {
      console.log(overview());
      return 0;
    }
    const verb = Object.hasOwn(VERBS, name) ? findVerb(name) : null;
    if (verb === null) throw usageError(`there is no verb "${name}"; try: dvisor help`);
    console.log((await verb.load()).command.help);
    return 0;
  },
};
