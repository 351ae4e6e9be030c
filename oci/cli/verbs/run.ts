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
import type { Flags } from "../../options/flags.ts";
import type { Globals } from "../../options/globals.ts";
import type { Options } from "../../options/option.ts";
import { CONTAINER_NETWORK, SANDBOX_SECTION } from "../../options/sandbox_options.ts";
import { EXIT_FAILURE, UserError } from "../../user_error.ts";
import { defineCommand } from "../command.ts";
import { CREATE_NOTES, CREATE_OPTIONS } from "./create.ts";
import { preservedFds } from "../preserved_fds.ts";
import { networkOf, sandboxSettings, withQuiet } from "../sandbox_flags.ts";

const OPTIONS = {
  ...CREATE_OPTIONS,
  detach: { short: "d", help: "do not wait" },
  keep: { help: "keep the stopped container for dvisor delete" },
  "no-subreaper": { help: "no effect: orphans of a sandbox stay inside" },
} as const satisfies Options;

export const command = defineCommand({
  name: "run",
  summary: "run an OCI bundle in a sandbox",
  usage: ["[OPTION...] ID"],
  operands: ["new container"],
  description: "Makes a container of a bundle (config.json, OCI runtime specification), runs its " +
    "program, waits for its end and removes the container. ID is its name: letters, digits, and " +
    ". _ + -",
  options: OPTIONS,
  sections: SANDBOX_SECTION,
  notes: CREATE_NOTES,
  isGoStyle: true,
  failureCode: EXIT_FAILURE,
  run: (flags, globals) => {
    return runContainer(flags, withQuiet(globals, flags), onlyId(flags.rest, "run"));
  },
});

function runContainer(flags: Flags<typeof OPTIONS>, globals: Globals, id: string): number {
  warmUpMoves();
  const bundle = readBundle(flags.options.bundle, globals, id);
  const network = networkOf(flags, bundle.globals, CONTAINER_NETWORK);
  const settings = sandboxSettings(flags, bundle.globals, network), { store } = globals;
  const isDetached = flags.options.detach;
  const consoleSocket = flags.options["console-socket"] || null;
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
  if (!flags.options.keep) deleteContainer(globals, id, true);
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
