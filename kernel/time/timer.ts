/**
 * Timers of the kernel: a binary heap of Timer objects by CLOCK_MONOTONIC deadline. State is plain
 * data: a timer is an object with a method, never a closure. The kernel's loop calls `expire`.
 */

/** LIMIT: timers that fire in one turn of the loop. */
export const FIRED_A_TURN = 512;

export abstract class Timer {
  /** The deadline, CLOCK_MONOTONIC in ns; valid while armed. */
  deadlineNs: number = 0;
  /** Its position in the heap; -1 when not armed. */
  index: number = -1;

  get isArmed(): boolean {
    return this.index >= 0;
  }
  /** The task or thread group that a kernel bug in `onExpire` ends; null: none. */
  get culprit(): object | null {
    return null;
  }
  /** Called once, after the timer left the heap. It may arm itself again. */
  abstract onExpire(nowNs: number): void;
}

/** An object with times of CLOCK_REALTIME, which it keeps as times of CLOCK_MONOTONIC. */
export interface RealtimeFollower {
  /** CLOCK_REALTIME was set `byNs` ahead (negative: back) of CLOCK_MONOTONIC. */
  onRealtimeSet(byNs: number): void;
}

export class TimerQueue {
  private readonly heap: Timer[] = [];
  /** Tasks that wait are not among them: snapshot/clocks.ts moves their deadlines. */
  readonly followers: Set<RealtimeFollower> = new Set();
  /** The timer whose `onExpire` runs, or threw; null: none. */
  firing: Timer | null = null;

  /** The deadline of the earliest timer, or Infinity. */
  get nextDeadlineNs(): number {
    return this.heap.length === 0 ? Infinity : this.heap[0]!.deadlineNs;
  }

  get size(): number {
    return this.heap.length;
  }

  /** All armed timers, the next one first, for checks. */
  all(): readonly Timer[] {
    return this.heap;
  }

  arm(timer: Timer, deadlineNs: number): void {
    if (timer.index >= 0) this.disarm(timer);
    timer.deadlineNs = deadlineNs;
    timer.index = this.heap.length;
    this.heap.push(timer);
    this.up(timer.index);
  }

  disarm(timer: Timer): void {
    const i = timer.index;
    if (i < 0) return;
    timer.index = -1;
    const last = this.heap.pop()!;
    if (last === timer) return;
    this.heap[i] = last;
    last.index = i;
    this.up(i);
    this.down(last.index);
  }

  /**
   * Fires the timers that are due at `nowNs`, the earliest first, at most FIRED_A_TURN. A timer
   * that its own `onExpire` arms for now again cannot keep this from returning.
   */
  expire(nowNs: number): void {
    let budget = Math.min(this.heap.length, FIRED_A_TURN);
    while (budget-- > 0 && this.heap.length > 0 && this.heap[0]!.deadlineNs <= nowNs) {
      const timer = this.heap[0]!;
      this.disarm(timer);
      this.firing = timer;
      timer.onExpire(nowNs);
      this.firing = null;
    }
  }

  private up(i: number): void {
    const t = this.heap[i]!;
    while (i > 0) {
      const p = (i - 1) >> 1, parent = this.heap[p]!;
      if (parent.deadlineNs <= t.deadlineNs) break;
      this.heap[i] = parent;
      parent.index = i;
      i = p;
    }
    this.heap[i] = t;
    t.index = i;
  }

  private down(i: number): void {
    const n = this.heap.length, t = this.heap[i]!;
    for (;;) {
      let c = 2 * i + 1;
      if (c >= n) break;
      if (c + 1 < n && this.heap[c + 1]!.deadlineNs < this.heap[c]!.deadlineNs) c++;
      const child = this.heap[c]!;
      if (child.deadlineNs >= t.deadlineNs) break;
      this.heap[i] = child;
      child.index = i;
      i = c;
    }
    this.heap[i] = t;
    t.index = i;
  }
}
