/** `dvisor man [VERB]`. */

import { usageError } from "../../user_error.ts";
import { type Commands, defineCommand } from "../command.ts";
import { findVerb } from "../command_line.ts";
import { mainPage, verbPage } from "../manual/man_page.ts";
import { writeSharedFiles } from "../manual/shared_files.ts";

/** @param verbs returns the table of verbs, which contains this command */
export const manCommand = (verbs: () => Commands) =>
  defineCommand({
    name: "man",
    summary: "print a man page",
    usage: ["[VERB]", "--write DIR"],
    operands: ["verb"],
    description: "Prints the man page of dvisor or of a verb, in roff. To read it: " +
      "dvisor man do | man -l -",
    options: {
      write: {
        value: "DIR",
        help:
          "write all pages, and completion for all shells, below DIR as they go into /usr/share",
      },
    },
    run({ options: { write }, rest: [name] }) {
      if (write !== null) {
        if (name !== undefined) throw usageError("--write writes the pages of all verbs");
        writeSharedFiles(write, verbs());
        return 0;
      }
      const text = name === undefined ? mainPage(verbs()) : verbPage(findVerb(verbs(), name));
      Deno.stdout.writeSync(new TextEncoder().encode(text));
      return 0;
    },
  });
