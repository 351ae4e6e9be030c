/** `dvisor checkpoint`: saves the state of a running container in a directory. */

import { NewImage } from "../../container/image_directory.ts";
import { LEVEL_MAX } from "../../protocol/control_requests.ts";
import { type CheckpointChoice, checkpointContainer, saveTo } from "../../container/checkpoint.ts";
import { onlyId } from "../../container/found_container.ts";
import type { Flags } from "../../options/flags.ts";
import type { Globals } from "../../options/globals.ts";
import { holdInterrupts } from "../../launch/command_signals.ts";
import type { Options } from "../../options/option.ts";
import type { Answers } from "../../protocol/control_protocol.ts";
import { EXIT_FAILURE, usageError, UserError } from "../../user_error.ts";
import {
  checkParentPath,
  CHECKPOINT_OPTIONS,
  imagePath,
  notSupported,
  refuseUnsupported,
  tcpOf,
  withWorkLog,
} from "../checkpoint_options.ts";
import { defineCommand } from "../command.ts";
import { useSandbox } from "../library_sandbox.ts";

const OPTIONS = {
  ...CHECKPOINT_OPTIONS,
  "leave-running": { help: "the container goes on; otherwise it is removed when it is saved" },
  compression: {
    value: "LEVEL",
    default: "none",
    help: "none, or a level of zstd, 1 to 19; flate-best-speed (of runsc) is 1",
  },
  snapshot: {
    value: "NUMBER",
    help: "of a sandbox of a library: save this snapshot of its memory; the sandbox goes on",
  },
  "pre-dump": {
    help: "the same as --leave-running: every checkpoint is whole, also one before another",
  },
  "parent-path": {
    value: "DIR",
    help:
      "an earlier checkpoint, relative to --image-path: no effect, as every checkpoint is whole",
  },
  "page-server": { value: "ADDRESS:PORT", help: "an error: there is none" },
  "status-fd": { value: "FD", default: "-1", help: "an error: it belongs to --lazy-pages" },
  "exclude-committed-zero-pages": {
    help: "no effect: pages of zeros are left out in any case (of runsc)",
  },
} as const satisfies Options;

export const command = defineCommand({
  name: "checkpoint",
  summary: "save the state of a running container",
  usage: ["[OPTION...] ID"],
  operands: ["container"],
  description: "Saves processes, memory and open files of a running container, or of a sandbox " +
    "of a library, in a directory, from which dvisor restore or a library goes on. The container " +
    "is removed then, as with runc, unless --leave-running is given. If anything fails, the " +
    "container goes on and nothing is left in the directory. Files of the root directory and of " +
    "volumes are not saved: they have to be there, unchanged, at the restore. Options are those " +
    "of runc and runsc, and --tcp.",
  options: OPTIONS,
  isGoStyle: true,
  failureCode: EXIT_FAILURE,
  run(flags, globals) {
    checkpoint(flags, globals, onlyId(flags.rest, "checkpoint"));
    return 0;
  },
});

function checkpoint(flags: Flags<typeof OPTIONS>, globals: Globals, id: string): void {
  const { options } = flags, directory = imagePath(flags), file = options["image-file"];
  refuseUnsupported(flags);
  if (options["page-server"] !== null) throw notSupported("--page-server");
  if (options["status-fd"] !== "-1") throw notSupported("--status-fd");
  const compression = parseCompression(options.compression);
  const snapshot = parseSnapshot(options.snapshot);
  if (options["parent-path"]) checkParentPath(directory, options["parent-path"]);
  withWorkLog(options["work-path"] || null, "dump.log", () => {
    const begin = performance.now();
    const { bytes } = save(globals, id, snapshot, {
      newImage: () => file === null ? NewImage.inDirectory(directory) : NewImage.at(file),
      leaveRunning: snapshot !== null || options["leave-running"] || options["pre-dump"],
      compression,
      sockets: tcpOf(flags, globals),
    });
    return `saved ${bytes} bytes in ${Math.round(performance.now() - begin)} ms`;
  });
}

/** Saves a container, or a sandbox of a library. */
function save(
  globals: Globals,
  id: string,
  snapshot: number | null,
  choice: CheckpointChoice,
): Answers["checkpoint"] {
  let saved: Answers["checkpoint"] | null = null;
  useSandbox(globals, id, (client) => {
    holdInterrupts();
    saved = saveTo(choice, (options, fds) => client.checkpoint(snapshot, options, fds));
  });
  if (saved !== null) return saved;
  if (snapshot !== null) {
    throw new UserError(`--snapshot: there is no sandbox of a library with the id ${id}`);
  }
  return checkpointContainer(globals, id, choice);
}

/** @throws UserError */
function parseSnapshot(text: string | null): number | null {
  if (text === null) return null;
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw usageError(`--snapshot is "${text}", expected a number from 1 on`);
}

/** @returns a level of zstd, 0: none @throws UserError */
export function parseCompression(text: string): number {
  if (text === "none") return 0;
  if (text === "flate-best-speed") return 1;
  const level = /^\d{1,2}$/.test(text) ? Number(text) : NaN;
  if (level >= 1 && level <= LEVEL_MAX) return level;
  throw usageError(
    `--compression is "${text}", expected none, flate-best-speed, or 1 to ${LEVEL_MAX}`,
  );
}
