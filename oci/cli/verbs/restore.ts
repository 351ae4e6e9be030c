/** `dvisor restore`: makes a container that goes on from a checkpoint. */

import { warmUpMoves } from "../../launch/cgroup/warm_up.ts";
import { readBundle } from "../../container/bundle.ts";
import { createContainer } from "../../container/create.ts";
import { deleteContainer } from "../../container/delete.ts";
import { onlyId } from "../../container/found_container.ts";
import { openImage, openImageFile } from "../../container/image_directory.ts";
import { pidChoice } from "../../container/pid_file.ts";
import { Foreground } from "../../container/proxy_wait.ts";
import { chooseStreams } from "../../container/standard_streams.ts";
import type { Flags } from "../../options/flags.ts";
import type { Globals } from "../../options/globals.ts";
import type { Options } from "../../options/option.ts";
import { CHANGED_FILES_OPTION } from "../../options/global_options.ts";
import { CONTAINER_NETWORK, SANDBOX_SECTION } from "../../options/sandbox_options.ts";
import { EXIT_FAILURE } from "../../user_error.ts";
import {
  CHECKPOINT_OPTIONS,
  imagePath,
  notSupported,
  refuseUnsupported,
  tcpOf,
  withWorkLog,
} from "../checkpoint_options.ts";
import { defineCommand } from "../command.ts";
import { preservedFds } from "../preserved_fds.ts";
import { networkOf, sandboxSettings, withQuiet } from "../sandbox_flags.ts";
import { CREATE_NOTES, CREATE_OPTIONS } from "./create.ts";

const OPTIONS = {
  ...CHECKPOINT_OPTIONS,
  "changed-files": CHANGED_FILES_OPTION,
  detach: { short: "d", help: "do not wait" },
  ...CREATE_OPTIONS,
  "no-subreaper": { help: "no effect: orphans of a sandbox stay inside" },
  "lsm-profile": { value: "TYPE:NAME", help: "an error: guests are under no such module" },
  "lsm-mount-context": { value: "CONTEXT", help: "an error, as --lsm-profile" },
} as const satisfies Options;

export const command = defineCommand({
  name: "restore",
  summary: "make a container that goes on from a checkpoint",
  usage: ["[OPTION...] ID"],
  operands: ["new container"],
  description: "Makes a container of the bundle from which the saved one was made, and lets the " +
    "saved processes go on in it. The standard streams are the container's. Limits, mounts and " +
    "namespaces are those of config.json. Without --detach it waits for the end of the " +
    "container's first process, and removes the container.",
  options: OPTIONS,
  sections: SANDBOX_SECTION,
  notes: CREATE_NOTES,
  isGoStyle: true,
  failureCode: EXIT_FAILURE,
  run: (flags, globals) => {
    return restore(flags, withQuiet(globals, flags), onlyId(flags.rest, "restore"));
  },
});

function restore(flags: Flags<typeof OPTIONS>, globals: Globals, id: string): number {
  const { options } = flags;
  refuseUnsupported(flags);
  for (const name of ["lsm-profile", "lsm-mount-context"] as const) {
    if (options[name]) throw notSupported(`--${name}`);
  }
  let wait = () => 0;
  withWorkLog(options["work-path"] || null, "restore.log", () => {
    const begin = performance.now();
    wait = start(flags, globals, id);
    return `restored in ${Math.round(performance.now() - begin)} ms`;
  });
  return wait();
}

/** @returns what waits for the end in the foreground, and returns the exit code */
function start(flags: Flags<typeof OPTIONS>, globals: Globals, id: string): () => number {
  const { options } = flags, file = options["image-file"];
  const image = file === null ? openImage(imagePath(flags)) : openImageFile(file);
  warmUpMoves();
  const bundle = readBundle(options.bundle, globals, id);
  const network = networkOf(flags, bundle.globals, CONTAINER_NETWORK);
  const settings = sandboxSettings(flags, bundle.globals, network);
  const isDetached = options.detach, consoleSocket = options["console-socket"] || null;
  const { process, consoleSize } = bundle.config;
  const wantsTerminal = settings.tty === "auto" ? process.terminal : settings.tty === "on";
  const streams = chooseStreams({
    wantsTerminal,
    consoleSocket,
    consoleSize,
    isForeground: !isDetached,
    preserved: preservedFds(flags),
  });
  const { proxy } = createContainer({
    id,
    bundle,
    store: globals.store,
    globals,
    settings,
    streams,
    pidChoice: pidChoice(flags),
    restore: {
      image,
      spec: { changedFiles: changedFilesOf(flags, globals), sockets: tcpOf(flags, globals) },
    },
  });
  if (isDetached) return () => 0;
  const foreground = new Foreground(wantsTerminal && consoleSocket === null);
  return () => {
    const code = foreground.wait(proxy);
    deleteContainer(globals, id, true);
    return code;
  };
}

function changedFilesOf(
  { given, options }: Flags<typeof OPTIONS>,
  globals: Globals,
): "refuse" | "accept" {
  return given.has("changed-files") ? options["changed-files"] : globals.options["changed-files"];
}
