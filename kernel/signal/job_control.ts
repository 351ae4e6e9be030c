/**
 * Job control: stops a process and notifies its parent when every thread is stopped (signal(7),
 * wait(2)). Sending SIGCONT continues it: send.ts.
 */

import { CLD_STOPPED } from "../../ffi/abi/siginfo.ts";
import { alert, resume } from "../task/alert.ts";
import { STOPPED, type Task } from "../task/task.ts";
import type { ProcessGroup, ThreadGroup } from "../task/thread_group.ts";
import { tellParent } from "./send.ts";

/** Performs the default action of a stop signal for the current task. */
export function stopGroup(task: Task, sig: number): void {
  const group = task.group;
  if (group.stopSignal !== 0) return;
  group.stopSignal = sig;
  group.stopSerial++;
  group.isStopped = false;
  for (const t of group.tasks) {
    if (t === task) continue;
    if (t.trace !== null && t.trace.isListening) {
      // PTRACE_LISTEN: it reports this stop too.
      t.trace.isListening = false;
      resume(t);
    } else alert(t);
  }
}

/** True if the task must stop now. It is then STOPPED, and keeps `result` for later. */
export function stopIfAsked(task: Task, result: number): boolean {
  const group = task.group;
  // A traced task reported the stop to its tracer and continued if the tracer wanted that
  // (ptrace/stops.ts).
  if (group.stopSignal === 0 || task.trace !== null) return false;
  task.result = result;
  task.state = STOPPED;
  noteStopped(group);
  return true;
}

/** A task stopped or ended: completes the stop of its process if it was the last one. */
export function noteStopped(group: ThreadGroup): void {
  if (group.stopSignal === 0 || group.isStopped || group.tasks.length === 0) return;
  for (const t of group.tasks) {
    const isTold = t.trace !== null && t.stopSeen === group.stopSerial;
    if (t.state !== STOPPED && !isTold) return;
  }
  group.isStopped = true;
  group.stopReported = false;
  group.continuedReported = true;
  // A parent that traces the process was already notified.
  const tracer = group.leader?.trace?.group;
  if (tracer === undefined || tracer !== group.parent) {
    tellParent(group, CLD_STOPPED, group.stopSignal);
  }
}

/**
 * True if no member of the process group has a parent outside of the group but inside of its
 * session (credentials(7)). `without` is a process that is about to leave and does not count.
 */
export function isOrphaned(pgrp: ProcessGroup, without: ThreadGroup | null): boolean {
  for (const g of pgrp.members) {
    if (g === without || g.isZombie || g.parent === null) continue;
    if (g.parent.pgrp !== pgrp && g.parent.session === pgrp.session) return false;
  }
  return true;
}

/** True if the process group has a stopped member. */
export function hasStoppedMember(pgrp: ProcessGroup): boolean {
  for (const g of pgrp.members) if (g.isStopped) return true;
  return false;
}
