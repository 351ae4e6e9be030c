/**
 * timerfd_create(2): a timer whose expirations are read as a count. As on Linux, an interval timer
 * is armed again when it is read or looked at, so a timer that is not read costs one wake-up.
 * syscalls/io/timerfd.ts has the calls.
 *
 * DIFFERS: only a snapshot changes the real-time clock: other changes of the host's clock neither
 * move timers nor cancel them (TFD_TIMER_CANCEL_ON_SET).
 */

import { POLLIN } from "../../../ffi/abi/poll.ts";
import type { Account } from "../../core/account.ts";
import { EAGAIN, ECANCELED, EFAULT, EINVAL, ENOTTY } from "../../../ffi/abi/errno.ts";
import { O_RDWR } from "../../../ffi/abi/fcntl.ts";
import {
  CLOCK_REALTIME,
  CLOCK_REALTIME_ALARM,
  TFD_IOC_SET_TICKS,
  TFD_TIMER_ABSTIME,
  TFD_TIMER_CANCEL_ON_SET,
} from "../../../ffi/abi/time.ts";
import { WaitQueue } from "../../core/wait.ts";
import type { IoCursor } from "../../mm/io_cursor.ts";
import type { UserMemory } from "../../mm/user_memory.ts";
import { type RealtimeFollower, Timer, type TimerQueue } from "../../time/timer.ts";
import { AnonFile, type AnonFiles } from "./anon_inode.ts";

/** Scratch for the count. */
const buffer = new Uint8Array(128);
const view = new DataView(buffer.buffer);

/** The clock and timers of a timerfd. */
interface MonotonicClock {
  /** CLOCK_MONOTONIC, ns. */
  now(): number;
  readonly timers: TimerQueue;
}

export class Expiry extends Timer {
  private readonly file: TimerFile;

  constructor(file: TimerFile) {
    super();
    this.file = file;
  }

  override onExpire(): void {
    this.file.onExpire();
  }
}

export class TimerFile extends AnonFile implements RealtimeFollower {
  /** CLOCK_* of the call; deadlines here are always CLOCK_MONOTONIC. */
  readonly clockId: number;
  /** The flags of the last timerfd_settime(2). */
  settimeFlags: number = 0;
  intervalNs: number = 0;
  private ticks: number = 0;
  /** It has expired and is not armed again yet; `deadlineNs` is when it expired. */
  private isExpired: boolean = false;
  private deadlineNs: number = Infinity;
  /** CLOCK_REALTIME was set, and no call has returned that yet. */
  private isCanceled: boolean = false;
  private readonly clock: MonotonicClock;
  private readonly expiry: Expiry = new Expiry(this);
  private readonly queue: WaitQueue = new WaitQueue();

  constructor(
    account: Account,
    anon: AnonFiles,
    clock: MonotonicClock,
    clockId: number,
    flags: number,
  ) {
    super(account, anon, O_RDWR | flags);
    this.clock = clock;
    this.clockId = clockId;
  }

  override get waitQueue(): WaitQueue {
    return this.queue;
  }

  /**
   * Arms the timer for a CLOCK_MONOTONIC deadline (Infinity disarms it) and forgets earlier
   * expirations. With TFD_TIMER_ABSTIME, the deadline of a timer of CLOCK_REALTIME follows that
   * clock.
   */
  set(deadlineNs: number, intervalNs: number, flags: number): void {
    const { timers } = this.clock;
    timers.disarm(this.expiry);
    this.settimeFlags = flags;
    if (this.isRealtime && (flags & TFD_TIMER_ABSTIME) !== 0) timers.followers.add(this);
    else timers.followers.delete(this);
    this.isExpired = false;
    this.ticks = 0;
    this.intervalNs = intervalNs;
    this.deadlineNs = deadlineNs;
    if (deadlineNs === Infinity) return;
    if (deadlineNs <= this.clock.now()) this.onExpire();
    else timers.arm(this.expiry, deadlineNs);
  }

  /** Its clock is CLOCK_REALTIME. */
  get isRealtime(): boolean {
    return this.clockId === CLOCK_REALTIME || this.clockId === CLOCK_REALTIME_ALARM;
  }

  private get isCancelable(): boolean {
    const both = TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET;
    return this.isRealtime && (this.settimeFlags & both) === both;
  }

  onRealtimeSet(byNs: number): void {
    this.deadlineNs -= byNs;
    if (this.expiry.isArmed) this.clock.timers.arm(this.expiry, this.deadlineNs);
    if (!this.isCancelable) return;
    this.isCanceled = true;
    this.ticks++;
    this.queue.wake(POLLIN);
  }

  /** Whether CLOCK_REALTIME was set under TFD_TIMER_CANCEL_ON_SET; true once for each time. */
  takeCanceled(): boolean {
    if (!this.isCanceled || !this.isCancelable) return false;
    this.isCanceled = false;
    return true;
  }

  /** The time to the next expiration, ns; 0 when disarmed. */
  get remainingNs(): number {
    this.catchUp();
    if (this.deadlineNs === Infinity || this.isExpired) return 0;
    return Math.max(1, this.deadlineNs - this.clock.now());
  }

  onExpire(): void {
    this.isExpired = true;
    this.ticks++;
    this.queue.wake(POLLIN);
  }

  /** Counts the intervals that passed since it expired, and arms it for the next one. */
  private catchUp(): void {
    if (!this.isExpired || this.intervalNs === 0) return;
    this.isExpired = false;
    const sinceNs = this.clock.now() - this.deadlineNs;
    // Negative: CLOCK_REALTIME was set back, and takes the expiration back (timerfd_create(2)).
    const passed = sinceNs < 0 ? 0 : Math.floor(sinceNs / this.intervalNs) + 1;
    this.ticks += passed - 1;
    this.deadlineNs += passed * this.intervalNs;
    this.clock.timers.arm(this.expiry, this.deadlineNs);
  }

  override get readsNow(): boolean {
    return true;
  }
  override read(io: IoCursor, _offset: number): number {
    if (io.remaining < 8) return -EINVAL;
    if (this.takeCanceled()) {
      this.ticks = 0;
      this.isExpired = false;
      return -ECANCELED;
    }
    if (this.ticks === 0) return -EAGAIN;
    this.catchUp();
    if (this.ticks === 0) return 0;
    view.setUint32(0, this.ticks % 0x100000000, true);
    view.setUint32(4, Math.floor(this.ticks / 0x100000000), true);
    this.ticks = 0;
    return io.putBytes(buffer, 0, 8);
  }

  /** TFD_IOC_SET_TICKS, for checkpoint and restore: sets the count. */
  override ioctl(request: number, arg: number, user: UserMemory): number {
    if (request !== TFD_IOC_SET_TICKS) return -ENOTTY;
    if (user.copyIn(buffer, 0, arg, 8) < 0) return -EFAULT;
    const ticks = view.getUint32(0, true) + view.getUint32(4, true) * 0x100000000;
    if (ticks === 0) return -EINVAL;
    this.ticks = ticks;
    this.queue.wake(POLLIN);
    return 0;
  }

  override poll(): number {
    return this.ticks > 0 ? POLLIN : 0;
  }

  /** The file has no position; lseek(2) succeeds. */
  override seek(): number {
    return 0;
  }
  override describe(): string {
    return "anon_inode:[timerfd]";
  }

  override fdinfo(): string {
    const left = this.remainingNs, interval = this.intervalNs;
    return `clockid: ${this.clockId}\nticks: ${this.ticks}\n` +
      `settime flags: 0${this.settimeFlags.toString(8)}\n` +
      `it_value: ${pair(left)}\nit_interval: ${pair(interval)}\n`;
  }

  protected override release(): void {
    this.clock.timers.disarm(this.expiry);
    this.clock.timers.followers.delete(this);
  }
}

function pair(ns: number): string {
  return `(${Math.floor(ns / 1e9)}, ${ns % 1e9})`;
}
