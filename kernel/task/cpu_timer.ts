/**
 * Timers that count CPU time. The host sends no event when a thread has used a given CPU time, so
 * the timer reads the clock: as soon as the target can have been reached, less often while no
 * thread runs.
 */

import { Timer, type TimerQueue } from "../time/timer.ts";
import { RUNNING, type Task } from "./task.ts";
import type { ThreadGroup } from "./thread_group.ts";

/** LIMIT: shortest and longest time between two readings, ns. */
const MIN_LOOK_NS = 1e6, MAX_LOOK_NS = 1e8;

/** A thread that runs guest code now, a different one for each `turn`; null: none runs. */
export function runningThread(group: ThreadGroup, turn: number): Task | null {
  let running = 0;
  for (const t of group.tasks) if (t.state === RUNNING) running++;
  if (running === 0) return null;
  let skip = turn % running;
  for (const t of group.tasks) if (t.state === RUNNING && skip-- === 0) return t;
  return null;
}

export abstract class CpuTimer extends Timer {
  protected readonly queue: TimerQueue;
  /** CPU time at which it fires, ns. */
  targetNs: number = Infinity;
  /** Number of expiries. */
  protected turn: number = 0;
  private seenNs: number = 0;
  private idleLooks: number = 0;

  constructor(queue: TimerQueue) {
    super();
    this.queue = queue;
  }

  /** Reads the CPU clock, ns. */
  protected abstract read(): number;
  /** Greatest number of threads that advance the clock at the same time. */
  protected abstract threads(): number;
  /**
   * The target `dueNs` was reached, or passed since the last reading. The method may set the timer
   * again.
   */
  protected abstract onReached(nowNs: number, dueNs: number): void;

  /** Fires at `targetNs` of the CPU clock; Infinity disarms. */
  set(targetNs: number, nowNs: number): void {
    this.targetNs = targetNs;
    // Setting the timer repeatedly must not postpone the next reading.
    const nextNs = this.isArmed ? this.deadlineNs : Infinity;
    this.queue.disarm(this);
    if (targetNs === Infinity) return;
    this.seenNs = this.read();
    this.idleLooks = 0;
    this.lookAgain(nowNs, nextNs);
  }

  /** CPU time until the target, ns; 0 when not set. */
  remaining(): number {
    return this.targetNs === Infinity ? 0 : Math.max(1, this.targetNs - this.read());
  }

  override onExpire(nowNs: number): void {
    const cpuNs = this.read(), dueNs = this.targetNs;
    if (cpuNs >= dueNs) {
      this.targetNs = Infinity;
      this.turn++;
      this.onReached(nowNs, dueNs);
      return;
    }
    this.idleLooks = cpuNs === this.seenNs ? this.idleLooks + 1 : 0;
    this.seenNs = cpuNs;
    this.lookAgain(nowNs);
  }

  /** @param latestNs latest time of the next reading */
  private lookAgain(nowNs: number, latestNs: number = Infinity): void {
    const soonest = (this.targetNs - this.seenNs) / Math.max(1, this.threads());
    const patient = MIN_LOOK_NS * 2 ** Math.min(this.idleLooks, 7);
    const nextNs = nowNs + Math.min(Math.max(soonest, patient), MAX_LOOK_NS);
    this.queue.arm(this, Math.min(nextNs, latestNs));
  }
}
