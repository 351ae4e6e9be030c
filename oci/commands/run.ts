/** `dvisor run`: runs an OCI bundle in the foreground. */

import { join, resolve } from "@std/path";
import { type Flags, readFlags } from "../flags.ts";
import type { Globals } from "../globals.ts";
import { type GuestPlan, runForeground } from "../launch/foreground.ts";
import { fromText } from "../../kernel/core/bytes.ts";
import { planRootfs } from "../rootfs/plan.ts";
import { type Config, readConfig } from "../spec/config.ts";
import { JsonNode } from "../spec/json_node.ts";
import { EXIT_USAGE, usageError, UserError } from "../user_error.ts";
import type { Command } from "./command.ts";
import { SANDBOX_FLAGS, SANDBOX_HELP, sandboxSettings } from "./sandbox_flags.ts";

const HELP = `Usage: dvisor run [OPTION...] ID

Runs the bundle's program (config.json, OCI runtime specification) and waits for its end. ID is a
name for it: letters, digits, and . _ + -

Options:
  --bundle DIR           where config.json is; the default is the current directory
${SANDBOX_HELP}

What config.json asks for and this runtime does not have is an error that names the place.`;

const CONFIG = "config.json";

export const command: Command = {
  help: HELP,
  run: (args, globals) => runForeground(planOf(args, globals)),
};

function planOf(args: readonly string[], globals: Globals): GuestPlan {
  const flags = readFlags(args, {
    strings: ["bundle", ...SANDBOX_FLAGS.strings],
    booleans: SANDBOX_FLAGS.booleans,
  });
  checkId(flags);
  const bundle = resolve(flags.string("bundle") ?? ".");
  const config = readConfig(JsonNode.parse(CONFIG, readBundleFile(bundle)));
  return {
    id: "",
    server: -1,
    ...config,
    ...planRootfs(config, bundle, { overlay: "none" }),
    hostname: config.hostname ?? fromText(Deno.hostname()),
    process: config.process,
    root: rootOf(config),
    mounts: config.mounts.map((m) => mountSpec(m, m.type === "bind" ? binds.indexOf(m) + 1 : null)),
    goferRoots: [
      { path: rootPath, isReadOnly: config.root.isReadOnly },
      ...binds.map((mount) => bindRoot(mount, bundle)),
    ],
    sandbox: settingsOf(flags, config, globals),
  };
}

function checkId(flags: Flags): void {
  const [id, extra] = flags.rest;
  if (id === undefined) throw usageError("run needs an ID; try: dvisor help run");
  if (extra !== undefined) throw usageError(`unexpected argument "${extra}"`);
  if (!/^[\w+.-]{1,1024}$/.test(id) || id === "." || id === "..") {
    throw usageError(`the ID "${id}" may have only letters, digits, and . _ + -`);
  }
}

function readBundleFile(bundle: string): string {
  const path = join(bundle, CONFIG);
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      throw new UserError(`there is no ${path}; dvisor spec writes one`, EXIT_USAGE);
    }
    throw new UserError(`cannot read ${path}`, undefined, error);
  }
}

/** The bundle says whether there is a terminal, unless the caller does. */
function settingsOf(flags: Flags, config: Config, globals: Globals): GuestPlan["sandbox"] {
  const settings = sandboxSettings(flags, globals);
  if (flags.string("tty") !== null) return settings;
  return { ...settings, tty: config.process.terminal ? "on" : "off" };
}
