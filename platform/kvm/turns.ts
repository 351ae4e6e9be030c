/**
 * The queue of threads that wait for a vCPU. The thread that had least time is next, so a thread
 * that slept, or that only answers others, need not wait for the slices of all that compute.
 *
 * `hadTicks` of a thread counts its run time, starting at the value of the others when the thread
 * began: what Linux called virtual runtime before EEVDF, with equal weights. Neighbour:
 * `scheduler.ts`.
 */

/** A slice, in time stamp ticks: some milliseconds. */
const SLICE = 10_000_000;
/**
 * How far a thread may be behind the others after a sleep, or ahead of them after it ran while no
 * thread waited.
 */
const MOST_BEHIND = SLICE, MOST_AHEAD = 2 * SLICE;

/**
 * LIMIT: a thread waits for at most this many turns for each waiting thread, whatever it was
 * charged.
 */
const PASSES = 2;

/** The fields of a thread that the queue uses. */
export interface Turn {
  /** Time stamp ticks. */
  hadTicks: number;
  isQueued: boolean;
}

export class Turns<T extends Turn> {
  /** Waiting threads in the order of arrival, and the turn of each one's arrival. */
  readonly #waiting: T[] = [];
  readonly #since: number[] = [];
  #turn = 0;
  /** `hadTicks` of the thread that was chosen last; it only grows. */
  #least = 0;

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /**
   * `hadTicks` of a new thread: the present threads go first, so no number of new threads delays
   * them.
   */
  get birthTicks(): number {
    return this.#least + SLICE;
  }

  push(thread: T): void {
    const least = this.#least;
    thread.hadTicks = Math.min(Math.max(thread.hadTicks, least - MOST_BEHIND), least + MOST_AHEAD);
    thread.isQueued = true;
    this.#waiting.push(thread);
    this.#since.push(this.#turn);
  }

  /**
   * Removes the thread whose turn it is; among equals the first that came. A thread is also charged
   * for time that the host took; PASSES bounds how long others then pass it.
   */
  shift(): T | null {
    const waiting = this.#waiting,
      isPassed = this.#turn++ - this.#since[0]! >= PASSES * waiting.length;
    let best = 0;
    for (let i = 1; i < waiting.length && !isPassed; i++) {
      if (waiting[i]!.hadTicks < waiting[best]!.hadTicks) best = i;
    }
    const thread = waiting[best] ?? null;
    if (thread === null) return null;
    this.#least = Math.max(this.#least, thread.hadTicks);
    this.#remove(best);
    thread.isQueued = false;
    return thread;
  }

  /** Removes a thread that no longer waits. */
  remove(thread: T): void {
    if (!thread.isQueued) return;
    thread.isQueued = false;
    this.#remove(this.#waiting.indexOf(thread));
  }

  #remove(at: number): void {
    this.#waiting.splice(at, 1);
    this.#since.splice(at, 1);
  }
}
