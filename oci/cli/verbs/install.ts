/** `dvisor install`: puts this runtime into the configuration of Docker or containerd. */

import { isAbsolute, resolve } from "@std/path";
import { readFlags } from "../../options/flags.ts";
import { checkRuntimeName, type ClientName, clientOf, CLIENTS } from "../../install/clients.ts";
import { readConfigFile, unifiedDiff, writeConfigFile } from "../../install/config_file.ts";
import { usageError, UserError } from "../../user_error.ts";
import type { Command } from "../command.ts";

const HELP = `Usage: dvisor install [OPTION...] [docker|containerd] [-- ARG...]

Makes this program a runtime of Docker (the default) or of containerd's CRI plugin. Everything else
in the configuration stays as it is, comments included. A second run changes nothing.

Options:
  --name NAME    name of the runtime; the default is dvisor
  --config FILE  the configuration; the default is /etc/docker/daemon.json, and
                 /etc/containerd/config.toml
  --path FILE    the program; the default is this one
  --dry-run      only show what would change

ARGs are options that Docker puts in front of every verb, as --network=host.`;

export const command: Command = {
  help: HELP,
  run(args) {
    const split = args.indexOf("--");
    const own = split < 0 ? args : args.slice(0, split);
    const flags = readFlags(own, {
      strings: ["name", "config", "path"],
      booleans: ["dry-run"],
      go: {},
    });
    const client = clientOf(clientName(flags.rest, "install"));
    const name = checkRuntimeName(flags.string("name") ?? "dvisor");
    const runtimeArgs = split < 0 ? [] : args.slice(split + 1);
    const entry = { name, path: programPath(flags.string("path")), args: runtimeArgs };
    return change({
      path: flags.string("config") ?? client.configPath,
      isDryRun: flags.has("dry-run"),
      edit: (text) => client.install(text, entry),
      done: `${name} is a runtime from the next "${client.reload}" on`,
    });
  },
};

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
