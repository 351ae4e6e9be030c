/**
 * Sends signals: which ones are dropped, what a stop or a continue undoes, which thread is woken
 * (signal(7), kernel/signal.c); and notifies parents of their children. The caller has checked the
 * permission (permission.ts) and the number.
 *
 * Neighbours: pending.ts (the queues), dequeue.ts (takes signals), job_control.ts (stops).
 */

import {
  SA_NOCLDSTOP,
  SIG_DFL,
  SIG_IGN,
  SIGCHLD,
  SIGCONT,
  SIGKILL,
  SIGRTMIN,
  SIGSTOP,
  SIGTSTP,
  SIGTTIN,
  SIGTTOU,
} from "../../ffi/abi/signal.ts";
import { RLIMIT_SIGPENDING } from "../../ffi/abi/resource.ts";
import { POLLIN } from "../../ffi/abi/poll.ts";
import { CLD_CONTINUED, SI_USER } from "../../ffi/abi/siginfo.ts";
import { EAGAIN } from "../../ffi/abi/errno.ts";
import { QUEUED_SIGNALS } from "../core/quota.ts";
import { alert, resume } from "../task/alert.ts";
import { killGroup } from "../task/exit_request.ts";
import { DEAD, STOPPED, type Task } from "../task/task.ts";
import type { ProcessGroup, ThreadGroup } from "../task/thread_group.ts";
import { childSignal } from "./child_signal.ts";
import { type PendingSignals, SigInfo } from "./pending.ts";
import { ACTION_IGNORE, ACTION_STOP, ACTION_TERMINATE, defaultActionOf } from "./sigset.ts";

/** Makes the siginfo of kill(2). */
export function userSignal(sig: number, sender: Task): SigInfo {
  const info = new SigInfo(sig, SI_USER);
  info.pid = sender.pid;
  info.uid = sender.cred.uid;
  return info;
}

/** Sends a signal to one thread: 0, or -EAGAIN when the queue of real-time signals is full. */
export function sendToTask(task: Task, info: SigInfo): number {
  const group = task.group;
  if (task.state === DEAD || !applyAtSend(group, task, info)) return 0;
  const r = enqueue(group, task.signals.pending, info);
  if (r <= 0) return r;
  tellPollers(task);
  if (canTake(task, info.signo)) wakeReceiver(task, info.signo);
  return 0;
}

/**
 * Sends a signal to a process; results as `sendToTask`. A thread that does not block it takes it,
 * `preferred` if possible. (Linux prefers the running thread when a CPU timer fires; profilers
 * depend on that.)
 */
export function sendToGroup(
  group: ThreadGroup,
  info: SigInfo,
  preferred: Task | null = null,
): number {
  const first = group.leader ?? group.tasks[0];
  if (first === undefined || !applyAtSend(group, first, info)) return 0;
  const r = enqueue(group, group.pending, info);
  if (r <= 0) return r;
  tellPollers(first);
  if (preferred !== null && mayTake(preferred, info.signo)) {
    wakeReceiver(preferred, info.signo);
    return 0;
  }
  for (const t of group.tasks) {
    if (!mayTake(t, info.signo)) continue;
    wakeReceiver(t, info.signo);
    break;
  }
  return 0;
}

function mayTake(t: Task, sig: number): boolean {
  return !t.exitRequested && t.state !== DEAD && canTake(t, sig);
}

/** Sends a signal to every process of a group, as the terminal does. */
export function sendToProcessGroup(pgrp: ProcessGroup, sig: number, code: number): void {
  for (const group of [...pgrp.members]) sendToGroup(group, new SigInfo(sig, code));
}

/**
 * Sends the kernel's own signal at a fault: it cannot be ignored or blocked. If it is, the default
 * action ends the process (force_sig_info). `task` is the current task.
 */
export function forceSignal(task: Task, info: SigInfo): void {
  info.isForced = true;
  const action = task.sighand.of(info.signo);
  if (task.signals.blocked.has(info.signo) || action.handler === SIG_IGN) {
    action.handler = SIG_DFL;
    task.signals.blocked.remove(info.signo);
  }
  if (action.handler === SIG_DFL) {
    task.group.isUnkillable = false;
    if (task.trace === null) logUnhandled(task, info);
  }
  task.signals.pending.push(info);
  task.attention = true;
}

/** Logs why a program died (as debug.exception-trace does, core(5)). */
function logUnhandled({ kernel, group, comm, ctx }: Task, { signo, addr }: SigInfo): void {
  const [ip, sp, at] = [ctx.rip, ctx.rsp, addr].map((word) => word.toString(16));
  kernel.log(`process ${group.pid} (${comm}) ends by signal ${signo}: ip ${ip} sp ${sp} at ${at}`);
}

/** True if `sig` has no effect on this process. */
export function isIgnored(task: Task, sig: number): boolean {
  const handler = task.sighand.of(sig).handler;
  if (handler === SIG_IGN) return true;
  if (handler !== SIG_DFL) return false;
  return defaultActionOf(sig) === ACTION_IGNORE || task.group.isUnkillable;
}

/** SIGCONT, or the end of a stopped process: its stopped tasks continue. */
function continueGroup(group: ThreadGroup): void {
  if (group.stopSignal === 0) return;
  const wasStopped = group.isStopped;
  group.stopSignal = 0;
  group.isStopped = false;
  group.stopReported = true;
  for (const t of group.tasks) {
    if (t.state === STOPPED) resume(t);
    else if (t.trace !== null && t.trace.isListening) {
      t.trace.isTrapDue = true;
      resume(t);
    }
  }
  if (!wasStopped || group.isExiting) return;
  group.continuedReported = false;
  tellParent(group, CLD_CONTINUED, SIGCONT);
}

/** Sends SIGCHLD for a stop or a continue, and wakes the parent's waits for children. */
export function tellParent(group: ThreadGroup, code: number, status: number): void {
  const parent = group.parent;
  if (parent === null) return;
  const action = (parent.leader ?? parent.tasks[0])?.sighand.of(SIGCHLD);
  if (
    action !== undefined && action.handler !== SIG_IGN && (action.flags & SA_NOCLDSTOP) === 0
  ) sendToGroup(parent, childSignal(group, parent, SIGCHLD, code, status));
  parent.childEvents.wake(0);
}

/** Applies effects that do not wait for delivery; false: the signal is dropped. */
function applyAtSend(group: ThreadGroup, task: Task, info: SigInfo): boolean {
  const sig = info.signo;
  if (group.isExiting) return false;
  if (sig === SIGCONT) {
    discardAll(group, SIGSTOP);
    discardAll(group, SIGTSTP);
    discardAll(group, SIGTTIN);
    discardAll(group, SIGTTOU);
    continueGroup(group);
  } else if (defaultActionOf(sig) === ACTION_STOP) {
    discardAll(group, SIGCONT);
  }
  if (task.signals.blocked.has(sig) || task.signals.waiting.has(sig)) return true;
  if (task.trace !== null) return true;
  return (info.isFromOutside && (sig === SIGKILL || sig === SIGSTOP)) || !isIgnored(task, sig);
}

/** Removes `sig` wherever it is pending in the process. */
export function discardAll(group: ThreadGroup, sig: number): void {
  group.pending.discard(sig);
  for (const t of group.tasks) t.signals.pending.discard(sig);
}

/** 1: queued; 0: already pending; -EAGAIN: RLIMIT_SIGPENDING. */
function enqueue(group: ThreadGroup, pending: PendingSignals, info: SigInfo): number {
  if (info.signo >= SIGRTMIN && info.timer === null) {
    const most = group.limits.get(RLIMIT_SIGPENDING);
    if (pending.count >= most || !QUEUED_SIGNALS.hasRoom(1, pending.account)) {
      // kill(2) has no way to fail: the signal is pending without its siginfo.
      if (info.code !== SI_USER) return -EAGAIN;
      if (pending.set.has(info.signo)) return 0;
    }
  }
  return pending.push(info) ? 1 : 0;
}

function tellPollers(task: Task): void {
  if (!task.sighand.arrived.isEmpty) task.sighand.arrived.wake(POLLIN);
}

function canTake(task: Task, sig: number): boolean {
  return !task.signals.blocked.has(sig) || task.signals.waiting.has(sig);
}

/**
 * True if `sig`, which the task takes now, ends the process at once, out of waits that only death
 * ends. A signal that dumps core does not, and a stopped or traced task decides later
 * (complete_signal).
 */
function isFatal(task: Task, sig: number): boolean {
  return task.sighand.of(sig).handler === SIG_DFL && defaultActionOf(sig) === ACTION_TERMINATE &&
    !task.signals.waiting.has(sig) && task.trace === null && task.state !== STOPPED &&
    !task.group.isUnkillable;
}

/** Wakes a thread that has the signal unblocked or waits for it. */
function wakeReceiver(task: Task, sig: number): void {
  if (sig === SIGKILL || isFatal(task, sig)) killGroup(task.group, sig);
  else if (task.signals.waiting.has(sig)) task.wake();
  else alert(task);
}
