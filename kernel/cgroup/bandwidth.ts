/**
 * Holds tasks to a quota of CPU time: those of a control group (cpu.ts), or of a job
 * (job/job_cpu.ts). Tasks over their quota are held until they have earned time again; the excess
 * is taken from the next periods.
 *
 * DIFFERS: CPU time is an estimate (cpu_clock.ts), checked a few times a period.
 */

import type { Kernel } from "../task/kernel_services.ts";
import { Timer } from "../time/timer.ts";

const NS_A_US = 1000;
/** LIMIT: the least time between two checks, and what each task that is asked adds to it, ns. */
const LOOK_NS = 1_000_000, LOOK_NS_A_TASK = 5_000;

/** Tasks with a common quota. */
export interface BandwidthOwner {
  readonly kernel: Kernel;
  /** The time in each period; Infinity: no quota. */
  readonly quotaUs: number;
  readonly periodUs: number;
  readonly burstUs: number;
  /** Number of live tasks; without any, no time is used. */
  readonly tasks: number;
  /** The CPU time that they have used, ended tasks included, ns. */
  readonly usedNs: number;
  readonly isThrottled: boolean;
  /** They must stand still, probably until `untilNs`. */
  throttle(untilNs: number): void;
  /** They go on; they were throttled for `throttledNs`. */
  unthrottle(throttledNs: number): void;
  /** Periods have ended in which time was used, or they were throttled. */
  notePeriods(periods: number): void;
}

export class Bandwidth extends Timer {
  private readonly owner: BandwidthOwner;
  private periodEndNs: number = 0;
  private leftNs: number = 0;
  private usedNs: number = 0;
  private usedAtStartNs: number = 0;
  private pauseNs: number = 0;
  private throttledSinceNs: number = 0;

  constructor(owner: BandwidthOwner) {
    super();
    this.owner = owner;
  }

  /** Begins again, with another quota. */
  restart(): void {
    this.end();
    if (this.owner.quotaUs === Infinity) return;
    this.leftNs = this.owner.quotaUs * NS_A_US;
    this.wake();
  }

  end(): void {
    const { kernel } = this.owner;
    if (this.isArmed) kernel.timers.disarm(this);
    this.unthrottle(kernel.now());
  }

  /** Starts the periods. Called when there are tasks. */
  wake(): void {
    const { owner } = this;
    if (this.isArmed || owner.quotaUs === Infinity || owner.tasks === 0) return;
    const now = owner.kernel.now();
    this.usedNs = this.usedAtStartNs = owner.usedNs;
    this.periodEndNs = now + owner.periodUs * NS_A_US;
    this.pauseNs = 0;
    this.arm(now);
  }

  override onExpire(_nowNs: number): void {
    const { owner } = this;
    if (owner.quotaUs === Infinity) return;
    const now = owner.kernel.now(), used = owner.usedNs, isUsed = used > this.usedNs;
    this.leftNs -= used - this.usedNs;
    this.usedNs = used;
    if (now >= this.periodEndNs) this.endPeriod(now);
    if (owner.isThrottled && this.leftNs > 0) this.unthrottle(now);
    else if (!owner.isThrottled && this.leftNs <= 0) this.throttle(now);
    if (isUsed) this.pauseNs = 0;
    // Without tasks no time is used; the next task calls `wake`.
    if (owner.tasks > 0) this.arm(now);
  }

  private endPeriod(now: number): void {
    const { owner } = this, periodNs = owner.periodUs * NS_A_US, quotaNs = owner.quotaUs * NS_A_US;
    const periods = 1 + Math.floor((now - this.periodEndNs) / periodNs);
    if (this.usedNs > this.usedAtStartNs || owner.isThrottled) owner.notePeriods(periods);
    this.usedAtStartNs = this.usedNs;
    this.periodEndNs += periods * periodNs;
    const most = quotaNs + owner.burstUs * NS_A_US;
    this.leftNs = Math.min(most, this.leftNs + periods * quotaNs);
  }

  /**
   * Sets the next check to the time when all CPUs could have used up the quota; while no time is
   * used, later and later.
   */
  private arm(now: number): void {
    const { kernel, isThrottled, tasks } = this.owner, lookNs = LOOK_NS + LOOK_NS_A_TASK * tasks;
    const soonest = Math.max(lookNs, this.leftNs / kernel.host.cpuCount, 2 * this.pauseNs);
    this.pauseNs = soonest;
    const at = isThrottled ? this.periodEndNs : now + soonest;
    kernel.timers.arm(this, Math.min(at, this.periodEndNs));
  }

  private throttle(now: number): void {
    const { quotaUs, periodUs } = this.owner;
    const debtPeriods = Math.floor(-this.leftNs / (quotaUs * NS_A_US));
    this.throttledSinceNs = now;
    this.owner.throttle(this.periodEndNs + debtPeriods * periodUs * NS_A_US);
  }

  private unthrottle(now: number): void {
    if (this.owner.isThrottled) this.owner.unthrottle(now - this.throttledSinceNs);
  }
}
