/**
 * The end of tasks: what a thread releases, and what the end of the last thread means for its
 * process, its children, its process group and its parent (exit_group(2), wait(2)).
 *
 * Neighbours: exit_request.ts requests an end; reap.ts removes zombies; wait.ts is the parent's
 * side.
 */

import { SI_USER } from "../../ffi/abi/siginfo.ts";
import { SA_NOCLDWAIT, SIG_IGN, SIGCHLD, SIGKILL, SIGRTMAX } from "../../ffi/abi/signal.ts";
import { POLLIN } from "../../ffi/abi/poll.ts";
import { ForkWork } from "../mm/fork_slices.ts";
import { endDelay } from "../cgroup/delay.ts";
import { leaveGroups } from "../cgroup/group_set.ts";
import { endRun } from "./cpu_clock.ts";
import { alert, mustEnd } from "./alert.ts";
import { killGroup } from "./exit_request.ts";
import { futexWake } from "../futex/futex.ts";
import { releaseOwnedPi } from "../futex/futex_pi.ts";
import type { Kernel } from "./kernel_services.ts";
import { hangUpOrphans } from "./orphans.ts";
import { dismissTask, kernelPid, type PidNamespace } from "./pid_namespace.ts";
import { tellExit } from "./process_events.ts";
import { discardPendingExec } from "./pending_exec.ts";
import { reapGroup } from "./reap.ts";
import { walkRobustList } from "../futex/robust_list.ts";
import { releaseSeccomp } from "../seccomp/task_seccomp.ts";
import { childSignal, exitCode, exitValue } from "../signal/child_signal.ts";
import { hasDeliverable } from "../signal/dequeue.ts";
import { noteStopped } from "../signal/job_control.ts";
import { SigInfo } from "../signal/pending.ts";
import { sendToGroup } from "../signal/send.ts";
import { mayKill } from "../signal/permission.ts";
import { freeTracees, tellTracerOfEnd, traceExit } from "../ptrace/attach.ts";
import {
  AWAIT_CALL,
  AWAIT_FULL,
  AWAIT_TRACED,
  DEAD,
  HANDLING,
  RUNNING,
  type Task,
} from "./task.ts";
import { leaveSession } from "./terminal_hooks.ts";
import { cancelRequests, type ProcessGroup, type ThreadGroup } from "./thread_group.ts";

/**
 * A part of an end. A part that fails is skipped: the end continues behind it
 * (kernel/containment.ts). A part that removes a list of objects, each before its removal can fail,
 * is `isRepeated`: it continues with the next object.
 */
interface EndStep {
  readonly run: (task: Task) => void;
  readonly isRepeated: boolean;
}

const once = (run: EndStep["run"]): EndStep => ({ run, isRepeated: false });
const repeated = (run: EndStep["run"]): EndStep => ({ run, isRepeated: true });

/** In this order; `Task.endStep` is the next one. */
const TASK_END: readonly EndStep[] = [
  // `endWait` may run again: it removes whatever is left of the wait.
  repeated((task) => task.endWait()),
  once((task) => task.progress.giveBack()),
  once(discardPendingExec),
  once(discardFork),
  once(traceExit),
  once((task) => task.kernel.taskStats.tellExit(task)),
  once((task) => tellExit(task, task.group.isExiting ? task.group.exitStatus : task.exitStatus)),
  once((task) => task.state = DEAD),
  once(leaveLocks),
  once(releaseVforkParent),
  once(noteResident),
  once((task) => task.group.job?.onTaskEnding(task)),
  once((task) => task.ctx.release()),
  once((task) => task.mm.changes.leave(task)),
  once((task) => task.mm.put()),
  once((task) => task.ringFds?.release()),
  once((task) => task.files.drop()),
  repeated((task) => task.files.closeUnused()),
  once((task) => task.fs.drop()),
  once((task) => task.sighand.refs--),
  once(releaseSeccomp),
  once((task) => task.keyrings.release()),
  once((task) => task.cred.domain?.drop()),
  // The user namespace of a zombie exists until the parent has waited for it.
  once((task) => task !== task.group.leader && task.cred.userNs.drop()),
  once(dropSemUndo),
  once(chargeUsage),
  once(leaveGroup),
  once(dismissTask),
  once(leaveGroups),
  once(({ group: { job } }) => job !== null && job.tasks--),
  once(endDelay),
  once((task) => task.ns.drop()),
  once((task) => task.signals.pending.clear()),
  once(tellSiblings),
];

/** Behind TASK_END of the last task; `ThreadGroup.endStep` is the next one. */
const PROCESS_END: readonly EndStep[] = [
  once(({ group }) => group.stopSignal = 0),
  once((task) => endTracing(task.group, task.kernel)),
  once(dropAio),
  once(({ group }) => cancelRequests(group)),
  once(({ group }) => group.pending.clear()),
  once(({ group }) => group.timers.destroy()),
  once(dropExecutable),
  once(({ group }) => leaveSession(group)),
  once(({ group }) => group.isInit && endNamespace(group)),
  repeated((task) => reparentChildren(task.group, task)),
  once(({ group }) => hangUpOrphans(group, group.parent, group)),
  once(({ group }) => group.job?.onProcessEnd(group)),
  once(({ group }) => group.job?.endIfEmpty()),
];

/**
 * Behind PROCESS_END: the process is a zombie. An init gets here when all other processes of its
 * namespace have ended.
 */
const ZOMBIE: readonly ((group: ThreadGroup, kernel: Kernel) => void)[] = [
  (group) => group.isZombie = true,
  (group) => group.isReapedAtOnce = notifyParent(group),
  (group) => group.exitEvents.wake(POLLIN),
  (group) => group.threadExits.wake(POLLIN),
  (group) => endContainer(group),
  (group) => group.exitListener?.onProcessEnd(group),
  (group, kernel) => group.isRootInit && kernel.onInitExit(group),
  (group, kernel) => group.isReapedAtOnce && !group.isRootInit && reap(group, kernel),
];

/**
 * Ends the current task: releases its context, memory and files. With the last task the process
 * becomes a zombie. Called again after a fault, it continues behind the step that failed.
 */
export function exitTask(task: Task): void {
  while (task.endStep < TASK_END.length) {
    const { run, isRepeated } = TASK_END[task.endStep]!;
    if (!isRepeated) task.endStep++;
    run(task);
    if (isRepeated) task.endStep++;
  }
  const { group } = task;
  if (group.tasks.length > 0) return;
  group.isExiting = true;
  while (group.endStep < PROCESS_END.length) {
    const { run, isRepeated } = PROCESS_END[group.endStep]!;
    if (!isRepeated) group.endStep++;
    run(task);
    if (isRepeated) group.endStep++;
  }
  // The init of a namespace becomes a zombie when all others have ended (zap_pid_ns_processes).
  if (group.isInit && !group.isRootInit && group.pids.groups.size > 1) return;
  becomeZombie(group, task.kernel);
}

/** True if the end of the task has begun and is not complete: a step of it failed. */
export function isEndingHalfway(task: Task): boolean {
  if (task.endStep === 0) return false;
  const { group } = task, total = PROCESS_END.length + ZOMBIE.length;
  if (task.endStep < TASK_END.length) return true;
  return group.tasks.length === 0 && group.endStep < total && !isWaitingInit(group);
}

/** Completes the end of a process whose tasks have ended, after a fault on its way to a zombie. */
export function finishZombie(group: ThreadGroup, kernel: Kernel): void {
  if (group.endStep > PROCESS_END.length) becomeZombie(group, kernel);
}

/** Skips a step of an end that fails again and again. */
export function skipEndStep(task: Task): void {
  if (task.endStep < TASK_END.length) task.endStep++;
  else task.group.endStep++;
}

/** The host thread behind a context has died: the process dies as by SIGKILL. */
export function onContextDeath(task: Task): void {
  const { ctx, group, kernel, comm } = task;
  kernel.current = task;
  if (!group.isExiting) kernel.log(`process ${group.pid} (${comm}) is killed: ${ctx.deathCause}`);
  killGroup(group, SIGKILL);
  // Tasks in other states get here by themselves: they are, or were just put, in the run queue.
  if (task.state === RUNNING) endRun(task);
  else if (![AWAIT_FULL, AWAIT_CALL, AWAIT_TRACED].includes(task.state)) return;
  task.state = HANDLING;
  exitTask(task);
}

/** Discards the copy of the memory of a fork in progress. */
function discardFork({ progress }: Task): void {
  if (progress.object instanceof ForkWork) progress.object.discard();
  progress.object = null;
}

/**
 * Releases the memory: clears locks and ids in user memory, and resumes the parent of a vfork
 * (mm_release of Linux).
 */
export function releaseMemory(task: Task): void {
  leaveLocks(task);
  releaseVforkParent(task);
  noteResident(task);
  task.ctx.release();
  task.mm.changes.leave(task);
  task.mm.put();
}

function leaveLocks(task: Task): void {
  const { mm, clearChildTid } = task;
  releaseOwnedPi(task);
  walkRobustList(task);
  task.robustList = 0;
  task.clearChildTid = 0;
  if (clearChildTid === 0 || mm.users <= 1) return;
  mm.store32(clearChildTid, 0);
  futexWake(task, clearChildTid, false, 1, 0xffffffff);
}

function noteResident(task: Task): void {
  const { usage } = task.group, rssKiB = task.mm.residentPages * 4;
  if (rssKiB > usage.maxRssKiB) usage.maxRssKiB = rssKiB;
}

/** Drops the task's reference to its list of semaphore undos; the last reference applies them. */
export function dropSemUndo(task: Task): void {
  task.semUndo?.drop(kernelPid(task));
  task.semUndo = null;
}

/** vfork(2): resumes the parent. */
function releaseVforkParent(task: Task): void {
  const parent = task.vforkParent;
  if (parent === null) return;
  task.vforkParent = null;
  parent.wake();
}

function chargeUsage(task: Task): void {
  const usage = task.group.usage;
  usage.userNs += task.userNs;
  usage.systemNs += task.systemNs;
  usage.voluntarySwitches += task.blockCount;
  usage.transfers.add(task.transfers);
  const { group, kernel: { clock } } = task;
  group.lastUid = task.cred.uid;
  clock.endedUserNs += task.userNs;
  clock.endedSystemNs += task.systemNs;
  clock.endedSwitches += task.blockCount;
  if (task !== group.leader) return;
  group.lastComm = task.comm;
  // The leader ended earlier, in an execve by another thread.
  group.lastCred?.userNs.drop();
  group.lastCred = task.cred;
  group.lastNice = task.sched.nice;
}

function leaveGroup(task: Task): void {
  const { group } = task, i = group.tasks.indexOf(task);
  if (i >= 0) group.tasks.splice(i, 1);
  if (task !== group.leader) return;
  group.leader = null;
  if (!group.isExiting) group.exitStatus = task.exitStatus;
}

function tellSiblings({ group }: Task): void {
  if (group.tasks.length === 0) return;
  // Another thread may be able to take the process's signals now.
  for (const t of group.tasks) if (hasDeliverable(t)) alert(t);
  noteStopped(group);
  group.threadExits.wake(0);
}

function dropAio({ group }: Task): void {
  const { aio } = group;
  group.aio = null;
  aio?.destroy();
}

function dropExecutable({ group }: Task): void {
  const { exe } = group;
  group.exe = null;
  exe?.drop();
}

/** All tasks have ended: wakes its parent, pidfds and its container. */
function becomeZombie(group: ThreadGroup, kernel: Kernel): void {
  for (;;) {
    const run = ZOMBIE[group.endStep - PROCESS_END.length];
    if (run === undefined) return;
    group.endStep++;
    run(group, kernel);
  }
}

/**
 * The end of a container's first process ends the container's other processes, also where they
 * share a PID namespace with other containers.
 */
function endContainer(init: ThreadGroup): void {
  const { container } = init;
  if (container === null || container.init !== init) return;
  container.init = null;
  for (const g of [...container.groups]) if (g !== init) killGroup(g, SIGKILL);
}

/** Init has ended: kills all other processes of its PID namespace (pid_namespaces(7)). */
function endNamespace(init: ThreadGroup): void {
  const { pids } = init;
  pids.isEnding = true;
  for (const g of [...pids.groups.values()]) if (g !== init) killGroup(g, SIGKILL);
}

/** Removes a zombie that no process waits for any more. An init may have waited for its removal. */
export function reap(group: ThreadGroup, kernel: Kernel): void {
  reapGroup(group);
  for (let ns: PidNamespace | null = group.pids; ns !== null; ns = ns.outer) {
    const { init } = ns;
    if (init === null) continue;
    if (init === group) ns.init = null;
    else if (ns.isEnding && ns.groups.size === 1 && isWaitingInit(init)) {
      becomeZombie(init, kernel);
    }
  }
}

/** True if all its tasks have ended, and it waits for the other processes of its namespace. */
function isWaitingInit(group: ThreadGroup): boolean {
  return group.isInit && group.tasks.length === 0 && !group.isZombie &&
    group.endStep === PROCESS_END.length;
}

/**
 * Sends SIGCHLD (or the signal that clone(2) named) and wakes the parent's waiters. True: the
 * parent ignores the signal, so the child is reaped at once (sigaction(2), SA_NOCLDWAIT).
 */
function notifyParent(group: ThreadGroup): boolean {
  const { parent, leaderTracer } = group;
  if (leaderTracer !== null) {
    // The parent gets its signal when the tracer has waited for the child.
    tellTracerOfEnd(leaderTracer, group, group.id, group.exitStatus);
    return false;
  }
  // No process of the sandbox waits for it.
  if (parent === null) return true;
  // The signal was chosen by an earlier program of the parent; the present one may have more
  // privileges.
  const isChosen = group.parentExecSerial === parent.execSerial;
  const status = group.exitStatus, sig = isChosen ? group.exitSignal : SIGCHLD;
  const action = (parent.leader ?? parent.tasks[0])?.sighand.of(SIGCHLD);
  const isIgnored = sig === SIGCHLD && action !== undefined &&
    (action.handler === SIG_IGN || (action.flags & SA_NOCLDWAIT) !== 0);
  // clone(2) accepts any byte as the signal; a number that is no signal is not sent.
  const isSignal = sig > 0 && sig <= SIGRTMAX;
  if (isSignal && action !== undefined && !(isIgnored && action.handler === SIG_IGN)) {
    sendToGroup(parent, childSignal(group, parent, sig, exitCode(status), exitValue(status)));
  }
  parent.childEvents.wake(0);
  return isIgnored;
}

/** A tracer has waited for a child of another process: the child is now a zombie for its parent. */
export function endForParent(group: ThreadGroup, kernel: Kernel): void {
  group.leaderTracer?.deadLeaders?.delete(group);
  group.leaderTracer = null;
  if (group.isZombie && notifyParent(group)) reap(group, kernel);
}

/** Ends the tracing by a process that ends. */
function endTracing(group: ThreadGroup, kernel: Kernel): void {
  freeTracees(group, null);
  group.deadTracees = null;
  for (const dead of [...group.deadLeaders ?? []]) endForParent(dead, kernel);
}

/**
 * Moves the children to the next subreaper above, or to init (prctl(2), PR_SET_CHILD_SUBREAPER).
 */
function reparentChildren(group: ThreadGroup, task: Task): void {
  const { init } = group.pids, { kernel } = task;
  // Processes of a namespace that ends are already killed, and get no new parent.
  const parent = group.pids.isEnding ? null : findReaper(group) ?? init;
  // Each process group is checked once, when all its members have their new parent.
  const tied: Map<ProcessGroup, ThreadGroup> = new Map();
  for (const child of [...group.children]) {
    group.children.delete(child);
    child.parent = parent;
    if (parent !== null) parent.children.add(child);
    child.exitSignal = SIGCHLD;
    for (const t of child.tasks) {
      if (t.parentDeathSignal === 0 || !mayKill(task, t, t.parentDeathSignal)) continue;
      const info = new SigInfo(t.parentDeathSignal, SI_USER);
      info.pid = group.id.numberIn(child.pids);
      info.uid = t.cred.userNs.shownUid(task.cred.uid);
      sendToGroup(child, info);
    }
    if (child.isZombie && notifyParent(child)) reap(child, kernel);
    else tied.set(child.pgrp, child);
  }
  for (const child of tied.values()) hangUpOrphans(child, group, null);
}

function findReaper(group: ThreadGroup): ThreadGroup | null {
  const { pids } = group;
  for (let g = group.parent; g !== null && g.pids === pids; g = g.parent) {
    if (g.isSubreaper && g.tasks.some((t) => !mustEnd(t))) return g;
  }
  return null;
}
