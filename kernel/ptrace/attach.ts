/** Starts and ends tracing: ptrace(2) PTRACE_TRACEME, ATTACH, SEIZE, DETACH; fork, exec, exit. */

import { SIGCHLD, SIGKILL, SIGSTOP, SIGTRAP } from "../../ffi/abi/signal.ts";
import { SI_KERNEL, SI_USER } from "../../ffi/abi/siginfo.ts";
import { EPERM, ESRCH } from "../../ffi/abi/errno.ts";
import {
  PTRACE_EVENT_CLONE,
  PTRACE_EVENT_EXEC,
  PTRACE_EVENT_FORK,
  PTRACE_EVENT_VFORK,
  PTRACE_O_EXITKILL,
} from "../../ffi/abi/ptrace.ts";
import { CLONE_UNTRACED, CLONE_VFORK } from "../../ffi/abi/sched.ts";
import { mayTraceChild } from "../cred/task_access.ts";
import type { MemoryManager } from "../mm/memory_manager.ts";
import type { PidNamespace, TaskPid } from "../task/pid_namespace.ts";
import { alert, resume } from "../task/alert.ts";
import { killGroup } from "../task/exit_request.ts";
import { tellTracing } from "../task/process_events.ts";
import { SigInfo } from "../signal/pending.ts";
import { childSignal, exitCode, exitValue } from "../signal/child_signal.ts";
import { sendToGroup, sendToTask } from "../signal/send.ts";
import { DEAD, ENTRY_TRACED, STOPPED, type Task, THEN_DELIVER, TRACED } from "../task/task.ts";
import type { ThreadGroup } from "../task/thread_group.ts";
import { resultBehindStop } from "./stops.ts";
import { RUN_FREE, Trace } from "./trace.ts";

/** LIMIT: ended threads for which a tracer has not waited; beyond it the oldest are dropped. */
const DEAD_MAX = 10_000;

function linkTracee(task: Task, trace: Trace): void {
  task.trace = trace;
  task.entryWork |= ENTRY_TRACED;
  // Debuggers read code, step through it and change it, so it must not be patched.
  task.mm.setPatching(false);
  (trace.group.tracees ??= new Set()).add(task);
}

/**
 * PTRACE_TRACEME: 0, or -EPERM when the task has a tracer already, or no parent that may trace it.
 */
export function traceMe(task: Task): number {
  const { parent } = task.group;
  if (task.trace !== null || parent === null || parent.tasks.length === 0) return -EPERM;
  const by = parent.leader ?? parent.tasks[0];
  if (by === undefined || !mayTraceChild(by.cred, task.cred)) return -EPERM;
  linkTracee(task, new Trace(parent, null, task.cred, false));
  tellTracing(task, parent);
  return 0;
}

/** PTRACE_ATTACH and PTRACE_SEIZE, after the permission check. */
export function attach(tracer: Task, task: Task, isSeize: boolean, options: number): number {
  if (task.trace !== null || task.group === tracer.group) return -EPERM;
  if (task.state === DEAD || task.group.isExiting) return -ESRCH;
  const trace = new Trace(tracer.group, tracer, tracer.cred, isSeize);
  trace.options = options;
  linkTracee(task, trace);
  tellTracing(task, tracer.group);
  if (!isSeize) {
    const info = new SigInfo(SIGSTOP, SI_KERNEL);
    sendToTask(task, info);
  }
  if (task.state === STOPPED) {
    // The stop of the process becomes a stop that the tracer is notified of.
    task.stopSeen = task.group.stopSerial - 1;
    resume(task);
  }
  return 0;
}

/** Releases the tracee, stopped or not; it continues with `signal`. */
export function detach(task: Task, signal: number): void {
  const { trace } = task;
  if (trace === null) return;
  trace.signal = signal;
  if (task.state === TRACED) release(task, trace);
  unlinkTracee(task, trace);
  tellTracing(task, null);
}

function unlinkTracee(task: Task, trace: Trace): void {
  task.trace = null;
  task.entryWork &= ~ENTRY_TRACED;
  trace.group.tracees?.delete(task);
  if (!task.mm.hasOwnGs && !isTraced(task.mm, task.kernel.pids)) task.mm.setPatching(true);
}

/** True if a task that uses this memory has a tracer. */
function isTraced(mm: MemoryManager, pids: PidNamespace): boolean {
  if (mm.users <= 1) return false;
  for (const t of pids.tasks.values()) if (t.mm === mm && t.trace !== null) return true;
  return false;
}

/**
 * Lets the tracee continue as its tracer requested. A stop without a signal can be left with one
 * too.
 */
export function release(task: Task, trace: Trace): void {
  const { signal } = trace;
  trace.code = 0;
  trace.isListening = false;
  if (task.afterStop <= THEN_DELIVER) task.result = resultBehindStop(task, task.result);
  if (task.afterStop === THEN_DELIVER) {
    chooseSignal(task, trace, signal);
  } else if (signal !== 0) {
    const info = new SigInfo(signal, SI_USER);
    info.pid = trace.group.id.numberIn(task.pids);
    info.uid = (trace.tracer ?? task).cred.uid;
    task.signals.pending.push(info);
    task.attention = true;
  }
  resume(task);
}

function chooseSignal(task: Task, trace: Trace, signal: number): void {
  const info = trace.info ?? task.stopInfo;
  if (signal === 0) task.stopInfo = null;
  else if (info !== null && info.signo === signal) task.stopInfo = info;
  else {
    const other = new SigInfo(signal, SI_USER);
    other.pid = trace.group.id.numberIn(task.pids);
    other.uid = (trace.tracer ?? task).cred.uid;
    task.stopInfo = other;
  }
  // The signal may have been blocked meanwhile: then it becomes pending like any other.
  if (task.stopInfo !== null && task.signals.blocked.has(signal)) {
    task.signals.pending.push(task.stopInfo);
    task.stopInfo = null;
  }
}

/**
 * A child was made: decides whether it is traced from the start, and whether the parent stops for
 * it. Returns the event, or 0.
 */
export function traceChild(task: Task, child: Task, flags: number, exitSignal: number): number {
  const { trace } = task;
  if (trace === null || (flags & CLONE_UNTRACED) !== 0) return 0;
  const event = (flags & CLONE_VFORK) !== 0
    ? PTRACE_EVENT_VFORK
    : exitSignal !== SIGCHLD
    ? PTRACE_EVENT_CLONE
    : PTRACE_EVENT_FORK;
  if (!trace.wants(event)) return 0;
  const own = new Trace(trace.group, trace.tracer, trace.cred, trace.isSeized);
  own.options = trace.options;
  linkTracee(child, own);
  child.attention = true;
  if (own.isSeized) own.isTrapDue = true;
  else child.signals.pending.push(new SigInfo(SIGSTOP, SI_KERNEL));
  trace.event = event;
  trace.message = child.id.numberIn(trace.group.pids);
  return event;
}

/** The task continues in another program; `oldTid` is its former number, as the tracer knows it. */
export function traceExec(task: Task, oldTid: number): void {
  const { trace } = task;
  if (trace === null) return;
  task.mm.setPatching(false);
  trace.debug = null;
  if (trace.wants(PTRACE_EVENT_EXEC)) {
    trace.event = PTRACE_EVENT_EXEC;
    trace.message = oldTid;
  } else if (!trace.isSeized) {
    task.signals.pending.push(new SigInfo(SIGTRAP, SI_USER));
    task.attention = true;
  }
}

/** The task ends: notifies its tracer; its tracees are released, or die with it. */
export function traceExit(task: Task): void {
  freeTracees(task.group, task);
  const { trace, group } = task;
  if (trace === null) return;
  unlinkTracee(task, trace);
  const status = group.isExiting ? group.exitStatus : task.exitStatus;
  if (task === group.leader) {
    // The end of the thread; after the last thread the end of the process is reported once more.
    if (group.tasks.length > 1) tellTracerOfEnd(trace.group, group, task.id, status);
    if (trace.group === group.parent || trace.group.isExiting) return;
    group.leaderTracer = trace.group;
    (trace.group.deadLeaders ??= new Set()).add(group);
    return;
  }
  const dead = trace.group.deadTracees ??= [];
  if (dead.length >= DEAD_MAX) dead.shift();
  dead.push({ id: task.id, group, status });
  tellTracerOfEnd(trace.group, group, task.id, status);
}

/**
 * Sends SIGCHLD to a tracer for the end of a thread, or of another process's child; `status` is a
 * wait(2) status.
 */
export function tellTracerOfEnd(
  tracer: ThreadGroup,
  group: ThreadGroup,
  id: TaskPid,
  status: number,
): void {
  if (tracer.isExiting) return;
  const info = childSignal(group, tracer, SIGCHLD, exitCode(status), exitValue(status));
  info.pid = id.numberIn(tracer.pids);
  sendToGroup(tracer, info);
  tracer.childEvents.wake(0);
}

/** Releases tracees of `tracer`; null: of the whole process. */
export function freeTracees(group: ThreadGroup, tracer: Task | null): void {
  if (group.tracees === null) return;
  for (const t of [...group.tracees]) {
    const { trace } = t;
    if (trace === null || (tracer !== null && trace.tracer !== tracer)) continue;
    const isKilled = (trace.options & PTRACE_O_EXITKILL) !== 0;
    trace.mode = RUN_FREE;
    // A signal that the tracer did not see yet is delivered.
    detach(t, t.afterStop === THEN_DELIVER && t.state === TRACED ? trace.code : 0);
    if (isKilled) killGroup(t.group, SIGKILL);
    else alert(t);
  }
}
