/**
 * The cpu controller: the CPU time that a group used, and its quota (cpu.max, bandwidth.ts).
 *
 * DIFFERS: weights are kept and shown: the host schedules the threads of all groups alike.
 */

import { threadUserNs } from "../task/cpu_clock.ts";
import type { Kernel } from "../task/kernel_services.ts";
import { Bandwidth, type BandwidthOwner } from "./bandwidth.ts";
import type { Cgroup } from "./cgroup.ts";
import { CPU } from "./controllers.ts";
import { hold, letTasksGo } from "./freezer.ts";
import { tasksIn } from "./group_set.ts";

const DEFAULT_WEIGHT = 100, DEFAULT_PERIOD_US = 100_000;

/** The state of the cpu controller in one group. */
export class CpuState implements BandwidthOwner {
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
    this.bandwidth = new Bandwidth(this);
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

  get kernel(): Kernel {
    return this.group.hierarchy.owner.kernel;
  }
  get tasks(): number {
    return this.group.isGone ? 0 : this.group.tasks;
  }
  get usedNs(): number {
    return total(this.group);
  }
  get isThrottled(): boolean {
    return this.group.freeze.isThrottled;
  }

  throttle(untilNs: number): void {
    const { freeze, hierarchy } = this.group;
    freeze.isThrottled = true;
    freeze.throttledUntilNs = untilNs;
    hierarchy.owner.stillGroups++;
    hold(this.group);
  }

  unthrottle(throttledNs: number): void {
    const { freeze, hierarchy } = this.group;
    freeze.isThrottled = false;
    hierarchy.owner.stillGroups--;
    this.throttledNs += throttledNs;
    letTasksGo(this.group);
  }

  notePeriods(periods: number): void {
    this.periods += periods;
    if (this.isThrottled) this.throttles += periods;
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

function total(group: Cgroup): number {
  const { userNs, systemNs } = cpuUse(group);
  return userNs + systemNs;
}
