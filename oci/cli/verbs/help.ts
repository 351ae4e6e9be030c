/** `dvisor help [VERB]`. */

import { readFlags } from "../../options/flags.ts";
import { usageError } from "../../user_error.ts";
import type { Command, Verb } from "../command.ts";

const HELP = `Usage: dvisor help [VERB]

Shows all verbs, or how one is used.`;

/** By name, in the order in which they are shown. */
type Verbs = Readonly<Record<string, Verb>>;

/** The options of options/globals.ts that no verb has after it, and --version and --help. */
const GLOBAL_HELP = `Options in front of the verb:
  -v, --version           show the version
  -h, --help              show this
  --root DIR              directory with the state of containers; the default is /run/dvisor, and
                          for an ordinary user $XDG_RUNTIME_DIR/dvisor
  --log FILE              append messages to FILE too
  --log-format text|json  format of that file
  --debug                 write debug messages to it as well
  --systemd-cgroup        systemd makes the control groups of containers
  --rootless auto|true|false
                          whether the default of --root is an ordinary user's
  --overlay none|memory|file|file:DIR
                          where writes of a container to its root directory go: to that directory
                          (none, the default), to memory, or to a new directory below DIR, which
                          is removed with the container
  --host-uds none|open|create|all
                          sockets and FIFOs of volumes: none, the default: the sandbox's own; open:
                          the guest opens the host's; create: the host opens the guest's; all: both
  --allow-annotated-logs  annotations of a container may switch on its debug log
The options of dvisor run that are about the sandbox (--platform, --network, --strace, --debug-log
and so on) may also stand in front of the verb.`;

function overview(verbs: Verbs): string {
  const width = Math.max(...Object.keys(verbs).map((name) => name.length));
  const lines = Object.entries(verbs).map(([name, verb]) =>
    `  ${name.padEnd(width)}  ${verb.summary}`
  );
  return `dvisor runs programs in a sandbox on an application kernel written in TypeScript.

Usage: dvisor VERB [OPTION...] [ARGUMENT...]

Verbs:
${lines.join("\n")}

${GLOBAL_HELP}

dvisor help VERB shows a verb's options.

Exit codes: the program's own; 128+N when signal N ended it. Of do: 126 when the command cannot be
executed, 127 when there is none, 2 for a wrong command line, 1 for any other failure. The verbs
that runc has end with 1 for each failure, and exec with 255, as with runc.`;
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
