/**
 * How long the two sides of a system call may spin for each other before they sleep.
 *
 * Spinning is worth it only while everybody has a core: guest threads that run, and the Sentry. On a host with other
 * work a spinner takes the core that the other side needs: the loop's involuntary context switches tell, and spinning
 * stops for a while that doubles with every relapse. Spins that end in sleep halve the Sentry's own budget.
 *
 * Numbers: idle host, spin 0.4 us against 2-100 us asleep; with two CPU hogs, a 50 us spin costs 240 us in the mean
 * and sleeping 12 us.
 */

/** LIMIT: longest spin, ns. */
const MAX_SPIN_NS = 50_000;
const MIN_SPIN_NS = 4_000;
/** How long contention keeps everybody from spinning: at first and at most, ns. */
const FIRST_PAUSE_NS = 5_000_000, MAX_PAUSE_NS = 160_000_000;
/** Contention is looked at this often, ns. */
const PERIOD_NS = 1_000_000;
/** Without contention for so many periods the next pause is a short one again. */
const CALM_PERIODS = 200;

export class SpinPolicy {
  private readonly cores: number;
  /** Budget of guest threads that wait for a reply, ns. */
  guestNs: number = MAX_SPIN_NS;
  /** Budget of the loop with nothing to do, ns. */
  private loopNs: number = MAX_SPIN_NS;
  private pausedUntilNs: number = 0;
  private pauseNs: number = FIRST_PAUSE_NS;
  private calm: number = 0;
  private lastSwitches: number = -1;
  private nextNs: number = 0;

  /** @param cores that the sandbox may use */
  constructor(cores: number) {
    this.cores = cores;
    if (cores < 2) this.guestNs = this.loopNs = 0;
  }

  /** Time to call `update`. */
  isDue(nowNs: number): boolean {
    return nowNs >= this.nextNs;
  }

  /** Once a period: `switches` counts the involuntary context switches of the loop's thread. */
  update(nowNs: number, switches: number): void {
    this.nextNs = nowNs + PERIOD_NS;
    const contended = this.lastSwitches >= 0 && switches !== this.lastSwitches;
    this.lastSwitches = switches;
    if (contended) {
      if (nowNs >= this.pausedUntilNs) this.pauseNs = Math.min(this.pauseNs * 2, MAX_PAUSE_NS);
      this.pausedUntilNs = nowNs + this.pauseNs;
      this.calm = 0;
    } else if (++this.calm === CALM_PERIODS) {
      this.pauseNs = FIRST_PAUSE_NS;
    }
    this.guestNs = this.cores < 2 || nowNs < this.pausedUntilNs ? 0 : MAX_SPIN_NS;
  }

  /** How long the loop may spin now, with `running` guest threads that could trap. HOT */
  loopBudgetNs(running: number): number {
    return running === 0 || running >= this.cores || this.guestNs === 0 ? 0 : this.loopNs;
  }

  /** The loop's spin found work. HOT */
  onSuccess(): void {
    if (this.loopNs < MAX_SPIN_NS) this.loopNs = Math.min(MAX_SPIN_NS, this.loopNs * 2);
  }

  /** The loop's spin ended in sleep. */
  onFailure(): void {
    this.loopNs = Math.max(MIN_SPIN_NS, this.loopNs / 2);
  }
}
