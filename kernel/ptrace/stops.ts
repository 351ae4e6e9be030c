/**
 * Stops of traced tasks (ptrace(2), "Stopped states"): stopping with all registers available,
 * notifying the tracer, and continuing.
 */

import { SA_NOCLDSTOP, SIG_IGN, SIGCHLD, SIGTRAP } from "../../ffi/abi/signal.ts";
import { CLD_STOPPED, CLD_TRAPPED } from "../../ffi/abi/siginfo.ts";
import {
  PTRACE_EVENT_EXIT,
  PTRACE_EVENT_SECCOMP,
  PTRACE_EVENT_STOP,
  PTRACE_O_TRACESYSGOOD,
} from "../../ffi/abi/ptrace.ts";
import { EFLAGS, RAX } from "../../platform/platform.ts";
import { IN_GUEST } from "../core/result.ts";
import { mustEnd, resume } from "../task/alert.ts";
import { setReg } from "../task/registers.ts";
import { noteStopped } from "../signal/job_control.ts";
import { SigInfo } from "../signal/pending.ts";
import { sendToGroup } from "../signal/send.ts";
import {
  AWAIT_TRACED,
  HANDLING,
  type Task,
  THEN_DELIVER,
  THEN_LEAVE,
  TRACED,
} from "../task/task.ts";
import { AT_CALL_ENTRY, AT_CALL_EXIT, AT_NONE, AT_SECCOMP, type Trace } from "./trace.ts";

/** The trap flag of EFLAGS. */
const TF = 0x100;

/**
 * Stops the task for its tracer. `code` is the signal, with an event << 8; the task continues at
 * `then` (THEN_*) with `result`.
 */
function stop(task: Task, code: number, info: SigInfo | null, then: number, result: number) {
  const { trace } = task;
  if (trace === null) return;
  trace.stopCode = code;
  trace.info = info;
  trace.signal = 0;
  trace.isListening = false;
  task.afterStop = then;
  task.result = result;
  if (task.ctx.isFull || task.regsFetched) return standStill(task);
  task.state = AWAIT_TRACED;
  task.ctx.requestFull();
}

/** Completes the stop when all registers are available. */
export function standStill(task: Task): void {
  const { trace, ctx } = task;
  const isExit = trace !== null && trace.stopCode >>> 8 === PTRACE_EVENT_EXIT;
  if (trace === null || mustEnd(task) && (!isExit || isInKilledJob(task))) {
    task.state = HANDLING;
    return resume(task);
  }
  if (!task.regsFetched) {
    ctx.fetchRegs();
    ctx.fetchFpu();
    task.regsFetched = true;
  }
  if (task.hasTrapFlag) setTrapFlag(ctx.regs, false);
  task.hasTrapFlag = false;
  trace.origRax = task.nr;
  if (task.result !== IN_GUEST) setReg(ctx.regs, RAX, task.result);
  task.state = TRACED;
  trace.code = trace.stopCode;
  tellTracer(task, trace);
}

function setTrapFlag(regs: DataView, on: boolean): void {
  const flags = regs.getUint32(EFLAGS, true);
  regs.setUint32(EFLAGS, on ? flags | TF : flags & ~TF, true);
}

/** Prepares the task, whose registers are in its context, to run one instruction of guest code. */
export function armTrap(task: Task, trace: Trace): void {
  setTrapFlag(task.ctx.regs, true);
  task.hasTrapFlag = true;
  trace.debug?.arm(task.mm);
}

function tellTracer(task: Task, trace: Trace): void {
  const { group } = trace, reader = group.leader ?? group.tasks[0];
  if (reader === undefined) return;
  const action = reader.sighand.of(SIGCHLD);
  if (action.handler !== SIG_IGN && (action.flags & SA_NOCLDSTOP) === 0) {
    const info = new SigInfo(SIGCHLD, trace.info === null ? CLD_STOPPED : CLD_TRAPPED);
    info.pid = task.id.numberIn(group.pids);
    info.uid = reader.cred.userNs.shownUid(task.cred.uid);
    info.status = trace.code & 0x7f;
    sendToGroup(group, info);
  }
  group.childEvents.wake(0);
}

/** The siginfo that PTRACE_GETSIGINFO shows for stops without a signal. */
function ownInfo(task: Task, code: number): SigInfo {
  const info = new SigInfo(SIGTRAP, code);
  info.pid = task.trace === null ? 0 : task.id.numberIn(task.trace.group.pids);
  info.uid = task.cred.uid;
  return info;
}

/** Makes a PTRACE_EVENT stop. */
export function stopForEvent(task: Task, event: number, then: number, result: number): void {
  const code = SIGTRAP | event << 8;
  if (task.trace !== null) task.trace.at = event === PTRACE_EVENT_SECCOMP ? AT_SECCOMP : AT_NONE;
  stop(task, code, ownInfo(task, code), then, result);
}

/** Stops at the entry or the exit of a call, if the tracer requested it. */
export function stopAtCall(task: Task, isEntry: boolean, then: number, result: number): boolean {
  const { trace } = task;
  if (trace === null) return false;
  const code = (trace.options & PTRACE_O_TRACESYSGOOD) !== 0 ? SIGTRAP | 0x80 : SIGTRAP;
  trace.at = isEntry ? AT_CALL_ENTRY : AT_CALL_EXIT;
  trace.message = isEntry ? 1 : 2;
  stop(task, code, ownInfo(task, code), then, result);
  return true;
}

/** A signal is about to be delivered: stops, so that the tracer decides. */
export function stopForSignal(task: Task, info: SigInfo, result: number): void {
  task.stopInfo = info;
  if (task.trace !== null) task.trace.at = AT_NONE;
  stop(task, info.signo, info, THEN_DELIVER, result);
}

/**
 * Makes stops without a signal: PTRACE_INTERRUPT, the first stop of a seized child, the stop of the
 * whole process.
 */
export function trapIfAsked(task: Task, result: number): boolean {
  const { trace, group } = task;
  if (trace === null) return false;
  const isGroupStop = group.stopSignal !== 0 && task.stopSeen !== group.stopSerial;
  if (!trace.isTrapDue && !isGroupStop) return false;
  trace.isTrapDue = false;
  trace.at = AT_NONE;
  task.stopSeen = group.stopSerial;
  noteStopped(group);
  const sig = group.stopSignal !== 0 ? group.stopSignal : SIGTRAP;
  if (!trace.isSeized) {
    stop(task, sig, null, THEN_LEAVE, result);
    return true;
  }
  const code = sig | PTRACE_EVENT_STOP << 8;
  stop(task, code, ownInfo(task, code), THEN_LEAVE, result);
  return true;
}

/** A tracer, which may be outside of the job, must not delay the end of a job. */
function isInKilledJob({ group }: Task): boolean {
  return group.job !== null && group.job.isKilled;
}

/** The task is going to end: stops once for its tracer (PTRACE_EVENT_EXIT). */
export function stopForExit(task: Task): boolean {
  const { trace } = task;
  if (trace === null || trace.isExitTold || !trace.wants(PTRACE_EVENT_EXIT)) return false;
  if (isInKilledJob(task)) return false;
  trace.isExitTold = true;
  trace.message = task.group.isExiting ? task.group.exitStatus : task.exitStatus;
  stopForEvent(task, PTRACE_EVENT_EXIT, THEN_LEAVE, IN_GUEST);
  return true;
}

/**
 * The result behind a stop on the way out: IN_GUEST with the registers as the tracer left them,
 * unless the call must run again and the tracer did not change that.
 */
export function resultBehindStop(task: Task, result: number): number {
  if (!task.regsFetched || result === IN_GUEST) return result;
  const { trace, ctx } = task;
  const isSame = trace === null || trace.origRax >= 0;
  return isSame && result < 0 && signedRax(ctx.regs) === result && isRestart(result)
    ? result
    : IN_GUEST;
}

function signedRax(regs: DataView): number {
  return regs.getUint32(RAX, true) + regs.getInt32(RAX + 4, true) * 0x100000000;
}

function isRestart(result: number): boolean {
  return result <= -512 && result >= -516;
}
