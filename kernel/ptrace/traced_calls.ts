/**
 * Traced system calls: the changes that a tracer may make at their entry, and the stops before they
 * end.
 */

import { SIGTRAP } from "../../ffi/abi/signal.ts";
import { PTRACE_EVENT_SECCOMP, PTRACE_O_SUSPEND_SECCOMP } from "../../ffi/abi/ptrace.ts";
import { ENOSYS } from "../../ffi/abi/errno.ts";
import { TRAP_BRKPT } from "../../ffi/abi/siginfo.ts";
import { R10, R8, R9, RDI, RDX, RSI } from "../../platform/platform.ts";
import { IN_STOP } from "../core/result.ts";
import { mustEnd } from "../task/alert.ts";
import type { SeccompTracer } from "../seccomp/secure_call.ts";
import { SigInfo } from "../signal/pending.ts";
import { forceSignal } from "../signal/send.ts";
import { type Task, THEN_BEGIN, THEN_FILTER, THEN_FINISH, THEN_LEAVE } from "../task/task.ts";
import { stopAtCall, stopForEvent } from "./stops.ts";
import { RUN_EMULATED, RUN_ONE_STEP, RUN_TO_CALL } from "./trace.ts";

const ARGUMENTS: readonly number[] = [RDI, RSI, RDX, R10, R8, R9];

/** A call begins: true if the task stops before any other check. */
export function stopAtEntry(task: Task): boolean {
  const { trace } = task;
  if (trace === null) return false;
  // The way out must pass through returnToUser.
  task.attention = true;
  trace.isEmulated = trace.mode === RUN_EMULATED;
  if (trace.mode !== RUN_TO_CALL && !trace.isEmulated) return false;
  return stopAtCall(task, true, THEN_FILTER, -ENOSYS);
}

/** Behind a stop at entry: takes the call as the tracer left it. False: the call is skipped. */
export function takeCall(task: Task): boolean {
  const { trace, ctx: { regs }, args: { words } } = task;
  task.attention = true;
  if (trace === null) return true;
  for (let i = 0; i < ARGUMENTS.length; i++) {
    words[2 * i] = regs.getUint32(ARGUMENTS[i]!, true);
    words[2 * i + 1] = regs.getUint32(ARGUMENTS[i]! + 4, true);
  }
  task.nr = trace.origRax;
  return task.nr !== -1 && !trace.isEmulated;
}

/** A call ends: true if the task stops first. `result` is kept. */
export function stopBeforeLeaving(task: Task, result: number): boolean {
  const { trace } = task;
  if (trace === null) return false;
  if (trace.event !== 0) {
    const { event } = trace;
    trace.event = 0;
    stopForEvent(task, event, THEN_FINISH, result);
    return true;
  }
  if (mustEnd(task)) return false;
  if (trace.mode === RUN_TO_CALL) return stopAtCall(task, false, THEN_LEAVE, result);
  if (trace.mode === RUN_ONE_STEP) {
    const info = new SigInfo(SIGTRAP, TRAP_BRKPT);
    info.addr = task.ctx.rip;
    forceSignal(task, info);
  }
  return false;
}

/** Reports SECCOMP_RET_TRACE to a tracer that requested it. */
export class FilterTracer implements SeccompTracer {
  onSeccompTrace(task: Task, message: number): number {
    if (task.trace === null) return -ENOSYS;
    task.trace.message = message;
    task.trace.retData = message;
    stopForEvent(task, PTRACE_EVENT_SECCOMP, THEN_BEGIN, -ENOSYS);
    return IN_STOP;
  }
}

const filterTracer = new FilterTracer();

/** The tracer that is notified of SECCOMP_RET_TRACE, or null. */
export function seccompTracer(task: Task): SeccompTracer | null {
  return task.trace?.wants(PTRACE_EVENT_SECCOMP) ? filterTracer : null;
}

/** PTRACE_O_SUSPEND_SECCOMP. */
export function isUnfiltered(task: Task): boolean {
  return task.trace !== null && (task.trace.options & PTRACE_O_SUSPEND_SECCOMP) !== 0;
}
