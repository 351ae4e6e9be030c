/**
 * The cpu controller: the CPU time that a group used, and its quota (cpu.max). A group over its
 * quota is held until it has earned time again; the excess is taken from its next periods.
 *
 * DIFFERS: CPU time is an estimate (cpu_clock.ts), checked a few times a period. Weights are kept
 * and shown: the host schedules the threads of all groups alike.
 */

import { Timer } from "../time/timer.ts";
import { threadUserNs } from "../task/cpu_clock.ts";
import type { Cgroup } from "./cgroup.ts";
import { CPU } from "./controllers.ts";
import { hold, letTasksGo } from "./freezer.ts";
import { tasksIn } from "./group_set.ts";

const NS_A_US = 1000;
/** LIMIT: the least time between two checks, ns. */
const LOOK_NS = 1_000_000;
const DEFAULT_WEIGHT = 100, DEFAULT_PERIOD_US = 100_000;

/** The state of the cpu controller in one group. */
export class CpuState {
  /** Time of tasks that have left the group by ending. */
  userNs: number = 0;
  systemNs: number = 0;
  weight: number = DEFAULT_WEIGHT;
  isIdle: boolean = false;
  quotaUs: number = Infinity;
  periodUs: number = DEFAULT_PERIOD_US;
  burstUs: number = 0;
  /**
   * Periods in which the group ran, those in which it was throttled, and the time it was throttled.
   */
  periods: number = 0;
  throttles: number = 0;
  throttledNs: number = 0;
  private readonly group: Cgroup;
  private readonly bandwidth: Bandwidth;

  constructor(group: Cgroup) {
    this.group = group;
    this.bandwidth = new Bandwidth(group);
  }

  charge(userNs: number, systemNs: number): void {
    this.userNs += userNs;
    this.systemNs += systemNs;
  }

  setQuota(quotaUs: number, periodUs: number): void {
    this.quotaUs = quotaUs;
    this.periodUs = periodUs;
    this.bandwidth.restart();
  }

  /** Called when the group has tasks: starts the periods of its quota and of those above. */
  wake(): void {
    for (let up: Cgroup | null = this.group; up !== null; up = up.parent) up.cpu.bandwidth.wake();
  }

  onLoss(lost: number): void {
    if ((lost & CPU) === 0) return;
    this.weight = DEFAULT_WEIGHT;
    this.isIdle = false;
    this.burstUs = 0;
    this.setQuota(Infinity, DEFAULT_PERIOD_US);
  }

  /** Called when the group is removed: adds its CPU time to its parent. */
  endInto(above: CpuState): void {
    this.bandwidth.end();
    above.userNs += this.userNs;
    above.systemNs += this.systemNs;
  }
}

/** The time that a group and the groups below it have used. */
export function cpuUse(group: Cgroup): { userNs: number; systemNs: number } {
  let userNs = 0, systemNs = 0;
  for (const { cpu } of group.subtree()) {
    userNs += cpu.userNs;
    systemNs += cpu.systemNs;
  }
  for (const task of tasksIn(group)) {
    userNs += threadUserNs(task) - task.cgroupUserNs;
    systemNs += task.systemNs - task.cgroupSystemNs;
  }
  return { userNs, systemNs };
}

/** Holds a group to its quota. */
class Bandwidth extends Timer {
  private readonly group: Cgroup;
  private periodEndNs: number = 0;
  private leftNs: number = 0;
  private usedNs: number = 0;
  private usedAtStartNs: number = 0;
  private pauseNs: number = 0;
  private throttledSinceNs: number = 0;

  constructor(group: Cgroup) {
    super();
    this.group = group;
  }

  restart(): void {
    this.end();
    if (this.group.cpu.quotaUs === Infinity) return;
    this.leftNs = this.group.cpu.quotaUs * NS_A_US;
    this.wake();
  }

  end(): void {
    const { kernel } = this.group.hierarchy.owner;
    if (this.isArmed) kernel.timers.disarm(this);
    this.unthrottle(kernel.now());
  }

  wake(): void {
    const { group } = this, { kernel } = group.hierarchy.owner;
    if (this.isArmed || group.cpu.quotaUs === Infinity || group.tasks === 0) return;
    const now = kernel.now();
    this.usedNs = this.usedAtStartNs = total(group);
    this.periodEndNs = now + group.cpu.periodUs * NS_A_US;
    this.pauseNs = 0;
    this.arm(now);
  }

  override onExpire(_nowNs: number): void {
    const { group } = this, { cpu, freeze, hierarchy: { owner } } = group;
    if (group.isGone || cpu.quotaUs === Infinity) return;
    const now = owner.kernel.now(), used = total(group), isUsed = used > this.usedNs;
    this.leftNs -= used - this.usedNs;
    this.usedNs = used;
    if (now >= this.periodEndNs) this.endPeriod(now);
    if (freeze.isThrottled && this.leftNs > 0) this.unthrottle(now);
    else if (!freeze.isThrottled && this.leftNs <= 0) this.throttle(now);
    if (isUsed) this.pauseNs = 0;
    // Without tasks no time is used; the next task calls `wake`.
    if (group.tasks > 0) this.arm(now);
  }

  private endPeriod(now: number): void {
    const { cpu } = this.group, periodNs = cpu.periodUs * NS_A_US, quotaNs = cpu.quotaUs * NS_A_US;
    const periods = 1 + Math.floor((now - this.periodEndNs) / periodNs);
    const { isThrottled } = this.group.freeze;
    if (this.usedNs > this.usedAtStartNs || isThrottled) cpu.periods += periods;
    if (isThrottled) cpu.throttles += periods;
    this.usedAtStartNs = this.usedNs;
    this.periodEndNs += periods * periodNs;
    const most = quotaNs + cpu.burstUs * NS_A_US;
    this.leftNs = Math.min(most, this.leftNs + periods * quotaNs);
  }

  /**
   * Sets the next check to the time when all CPUs could have used up the quota; while no time is
   * used, later and later.
   */
  private arm(now: number): void {
    const { kernel } = this.group.hierarchy.owner;
    const soonest = Math.max(LOOK_NS, this.leftNs / kernel.host.cpuCount, 2 * this.pauseNs);
    this.pauseNs = soonest;
    const at = this.group.freeze.isThrottled ? this.periodEndNs : now + soonest;
    kernel.timers.arm(this, Math.min(at, this.periodEndNs));
  }

  private throttle(now: number): void {
    const { group } = this;
    group.freeze.isThrottled = true;
    const { quotaUs, periodUs } = group.cpu;
    const debtPeriods = Math.floor(-this.leftNs / (quotaUs * NS_A_US));
    group.freeze.throttledUntilNs = this.periodEndNs + debtPeriods * periodUs * NS_A_US;
    group.hierarchy.owner.stillGroups++;
    this.throttledSinceNs = now;
    hold(group);
  }

  private unthrottle(now: number): void {
    const { group } = this;
    if (!group.freeze.isThrottled) return;
    group.freeze.isThrottled = false;
    group.hierarchy.owner.stillGroups--;
    group.cpu.throttledNs += now - this.throttledSinceNs;
    letTasksGo(group);
  }
}

function total(group: Cgroup): number {
  const { userNs, systemNs } = cpuUse(group);
  return userNs + systemNs;
}
