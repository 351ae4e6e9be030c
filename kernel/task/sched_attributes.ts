/**
 * Scheduling attributes of a thread: sched(7), ioprio_set(2), nice(2). The sandbox keeps and shows
 * them; they do not influence the host's scheduling.
 */

const DEFAULT_SLACK_NS = 50_000;

export class SchedAttributes {
  /** Nice value, -20..19. */
  nice: number = 0;
  /** SCHED_*. */
  policy: number = 0;
  /** 1..99 for SCHED_FIFO and SCHED_RR, else 0. */
  priority: number = 0;
  resetOnFork: boolean = false;
  /** SCHED_DEADLINE: runtime, deadline, period in ns. */
  runtimeNs: number = 0;
  deadlineNs: number = 0;
  periodNs: number = 0;
  /** SCHED_FLAG_RECLAIM and SCHED_FLAG_DL_OVERRUN. */
  deadlineFlags: number = 0;
  /** Slice that an ordinary thread requested, ns; 0: none. */
  sliceNs: number = 0;
  /** class << 13 | level; 0: not set. */
  ioprio: number = 0;
  /** CPUs that sched_setaffinity(2) allowed, one bit each, 32 in a word; null: all. */
  affinity: Uint32Array<ArrayBuffer> | null = null;
  timerSlackNs: number = DEFAULT_SLACK_NS;
  /** Timer slack of a new thread, ns. */
  private defaultSlackNs: number = DEFAULT_SLACK_NS;

  /** @param ns 0: the default slack */
  setTimerSlack(ns: number): void {
    this.timerSlackNs = ns === 0 ? this.defaultSlackNs : ns;
  }

  /** Copies what a child inherits: clone(2), sched(7) on SCHED_RESET_ON_FORK. */
  inherit(from: SchedAttributes): void {
    this.nice = from.nice;
    this.policy = from.policy;
    this.priority = from.priority;
    this.ioprio = from.ioprio;
    this.affinity = from.affinity;
    this.timerSlackNs = this.defaultSlackNs = from.timerSlackNs;
    this.runtimeNs = from.runtimeNs;
    this.deadlineNs = from.deadlineNs;
    this.periodNs = from.periodNs;
    this.deadlineFlags = from.deadlineFlags;
    this.sliceNs = from.sliceNs;
    if (!from.resetOnFork) return;
    if (this.policy === 1 || this.policy === 2 || this.policy === 6) {
      this.policy = this.priority = this.deadlineFlags = 0;
      this.runtimeNs = this.deadlineNs = this.periodNs = 0;
      this.nice = 0;
    } else if (this.nice < 0) {
      this.nice = 0;
    }
  }
}
