/**
 * One POSIX timer: timer_create(2), timer_settime(2). As on Linux an interval timer is armed again
 * when its signal is taken; expiries missed in between are the overrun count.
 */

import { SI_TIMER } from "../../ffi/abi/siginfo.ts";
import { CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID } from "../../ffi/abi/time.ts";
import type { RealtimeFollower, TimerQueue } from "../time/timer.ts";
import { groupCpuNs, threadCpuNs } from "./cpu_clock.ts";
import { CpuTimer, runningThread } from "./cpu_timer.ts";
import type { SignalSource } from "../signal/dequeue.ts";
import { SigInfo } from "../signal/pending.ts";
import { isIgnored, sendToGroup, sendToTask } from "../signal/send.ts";
import { DEAD, type Task } from "./task.ts";
import type { ThreadGroup } from "./thread_group.ts";

/** Greatest count that timer_getoverrun(2) shows. */
const OVERRUN_MAX = 0x7fffffff;
/** Pause of an interval timer whose signal is ignored, ns. */
const IGNORED_NS = 1e6;

/** The notification of an expiry, decoded from struct sigevent. */
export interface TimerEvent {
  /** SIGEV_*, as the caller passed it. */
  readonly notify: number;
  /** The signal to send; 0: none (SIGEV_NONE). */
  readonly signo: number;
  /** sigev_signo as the caller passed it, for /proc/PID/timers. */
  readonly shownSignal: number;
  readonly valueLo: number;
  readonly valueHi: number;
  /** Thread of SIGEV_THREAD_ID; null: the process. */
  readonly thread: Task | null;
}

export class PosixTimer extends CpuTimer implements SignalSource, RealtimeFollower {
  readonly id: number;
  readonly group: ThreadGroup;
  /** CLOCK_*. */
  readonly clock: number;
  /** The thread whose CPU clock it uses, for CLOCK_THREAD_CPUTIME_ID. */
  readonly owner: Task;
  readonly event: TimerEvent;
  intervalNs: number = 0;
  /** Overrun count of the last signal that was taken. */
  overrun: number = 0;
  /** Its signal is queued. `expiryNs` is the time of that expiry, in the timer's clock. */
  isPending: boolean = false;
  private expiredNs: number = 0;
  /** Expiries that were missed while the signal was ignored. */
  private missed: number = 0;
  /** Number of settings: a signal of an older setting does not arm the timer. */
  private generation: number = 0;
  private sentGeneration: number = 0;

  constructor(
    id: number,
    group: ThreadGroup,
    queue: TimerQueue,
    clock: number,
    owner: Task,
    event: TimerEvent,
  ) {
    super(queue);
    this.id = id;
    this.group = group;
    this.clock = clock;
    this.owner = owner;
    this.event = event;
  }

  override get culprit(): ThreadGroup {
    return this.group;
  }

  get countsCpu(): boolean {
    return this.clock === CLOCK_PROCESS_CPUTIME_ID || this.clock === CLOCK_THREAD_CPUTIME_ID;
  }

  /** Reads the timer's clock, ns: CPU time, or CLOCK_MONOTONIC for all others. */
  clockNs(): number {
    return this.countsCpu ? this.read() : this.owner.kernel.now();
  }

  /**
   * Arms at `expiryNs` of the timer's clock; Infinity disarms. `isRealtime`: an absolute time of
   * CLOCK_REALTIME.
   */
  start(expiryNs: number, intervalNs: number, isRealtime: boolean = false): void {
    if (isRealtime) this.queue.followers.add(this);
    else this.queue.followers.delete(this);
    this.generation++;
    this.intervalNs = intervalNs;
    this.missed = 0;
    this.armAt(expiryNs);
  }

  onRealtimeSet(byNs: number): void {
    this.expiredNs -= byNs;
    if (this.isArmed) this.queue.arm(this, this.deadlineNs - byNs);
  }

  /** Time until the next expiry, ns; 0 when disarmed, otherwise at least 1. */
  timeLeft(): number {
    const now = this.clockNs();
    const next = this.countsCpu ? this.targetNs : this.isArmed ? this.deadlineNs : Infinity;
    const isWaiting = next === Infinity && this.isPending && this.intervalNs > 0;
    if (isWaiting) return this.nextAfter(now, this.expiredNs) - now;
    // A timer without a signal is over when its time has come: no event is needed.
    if (this.event.signo === 0 && next <= now) {
      return this.intervalNs > 0 ? this.nextAfter(now, next) - now : 0;
    }
    return next === Infinity ? 0 : Math.max(1, next - now);
  }

  private nextAfter(now: number, expiry: number): number {
    return expiry + (Math.floor((now - expiry) / this.intervalNs) + 1) * this.intervalNs;
  }

  override onExpire(nowNs: number): void {
    if (this.countsCpu) super.onExpire(nowNs);
    else this.fire(nowNs, this.deadlineNs);
  }

  onTaken(info: SigInfo): void {
    this.isPending = false;
    if (this.sentGeneration !== this.generation) return;
    let overrun = this.missed;
    this.missed = 0;
    if (this.intervalNs > 0) {
      const periods = Math.max(0, Math.floor((this.clockNs() - this.expiredNs) / this.intervalNs));
      overrun += periods;
      this.armAt(this.expiredNs + (periods + 1) * this.intervalNs);
    }
    this.overrun = Math.min(overrun, OVERRUN_MAX);
    info.status = this.overrun;
  }

  protected override read(): number {
    return this.clock === CLOCK_THREAD_CPUTIME_ID
      ? threadCpuNs(this.owner)
      : groupCpuNs(this.group);
  }

  protected override threads(): number {
    return this.clock === CLOCK_THREAD_CPUTIME_ID ? 1 : this.group.tasks.length;
  }

  protected override onReached(nowNs: number, dueNs: number): void {
    this.fire(nowNs, dueNs);
  }

  private armAt(expiryNs: number): void {
    if (this.countsCpu) this.set(expiryNs, this.owner.kernel.now());
    else if (expiryNs === Infinity) this.queue.disarm(this);
    else this.queue.arm(this, expiryNs);
  }

  /** Handles an expiry that was due at `dueNs` of the timer's clock. */
  private fire(nowNs: number, dueNs: number): void {
    const { signo, thread } = this.event, target = thread ?? this.group.tasks[0];
    this.expiredNs = dueNs;
    const isDropped = signo === 0 || target === undefined || target.state === DEAD ||
      (isIgnored(target, signo) && !target.signals.blocked.has(signo));
    if (isDropped) return this.skip(nowNs, dueNs);
    this.sentGeneration = this.generation;
    if (this.isPending) return;
    const info = new SigInfo(signo, SI_TIMER);
    info.timerId = this.id;
    info.valueLo = this.event.valueLo;
    info.valueHi = this.event.valueHi;
    info.timer = this;
    this.isPending = true;
    const running = this.countsCpu ? runningThread(this.group, this.turn) : null;
    if (thread === null) sendToGroup(this.group, info, running);
    else sendToTask(thread, info);
  }

  /** Skips an expiry without notification: an interval timer goes on, at a bounded rate. */
  private skip(nowNs: number, dueNs: number): void {
    if (this.intervalNs <= 0) return;
    const from = this.countsCpu ? this.read() : nowNs + IGNORED_NS - this.intervalNs;
    const periods = Math.floor(Math.max(0, from - dueNs) / this.intervalNs) + 1;
    this.missed += this.event.signo === 0 ? 0 : periods;
    this.armAt(dueNs + periods * this.intervalNs);
  }
}
