/**
 * Whether the Sentry and the guest threads that wait for it spin for each other, or sleep.
 *
 * Two ways of working, and the score that chooses between them:
 *
 * - *Together*: nobody spins. Who posts wakes the loop, on the same core as a rule, and sleeps: 4 us a call.
 * - *Apart*: the loop stays off the core that the guest runs on, and both spin: 0.2-0.4 us a call. A spin that finds
 *   nothing ends in sleep on another core, and waking up from there costs 40 us: worth it only where one in ten fails
 *   at most. Two that spin on one core would be the worst case, 50 us a call.
 *
 * With other work on the host it is the same: beside two CPU hogs on two cores a call costs 1 us apart and 6 us
 * together, since both spin while both have a core, and sleep while one has not.
 */

/** LIMIT: longest spin, ns. */
const MAX_SPIN_NS = 50_000;
/** A pause between calls that a spin would have found work in, the loop's way to sleep and back included, ns. */
const SHORT_GAP_NS = 25_000;
/** Together, so many short pauses more than long ones, which count eightfold, let the two go apart. */
const APART_SCORE = 12, LONG_GAP = 8;
/** Apart, a spin that fails costs so many found calls; with nothing left the two go together. */
const FAILED_SPIN = 8, FULL_SCORE = 32;

export class SpinPolicy {
  /** The loop must stay off the guest's core. */
  isApart: boolean = false;
  private readonly cores: number;
  private score: number = 0;

  /** @param cores that the sandbox may use */
  constructor(cores: number) {
    this.cores = cores;
  }

  /** Budget of guest threads that wait for a reply, ns. */
  get guestNs(): number {
    return this.isApart ? MAX_SPIN_NS : 0;
  }

  /** How long the loop may spin now, with `running` guest threads that could trap. HOT */
  loopBudgetNs(running: number): number {
    return this.isApart && running > 0 && running < this.cores ? MAX_SPIN_NS : 0;
  }

  /** The loop found `traps` without having slept. HOT */
  found(traps: number): void {
    if (this.isApart) this.score = Math.min(FULL_SCORE, this.score + traps);
    else this.short(traps);
  }

  /** The loop slept for `ns` while `running` guest threads could trap. */
  slept(ns: number, running: number): void {
    if (running === 0) return;
    if (this.isApart) {
      this.score -= FAILED_SPIN;
      if (this.score < 0) this.change(false);
    } else if (ns < SHORT_GAP_NS && running < this.cores) this.short(1);
    else this.score = Math.max(0, this.score - LONG_GAP);
  }

  private short(count: number): void {
    this.score += count;
    if (this.score > APART_SCORE && this.cores > 1) this.change(true);
  }

  private change(isApart: boolean): void {
    this.isApart = isApart;
    this.score = isApart ? FULL_SCORE : 0;
  }
}
