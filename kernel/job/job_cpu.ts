/**
 * The share of a job in the processors: a quota of CPU time in each period, as cpu.max of a control
 * group, which the kernel enforces by itself.
 */

import { Bandwidth, type BandwidthOwner } from "../cgroup/bandwidth.ts";
import { holdTask, letTaskGo } from "../cgroup/freezer.ts";
import type { Kernel } from "../task/kernel_services.ts";
import type { Job } from "./job.ts";

const PERIOD_US = 100_000;
/** LIMIT: the least quota of cpu.max. */
const QUOTA_LEAST_US = 1000;

export class JobCpu implements BandwidthOwner {
  readonly quotaUs: number;
  readonly periodUs: number = PERIOD_US;
  readonly burstUs: number = 0;
  /** Its tasks must stand still, probably until `throttledUntilNs`. */
  isThrottled: boolean = false;
  throttledUntilNs: number = 0;
  private readonly job: Job;
  private readonly bandwidth: Bandwidth;

  constructor(job: Job, cpus: number) {
    this.job = job;
    this.quotaUs = Math.max(QUOTA_LEAST_US, cpus * PERIOD_US);
    this.bandwidth = new Bandwidth(this);
  }

  /** The main process starts. */
  begin(): void {
    this.bandwidth.restart();
  }

  end(): void {
    this.bandwidth.end();
  }

  get kernel(): Kernel {
    return this.job.kernel;
  }
  get tasks(): number {
    return this.job.tasks;
  }
  get usedNs(): number {
    return this.job.cpuNs;
  }

  throttle(untilNs: number): void {
    this.isThrottled = true;
    this.throttledUntilNs = untilNs;
    for (const { tasks } of this.job.groups) for (const task of tasks) holdTask(task);
  }

  unthrottle(_throttledNs: number): void {
    this.isThrottled = false;
    this.throttledUntilNs = 0;
    for (const { tasks } of this.job.groups) for (const task of tasks) letTaskGo(task);
  }

  notePeriods(_periods: number): void {}
}
