/** `dvisor spec`: writes a first config.json for a new bundle. */

import { join } from "@std/path";
import { callerIds } from "../caller.ts";
import { readFlags, refuseRest } from "../../options/flags.ts";
import { DEFAULT_CONFIG, rootlessConfig } from "../../spec/default_config.ts";
import { EXIT_FAILURE, UserError } from "../../user_error.ts";
import type { Command } from "../command.ts";

const HELP = `Usage: dvisor spec [OPTION...]

Writes a config.json that runs sh, in a terminal, over the bundle's directory rootfs. An existing
file is not changed.

Options:
  --bundle DIR, -b DIR  directory to write it to; the default is the current directory
  --rootless            for a user without privilege, in a user namespace`;

export const command: Command = {
  help: HELP,
  failureCode: EXIT_FAILURE,
  run(args) {
    const flags = readFlags(args, {
      strings: ["bundle"],
      booleans: ["rootless"],
      go: { b: "bundle" },
    });
    refuseRest(flags);
    const path = join(flags.string("bundle") ?? ".", "config.json");
    const ids = callerIds();
    const config = flags.has("rootless") ? rootlessConfig(ids.uid, ids.gid) : DEFAULT_CONFIG;
    const text = `${JSON.stringify(config, null, 2)}\n`;
    try {
      Deno.writeTextFileSync(path, text, { createNew: true });
    } catch (error) {
      if (error instanceof Deno.errors.AlreadyExists) throw new UserError(`${path} exists`);
      throw new UserError(`cannot write ${path}`, undefined, error);
    }
    return 0;
  },
};
