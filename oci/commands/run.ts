/** `dvisor run`: runs an OCI bundle in the foreground. */

import { join, resolve } from "@std/path";
import { type Flags, readFlags } from "../flags.ts";
import { type GuestPlan, runForeground } from "../launch/foreground.ts";
import { fromText } from "../../kernel/core/bytes.ts";
import type { GoferRoot } from "../launch/gofer_process.ts";
import type { MountSpec } from "../sandbox/boot_spec.ts";
import { type Config, readConfig } from "../spec/config.ts";
import { JsonNode } from "../spec/json_node.ts";
import type { ConfigMount } from "../spec/mount_entry.ts";
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
  run: (args) => runForeground(planOf(args)),
};

function planOf(args: readonly string[]): GuestPlan {
  const flags = readFlags(args, {
    strings: ["bundle", ...SANDBOX_FLAGS.strings],
    booleans: SANDBOX_FLAGS.booleans,
  });
  checkId(flags);
  const bundle = resolve(flags.string("bundle") ?? ".");
  const config = readConfig(JsonNode.parse(CONFIG, readBundleFile(bundle)));
  const rootPath = resolve(bundle, config.root.path);
  requireDirectory(rootPath);
  const binds = config.mounts.filter((mount) => mount.type === "bind");
  return {
    ...config,
    hostname: config.hostname ?? fromText(Deno.hostname()),
    process: config.process,
    root: rootOf(config),
    mounts: config.mounts.map((m) => mountSpec(m, m.type === "bind" ? binds.indexOf(m) + 1 : null)),
    goferRoots: [
      { path: rootPath, isReadOnly: config.root.isReadOnly },
      ...binds.map((mount) => bindRoot(mount, bundle)),
    ],
    sandbox: settingsOf(flags, config),
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

function requireDirectory(path: string): void {
  const problem = "config.json: root.path";
  try {
    if (!Deno.statSync(path).isDirectory) {
      throw new UserError(`${problem}: ${path} is no directory`, EXIT_USAGE);
    }
  } catch (error) {
    if (error instanceof UserError) throw error;
    if (error instanceof Deno.errors.NotFound) {
      throw new UserError(`${problem}: there is no ${path}`, EXIT_USAGE);
    }
    throw new UserError(`${problem}: ${path} cannot be used`, undefined, error);
  }
}

/** A read-only root still needs places for mounts: they are made in memory. */
function rootOf(config: Config): GuestPlan["root"] {
  const { isReadOnly } = config.root;
  return { goferAttach: "0", readonly: isReadOnly, overlay: isReadOnly ? "memory" : "none" };
}

function mountSpec(mount: ConfigMount, attach: number | null): MountSpec {
  const { destination, options } = mount;
  const type = attach === null ? mount.type : "gofer";
  return { type, destination, goferAttach: attach === null ? null : String(attach), options };
}

function bindRoot(mount: ConfigMount, bundle: string): GoferRoot {
  const path = resolve(bundle, mount.source ?? "");
  try {
    Deno.statSync(path);
  } catch (error) {
    const where = `${CONFIG}: ${mount.path}.source`;
    if (error instanceof Deno.errors.NotFound) {
      throw new UserError(`${where}: there is no ${path}`, EXIT_USAGE);
    }
    throw new UserError(`${where}: ${path} cannot be used`, undefined, error);
  }
  return { path, isReadOnly: mount.isReadOnly };
}

/** The bundle says whether there is a terminal, unless the caller does. */
function settingsOf(flags: Flags, config: Config): GuestPlan["sandbox"] {
  const settings = sandboxSettings(flags);
  if (flags.string("tty") !== null) return settings;
  return { ...settings, tty: config.process.terminal ? "on" : "off" };
}
