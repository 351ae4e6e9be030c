/** `dvisor help [VERB]`. */

import { type Commands, defineCommand } from "../command.ts";
import { findVerb } from "../command_line.ts";
import { verbHelp } from "../manual/help_text.ts";
import { overview } from "../manual/overview.ts";

/** @param verbs returns the table of verbs, which contains this command */
export const helpCommand = (verbs: () => Commands) =>
  defineCommand({
    name: "help",
    summary: "show how a verb is used",
    usage: ["[VERB]"],
    operands: ["verb"],
    description: "Shows all verbs, or how one is used.",
    options: {},
    run({ rest: [name] }) {
      console.log(name === undefined ? overview(verbs()) : verbHelp(findVerb(verbs(), name)));
      return 0;
    },
  });
