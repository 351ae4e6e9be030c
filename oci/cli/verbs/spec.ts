/** `dvisor spec`: writes a first config.json for a new bundle. */

import { join } from "@std/path";
import { callerIds } from "../caller.ts";
import { DEFAULT_CONFIG, rootlessConfig } from "../../spec/default_config.ts";
import { EXIT_FAILURE, UserError } from "../../user_error.ts";
import { defineCommand } from "../command.ts";

export const command = defineCommand({
  name: "spec",
  summary: "write a first config.json for a bundle",
  usage: ["[OPTION...]"],
  description: "Writes a config.json that runs sh, in a terminal, over the bundle's directory " +
    "rootfs. An existing file is not changed.",
  options: {
    bundle: { short: "b", value: "DIR", default: ".", help: "directory to write it to" },
    rootless: { help: "for a user without privilege, in a user namespace" },
  },
  isGoStyle: true,
  failureCode: EXIT_FAILURE,
  run(flags) {
    const path = join(flags.options.bundle, "config.json");
    const ids = callerIds();
    const config = flags.options.rootless ? rootlessConfig(ids.uid, ids.gid) : DEFAULT_CONFIG;
    const text = `${JSON.stringify(config, null, 2)}\n`;
    try {
      Deno.writeTextFileSync(path, text, { createNew: true });
    } catch (error) {
      if (error instanceof Deno.errors.AlreadyExists) throw new UserError(`${path} exists`);
      throw new UserError(`cannot write ${path}`, undefined, error);
    }
    return 0;
  },
});
