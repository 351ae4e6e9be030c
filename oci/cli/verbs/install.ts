/** `dvisor install`: puts this runtime into the configuration of Docker or containerd. */

import { isAbsolute, resolve } from "@std/path";
import type { Options } from "../../options/option.ts";
import { checkRuntimeName, type ClientName, clientOf, CLIENTS } from "../../install/clients.ts";
import { readConfigFile, unifiedDiff, writeConfigFile } from "../../install/config_file.ts";
import { usageError, UserError } from "../../user_error.ts";
import { defineCommand } from "../command.ts";

/** Options that `uninstall` has too. */
export const CLIENT_OPTIONS = {
  name: { value: "NAME", default: "dvisor", help: "name of the runtime" },
  config: {
    value: "FILE",
    help: "the configuration; the default is /etc/docker/daemon.json, and " +
      "/etc/containerd/config.toml",
  },
  "dry-run": { help: "only show what would change" },
} as const satisfies Options;

export const command = defineCommand({
  name: "install",
  summary: "make this a runtime of Docker or containerd",
  usage: ["[OPTION...] [docker|containerd] [-- ARG...]"],
  operands: [CLIENTS, "arguments"],
  description: "Makes this program a runtime of Docker (the default) or of containerd's CRI " +
    "plugin. Everything else in the configuration stays as it is, comments included. A second " +
    "run changes nothing.",
  options: {
    ...CLIENT_OPTIONS,
    path: { value: "FILE", help: "the program; the default is this one" },
  },
  notes: "ARGs are options that Docker puts in front of every verb, as --network=host.",
  isGoStyle: true,
  anywhere: true,
  run(flags) {
    const { rest, countBeforeDashes } = flags;
    const client = clientOf(clientName(rest.slice(0, countBeforeDashes), "install"));
    const name = checkRuntimeName(flags.options.name);
    const runtimeArgs = rest.slice(countBeforeDashes);
    const entry = { name, path: programPath(flags.options.path), args: runtimeArgs };
    return change({
      path: flags.options.config ?? client.configPath,
      isDryRun: flags.options["dry-run"],
      edit: (text) => client.install(text, entry),
      done: `${name} is a runtime from the next "${client.reload}" on`,
    });
  },
});

interface Change {
  readonly path: string;
  readonly isDryRun: boolean;
  readonly edit: (text: string) => string;
  /** The message after the file was changed. */
  readonly done: string;
}

/**
 * Prints a change, or makes it.
 * @returns the exit code
 */
export function change({ path, isDryRun, edit, done }: Change): number {
  const file = readConfigFile(path);
  const text = edit(file.text);
  if (text === file.text) console.log(`${file.path} needs no change`);
  else if (isDryRun) {
    Deno.stdout.writeSync(new TextEncoder().encode(unifiedDiff(path, file.text, text)));
  } else {
    writeConfigFile(file, text);
    console.log(`${file.path} changed: ${done}`);
  }
  return 0;
}

/** @throws UserError */
export function clientName(rest: readonly string[], verb: string): ClientName {
  const [name = "docker", extra] = rest;
  if (extra !== undefined) throw usageError(`unexpected argument "${extra}"`);
  const found = CLIENTS.find((client) => client === name);
  if (found === undefined) {
    throw usageError(`${verb} knows ${CLIENTS.join(" and ")}, not "${name}"`);
  }
  return found;
}

/**
 * The absolute path of this program, because clients have another working directory.
 * @throws UserError
 */
function programPath(asked: string | null): string {
  const path = asked === null ? Deno.execPath() : resolve(asked);
  if (asked === null && /\/deno$/.test(path)) {
    throw new UserError(
      "dvisor runs from its sources, so there is no program to install: give one with --path",
    );
  }
  try {
    const { mode, isFile } = Deno.statSync(path);
    if (isFile && ((mode ?? 0) & 0o111) !== 0 && isAbsolute(path)) return path;
  } catch (error) {
    throw new UserError(`there is no program ${path}`, undefined, error);
  }
  throw new UserError(`${path} is no program`);
}
