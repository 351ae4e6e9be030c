/**
 * Options that `checkpoint` and `restore` share. Clients of runc give its options, which are those
 * of CRIU. Each is kept, holds in any case, or is an error: none is dropped.
 */

import { isAbsolute, join } from "@std/path";
import type { Flags } from "../options/flags.ts";
import { TCP_OPTION } from "../options/global_options.ts";
import type { Globals } from "../options/globals.ts";
import type { Options } from "../options/option.ts";
import { explain, usageError, UserError } from "../user_error.ts";

export const CHECKPOINT_OPTIONS = {
  "image-path": { value: "DIR", help: "directory of the checkpoint; the default is ./checkpoint" },
  "image-file": { value: "FILE", help: "file of the checkpoint, in place of a directory" },
  "work-path": { value: "DIR", help: "directory for a log of this command; absent: none" },
  tcp: TCP_OPTION,
  "tcp-established": {
    help: "connections are to be kept, which dvisor cannot: an error that names one, if there is " +
      "any, as without this option",
  },
  "ext-unix-sk": { help: "the same for UNIX sockets of the host" },
  "shell-job": { help: "no effect: the terminal is that of the new start in any case" },
  "file-locks": { help: "no effect: locks of files are kept in any case" },
  "manage-cgroups-mode": {
    choices: ["soft", "full", "strict", "ignore"],
    default: "soft",
    help: "no effect: control groups are those of config.json; full and strict are errors",
  },
  "empty-ns": {
    value: "NAMESPACE",
    repeats: true,
    help: "network: no effect, as the network is that of the new start in any case",
  },
  "auto-dedup": { help: "an error: a checkpoint shares nothing with an earlier one" },
  "lazy-pages": { help: "an error: memory is never left behind on the old host" },
  direct: { help: "an error: files are not read and written past the cache (of runsc)" },
} as const satisfies Options;

/** The directory of the checkpoint. */
export function imagePath(flags: Flags<typeof CHECKPOINT_OPTIONS>): string {
  return flags.options["image-path"] || "checkpoint";
}

/** `--tcp` behind the verb, or else in front of it, where clients can give it. */
export function tcpOf(
  { given, options }: Flags<typeof CHECKPOINT_OPTIONS>,
  globals: Globals,
): "refuse" | "reset" {
  return given.has("tcp") ? options.tcp : globals.options.tcp;
}

/** Refuses what is not done. @throws UserError with the option */
export function refuseUnsupported(flags: Flags<typeof CHECKPOINT_OPTIONS>): void {
  const { options } = flags;
  if (options["image-file"] !== null && options["image-path"] !== null) {
    throw usageError("--image-file and --image-path contradict each other");
  }
  for (const name of ["auto-dedup", "lazy-pages", "direct"] as const) {
    if (options[name]) throw notSupported(`--${name}`);
  }
  const mode = options["manage-cgroups-mode"];
  if (mode === "full" || mode === "strict") throw notSupported(`--manage-cgroups-mode ${mode}`);
  const other = options["empty-ns"].find((name) => name !== "network");
  if (other !== undefined) throw usageError(`--empty-ns: namespace "${other}" is not supported`);
  if (options["tcp-established"] && options.tcp === "reset") {
    throw usageError("--tcp-established and --tcp reset contradict each other");
  }
}

/** @param option as it is written */
export function notSupported(option: string): UserError {
  return usageError(`${option} is not supported`);
}

/**
 * The directory that `--parent-path` names, relative to that of the checkpoint as with runc.
 * @throws UserError if it cannot be one
 */
export function checkParentPath(directory: string, path: string): void {
  if (isAbsolute(path)) throw usageError("--parent-path must be relative");
  const parent = join(directory, path);
  try {
    if (Deno.statSync(parent).isDirectory) return;
  } catch (cause) {
    throw new UserError(`--parent-path: ${parent} cannot be used`, undefined, cause);
  }
  throw usageError(`--parent-path: ${parent} is no directory`);
}

/**
 * Runs the work of a verb, and writes its result or its error to a file that clients show when the
 * command fails.
 *
 * @param directory of `--work-path`, or null
 * @param name of the file, as CRIU has it
 * @param work returns the result in words
 * @throws what `work` throws, and UserError if the directory cannot be used
 */
export function withWorkLog(directory: string | null, name: string, work: () => string): void {
  if (directory === null) {
    work();
    return;
  }
  const write = (text: string) => {
    try {
      Deno.mkdirSync(directory, { recursive: true, mode: 0o700 });
      replaceText(`${directory}/${name}`, `${text}\n`);
    } catch (cause) {
      throw new UserError(`--work-path: cannot write ${directory}/${name}`, undefined, cause);
    }
  };
  write("begun");
  try {
    write(work());
  } catch (error) {
    write(`Error: ${explain(error)}`);
    throw error;
  }
}

/** Writes a file that only its owner may read, in place of one with its name or a link. */
function replaceText(path: string, text: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  Deno.writeTextFileSync(path, text, { mode: 0o600, createNew: true });
}
