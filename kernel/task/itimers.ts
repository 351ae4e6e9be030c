/** Interval timers of a process: setitimer(2), alarm(2), and the CPU time limit of getrlimit(2). */

import { SIGALRM, SIGKILL, SIGPROF, SIGVTALRM, SIGXCPU } from "../../ffi/abi/signal.ts";
import { SI_KERNEL } from "../../ffi/abi/siginfo.ts";
import { RLIMIT_CPU } from "../../ffi/abi/resource.ts";
import { Timer, type TimerQueue } from "../time/timer.ts";
import { groupCpuNs, groupUserNs } from "./cpu_clock.ts";
import { CpuTimer, runningThread } from "./cpu_timer.ts";
import { killGroup } from "./exit_request.ts";
import { SigInfo } from "../signal/pending.ts";
import { sendToGroup } from "../signal/send.ts";
import type { ThreadGroup } from "./thread_group.ts";

/** LIMIT: a shorter interval counts as this one, so that expiries cannot keep the kernel busy. */
const MIN_INTERVAL_NS = 20_000;

/** The next expiry after `nowNs` of a timer that was due at `dueNs`. */
function nextExpiry(dueNs: number, intervalNs: number, nowNs: number): number {
  const step = Math.max(intervalNs, MIN_INTERVAL_NS);
  return dueNs + (Math.floor((nowNs - dueNs) / step) + 1) * step;
}

/** ITIMER_REAL and alarm(2). */
export class RealTimer extends Timer {
  readonly group: ThreadGroup;
  readonly queue: TimerQueue;
  intervalNs: number = 0;

  constructor(group: ThreadGroup, queue: TimerQueue) {
    super();
    this.group = group;
    this.queue = queue;
  }

  override get culprit(): ThreadGroup {
    return this.group;
  }

  override onExpire(nowNs: number): void {
    if (this.intervalNs > 0) {
      this.queue.arm(this, nextExpiry(this.deadlineNs, this.intervalNs, nowNs));
    }
    sendToGroup(this.group, new SigInfo(SIGALRM, SI_KERNEL));
  }
}

/** ITIMER_VIRTUAL counts user time, ITIMER_PROF user and system time. */
export class CpuIntervalTimer extends CpuTimer {
  readonly group: ThreadGroup;
  readonly isVirtual: boolean;
  intervalNs: number = 0;

  constructor(group: ThreadGroup, queue: TimerQueue, isVirtual: boolean) {
    super(queue);
    this.group = group;
    this.isVirtual = isVirtual;
  }

  override get culprit(): ThreadGroup {
    return this.group;
  }

  override read(): number {
    return this.isVirtual ? groupUserNs(this.group) : groupCpuNs(this.group);
  }

  protected override threads(): number {
    return this.group.tasks.length;
  }

  protected override onReached(nowNs: number, dueNs: number): void {
    if (this.intervalNs > 0) this.set(dueNs + this.intervalNs, nowNs);
    const sig = this.isVirtual ? SIGVTALRM : SIGPROF;
    sendToGroup(this.group, new SigInfo(sig, SI_KERNEL), runningThread(this.group, this.turn));
  }
}

/** RLIMIT_CPU: SIGXCPU every second beyond the soft limit, SIGKILL at the hard one. */
export class CpuLimitTimer extends CpuTimer {
  readonly group: ThreadGroup;

  constructor(group: ThreadGroup, queue: TimerQueue) {
    super(queue);
    this.group = group;
  }

  /** Called when the process starts, and when its limits change. */
  refresh(nowNs: number): void {
    const { limits } = this.group;
    const seconds = Math.min(limits.get(RLIMIT_CPU), limits.hard[RLIMIT_CPU] ?? Infinity);
    this.set(seconds === Infinity ? Infinity : seconds * 1e9, nowNs);
  }

  protected override read(): number {
    return groupCpuNs(this.group);
  }

  protected override threads(): number {
    return this.group.tasks.length;
  }

  protected override onReached(nowNs: number, dueNs: number): void {
    const { soft, hard } = this.group.limits;
    const hardNs = (hard[RLIMIT_CPU] ?? Infinity) * 1e9;
    if (this.read() >= hardNs) return killGroup(this.group, SIGKILL);
    // The soft limit itself rises by a second each time, as on Linux, and getrlimit(2) shows it.
    soft[RLIMIT_CPU] = soft[RLIMIT_CPU]! + 1;
    this.set(Math.min(hardNs, dueNs + 1e9), nowNs);
    const thread = runningThread(this.group, this.turn);
    sendToGroup(this.group, new SigInfo(SIGXCPU, SI_KERNEL), thread);
  }
}
