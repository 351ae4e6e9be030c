/**
 * CPU time of tasks, without a clock read for each call. The loop reads the clock once a turn. A
 * task is charged the time from its resume to its trap as user time (its share of a CPU when more
 * threads run than there are CPUs), and the mean cost of a trap as system time. A long run is
 * charged at most the CPU time that the host accounts to its process.
 *
 * DIFFERS: CPU clocks and getrusage(2) are estimates. Where address spaces have no host process,
 * they come from wall time alone.
 */

import type { Kernel } from "./kernel_services.ts";
import { LoadAverage } from "./load_average.ts";
import { DEAD, RUNNING, type Task } from "./task.ts";
import type { ThreadGroup } from "./thread_group.ts";
import { TurnAccounts } from "./turn_account.ts";

/**
 * Runs that are long enough to read the host's CPU time, ns: the host adds up each thread of the
 * process.
 */
const LONG_RUN_NS = 100_000, LONG_RUN_NS_A_THREAD = 10_000;
/**
 * Greatest excess of one turn over the mean of a trap, ns: the host may have preempted the kernel's
 * thread.
 */
const LONGEST_TRAP_NS = 20_000, LONGEST_TRAP_FACTOR = 4;
/**
 * Excess that is always permitted. A longer turn is no ordinary trap, and its task alone is
 * charged.
 */
const USUAL_TRAP_NS = 50_000;

export class CpuClock {
  /** CLOCK_MONOTONIC at the start of the loop's turn, ns. */
  nowNs: number = 0;
  /** Part of a CPU that a running thread gets: 1 unless more threads run than there are CPUs. */
  share: number = 1;
  /** Mean cost of handling one trap, ns. */
  trapNs: number = 0;
  /** CPU time and waits of tasks that have ended. */
  endedUserNs: number = 0;
  endedSystemNs: number = 0;
  endedSwitches: number = 0;
  readonly loadAverage: LoadAverage = new LoadAverage();
  /** Accounts for turns of the loop. */
  readonly accounts: TurnAccounts = new TurnAccounts();

  /**
   * The loop handled `traps` traps in `elapsedNs`. Returns by how much that exceeds their usual
   * cost, ns; negative: not at all.
   */
  account(elapsedNs: number, traps: number): number {
    const mostNs = Math.min(LONGEST_TRAP_FACTOR * this.trapNs + LONGEST_TRAP_NS, USUAL_TRAP_NS);
    this.trapNs += (Math.min(elapsedNs / traps, mostNs) - this.trapNs) * 0.25;
    return elapsedNs - mostNs * traps;
  }
}

/** Charges a task for work of the kernel beyond the mean of a trap. The task may have ended. */
export function chargeKernel(task: Task, ns: number): void {
  // The time from its resume on includes this work: `charge` subtracts it there.
  if (task.state === RUNNING) task.owedNs += ns;
  else if (task.state !== DEAD) task.systemNs += ns;
  else {
    const { unified, legacy } = task.cgroups;
    task.kernel.clock.endedSystemNs += ns;
    task.group.job?.chargeEnded(ns);
    unified.cpu.charge(0, ns);
    for (const group of legacy) group.cpu.charge(0, ns);
  }
}

/** The task continues in guest code. HOT */
export function startRun(task: Task): void {
  task.ranSinceNs = task.kernel.clock.nowNs;
}

/** The task trapped. HOT */
export function endRun(task: Task): void {
  task.stopCount++;
  const clock = task.kernel.clock;
  task.owedNs += clock.trapNs;
  charge(task, clock.nowNs);
}

/** Charges a task for the time since it last resumed. HOT */
function charge(task: Task, nowNs: number): void {
  const wallNs = nowNs - task.ranSinceNs;
  if (wallNs <= 0) return;
  task.ranSinceNs = nowNs;
  // The resume counts from the start of its turn, so the kernel's work in that turn is not user
  // time. The mean may exceed the elapsed time; the charge may not. Traps of one turn are paid from
  // the time of the next one.
  const usedNs = usedIn(wallNs, task, nowNs), systemNs = Math.min(task.owedNs, usedNs);
  task.systemNs += systemNs;
  task.userNs += usedNs - systemNs;
  task.owedNs = 0;
}

/** CPU time that the task used in `wallNs`, ns, the kernel's work for it included. HOT */
function usedIn(wallNs: number, task: Task, nowNs: number): number {
  const { kernel, group, mm: { hostUse, space } } = task;
  const longNs = LONG_RUN_NS + LONG_RUN_NS_A_THREAD * group.tasks.length;
  if (wallNs < longNs || !hostUse.readCpu(kernel.host, space, nowNs, longNs)) {
    const usedNs = wallNs * kernel.clock.share;
    hostUse.leftNs -= usedNs;
    return usedNs;
  }
  let othersNs = 0;
  for (const t of group.tasks) {
    if (t !== task && t.state === RUNNING) othersNs += Math.max(0, nowNs - t.ranSinceNs);
  }
  const mostNs = Math.max(0, hostUse.leftNs) * wallNs / (wallNs + othersNs);
  // A single running thread spun in the rest.
  hostUse.leftNs = othersNs === 0 ? 0 : hostUse.leftNs - Math.min(wallNs, mostNs);
  return Math.min(wallNs, mostNs + task.owedNs);
}

/** User time of a thread until now, ns. */
export function threadUserNs(task: Task): number {
  if (task.state === RUNNING) charge(task, task.kernel.now());
  return task.userNs;
}

export function threadCpuNs(task: Task): number {
  return threadUserNs(task) + task.systemNs;
}

/** User time of a process, ended threads included, ns. */
export function groupUserNs(group: ThreadGroup): number {
  let ns = group.usage.userNs;
  for (const t of group.tasks) ns += threadUserNs(t);
  return ns;
}

export function groupSystemNs(group: ThreadGroup): number {
  let ns = group.usage.systemNs;
  for (const t of group.tasks) ns += t.systemNs;
  return ns;
}

export function groupCpuNs(group: ThreadGroup): number {
  return groupUserNs(group) + groupSystemNs(group);
}

/** CPU time of all tasks since the start, ns: in user mode, in the kernel. */
export function totalCpuNs({ clock, pids }: Kernel): [userNs: number, systemNs: number] {
  let userNs = clock.endedUserNs, systemNs = clock.endedSystemNs;
  for (const task of pids.tasks.values()) {
    userNs += threadUserNs(task);
    systemNs += task.systemNs;
  }
  return [userNs, systemNs];
}

/** Load averages over 1, 5 and 15 minutes. */
export function loadsOf(kernel: Kernel): readonly [number, number, number] {
  const [userNs, systemNs] = totalCpuNs(kernel);
  return kernel.clock.loadAverage.read(kernel.now() - kernel.bootNs, userNs + systemNs);
}
