/**
 * Decides whether the Sentry and the guest threads that wait for it spin for each other, or sleep.
 *
 * There are two modes, and a score that chooses between them:
 *
 * - *Together*: neither side spins. A guest thread that posts a call wakes the loop and sleeps: 4-6
 *   us a call, without wasted processor time.
 * - *Apart*: the loop stays off the guest's core, and both sides spin: 0.2-0.4 us a call. Two
 *   spinning sides on one core would be the worst case, 50 us a call.
 *
 * The score depends on how long guest code runs between calls, by the guest's own time stamps. A
 * sleep that was long only because the host had no free core is no reason against spinning: beside
 * two CPU hogs on two cores a call costs 1 us apart and 6 us together, because a sleeper gives up
 * its core.
 *
 * For the same reason the number of guest threads may exceed the number of cores: a server and its
 * client on two cores would sleep more than they work if they and the loop slept for each call.
 * Threads on the loop's core do not spin there (`Platform.setLoopCpu`).
 */

/** Longest run of guest code between calls that is worth a spin, as a part of the longest spin. */
const SHORT_GAP = 0.8;
/**
 * In mode *together*: this many more short gaps than long ones, a long one counting eightfold,
 * switch to *apart*.
 */
const APART_SCORE = 12, LONG_GAP = 8;
/**
 * In mode *apart*: a long gap costs as much score as this many calls that were found in time. At 0
 * the mode becomes *together*.
 */
const FAILED_SPIN = 4, FULL_SCORE = 32;

export class SpinPolicy {
  /** The loop must stay off the guest's core. */
  isApart: boolean = false;
  private readonly cores: number;
  /** LIMIT: longest spin of either, ns. */
  private readonly maxSpinNs: number;
  private score: number = 0;

  /**
   * @param cores that the sandbox may use
   * @param sleepCostNs approximate cost of a sleep and a wake-up (`Platform.sleepCostNs`)
   */
  constructor(cores: number, sleepCostNs: number) {
    this.cores = cores;
    this.maxSpinNs = sleepCostNs;
  }

  /** Spin budget of a guest thread that waits for a reply, ns. */
  get guestNs(): number {
    return this.isApart ? this.maxSpinNs : 0;
  }

  /** How long the loop may spin now, with `running` guest threads that could trap, ns. HOT */
  loopBudgetNs(running: number): number {
    return this.isApart && running > 0 ? this.maxSpinNs : 0;
  }

  /** Records that the loop found `traps` without a sleep. HOT */
  found(traps: number): void {
    if (this.isApart) this.score = Math.min(FULL_SCORE, this.score + traps);
    else this.short(traps);
  }

  /**
   * Records that the loop slept until one of `running` guest threads had run for `gapNs` (negative:
   * unknown) and made a call.
   */
  slept(gapNs: number, running: number): void {
    if (running === 0) return;
    if (this.isApart) {
      if (gapNs > this.maxSpinNs) this.score -= FAILED_SPIN;
      if (this.score < 0) this.change(false);
    } else if (gapNs >= 0 && gapNs < SHORT_GAP * this.maxSpinNs) this.short(1);
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
