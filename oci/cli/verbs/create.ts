/** `dvisor create`: makes a container whose program waits for `start`. */

import { warmUpMoves } from "../../launch/cgroup/warm_up.ts";
import { readBundle } from "../../container/bundle.ts";
import { createContainer } from "../../container/create.ts";
import { onlyId } from "../../container/found_container.ts";
import { PID_OPTIONS, pidChoice } from "../../container/pid_file.ts";
import { chooseStreams } from "../../container/standard_streams.ts";
import type { Flags } from "../../options/flags.ts";
import type { Globals } from "../../options/globals.ts";
import type { Options } from "../../options/option.ts";
import {
  CONTAINER_NETWORK,
  SANDBOX_OPTIONS,
  SANDBOX_SECTION,
} from "../../options/sandbox_options.ts";
import { EXIT_FAILURE } from "../../user_error.ts";
import { defineCommand } from "../command.ts";
import { PRESERVE_OPTION, preservedFds } from "../preserved_fds.ts";
import { networkOf, sandboxSettings, withQuiet } from "../sandbox_flags.ts";

/** Options of `create` that `run` has too. */
export const CREATE_OPTIONS = {
  bundle: { short: "b", value: "DIR", default: ".", help: "directory of config.json" },
  "console-socket": {
    value: "PATH",
    help: "UNIX socket that gets the master of the container's terminal",
  },
  ...PRESERVE_OPTION,
  ...PID_OPTIONS,
  "no-pivot": { help: "no effect: a sandbox has a root of its own" },
  "no-new-keyring": { help: "no effect: a sandbox has keys of its own" },
  network: CONTAINER_NETWORK,
  ...SANDBOX_OPTIONS,
} as const satisfies Options;

export const CREATE_NOTES =
  "A setting of config.json that this runtime does not support is an error that names its place.";

export const command = defineCommand({
  name: "create",
  summary: "make a container of an OCI bundle",
  usage: ["[OPTION...] ID"],
  operands: ["new container"],
  description: "Makes a container of a bundle (config.json, OCI runtime specification); dvisor " +
    "start runs its program. The standard streams are the container's. ID is its name: letters, " +
    "digits, and . _ + -",
  options: CREATE_OPTIONS,
  sections: SANDBOX_SECTION,
  notes: CREATE_NOTES,
  isGoStyle: true,
  failureCode: EXIT_FAILURE,
  run(flags, globals) {
    create(flags, withQuiet(globals, flags), onlyId(flags.rest, "create"));
    return 0;
  },
});

function create(flags: Flags<typeof CREATE_OPTIONS>, globals: Globals, id: string): void {
  warmUpMoves();
  const bundle = readBundle(flags.options.bundle, globals, id);
  const { process, consoleSize } = bundle.config;
  const network = networkOf(flags, bundle.globals, CONTAINER_NETWORK);
  createContainer({
    id,
    bundle,
    store: globals.store,
    globals,
    settings: sandboxSettings(flags, bundle.globals, network),
    streams: chooseStreams({
      wantsTerminal: process.terminal,
      consoleSocket: flags.options["console-socket"] || null,
      consoleSize,
      isForeground: false,
      preserved: preservedFds(flags),
    }),
    pidChoice: pidChoice(flags),
  });
}
