/**
 * eventfd(2): a 64-bit counter that tasks can wait for, kept as two u32 words. aio and io_uring
 * signal completions by `signal`.
 */

import { POLLERR, POLLIN, POLLOUT } from "../../../ffi/abi/poll.ts";
import type { Account } from "../../core/account.ts";
import { EAGAIN, EFAULT, EINVAL } from "../../../ffi/abi/errno.ts";
import { WaitQueue } from "../../core/wait.ts";
import type { IoCursor } from "../../mm/io_cursor.ts";
import { AnonFile, type AnonFiles } from "./anon_inode.ts";

const WORD = 0x100000000;
/** Scratch for the value that is read or written. */
const buffer = new Uint8Array(128);
const view = new DataView(buffer.buffer);

export class EventFile extends AnonFile {
  private readonly isSemaphore: boolean;
  private readonly id: number;
  private lo: number;
  private hi: number = 0;
  private readonly queue: WaitQueue = new WaitQueue();

  constructor(
    account: Account,
    anon: AnonFiles,
    flags: number,
    initial: number,
    isSemaphore: boolean,
  ) {
    super(account, anon, flags);
    this.id = anon.nextEventId();
    this.lo = initial;
    this.isSemaphore = isSemaphore;
  }

  override get waitQueue(): WaitQueue {
    return this.queue;
  }

  override get readsNow(): boolean {
    return true;
  }
  override read(io: IoCursor, _offset: number): number {
    if (io.remaining < 8) return -EINVAL;
    if ((this.lo | this.hi) === 0) return -EAGAIN;
    view.setUint32(0, this.isSemaphore ? 1 : this.lo, true);
    view.setUint32(4, this.isSemaphore ? 0 : this.hi, true);
    if (this.isSemaphore) {
      if (this.lo === 0) this.hi--;
      this.lo = (this.lo - 1) >>> 0;
    } else {
      this.lo = this.hi = 0;
    }
    this.queue.wake(POLLOUT);
    return io.putBytes(buffer, 0, 8) < 8 ? -EFAULT : 8;
  }

  /** The counter never exceeds 2^64 - 2; the value 2^64 - 1 is refused. */
  override write(io: IoCursor, _offset: number): number {
    if (io.remaining !== 8) return -EINVAL;
    const n = io.takeBytes(buffer, 0, 8);
    if (n < 8) return -EFAULT;
    const lo = view.getUint32(0, true), hi = view.getUint32(4, true);
    if (lo === 0xffffffff && hi === 0xffffffff) return -EINVAL;
    const sumLo = this.lo + lo, sumHi = this.hi + hi + (sumLo >= WORD ? 1 : 0);
    const newLo = sumLo >= WORD ? sumLo - WORD : sumLo;
    if (sumHi >= WORD || (sumHi === 0xffffffff && newLo === 0xffffffff)) return -EAGAIN;
    this.lo = newLo;
    this.hi = sumHi;
    this.queue.wake(POLLIN);
    return 8;
  }

  /** Adds one for the kernel (the end of an asynchronous read or write); a full counter stays. */
  signal(): void {
    if (this.hi === 0xffffffff && this.lo >= 0xfffffffe) return;
    this.lo = (this.lo + 1) >>> 0;
    if (this.lo === 0) this.hi++;
    this.queue.wake(POLLIN);
  }

  override poll(): number {
    let bits = 0;
    if ((this.lo | this.hi) !== 0) bits |= POLLIN;
    if (this.hi !== 0xffffffff || this.lo < 0xfffffffe) bits |= POLLOUT;
    if (this.hi === 0xffffffff && this.lo === 0xffffffff) bits |= POLLERR;
    return bits;
  }

  /** The file has no position; lseek(2) succeeds. */
  override seek(): number {
    return 0;
  }
  override describe(): string {
    return "anon_inode:[eventfd]";
  }
  override fdinfo(): string {
    const low = this.lo.toString(16);
    const count = this.hi === 0 ? low : this.hi.toString(16) + low.padStart(8, "0");
    return `eventfd-count: ${count.padStart(16)}\neventfd-id: ${this.id}\n` +
      `eventfd-semaphore: ${Number(this.isSemaphore)}\n`;
  }
}
