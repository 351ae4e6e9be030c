/** `dvisor man [VERB]`. */

import { usageError } from "../../user_error.ts";
import { type Commands, defineCommand } from "../command.ts";
import { findVerb } from "../command_line.ts";
import { mainPage, verbPage } from "../manual/man_page.ts";

/** @param verbs returns the table of verbs, which contains this command */
export const manCommand = (verbs: () => Commands) =>
  defineCommand({
    name: "man",
    summary: "print a man page",
    usage: ["[VERB]"],
    operands: ["verb"],
    description: "Prints the man page of dvisor or of a verb, in roff. To read it: " +
      "dvisor man do | man -l -",
    options: {},
    run({ rest: [name, extra] }) {
      if (extra !== undefined) throw usageError(`unexpected argument "${extra}"`);
      const text = name === undefined ? mainPage(verbs()) : verbPage(findVerb(verbs(), name));
      Deno.stdout.writeSync(new TextEncoder().encode(text));
      return 0;
    },
  });
