/**
 * From a trapped context to a handler and back: the only place where system calls start, run again
 * after a wait, and end.
 *
 * Neighbours: table.ts and x86_64.ts (the rows), task/return_to_user.ts (every way back other than
 * a plain result).
 */

import { EFAULT } from "../../ffi/abi/errno.ts";
import { SYS_restart_syscall } from "../../ffi/abi/syscall_numbers.ts";
import { BLOCK, GO_ON, IN_GUEST, IN_STOP, NO_REPLY } from "../core/result.ts";
import { patchSite } from "../mm/patch.ts";
import { interruptIfNeeded, mustEnd } from "../task/alert.ts";
import { awaitInCall, awaitNextReader, awaitReaders } from "../task/await_fault.ts";
import { serve } from "../task/current.ts";
import { endRun, startRun } from "../task/cpu_clock.ts";
import { tryAgain } from "../task/exception.ts";
import { continueToUser, returnToUser } from "../task/return_to_user.ts";
import {
  isUnfiltered,
  seccompTracer,
  stopAtEntry,
  stopBeforeLeaving,
  takeCall,
} from "../ptrace/traced_calls.ts";
import { standStill } from "../ptrace/stops.ts";
import { awaitVerdict } from "../seccomp/await_verdict.ts";
import { countTransfer } from "../task/transfer_counts.ts";
import { isDispatched } from "../task/user_dispatch.ts";
import { secureCall } from "../seccomp/secure_call.ts";
import {
  AWAIT_CALL,
  AWAIT_TRACED,
  BLOCKED,
  ENTRY_DISPATCH,
  ENTRY_DONE,
  ENTRY_NOTIFY,
  ENTRY_SECCOMP,
  HANDLING,
  READY,
  RESTART_BLOCK,
  RESUMING,
  RUNNING,
  type Task,
  THEN_BEGIN,
  THEN_CALL,
  THEN_DELIVER,
  THEN_FINISH,
  THEN_LEAVE,
  WORKING,
} from "../task/task.ts";
import type { Row } from "./table.ts";
import { ROWS, unknownCall } from "./x86_64.ts";

/** A new call: TRAP_SYSCALL was reported. HOT */
export function dispatch(task: Task): void {
  const { ctx, kernel: { calls } } = task, { observer } = calls;
  endRun(task);
  task.nr = ctx.nr;
  calls.note(task.tid, ctx.nr);
  task.callCount++;
  task.state = HANDLING;
  task.interrupted = false;
  task.regsFetched = ctx.isNew; // a snapshot's thread, whose stop was held back
  serve(task);
  task.progress.reset();
  if (ctx.viaSignal && observer === null) patchSite(task.mm, ctx.rip, ctx.nr, ctx);
  const row = ROWS[ctx.nr] ?? unknownCall(task);
  if (observer !== null) observer.onEnter(task, row);
  if (task.entryWork !== 0) checkEntry(task, row, ctx.nr);
  else startHandler(task, row);
}

/** Runs the handler of a call for the first time. HOT */
function startHandler(task: Task, row: Row): void {
  const ctx = task.ctx;
  task.restart = row.restart;
  if (row.needsFull && !ctx.isFull) {
    task.state = AWAIT_CALL;
    ctx.requestFull();
    return;
  }
  finishRun(task, row, row.handler(task, task.args));
}

/**
 * Continues a task of the run queue: its call runs again from its saved arguments, or it leaves a
 * stop. HOT
 */
export function runQueued(task: Task): void {
  serve(task);
  if (task.state === READY) {
    task.state = HANDLING;
    task.pauseWait();
    task.uninterruptible = false;
    if (task.nr < 0) tryAgain(task);
    else runHandler(task);
  } else if (task.state === RESUMING) {
    task.state = HANDLING;
    if (task.afterStop > THEN_DELIVER && !mustEnd(task)) continueCall(task);
    else leaveToGuest(task, task.result);
  } else if (task.state === WORKING) {
    task.work();
    task.kernel.memory.awaited.handler = null;
    task.kernel.memory.monitorEvents.length = 0;
  }
}

/**
 * TRAP_FULL: runs the call that needs all registers, or continues on the way back to guest code.
 */
export function onFull(task: Task): void {
  serve(task);
  if (task.state === AWAIT_CALL) runHandler(task);
  else if (task.state === AWAIT_TRACED) standStill(task);
  else if (continueToUser(task)) restartCall(task);
}

/** Returns to guest code with a result, after handling signals. */
function leaveToGuest(task: Task, result: number): void {
  if (returnToUser(task, result)) restartCall(task);
}

/**
 * Lets a tracer and seccomp filters check a call before its handler runs; `nr` is the number that
 * filters see.
 */
function checkEntry(task: Task, row: Row, nr: number): void {
  if (task.entryStep === ENTRY_NOTIFY) return startIfAllowed(task, row, awaitVerdict(task));
  if ((task.entryWork & ENTRY_DISPATCH) !== 0 && isDispatched(task, task.nr)) {
    return finishRun(task, row, IN_GUEST);
  }
  if (!stopAtEntry(task)) filterCall(task, row, nr, false);
}

/** `again`: the call continues behind a stop of a filter. */
function filterCall(task: Task, row: Row, nr: number, again: boolean): void {
  const isFiltered = (task.entryWork & ENTRY_SECCOMP) !== 0 && !isUnfiltered(task);
  startIfAllowed(task, row, isFiltered ? secureCall(task, nr, seccompTracer(task), again) : GO_ON);
}

function startIfAllowed(task: Task, row: Row, r: number): void {
  if (r !== BLOCK) task.entryStep = ENTRY_DONE;
  if (r === GO_ON) startHandler(task, row);
  else finishRun(task, row, r);
}

/** Continues a call behind a stop for the task's tracer. */
function continueCall(task: Task): void {
  const then = task.afterStop;
  task.afterStop = THEN_LEAVE;
  if (then === THEN_CALL) return runHandler(task);
  if (then === THEN_FINISH) return leaveCall(task, task.result);
  const isMade = takeCall(task), row = ROWS[task.nr] ?? unknownCall(task);
  if (isMade) filterCall(task, row, task.nr, then === THEN_BEGIN);
  else finishRun(task, row, IN_GUEST);
}

/** Ends a call with its result. */
function leaveCall(task: Task, result: number): void {
  if (task.trace === null || !stopBeforeLeaving(task, result)) leaveToGuest(task, result);
}

function runHandler(task: Task): void {
  task.state = HANDLING;
  const row = ROWS[task.nr] ?? unknownCall(task);
  if (task.entryStep !== ENTRY_DONE) return checkEntry(task, row, task.nr);
  if (task.progress.monitorEvents !== null) return finishRun(task, row, awaitNextReader(task));
  finishRun(task, row, row.handler(task, task.args));
}

function finishRun(task: Task, row: Row, result: number): void {
  if (result === IN_STOP) return;
  const { awaited, monitorEvents } = task.kernel.memory;
  if (monitorEvents.length > 0) result = awaitReaders(task, result);
  if (awaited.handler !== null) {
    if (result === -EFAULT) result = awaitInCall(task, result);
    awaited.handler = null;
  }
  if (result === BLOCK) {
    task.state = BLOCKED;
    task.blockCount++;
    task.ctx.park();
    interruptIfNeeded(task);
    return;
  }
  if (task.waiter.queue !== null || task.timeout.isArmed || task.moreWaiters !== null) {
    task.endWait();
  }
  const { observer } = task.kernel.calls;
  if (observer !== null) observer.onExit(task, row, result);
  if (row.moves !== 0) countTransfer(task, row.moves, result);
  if (task.attention || result < BLOCK) {
    if (result !== NO_REPLY) leaveCall(task, result);
    return;
  }
  task.nr = -1;
  task.state = RUNNING;
  startRun(task);
  task.ctx.resumeRet(result);
}

/**
 * Runs the call again as if it had just been made (no handler ran in between); keeps its deadline.
 */
function restartCall(task: Task): void {
  const { progress } = task, { deadlineNs, isRealtime } = progress;
  progress.reset();
  progress.deadlineNs = deadlineNs;
  progress.isRealtime = isRealtime;
  task.interrupted = false;
  if (task.entryWork === 0) return runHandler(task);
  task.state = HANDLING;
  const row = ROWS[task.nr] ?? unknownCall(task);
  checkEntry(task, row, task.restart === RESTART_BLOCK ? SYS_restart_syscall : task.nr);
}
