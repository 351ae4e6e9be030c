/** `dvisor create`: makes a container whose program waits for `start`. */

import { warmUpMoves } from "../../launch/cgroup/warm_up.ts";
import { readBundle } from "../../container/bundle.ts";
import { createContainer } from "../../container/create.ts";
import { onlyId } from "../../container/found_container.ts";
import { PID_FLAGS, PID_HELP, pidChoice } from "../../container/pid_file.ts";
import { chooseStreams } from "../../container/standard_streams.ts";
import { type Flags, readFlags } from "../../options/flags.ts";
import type { Globals } from "../../options/globals.ts";
import { EXIT_FAILURE } from "../../user_error.ts";
import type { Command } from "../command.ts";
import { preservedFds } from "../preserved_fds.ts";
import {
  CONTAINER_NETWORKS,
  CONTAINER_SANDBOX_HELP,
  SANDBOX_FLAGS,
  sandboxSettings,
} from "../sandbox_flags.ts";

/** Options of `create` that `run` has too. */
export const CREATE_FLAGS = {
  strings: ["bundle", "console-socket", "preserve-fds", ...PID_FLAGS],
  booleans: ["no-pivot", "no-new-keyring"],
  go: { b: "bundle" },
} as const;

export const CREATE_HELP =
  `  -b, --bundle DIR       directory of config.json; the default is the current directory
  --console-socket PATH  UNIX socket that gets the master of the container's terminal
  --preserve-fds N       pass the caller's descriptors 3 to 3 + N - 1 to the container
${PID_HELP}
  --no-pivot, --no-new-keyring
                         no effect: a sandbox has a root and keys of its own`;

const HELP = `Usage: dvisor create [OPTION...] ID

Makes a container of a bundle (config.json, OCI runtime specification); dvisor start runs its
program. The standard streams are the container's. ID is its name: letters, digits, and . _ + -

Options:
${CREATE_HELP}
${CONTAINER_SANDBOX_HELP}

A setting of config.json that this runtime does not support is an error that names its place.`;

export const command: Command = {
  help: HELP,
  failureCode: EXIT_FAILURE,
  run(args, globals) {
    const flags = readFlags(args, {
      strings: [...CREATE_FLAGS.strings, ...SANDBOX_FLAGS.strings],
      booleans: [...CREATE_FLAGS.booleans, ...SANDBOX_FLAGS.booleans],
      go: CREATE_FLAGS.go,
    });
    create(flags, globals, onlyId(flags.rest, "create"));
    return 0;
  },
};

function create(flags: Flags, globals: Globals, id: string): void {
  warmUpMoves();
  const bundle = readBundle(flags.string("bundle") ?? ".", globals, id);
  const { process, consoleSize } = bundle.config;
  createContainer({
    id,
    bundle,
    store: globals.store,
    globals,
    settings: sandboxSettings(flags, bundle.globals, CONTAINER_NETWORKS),
    streams: chooseStreams({
      wantsTerminal: process.terminal,
      consoleSocket: flags.string("console-socket") || null,
      consoleSize,
      isForeground: false,
      preserved: preservedFds(flags),
    }),
    pidChoice: pidChoice(flags),
  });
}
