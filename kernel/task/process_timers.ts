/** All timers of a process. Each kind is made at its first use. */

import { SIGALRM } from "../../ffi/abi/signal.ts";
import { RLIMIT_CPU } from "../../ffi/abi/resource.ts";
import { QUEUED_SIGNALS } from "../core/quota.ts";
import type { TimerQueue } from "../time/timer.ts";
import { CpuIntervalTimer, CpuLimitTimer, RealTimer } from "./itimers.ts";
import { PosixTimer, type TimerEvent } from "./posix_timer.ts";
import { SIGEV_SIGNAL } from "../../ffi/abi/siginfo.ts";
import type { Task } from "./task.ts";
import type { ThreadGroup } from "./thread_group.ts";

/** LIMIT: POSIX timers of one process. */
const MAX_TIMERS = 32768;

export class ProcessTimers {
  real: RealTimer | null = null;
  virtual: CpuIntervalTimer | null = null;
  prof: CpuIntervalTimer | null = null;
  cpuLimit: CpuLimitTimer | null = null;
  readonly posix: Map<number, PosixTimer> = new Map();
  private nextId: number = 0;

  realTimer(group: ThreadGroup, queue: TimerQueue): RealTimer {
    return this.real ??= new RealTimer(group, queue);
  }

  /** ITIMER_VIRTUAL or ITIMER_PROF. */
  cpuTimer(group: ThreadGroup, queue: TimerQueue, isVirtual: boolean): CpuIntervalTimer {
    if (isVirtual) return this.virtual ??= new CpuIntervalTimer(group, queue, true);
    return this.prof ??= new CpuIntervalTimer(group, queue, false);
  }

  /** RLIMIT_CPU changed. */
  refreshCpuLimit(group: ThreadGroup, queue: TimerQueue, nowNs: number): void {
    (this.cpuLimit ??= new CpuLimitTimer(group, queue)).refresh(nowNs);
  }

  /** A child inherits its parent's RLIMIT_CPU, and no timers. */
  inheritLimits(group: ThreadGroup, queue: TimerQueue, nowNs: number): void {
    if (group.limits.get(RLIMIT_CPU) !== Infinity) this.refreshCpuLimit(group, queue, nowNs);
  }

  /** timer_create(2), after its checks; null: too many timers. */
  create(task: Task, clock: number, event: TimerEvent | null): PosixTimer | null {
    // Each timer reserves a queued signal.
    if (this.posix.size >= MAX_TIMERS || !QUEUED_SIGNALS.take(1, task.group.account)) return null;
    while (this.posix.has(this.nextId)) this.nextId = (this.nextId + 1) % 0x7fffffff;
    const id = this.nextId;
    this.nextId = (id + 1) % 0x7fffffff;
    const common = { notify: SIGEV_SIGNAL, shownSignal: SIGALRM, thread: null };
    const what = event ?? { ...common, signo: SIGALRM, valueLo: id, valueHi: 0 };
    const timer = new PosixTimer(id, task.group, task.kernel.timers, clock, task, what);
    this.posix.set(id, timer);
    return timer;
  }

  /** timer_delete(2): removes its queued signal too. */
  remove(timer: PosixTimer): void {
    this.end(timer);
    if (timer.isPending) discardSignals(timer.group, timer);
  }

  private end(timer: PosixTimer): void {
    timer.start(Infinity, 0);
    this.posix.delete(timer.id);
    QUEUED_SIGNALS.give(1, timer.group.account);
  }

  /** execve(2): removes POSIX timers; interval timers stay. */
  removePosix(): void {
    const timers = [...this.posix.values()];
    for (const timer of timers) this.end(timer);
    if (timers.length > 0) discardSignals(timers[0]!.group, null);
  }

  /** Removes all timers at the end of the process. */
  destroy(): void {
    this.removePosix();
    if (this.real !== null) this.real.queue.disarm(this.real);
    this.virtual?.set(Infinity, 0);
    this.prof?.set(Infinity, 0);
    this.cpuLimit?.set(Infinity, 0);
  }
}

/** Removes the pending signals of one timer of the process, or of all. */
function discardSignals(group: ThreadGroup, timer: PosixTimer | null): void {
  group.pending.discardOf(timer);
  for (const t of group.tasks) t.signals.pending.discardOf(timer);
}
