/**
 * Invariants of the kernel's structures, as named checks: for the simulator, fuzzers and tests.
 * They hold between two services (runs of a handler, faults). A check walks its structures, adds a
 * line for each violation, and changes nothing; it takes time with the size of the structures.
 *
 * memory_invariants.ts has the checks of memory; docs/internals/faults.md says which handler
 * families rely on which order.
 */

import * as quotas from "../core/quota.ts";
import type { Cgroup } from "../cgroup/cgroup.ts";
import type { Job } from "../job/job.ts";
import type { Kernel } from "../task/kernel_services.ts";
import { BLOCKED, DEAD, HANDLING, READY, RESUMING, RUNNING, Task, WORKING } from "../task/task.ts";
import { TaskTimeout } from "../task/task_wait.ts";
import type { ThreadGroup } from "../task/thread_group.ts";
import type { OpenFile } from "../vfs/open_file.ts";
import { MEMORY_CHECKS } from "./memory_invariants.ts";

/** The part of the kernel object that the checks read. */
export interface CheckedKernel extends Kernel {
  readonly loop: {
    /** The run queue, linked by `Task.next`. */
    readonly runQueue: { readonly first: Task | null; readonly length: number };
    readonly fair: { waitingTasks(): Iterable<Task> };
  };
}

export interface Invariant {
  readonly name: string;
  /** Adds a line to `found` for each violation. */
  check(kernel: CheckedKernel, found: string[]): void;
}

/** A new check is a row here. */
export const INVARIANTS: readonly Invariant[] = [
  { name: "tasks", check: checkTasks },
  { name: "processes", check: checkProcesses },
  { name: "process groups", check: checkProcessGroups },
  { name: "shared structures", check: checkShares },
  { name: "open files", check: checkOpenFiles },
  { name: "run queue", check: checkRunQueue },
  { name: "waits", check: checkWaits },
  { name: "timers", check: checkTimers },
  { name: "quotas", check: checkQuotas },
  { name: "control groups", check: checkCgroups },
  { name: "jobs", check: checkJobs },
  ...MEMORY_CHECKS,
];

/** LIMIT: lines of one check. */
const MAX_LINES = 50;

/**
 * Every violation as "check: what is wrong"; empty when there is none. Not to be called during a
 * service.
 */
export function violations(kernel: CheckedKernel): string[] {
  const all: string[] = [];
  for (const { name, check } of INVARIANTS) {
    const found: string[] = [];
    check(kernel, found);
    for (const line of found.slice(0, MAX_LINES)) all.push(`${name}: ${line}`);
  }
  return all;
}

function checkTasks({ pids }: CheckedKernel, found: string[]): void {
  for (const [nr, task] of pids.tasks) {
    const { group, state } = task;
    if (task.id.numbers[0] !== nr) found.push(`task ${task.tid} is found as ${nr}`);
    if (!group.tasks.includes(task)) found.push(`task ${nr} is not among those of its process`);
    if (pids.groups.get(group.id.numbers[0]!) !== group) {
      found.push(`task ${nr} has a process without a number`);
    }
    if (state === DEAD) found.push(`task ${nr} is dead and has its number`);
    if (state === HANDLING) found.push(`task ${nr} is being served, and nothing serves it`);
    if (task.endStep > 0) found.push(`task ${nr} ends since step ${task.endStep}`);
    if (state !== DEAD && task.ctx.owner !== task) found.push(`task ${nr} has another's context`);
    for (let ns: typeof pids | null = task.pids; ns !== null; ns = ns.outer) {
      if (ns.tasks.get(task.id.numbers[ns.level]!) !== task) {
        found.push(`task ${nr} at level ${ns.level}`);
      }
    }
  }
}

function checkProcesses({ pids }: CheckedKernel, found: string[]): void {
  for (const [nr, group] of pids.groups) {
    const { parent, leader, container } = group;
    if (group.id.numbers[0] !== nr) found.push(`process ${group.pid} is found as ${nr}`);
    if (group.isReaped) found.push(`process ${nr} is reaped and has its number`);
    if (group.isZombie && group.tasks.length > 0) found.push(`zombie ${nr} has tasks`);
    if (!group.isZombie && group.tasks.length === 0 && !isWaitingInit(group)) {
      found.push(`process ${nr} has no tasks and is no zombie`);
    }
    if (leader !== null && leader.group !== group) found.push(`process ${nr} has another's leader`);
    for (const task of group.tasks) {
      if (pids.tasks.get(task.id.numbers[0]!) !== task) {
        found.push(`thread ${task.tid} of ${nr} has no number`);
      }
    }
    if (parent !== null && !parent.children.has(group)) {
      found.push(`process ${nr} is no child of its parent`);
    }
    for (const child of group.children) {
      if (child.parent !== group) found.push(`child ${child.pid} of ${nr} has another parent`);
      if (pids.groups.get(child.id.numbers[0]!) !== child) {
        found.push(`child ${child.pid} of ${nr} is gone`);
      }
    }
    if (container !== null && !container.groups.has(group)) {
      found.push(`process ${nr} is in no container`);
    }
  }
}

/**
 * Whether it is an init whose tasks are gone, which waits for the other processes of its namespace.
 */
function isWaitingInit(group: ThreadGroup): boolean {
  return group.isInit && group.pids.groups.size > 1;
}

function checkProcessGroups({ pids }: CheckedKernel, found: string[]): void {
  for (const group of pids.groups.values()) {
    const { pgrp } = group;
    if (!pgrp.members.has(group)) found.push(`process ${group.pid} is not in its process group`);
    if (pids.processGroups.get(pgrp.id.numbers[0]!) !== pgrp) {
      found.push(`group of ${group.pid} has no number`);
    }
  }
  for (const [nr, pgrp] of pids.processGroups) {
    if (pgrp.members.size === 0) found.push(`process group ${nr} is empty`);
    if (!pgrp.session.groups.has(pgrp)) found.push(`process group ${nr} is not in its session`);
    for (const group of pgrp.members) {
      if (group.pgrp !== pgrp) {
        found.push(`member ${group.pid} of ${nr} is in another process group`);
      }
      if (pids.groups.get(group.id.numbers[0]!) !== group) {
        found.push(`member ${group.pid} of ${nr} is gone`);
      }
    }
  }
  for (const [nr, session] of pids.sessions) {
    if (session.groups.size === 0) found.push(`session ${nr} is empty`);
  }
}

/** Checks the reference counts of structures that tasks share: each task has one reference. */
function checkShares({ pids }: CheckedKernel, found: string[]): void {
  const users = new Map<object, number>();
  for (const { files, fs, sighand, mm } of pids.tasks.values()) {
    for (const shared of [files, fs, sighand, mm]) users.set(shared, (users.get(shared) ?? 0) + 1);
  }
  for (const { tid, files, fs, sighand, mm } of pids.tasks.values()) {
    if (files.refs !== users.get(files)) {
      found.push(`fd table of ${tid}: ${files.refs} for ${users.get(files)}`);
    }
    if (fs.refs !== users.get(fs)) {
      found.push(`fs struct of ${tid}: ${fs.refs} for ${users.get(fs)}`);
    }
    if (sighand.refs !== users.get(sighand)) {
      found.push(`handlers of ${tid}: ${sighand.refs} for ${users.get(sighand)}`);
    }
    if (mm.users !== users.get(mm)) {
      found.push(`memory of ${tid}: ${mm.users} for ${users.get(mm)}`);
    }
    if (mm.isDestroyed) found.push(`memory of ${tid} has ended`);
  }
}

/**
 * Checks that an open file has at least a reference for each descriptor; calls, mappings and
 * messages have others.
 */
function checkOpenFiles({ pids }: CheckedKernel, found: string[]): void {
  const tables = new Set<Task["files"]>(), users = new Map<OpenFile, number>();
  const use = (file: OpenFile) => users.set(file, (users.get(file) ?? 0) + 1);
  for (const task of pids.tasks.values()) tables.add(task.files);
  for (const files of tables) {
    const fds = files.openFds();
    if (fds.length !== files.count) {
      found.push(`a table counts ${files.count} of ${fds.length} descriptors`);
    }
    for (const fd of fds) use(files.getAny(fd)!);
  }
  for (const { exe } of pids.groups.values()) if (exe !== null) use(exe);
  for (const [file, count] of users) {
    if (file.refs < count) {
      found.push(`an open file has ${file.refs} references for ${count} users`);
    }
  }
}

function checkRunQueue({ pids, loop }: CheckedKernel, found: string[]): void {
  const { runQueue } = loop;
  const queued = new Set<Task>();
  for (let task = runQueue.first; task !== null; task = task.next) {
    if (queued.has(task)) return void found.push(`task ${task.tid} is queued twice`);
    queued.add(task);
    if (![READY, RESUMING, WORKING, DEAD].includes(task.state)) {
      found.push(`task ${task.tid} is queued in state ${task.state}`);
    }
  }
  if (queued.size !== runQueue.length) {
    found.push(`length ${runQueue.length} of ${queued.size} tasks`);
  }
  for (const task of loop.fair.waitingTasks()) {
    if (queued.has(task)) found.push(`task ${task.tid} is queued twice`);
    queued.add(task);
  }
  for (const task of pids.tasks.values()) {
    const isDue = task.state === READY || task.state === RESUMING;
    if (isDue && !queued.has(task)) found.push(`task ${task.tid} is due and not queued`);
  }
}

function checkWaits({ pids }: CheckedKernel, found: string[]): void {
  for (const { tid, state, waiter, moreWaiters, timeout } of pids.tasks.values()) {
    const isWaiting = state === BLOCKED || state === READY;
    if (waiter.queue !== null) {
      if (!isWaiting) found.push(`task ${tid} is in a wait queue in state ${state}`);
      if (!waiter.queue.has(waiter)) found.push(`task ${tid} is not in its wait queue`);
    }
    for (const more of moreWaiters ?? []) {
      if (more.queue !== null && !more.queue.has(more)) {
        found.push(`task ${tid} is not in its wait queues`);
      }
    }
    if (timeout.isArmed && !isWaiting) found.push(`task ${tid} has a time-out in state ${state}`);
    if (state === RUNNING && moreWaiters !== null) found.push(`task ${tid} runs and waits`);
  }
}

function checkTimers({ pids, timers }: CheckedKernel, found: string[]): void {
  let before = 0;
  for (const timer of timers.all()) {
    if (timer.index !== before++) found.push(`the timer at ${before - 1} says ${timer.index}`);
    if (timer.deadlineNs < timers.nextDeadlineNs) found.push(`a timer is due before the first one`);
    const task = timer instanceof TaskTimeout ? timer.task : null;
    if (!(task instanceof Task) || task.billed !== task) continue;
    if (pids.tasks.get(task.id.numbers[0]!) !== task) {
      found.push(`a time-out of task ${task.tid}, which is gone`);
    }
  }
}

function checkQuotas({ pids, accounts }: CheckedKernel, found: string[]): void {
  for (const [name, quota] of Object.entries(quotas)) {
    if (!(quota instanceof quotas.Quota)) continue;
    const count = quota.countOf(accounts.root);
    if (count < 0) found.push(`${name} is ${count}`);
  }
  let extra = 0;
  for (const { moreWaiters } of pids.tasks.values()) extra += moreWaiters?.length ?? 0;
  const counted = quotas.EXTRA_WAITS.countOf(accounts.root);
  if (extra > counted) found.push(`EXTRA_WAITS is ${counted} for ${extra}`);
}

function checkCgroups({ pids }: CheckedKernel, found: string[]): void {
  const own = new Map<Cgroup, number>();
  for (const { cgroups: { unified, legacy } } of pids.tasks.values()) {
    for (const group of [unified, ...legacy]) own.set(group, (own.get(group) ?? 0) + 1);
  }
  for (const [group, tasks] of own) {
    if (group.ownTasks !== tasks) found.push(`${group.name}: ${group.ownTasks} for ${tasks} tasks`);
    if (group.isGone) found.push(`${group.name} is gone and has ${tasks} tasks`);
  }
}

function checkJobs({ pids }: CheckedKernel, found: string[]): void {
  const counts = new Map<Job, number>();
  for (const [nr, group] of pids.groups) {
    const { job, tasks } = group;
    if (job === null) continue;
    counts.set(job, (counts.get(job) ?? 0) + tasks.length);
    if (tasks.length > 0 && !job.groups.has(group)) found.push(`process ${nr} is not in its job`);
    if (tasks.length === 0 && job.groups.has(group)) found.push(`its job has zombie ${nr}`);
  }
  for (const [job, tasks] of counts) {
    if (job.tasks !== tasks) found.push(`a job counts ${job.tasks} of ${tasks} tasks`);
    for (const group of job.groups) {
      if (group.job !== job) found.push(`process ${group.pid} is in another job`);
    }
  }
}
