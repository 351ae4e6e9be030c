/**
 * Traps that are no system calls: page faults (resolved by the memory manager or turned into a
 * signal), other exceptions of the processor, and interrupts that the kernel requested.
 */

import { SIGKILL, SIGSEGV, SIGTRAP } from "../../ffi/abi/signal.ts";
import { serve } from "./current.ts";
import { TRAP_FAULT, TRAP_INTERRUPT } from "../../platform/platform.ts";
import { BLOCK, IN_GUEST } from "../core/result.ts";
import { FAULT_AWAITED } from "../mm/fault.ts";
import { interruptIfNeeded } from "./alert.ts";
import { awaitFault } from "./await_fault.ts";
import { endRun, startRun } from "./cpu_clock.ts";
import { returnToUser } from "./return_to_user.ts";
import { SigInfo } from "../signal/pending.ts";
import { forceSignal } from "../signal/send.ts";
import { TRAP_TRACE } from "../../ffi/abi/siginfo.ts";
import { onStep } from "../ptrace/debug_registers.ts";
import { BLOCKED, HANDLING, RUNNING, type Task } from "./task.ts";

/** A running task stopped for something other than a call. HOT */
export function onException(task: Task): void {
  if (task.state !== RUNNING) return;
  serve(task);
  endRun(task);
  task.state = HANDLING;
  task.nr = -1;
  const ctx = task.ctx;
  task.regsFetched = ctx.isNew;
  if (ctx.trap === TRAP_FAULT) {
    if (onFault(task) && !task.attention) {
      task.state = RUNNING;
      startRun(task);
      ctx.fetchRegs();
      ctx.resumeAll(false);
      return;
    }
  } else if (ctx.trap !== TRAP_INTERRUPT) {
    if (task.hasTrapFlag && ctx.signo === SIGTRAP && ctx.sigcode === TRAP_TRACE) {
      ctx.sigcode = onStep(task);
      if (ctx.sigcode === 0) return goOn(task);
    }
    noteFault(task);
    const info = new SigInfo(ctx.signo, ctx.sigcode);
    info.addr = ctx.faultAddr;
    forceSignal(task, info);
  }
  if (task.state === HANDLING) returnToUser(task, IN_GUEST);
}

/**
 * The page that a task waited for may be present: its instruction runs again, unless a signal is
 * due.
 */
export function tryAgain(task: Task): void {
  task.state = HANDLING;
  returnToUser(task, IN_GUEST);
}

/** Resumes guest code without reporting a step. The context holds the registers. */
function goOn(task: Task): void {
  if (task.attention) {
    returnToUser(task, IN_GUEST);
    return;
  }
  task.state = RUNNING;
  startRun(task);
  task.ctx.resumeAll(false);
}

/**
 * Handles a page fault. True: the page is present now. False: the task has a signal, or is BLOCKED.
 */
function onFault(task: Task): boolean {
  const ctx = task.ctx, mm = task.mm;
  const sig = mm.handleFault(ctx.faultAddr, ctx.faultAccess, ctx.signo);
  if (sig === 0) {
    task.group.usage.minorFaults++;
    mm.ctx.faults++;
    return true;
  }
  if (sig === FAULT_AWAITED) {
    task.interrupted = false;
    if (awaitFault(task) === BLOCK) stayBlocked(task);
    return false;
  }
  if (sig === SIGSEGV && mm.changes.covers(ctx.faultAddr)) {
    task.interrupted = false;
    task.waitFor(mm.changes.queue, 0);
    stayBlocked(task);
    return false;
  }
  if (sig === SIGKILL) {
    task.kernel.oom.kill(task.group);
    return false;
  }
  noteFault(task);
  const info = new SigInfo(sig, mm.fault.code);
  info.addr = mm.fault.addr;
  forceSignal(task, info);
  return false;
}

/** The task waits for a page: its instruction runs again (`tryAgain`). */
function stayBlocked(task: Task): void {
  task.state = BLOCKED;
  task.blockCount++;
  task.ctx.park();
  interruptIfNeeded(task);
}

/** Records sigcontext's trapno, err and cr2 for the next signal frame. */
function noteFault(task: Task): void {
  const ctx = task.ctx;
  task.faultTrapno = ctx.trapno;
  task.faultError = ctx.errorCode;
  task.faultAddress = ctx.faultAddr;
}
