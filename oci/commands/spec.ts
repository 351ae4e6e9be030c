/** `dvisor spec`: writes a config.json to begin a bundle with. */

import { join } from "@std/path";
import { readFlags, refuseRest } from "../flags.ts";
import { DEFAULT_CONFIG } from "../spec/default_config.ts";
import { UserError } from "../user_error.ts";
import type { Command } from "./command.ts";

const HELP = `Usage: dvisor spec [--bundle DIR]

Writes a config.json that runs sh, in a terminal, over the bundle's directory rootfs. An existing
one is left alone.

Options:
  --bundle DIR  where to write it; the default is the current directory`;

export const command: Command = {
  help: HELP,
  run(args) {
    const flags = readFlags(args, { strings: ["bundle"] });
    refuseRest(flags);
    const path = join(flags.string("bundle") ?? ".", "config.json");
    const text = `${JSON.stringify(DEFAULT_CONFIG, null, 2)}\n`;
    try {
      Deno.writeTextFileSync(path, text, { createNew: true });
    } catch (error) {
      if (error instanceof Deno.errors.AlreadyExists) throw new UserError(`${path} exists`);
      throw new UserError(`cannot write ${path}`, undefined, error);
    }
    return 0;
  },
};
