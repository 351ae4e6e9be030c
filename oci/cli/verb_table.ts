/**
 * Every verb of the command line. A verb is a file in verbs/. `boot`, `syscalls` and `doctor` run
 * in another part (part_table.ts); this table has only their declarations.
 */

import { command as checkpoint } from "./verbs/checkpoint.ts";
import { command as create } from "./verbs/create.ts";
import { command as deleteCommand } from "./verbs/delete.ts";
import { command as events } from "./verbs/events.ts";
import { command as features } from "./verbs/features.ts";
import { command as install } from "./verbs/install.ts";
import { command as debug } from "./verbs/debug.ts";
import { command as exec } from "./verbs/exec.ts";
import { command as kill } from "./verbs/kill.ts";
import { command as list } from "./verbs/list.ts";
import { pause, resume } from "./verbs/pause.ts";
import { command as metrics } from "./verbs/metrics.ts";
import { command as ps } from "./verbs/ps.ts";
import { command as sandbox } from "./verbs/sandbox.ts";
import { command as start } from "./verbs/start.ts";
import { command as state } from "./verbs/state.ts";
import { command as doCommand } from "./verbs/do.ts";
import { helpCommand } from "./verbs/help.ts";
import { manCommand } from "./verbs/man.ts";
import { completionCommand } from "./verbs/completion.ts";
import { command as restore } from "./verbs/restore.ts";
import { command as run } from "./verbs/run.ts";
import { command as spec } from "./verbs/spec.ts";
import { command as uninstall } from "./verbs/uninstall.ts";
import { command as update } from "./verbs/update.ts";
import { command as version } from "./verbs/version.ts";
import { command as wait } from "./verbs/wait.ts";
import { DOCTOR, SYSCALLS } from "./kernel_verbs.ts";
import type { Command, Commands } from "./command.ts";
import { usageError } from "../user_error.ts";

const COMMANDS: readonly Command[] = [
  doCommand,
  sandbox,
  run,
  create,
  start,
  state,
  list,
  exec,
  ps,
  pause,
  resume,
  checkpoint,
  restore,
  wait,
  kill,
  deleteCommand,
  update,
  events,
  metrics,
  debug,
  features,
  install,
  uninstall,
  spec,
  { ...SYSCALLS, run: inKernelPart },
  { ...DOCTOR, run: inKernelPart },
  completionCommand(() => VERBS),
  manCommand(() => VERBS),
  version,
  helpCommand(() => VERBS),
];

/** Every verb, in the order in which help shows them. */
export const VERBS: Commands = Object.fromEntries(
  COMMANDS.map((command) => [command.name, command]),
);

function inKernelPart(): never {
  throw usageError("this verb takes no options in front of it");
}
