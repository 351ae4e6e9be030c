/**
 * The way back to guest code when something needs attention: fatal signals, stops, handlers. The single place that
 * resolves restart codes (signal(7)): a call interrupted without a handler running is run again by the kernel; with a
 * handler it is restarted (SA_RESTART) by moving rip back over the `syscall` instruction, or ends with EINTR.
 *
 * State machine: `result` holds the call's result (or IN_GUEST: no call in progress); with a handler to run and no
 * FPU state at hand the task goes to AWAIT_FULL and continues here at TRAP_FULL.
 */

import { EFLAGS, RAX, RIP } from "../../platform/platform.ts";
import { EINTR } from "../../ffi/abi/errno.ts";
import {
  BLOCK,
  ERESTART_RESTARTBLOCK,
  ERESTARTNOHAND,
  ERESTARTNOINTR,
  ERESTARTSYS,
} from "../core/result.ts";
import { exitTask } from "./exit.ts";
import { SA_RESTART, type SignalAction } from "./signal/handlers.ts";
import { pushSignalFrame } from "./signal/frame.ts";
import { dequeueForDelivery, hasDeliverable } from "./signal/dequeue.ts";
import type { SigInfo } from "./signal/pending.ts";
import { defaultAction } from "./signal/default_action.ts";
import { stopIfAsked } from "./signal/job_control.ts";
import { AWAIT_FULL, BLOCKED, HANDLING, READY, RUNNING, type Task } from "./task.ts";

/** `task.result` when the task was not inside a call: its registers are to be loaded as they are. */
export const IN_GUEST = BLOCK - 2;

/** What runs a call again; set by syscalls/dispatch through `setRestart` to keep imports downward. */
let restartCall: (task: Task) => void = () => {};
export function setRestart(f: (task: Task) => void): void {
  restartCall = f;
}

export function isRestartCode(r: number): boolean {
  return r === -ERESTARTSYS || r === -ERESTARTNOINTR || r === -ERESTARTNOHAND ||
    r === -ERESTART_RESTARTBLOCK;
}

/** A blocked task with a deliverable signal (or a kill) does not stay blocked. */
export function interruptIfNeeded(task: Task): void {
  if (task.state !== BLOCKED || !task.attention) return;
  if (task.group.isExiting || hasDeliverable(task)) interruptWait(task);
}

/** End the wait of a blocked task: its call runs once more with `interrupted` set. */
export function interruptWait(task: Task): void {
  if (task.state !== BLOCKED) return;
  if (task.uninterruptible && !task.group.isExiting) return;
  task.interrupted = true;
  task.state = READY;
  task.kernel.enqueue(task);
}

/** TRAP_FULL: go on where `returnToUser` asked for it. */
export function continueToUser(task: Task): void {
  if (task.state !== AWAIT_FULL) return;
  task.state = HANDLING;
  returnToUser(task, task.result);
}

/**
 * Leave the kernel with a call's result, or IN_GUEST after a fault or interrupt. The registers of a task that is
 * IN_GUEST are in `ctx.regs` already when `regsLoaded`.
 */
export function returnToUser(task: Task, result: number): void {
  let wantsLoad = result === IN_GUEST;
  for (;;) {
    task.attention = false;
    if (task.group.isExiting || task.exitRequested) return exitTask(task);
    if (stopIfAsked(task, result)) return;
    if (!hasDeliverable(task)) break;
    if (!task.ctx.isFull) {
      task.result = result;
      task.attention = true;
      task.state = AWAIT_FULL;
      task.ctx.requestFull();
      return;
    }
    const info = dequeueForDelivery(task);
    if (info === null) continue;
    const action = task.sighand.of(info.signo);
    if (action.handler <= 1) {
      // Ignored signals never come here; the default action may end or stop the process.
      defaultAction(task, info);
      task.attention = true;
      continue;
    }
    if (!wantsLoad) {
      loadCallResult(task, result, action);
      wantsLoad = true;
    } else if (!task.regsFetched) {
      fetchAll(task);
    }
    result = IN_GUEST;
    if (!deliver(task, info, action)) task.attention = true;
  }
  if (task.signals.hasSaved) {
    task.signals.blocked.copy(task.signals.saved);
    task.signals.hasSaved = false;
    if (hasDeliverable(task)) return returnToUser(task, result);
  }
  if (!wantsLoad && isRestartCode(result)) return restartCall(task);
  task.nr = -1;
  task.state = RUNNING;
  if (!wantsLoad) {
    task.ctx.resumeRet(result);
    return;
  }
  const withFpu = task.regsFetched;
  if (!task.regsFetched) task.ctx.fetchRegs();
  task.regsFetched = false;
  task.ctx.resumeAll(withFpu);
}

function fetchAll(task: Task): void {
  task.ctx.fetchRegs();
  task.ctx.fetchFpu();
  task.regsFetched = true;
}

/** The registers as the handler's frame must save them: after the call, or before it when it restarts. */
function loadCallResult(task: Task, result: number, action: SignalAction): void {
  fetchAll(task);
  const regs = task.ctx.regs;
  let value = result;
  if (isRestartCode(result)) {
    const restarts = result === -ERESTARTNOINTR ||
      (result === -ERESTARTSYS && (action.flags & SA_RESTART) !== 0);
    if (restarts) {
      const rip = task.ctx.rip - 2;
      regs.setUint32(RIP, rip % 0x100000000, true);
      regs.setUint32(RIP + 4, Math.floor(rip / 0x100000000), true);
      value = task.nr;
    } else {
      value = -EINTR;
    }
  }
  regs.setUint32(RAX, value % 0x100000000, true);
  regs.setInt32(RAX + 4, Math.floor(value / 0x100000000), true);
}

/** Run a handler: false when the frame could not be written (SIGSEGV was forced then). */
function deliver(task: Task, info: SigInfo, action: SignalAction): boolean {
  const ok = pushSignalFrame(task, info, action);
  // Single-step and direction flags do not reach the handler.
  if (ok) task.ctx.regs.setUint32(EFLAGS, task.ctx.regs.getUint32(EFLAGS, true) & ~0x500, true);
  return ok;
}
