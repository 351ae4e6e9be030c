/** `dvisor run`: makes a container and runs it, in the foreground or detached. */

import { warmUpMoves } from "../../launch/cgroup/warm_up.ts";
import { readBundle } from "../../container/bundle.ts";
import { createContainer, type Created } from "../../container/create.ts";
import { deleteContainer } from "../../container/delete.ts";
import { onlyId } from "../../container/found_container.ts";
import { Foreground } from "../../container/proxy_wait.ts";
import { pidChoice } from "../../container/pid_file.ts";
import { startContainer } from "../../container/start.ts";
import { chooseStreams } from "../../container/standard_streams.ts";
import { type Flags, readFlags } from "../../options/flags.ts";
import type { Globals } from "../../options/globals.ts";
import { EXIT_FAILURE, UserError } from "../../user_error.ts";
import type { Command } from "../command.ts";
import { CREATE_FLAGS, CREATE_HELP } from "./create.ts";
import { preservedFds } from "../preserved_fds.ts";
import {
  CONTAINER_NETWORKS,
  CONTAINER_SANDBOX_HELP,
  SANDBOX_FLAGS,
  sandboxSettings,
} from "../sandbox_flags.ts";

const HELP = `Usage: dvisor run [OPTION...] ID

Makes a container of a bundle (config.json, OCI runtime specification), runs its program, waits for
its end and removes the container. ID is its name: letters, digits, and . _ + -

Options:
${CREATE_HELP}
  -d, --detach           do not wait
  --keep                 keep the stopped container for dvisor delete
  --no-subreaper         no effect: orphans of a sandbox stay inside
${CONTAINER_SANDBOX_HELP}

A setting of config.json that this runtime does not support is an error that names its place.`;

export const command: Command = {
  help: HELP,
  failureCode: EXIT_FAILURE,
  run(args, globals) {
    const flags = readFlags(args, {
      strings: [...CREATE_FLAGS.strings, ...SANDBOX_FLAGS.strings],
      booleans: [
        ...CREATE_FLAGS.booleans,
        ...SANDBOX_FLAGS.booleans,
        "detach",
        "keep",
        "no-subreaper",
      ],
      go: { ...CREATE_FLAGS.go, d: "detach" },
    });
    return runContainer(flags, globals, onlyId(flags.rest, "run"));
  },
};

function runContainer(flags: Flags, globals: Globals, id: string): number {
  warmUpMoves();
  const bundle = readBundle(flags.string("bundle") ?? ".", globals, id);
  const settings = sandboxSettings(flags, bundle.globals, CONTAINER_NETWORKS), { store } = globals;
  const isDetached = flags.has("detach");
  const consoleSocket = flags.string("console-socket") || null;
  const { process, consoleSize } = bundle.config;
  // The caller's option decides about the terminal; without one the bundle does.
  const wantsTerminal = settings.tty === "auto" ? process.terminal : settings.tty === "on";
  const streams = chooseStreams({
    wantsTerminal,
    consoleSocket,
    consoleSize,
    isForeground: !isDetached,
    preserved: preservedFds(flags),
  });
  const options = { id, bundle, store, globals, settings, streams };
  const created = createContainer({ ...options, pidChoice: pidChoice(flags) });
  if (isDetached) {
    startOrDelete(created, globals);
    return 0;
  }
  const foreground = new Foreground(wantsTerminal && consoleSocket === null);
  try {
    startOrDelete(created, globals);
  } catch (error) {
    foreground.restore();
    throw error;
  }
  const code = foreground.wait(created.proxy);
  if (!flags.has("keep")) deleteContainer(globals, id, true);
  return code;
}

function startOrDelete({ record: { id } }: Created, globals: Globals): void {
  try {
    startContainer(globals, id);
  } catch (error) {
    if (error instanceof UserError) deleteContainer(globals, id, true);
    throw error;
  }
}
