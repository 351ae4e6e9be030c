/**
 * The threads that wait for a processor, and whose turn is next: who has had least. One that slept, or that only answers
 * to others, need not wait until all who compute had their slices.
 *
 * A thread's `hadTicks` counts what it ran, from where the others were when it began. It is what Linux called virtual
 * runtime before EEVDF; all weigh the same here. Neighbour: `scheduler.ts`.
 */

/** A slice, in time stamp ticks: some milliseconds. */
const SLICE = 10_000_000;
/** How far behind those whose turn it is one can be for having slept, or ahead of them for having run when nobody waited. */
const MOST_BEHIND = SLICE, MOST_AHEAD = 2 * SLICE;

/** LIMIT: how many times as many turns as there are threads waiting one waits, whatever it was charged with. */
const PASSES = 2;

/** Of a thread. */
export interface Turn {
  /** Time stamp ticks. */
  hadTicks: number;
  isQueued: boolean;
}

export class Turns<T extends Turn> {
  /** By when they came, and which turn that was. */
  readonly #waiting: T[] = [];
  readonly #since: number[] = [];
  #turn = 0;
  /** `hadTicks` of the one that had least when it was chosen; it only grows. */
  #least = 0;

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /** `hadTicks` of a new thread: those that are there go first, so that no number of new ones keeps them waiting. */
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
   * Whose turn it is; of equals, who came first. Time that the host took is charged as well: who had much of that is not
   * passed over for as long as others take to have as much.
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

  /** It waits no more. */
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
