/**
 * The command line: finds the verb, loads it, and turns what it throws into one line and an exit code.
 *
 * A verb is a file in commands/; it is loaded only when it is asked for, so that `dvisor --version` does not wait for
 * the kernel. Neighbours: flags.ts reads a verb's options.
 */

import type { Command } from "./commands/command.ts";
import { EXIT_FAILURE, EXIT_USAGE, explain, usageError, UserError } from "./user_error.ts";
import { OCI_VERSION, VERSION } from "./version.ts";

interface Verb {
  readonly summary: string;
  readonly load: () => Promise<{ readonly command: Command }>;
}

/** Every verb, in the order in which help shows them. */
export const VERBS: Readonly<Record<string, Verb>> = {
  do: {
    summary: "run a command in a sandbox over this machine's files",
    load: () => import("./commands/do.ts"),
  },
  run: {
    summary: "run an OCI bundle in a sandbox",
    load: () => import("./commands/run.ts"),
  },
  spec: {
    summary: "write a config.json to begin a bundle with",
    load: () => import("./commands/spec.ts"),
  },
  syscalls: {
    summary: "show which system calls the sandbox has",
    load: () => import("./commands/syscalls.ts"),
  },
  doctor: {
    summary: "show what this host offers to a sandbox",
    load: () => import("./commands/doctor.ts"),
  },
  help: {
    summary: "show how a verb is used",
    load: () => import("./commands/help.ts"),
  },
};

/** Not for people: what dvisor starts itself as. */
const INTERNAL_VERBS: Readonly<Record<string, Verb>> = {
  boot: {
    summary: "the kernel of one sandbox",
    load: () => import("./commands/boot.ts"),
  },
};

/** The verb named `name`, or null. */
export function findVerb(name: string): Verb | null {
  for (const table of [VERBS, INTERNAL_VERBS]) {
    if (Object.hasOwn(table, name)) return table[name] ?? null;
  }
  return null;
}

/** Runs a command line. @returns the exit code */
export async function main(args: readonly string[]): Promise<number> {
  try {
    return await dispatch(args);
  } catch (error) {
    if (error instanceof UserError) {
      console.error(`dvisor: ${explain(error)}`);
      return error.exitCode;
    }
    console.error("dvisor: this is a bug in dvisor:", error);
    return EXIT_FAILURE;
  }
}

async function dispatch(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  if (name === "--version") {
    console.log(`dvisor version ${VERSION}\nspec: ${OCI_VERSION}`);
    return 0;
  }
  if (name === "--help" || name === "-h") return await run("help", rest);
  if (name === undefined) {
    console.error("dvisor: no verb given; try: dvisor help");
    return EXIT_USAGE;
  }
  return await run(name, rest);
}

async function run(name: string, args: readonly string[]): Promise<number> {
  const verb = name.startsWith("-") ? null : findVerb(name);
  if (verb === null) {
    const what = name.startsWith("-") ? "option" : "verb";
    throw usageError(`there is no ${what} "${name}"; try: dvisor help`);
  }
  const { command } = await verb.load();
  return await command.run(args);
}
