/**
 * Whether the Sentry and the guest threads that wait for it spin for each other, or sleep.
 *
 * Two ways of working, and the score that chooses between them:
 *
 * - *Together*: nobody spins. Who posts wakes the loop and sleeps: 4-6 us a call, and no processor time for nothing.
 * - *Apart*: the loop stays off the core that the guest runs on, and both spin: 0.2-0.4 us a call. Two that spin on one
 *   core would be the worst case, 50 us a call.
 *
 * What decides is how long guest code runs between calls, by the guest's own time stamps: a sleep that was long only
 * because the host had no core to spare says nothing against spinning. On the contrary: beside two CPU hogs on two
 * cores a call costs 1 us apart and 6 us together, for who sleeps gives his core away.
 *
 * For the same reason it does not matter whether more guest threads run than there are cores: a server and its client on
 * two cores would sleep more than they work if they and the loop slept for each call. Threads that are on the loop's core
 * do not spin there (`Platform.setLoopCpu`).
 */

/** Guest code between calls that a spin is worth waiting for, as a part of the longest spin. */
const SHORT_GAP = 0.8;
/** Together, so many short gaps more than long ones, which count eightfold, let the two go apart. */
const APART_SCORE = 12, LONG_GAP = 8;
/** Apart, a long gap costs so many calls that were found in time; with nothing left the two go together. */
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
   * @param sleepCostNs about what a sleep and a wake-up cost (`Platform.sleepCostNs`)
   */
  constructor(cores: number, sleepCostNs: number) {
    this.cores = cores;
    this.maxSpinNs = sleepCostNs;
  }

  /** Budget of guest threads that wait for a reply, ns. */
  get guestNs(): number {
    return this.isApart ? this.maxSpinNs : 0;
  }

  /** How long the loop may spin now, with `running` guest threads that could trap. HOT */
  loopBudgetNs(running: number): number {
    return this.isApart && running > 0 ? this.maxSpinNs : 0;
  }

  /** The loop found `traps` without having slept. HOT */
  found(traps: number): void {
    if (this.isApart) this.score = Math.min(FULL_SCORE, this.score + traps);
    else this.short(traps);
  }

  /** The loop slept until one of `running` guest threads had run for `gapNs` (negative: unknown) and made a call. */
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
