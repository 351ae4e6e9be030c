/**
 * The end of tasks: what a thread gives back, and what the end of the last one means for its process, its children,
 * its process group and its parent (exit_group(2), wait(2)).
 *
 * Neighbours: exit_request.ts asks for it; reap.ts takes zombies away; wait.ts is the parent's side.
 */

import { endDelay } from "./cgroup/delay.ts";
import { leaveGroups } from "./cgroup/group_set.ts";
import { endRun } from "./cpu_clock.ts";
import { alert, mustEnd } from "./alert.ts";
import type { Container } from "./container.ts";
import { killGroup } from "./exit_request.ts";
import { futexWake } from "./futex.ts";
import { releaseOwnedPi } from "./futex_pi.ts";
import type { Kernel } from "./kernel_services.ts";
import { POLLIN } from "../vfs/open_file.ts";
import { hangUpOrphans } from "./orphans.ts";
import { dismissTask, kernelPid, type PidNamespace } from "./pid_namespace.ts";
import { tellExit } from "./process_events.ts";
import { reapGroup } from "./reap.ts";
import { walkRobustList } from "./robust_list.ts";
import { releaseSeccomp } from "./seccomp/task_seccomp.ts";
import { childSignal, exitCode, exitValue } from "./signal/child_signal.ts";
import { hasDeliverable } from "./signal/dequeue.ts";
import { SA_NOCLDWAIT, SIG_IGN } from "./signal/handlers.ts";
import { noteStopped } from "./signal/job_control.ts";
import { SI_USER, SigInfo } from "./signal/pending.ts";
import { sendToGroup } from "./signal/send.ts";
import { SIGCHLD, SIGKILL, SIGRTMAX } from "./signal/sigset.ts";
import { freeTracees, tellTracerOfEnd, traceExit } from "./ptrace/attach.ts";
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
import { cancelRequests, type ThreadGroup } from "./thread_group.ts";

/** The current task ends. Its context, memory, files go; with the last task the process becomes a zombie. */
export function exitTask(task: Task): void {
  if (task.state === DEAD) return;
  const { group } = task;
  task.endWait();
  traceExit(task);
  task.kernel.taskStats.tellExit(task);
  tellExit(task, group.isExiting ? group.exitStatus : task.exitStatus);
  task.state = DEAD;
  releaseMemory(task);
  task.ringFds?.release();
  task.files.drop();
  task.fs.drop();
  task.sighand.refs--;
  releaseSeccomp(task);
  task.keyrings.release();
  task.cred.domain?.drop();
  // The namespace of a zombie is there until somebody has waited for it.
  if (task !== group.leader) task.cred.userNs.drop();
  dropSemUndo(task);
  chargeUsage(task);
  group.tasks.splice(group.tasks.indexOf(task), 1);
  dismissTask(task);
  leaveGroups(task);
  endDelay(task);
  task.ns.drop();
  task.signals.pending.clear();
  if (task === group.leader) {
    group.leader = null;
    if (!group.isExiting) group.exitStatus = task.exitStatus;
  }
  if (group.tasks.length === 0) return endProcess(task);
  // Somebody else may be able to take the process's signals now.
  for (const t of group.tasks) if (hasDeliverable(t)) alert(t);
  noteStopped(group);
  group.threadExits.wake(0);
}

/** The host thread behind a context is gone: the process dies as by SIGKILL. */
export function onContextDeath(task: Task): void {
  const { ctx, group, kernel, comm } = task;
  if (!group.isExiting) kernel.log(`process ${group.pid} (${comm}) is killed: ${ctx.deathCause}`);
  killGroup(group, SIGKILL);
  // Other states come by themselves: they are in the run queue, or were put there just now.
  if (task.state === RUNNING) endRun(task);
  else if (![AWAIT_FULL, AWAIT_CALL, AWAIT_TRACED].includes(task.state)) return;
  task.state = HANDLING;
  exitTask(task);
}

/** Locks and ids in user memory, the parent of a vfork, and the memory itself (mm_release of Linux). */
export function releaseMemory(task: Task): void {
  const mm = task.mm;
  releaseOwnedPi(task);
  walkRobustList(task);
  task.robustList = 0;
  if (task.clearChildTid !== 0 && mm.users > 1) {
    mm.store32(task.clearChildTid, 0);
    futexWake(task, task.clearChildTid, false, 1, 0xffffffff);
  }
  task.clearChildTid = 0;
  releaseVforkParent(task);
  const rssKiB = mm.residentPages * 4;
  if (rssKiB > task.group.usage.maxRssKiB) task.group.usage.maxRssKiB = rssKiB;
  task.ctx.release();
  mm.put();
}

/** Another task that shares the list goes on with it; the last one takes back what was done to semaphores. */
export function dropSemUndo(task: Task): void {
  task.semUndo?.drop(kernelPid(task));
  task.semUndo = null;
}

/** vfork(2): the parent goes on. */
export function releaseVforkParent(task: Task): void {
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
  // A leader went before, at an exec by another thread.
  group.lastCred?.userNs.drop();
  group.lastCred = task.cred;
  group.lastNice = task.sched.nice;
}

/** The last task is gone. */
function endProcess(task: Task): void {
  const { group } = task;
  group.isExiting = true;
  group.stopSignal = 0;
  endTracing(group, task.kernel);
  group.aio?.destroy();
  group.aio = null;
  cancelRequests(group);
  group.pending.clear();
  group.timers.destroy();
  group.exe?.drop();
  group.exe = null;
  leaveSession(group);
  if (group.isInit) endNamespace(group);
  reparentChildren(group, task);
  hangUpOrphans(group, group.parent, group);
  // The end of a namespace's init is told when all the others are gone (zap_pid_ns_processes).
  if (group.isInit && !group.isRootInit && group.pids.groups.size > 1) return;
  becomeZombie(group, task.kernel);
}

/** Nothing of it runs any more: whoever wants to know is told. */
function becomeZombie(group: ThreadGroup, kernel: Kernel): void {
  group.isZombie = true;
  const isReaped = notifyParent(group);
  group.exitEvents.wake(POLLIN);
  group.threadExits.wake(POLLIN);
  const { container } = group;
  if (container !== null && container.init === group) endContainer(container, group);
  group.exitListener?.onProcessEnd(group);
  if (group.isRootInit) kernel.onInitExit(group);
  else if (isReaped) reap(group, kernel);
}

/** Its first process is gone, and so are the others, where they share their PID namespace with strangers too. */
function endContainer(container: Container, init: ThreadGroup): void {
  container.init = null;
  for (const g of [...container.groups]) if (g !== init) killGroup(g, SIGKILL);
}

/** Init is gone: everybody else in its PID namespace is killed (pid_namespaces(7)). */
function endNamespace(init: ThreadGroup): void {
  const { pids } = init;
  pids.isEnding = true;
  for (const g of [...pids.groups.values()]) if (g !== init) killGroup(g, SIGKILL);
}

/** `group` is a zombie that nobody needs to see any more; an init may have waited for that. */
export function reap(group: ThreadGroup, kernel: Kernel): void {
  reapGroup(group);
  for (let ns: PidNamespace | null = group.pids; ns !== null; ns = ns.outer) {
    const { init } = ns;
    if (init === null) continue;
    if (init === group) ns.init = null;
    else if (ns.isEnding && ns.groups.size === 1 && init.tasks.length === 0 && !init.isZombie) {
      becomeZombie(init, kernel);
    }
  }
}

/**
 * SIGCHLD (or whatever clone(2) asked for), and whoever waits looks again. True: the parent does not want to know, so
 * the child is reaped at once (sigaction(2), SA_NOCLDWAIT).
 */
function notifyParent(group: ThreadGroup): boolean {
  const { parent, leaderTracer } = group;
  if (leaderTracer !== null) {
    // The parent hears of it when the tracer has waited for it.
    tellTracerOfEnd(leaderTracer, group, group.id, group.exitStatus);
    return false;
  }
  // Nobody in the sandbox waits for it.
  if (parent === null) return true;
  const status = group.exitStatus, sig = group.exitSignal;
  const action = (parent.leader ?? parent.tasks[0])?.sighand.of(SIGCHLD);
  const isIgnored = sig === SIGCHLD && action !== undefined &&
    (action.handler === SIG_IGN || (action.flags & SA_NOCLDWAIT) !== 0);
  // clone(2) takes any byte for a signal; what is none is not sent.
  const isSignal = sig > 0 && sig <= SIGRTMAX;
  if (isSignal && action !== undefined && !(isIgnored && action.handler === SIG_IGN)) {
    sendToGroup(parent, childSignal(group, parent, sig, exitCode(status), exitValue(status)));
  }
  parent.childEvents.wake(0);
  return isIgnored;
}

/** A tracer has waited for a process that is another's child: now it is a zombie for its parent. */
export function endForParent(group: ThreadGroup, kernel: Kernel): void {
  group.leaderTracer?.deadLeaders?.delete(group);
  group.leaderTracer = null;
  if (group.isZombie && notifyParent(group)) reap(group, kernel);
}

/** A process ends that traced others. */
function endTracing(group: ThreadGroup, kernel: Kernel): void {
  freeTracees(group, null);
  group.deadTracees = null;
  for (const dead of [...group.deadLeaders ?? []]) endForParent(dead, kernel);
}

/** Children go to the next subreaper above, or to init (prctl(2), PR_SET_CHILD_SUBREAPER). */
function reparentChildren(group: ThreadGroup, task: Task): void {
  const { init } = group.pids, { kernel } = task;
  // Everybody in a namespace that ends is killed already, and goes without a parent.
  const parent = group.pids.isEnding ? null : findReaper(group) ?? init;
  for (const child of [...group.children]) {
    group.children.delete(child);
    child.parent = parent;
    if (parent !== null) parent.children.add(child);
    child.exitSignal = SIGCHLD;
    for (const t of child.tasks) {
      if (t.parentDeathSignal === 0) continue;
      const info = new SigInfo(t.parentDeathSignal, SI_USER);
      info.pid = group.id.numberIn(child.pids);
      info.uid = task.cred.uid;
      sendToGroup(child, info);
    }
    if (child.isZombie && notifyParent(child)) reap(child, kernel);
    else hangUpOrphans(child, group, null);
  }
}

function findReaper(group: ThreadGroup): ThreadGroup | null {
  const { pids } = group;
  for (let g = group.parent; g !== null && g.pids === pids; g = g.parent) {
    if (g.isSubreaper && g.tasks.some((t) => !mustEnd(t))) return g;
  }
  return null;
}
