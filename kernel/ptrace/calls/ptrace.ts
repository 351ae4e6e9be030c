/**
 * ptrace(2): permission checks, and the requests that start, continue and end tracing. Registers
 * and memory: ptrace_state.ts; signals and other facts about a stop: ptrace_stop.ts.
 */

import { SI_KERNEL } from "../../../ffi/abi/siginfo.ts";
import { CAP_SYS_ADMIN } from "../../../ffi/abi/capability.ts";
import { EINVAL, EIO, EPERM, ESRCH } from "../../../ffi/abi/errno.ts";
import * as P from "../../../ffi/abi/ptrace.ts";
import { SECCOMP_MODE_DISABLED } from "../../../ffi/abi/seccomp.ts";
import { SIGKILL, SIGRTMAX, SIGTRAP } from "../../../ffi/abi/signal.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { hasCap } from "../../cred/credentials.ts";
import { alert } from "../../task/alert.ts";
import { awaitExec, mayControl } from "../access.ts";
import { attach, detach, release, traceMe } from "../attach.ts";
import { RUN_EMULATED, RUN_FREE, RUN_ONE_STEP, RUN_TO_CALL, type Trace } from "../trace.ts";
import { SigInfo } from "../../signal/pending.ts";
import { sendToTask } from "../../signal/send.ts";
import { DEAD, Task, TRACED } from "../../task/task.ts";
import { stateRequest } from "./ptrace_state.ts";
import { stopRequest } from "./ptrace_stop.ts";

/** ptrace(2). The C library returns for PEEK requests the word that this call stores. */
export function sysPtrace(t: Task, a: SyscallArgs): number {
  const request = a.i64(0), pid = a.i64(1), addr = a.u64(2), data = a.u64(3);
  if (request === P.PTRACE_TRACEME) return traceMe(t);
  const { object } = t.progress;
  // A call that waited for an execve continues with its thread, whatever id the thread has now.
  const task = object instanceof Task ? object : t.pids.tasks.get(pid) ?? null;
  if (task === null) {
    // A leader that ended before its process still has its id, but cannot be traced.
    const isAttach = request === P.PTRACE_ATTACH || request === P.PTRACE_SEIZE;
    return isAttach && t.pids.groups.has(pid) ? -EPERM : -ESRCH;
  }
  if (request === P.PTRACE_ATTACH) return attachTo(t, task, false, 0);
  if (request === P.PTRACE_SEIZE) return seize(t, task, addr, data);
  const trace = traceOf(t, task);
  if (trace === null) return -ESRCH;
  if (request === P.PTRACE_KILL) {
    sendToTask(task, new SigInfo(SIGKILL, SI_KERNEL));
    return 0;
  }
  if (request === P.PTRACE_INTERRUPT) return interrupt(task, trace);
  if (task.state !== TRACED || trace.isListening) return -ESRCH;
  return runRequest(t, task, trace, request, data) ??
    stateRequest(t, task, trace, request, a) ??
    stopRequest(t, task, trace, request, a) ?? -EIO;
}

/**
 * Null: `t` is not its tracer. After PTRACE_TRACEME the first thread of the parent that makes a
 * request is the tracer.
 */
function traceOf(t: Task, task: Task): Trace | null {
  const { trace } = task;
  if (trace === null || trace.group !== t.group) return null;
  trace.tracer ??= t;
  return trace.tracer === t ? trace : null;
}

function attachTo(t: Task, task: Task, isSeize: boolean, options: number): number {
  if (task.group === t.group || task.group.isZombie || task.group.isIdle) return -EPERM;
  const r = awaitExec(t, task.group);
  if (r !== 0) {
    t.progress.object = task;
    return r;
  }
  if (!mayControl(t, task) || task.trace !== null || task.state === DEAD) return -EPERM;
  return attach(t, task, isSeize, options);
}

function seize(t: Task, task: Task, addr: number, options: number): number {
  if (addr !== 0 || options > P.PTRACE_O_MASK) return -EIO;
  const r = checkOptions(t, options);
  return r < 0 ? (r === -EINVAL ? -EIO : r) : attachTo(t, task, true, options);
}

/** Checks whether the options can be set: 0 or -errno. */
function checkOptions(t: Task, options: number): number {
  if (options > P.PTRACE_O_MASK || (options & ~P.PTRACE_O_MASK) !== 0) return -EINVAL;
  if ((options & P.PTRACE_O_SUSPEND_SECCOMP) === 0) return 0;
  return hasCap(t.cred, CAP_SYS_ADMIN) && t.seccompMode === SECCOMP_MODE_DISABLED ? 0 : -EPERM;
}

/** PTRACE_INTERRUPT, for seized tracees: requests a stop without a signal. */
function interrupt(task: Task, trace: Trace): number {
  if (!trace.isSeized) return -EIO;
  trace.isTrapDue = true;
  if (trace.isListening) release(task, trace);
  else alert(task);
  return 0;
}

/** Performs a request on a stopped tracee. Null: another kind of request. */
function runRequest(
  t: Task,
  task: Task,
  trace: Trace,
  request: number,
  data: number,
): number | null {
  switch (request) {
    case P.PTRACE_CONT:
      return resumeTracee(task, trace, RUN_FREE, data);
    case P.PTRACE_SYSCALL:
      return resumeTracee(task, trace, RUN_TO_CALL, data);
    case P.PTRACE_SINGLESTEP:
      return resumeTracee(task, trace, RUN_ONE_STEP, data);
    case P.PTRACE_SYSEMU:
      return resumeTracee(task, trace, RUN_EMULATED, data);
    case P.PTRACE_DETACH:
      if (data > SIGRTMAX) return -EIO;
      trace.mode = RUN_FREE;
      detach(task, data);
      return 0;
    case P.PTRACE_LISTEN:
      return listen(task, trace);
    case P.PTRACE_SETOPTIONS: {
      const r = checkOptions(t, data);
      if (r === 0) trace.options = data;
      return r;
    }
    default:
      return null;
  }
}

function resumeTracee(task: Task, trace: Trace, mode: number, signal: number): number {
  if (signal > SIGRTMAX) return -EIO;
  trace.mode = mode;
  trace.signal = signal;
  release(task, trace);
  return 0;
}

/** PTRACE_LISTEN: a group stop goes on without the tracer, which is notified of its end. */
function listen(task: Task, trace: Trace): number {
  if (!trace.isSeized || trace.stopCode >>> 8 !== P.PTRACE_EVENT_STOP) return -EIO;
  trace.isListening = true;
  // A stop of PTRACE_INTERRUPT goes on until the next one.
  const isGroupStop = (trace.stopCode & 0xff) !== SIGTRAP;
  if (!isGroupStop || task.group.stopSignal !== 0) return 0;
  // The process was continued in between.
  trace.isTrapDue = true;
  release(task, trace);
  return 0;
}
