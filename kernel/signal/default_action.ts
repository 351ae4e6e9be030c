/** The default actions of signals: signal(7), "Signal dispositions". */

import { SIG_IGN, SIGKILL, SIGSTOP } from "../../ffi/abi/signal.ts";
import { killGroup } from "../task/exit_request.ts";
import { tellCoreDump } from "../task/process_events.ts";
import type { Task } from "../task/task.ts";
import { isOrphaned, stopGroup } from "./job_control.ts";
import type { SigInfo } from "./pending.ts";
import { ACTION_CORE, ACTION_IGNORE, ACTION_STOP, defaultActionOf } from "./sigset.ts";

/**
 * Performs the default action of `info` for the current task's process.
 *
 * DIFFERS: no core file is written, so the status never has the core bit.
 */
export function defaultAction(task: Task, info: SigInfo): void {
  const sig = info.signo, group = task.group;
  if (task.sighand.of(sig).handler === SIG_IGN) return;
  const action = defaultActionOf(sig);
  if (action === ACTION_IGNORE) return;
  if (group.isUnkillable && sig !== SIGKILL && sig !== SIGSTOP) return;
  if (action === ACTION_CORE) tellCoreDump(task);
  if (action !== ACTION_STOP) return killGroup(group, sig);
  if (sig !== SIGSTOP && isOrphaned(group.pgrp, null)) return;
  stopGroup(task, sig);
}
