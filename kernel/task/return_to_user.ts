/**
 * The way back to guest code when something needs attention: fatal signals, stops, handlers.
 * Restart codes are resolved only here (signal(7)). The kernel runs an interrupted call again if no
 * handler runs; with a handler the call is restarted (SA_RESTART) by moving rip back over the
 * `syscall` instruction, or ends with EINTR.
 *
 * States: `result` holds the call's result, or IN_GUEST without a call in progress. With a handler
 * to run and no FPU state at hand the task goes to AWAIT_FULL and continues here at TRAP_FULL.
 */

import { SA_RESTART, SIG_IGN, SIGKILL, SIGTRAP } from "../../ffi/abi/signal.ts";
import { RAX, RIP } from "../../platform/platform.ts";
import {
  EINTR,
  ERESTART_RESTARTBLOCK,
  ERESTARTNOHAND,
  ERESTARTNOINTR,
  ERESTARTSYS,
} from "../../ffi/abi/errno.ts";
import { IN_GUEST } from "../core/result.ts";
import { mustEnd, resume } from "./alert.ts";
import { freezeIfAsked } from "./container.ts";
import { startRun } from "./cpu_clock.ts";
import { exitTask } from "./exit.ts";
import { getReg, setReg } from "./registers.ts";
import { defaultAction } from "../signal/default_action.ts";
import { dequeueForDelivery, hasDeliverable } from "../signal/dequeue.ts";
import { pushSignalFrame } from "../signal/frame.ts";
import type { SignalAction } from "../signal/handlers.ts";
import { stopIfAsked } from "../signal/job_control.ts";
import { TRAP_TRACE } from "../../ffi/abi/siginfo.ts";
import { armTrap, stopForExit, stopForSignal, trapIfAsked } from "../ptrace/stops.ts";
import { RUN_ONE_STEP, type Trace } from "../ptrace/trace.ts";
import { SigInfo } from "../signal/pending.ts";
import { forceSignal } from "../signal/send.ts";
import { AWAIT_FULL, HANDLING, RUNNING, type Task, THEN_DELIVER, THEN_LEAVE } from "./task.ts";

export function isRestartCode(r: number): boolean {
  return r === -ERESTARTSYS || r === -ERESTARTNOINTR || r === -ERESTARTNOHAND ||
    r === -ERESTART_RESTARTBLOCK;
}

/**
 * TRAP_FULL: continues where `returnToUser` requested the full state. True: the call must run
 * again.
 */
export function continueToUser(task: Task): boolean {
  if (task.state !== AWAIT_FULL) return false;
  task.state = HANDLING;
  return returnToUser(task, task.result);
}

/**
 * Leaves the kernel with a call's result, or IN_GUEST after a fault, an interrupt or a call that
 * set the registers (then in `ctx.regs` and `ctx.fpu`, with `regsFetched`). True: the task was not
 * resumed, because the interrupted call must run again (syscalls/dispatch.ts does that).
 */
export function returnToUser(task: Task, result: number): boolean {
  // The tracer has seen this signal and let it pass.
  let traced = task.afterStop === THEN_DELIVER ? task.stopInfo : null;
  task.afterStop = THEN_LEAVE;
  task.stopInfo = null;
  for (;;) {
    task.attention = false;
    if (mustEnd(task)) {
      if (task.kernel.oom.stopsEnd(task, result)) return false;
      if (!stopForExit(task) && !closesMore(task, true)) exitTask(task);
      return false;
    }
    if (task.files.closesFrom >= 0 && closesMore(task, false)) {
      task.result = result;
      return false;
    }
    let info = traced;
    traced = null;
    if (info === null) {
      if (trapIfAsked(task, result)) return false;
      if (stopIfAsked(task, result) || freezeIfAsked(task, result)) return false;
      if (!hasDeliverable(task)) {
        if (!task.signals.hasSaved) break;
        // Back from sigsuspend, ppoll, ...: signals that the old mask lets through count now.
        task.signals.hasSaved = false;
        task.signals.blocked.copy(task.signals.saved);
        continue;
      }
      if (!task.ctx.isFull && !task.regsFetched) {
        task.result = result;
        task.attention = true;
        task.state = AWAIT_FULL;
        task.ctx.requestFull();
        return false;
      }
      info = dequeueForDelivery(task);
      if (info === null) continue;
      if (task.trace !== null && info.signo !== SIGKILL) {
        stopForSignal(task, info, result);
        return false;
      }
    }
    const action = task.sighand.of(info.signo);
    if (action.handler <= SIG_IGN) {
      defaultAction(task, info);
      continue;
    }
    if (!task.regsFetched) fetchAll(task);
    if (result !== IN_GUEST) storeResult(task, result, action);
    result = IN_GUEST;
    pushSignalFrame(task, info, action);
    if (task.trace !== null) stepIntoHandler(task, task.trace);
  }
  if (isRestartCode(result)) {
    // The call must not end by the fast way, which would lose these registers.
    if (task.regsFetched) task.attention = true;
    return true;
  }
  task.nr = -1;
  task.state = RUNNING;
  startRun(task);
  if (result === IN_GUEST) resumeGuest(task);
  else if (task.regsFetched) {
    setReg(task.ctx.regs, RAX, result);
    resumeGuest(task);
  } else task.ctx.resumeRet(result);
  return false;
}

/**
 * Closes many descriptors in several turns, at the task's end (`isAtEnd`) and behind an execve.
 * True: another turn must continue in `returnToUser`.
 */
function closesMore(task: Task, isAtEnd: boolean): boolean {
  const { files } = task;
  if (isAtEnd) files.closeBeforeDrop();
  else files.closeOnExec();
  if (files.closesFrom < 0) return false;
  resume(task);
  return true;
}

/** A single step ends at the first instruction of a handler. */
function stepIntoHandler(task: Task, trace: Trace): void {
  if (trace.mode !== RUN_ONE_STEP) return;
  const info = new SigInfo(SIGTRAP, TRAP_TRACE);
  info.addr = getReg(task.ctx.regs, RIP);
  forceSignal(task, info);
}

function fetchAll(task: Task): void {
  task.ctx.fetchRegs();
  task.ctx.fetchFpu();
  task.regsFetched = true;
}

function resumeGuest(task: Task): void {
  const withFpu = task.regsFetched;
  if (!withFpu) task.ctx.fetchRegs();
  if (task.trace !== null && task.trace.isStepping) armTrap(task, task.trace);
  task.regsFetched = false;
  task.ctx.resumeAll(withFpu);
}

/**
 * Sets the registers as the handler's frame must save them: after the call, or before it when the
 * call restarts.
 */
function storeResult(task: Task, result: number, action: SignalAction): void {
  const regs = task.ctx.regs;
  if (!isRestartCode(result)) {
    setReg(regs, RAX, result);
    return;
  }
  const restarts = result === -ERESTARTNOINTR ||
    (result === -ERESTARTSYS && (action.flags & SA_RESTART) !== 0);
  if (restarts) setReg(regs, RIP, getReg(regs, RIP) - 2);
  setReg(regs, RAX, restarts ? task.nr : -EINTR);
}
