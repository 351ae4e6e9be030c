/**
 * Pipes (pipe(7)): a ring of bytes, and in packet mode (O_DIRECT) the lengths of packets.
 *
 * Not here: the blocking open of FIFOs (fifo.ts), blocking reads and writes (syscalls/io).
 */

import { POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM } from "../../ffi/abi/poll.ts";
import { PIPE_BUF } from "../../ffi/abi/fs.ts";
import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import type { Account } from "../core/account.ts";
import { EAGAIN, EBUSY, EINVAL, EPERM, EPIPE } from "../../ffi/abi/errno.ts";
import { O_DIRECT } from "../../ffi/abi/fcntl.ts";
import { FIONREAD } from "../../ffi/abi/ioctl.ts";
import { WaitQueue } from "../core/wait.ts";
import type { FrameAllocator } from "../mm/frames.ts";
import type { IoCursor } from "../mm/io_cursor.ts";
import type { UserMemory } from "../mm/user_memory.ts";
import type { Inode } from "../vfs/inode.ts";
import { OpenFile } from "../vfs/open_file.ts";
import { ByteRing } from "./byte_ring.ts";

const DEFAULT_BYTES = 65536;
/** LIMIT: /proc/sys/fs/pipe-max-size, for all users. */
export const PIPE_MAX_BYTES = 1 << 20;

/** A pipe, which its ends (PipeFile) share. */
export class Pipe {
  readonly inode: Inode;
  readonly ring: ByteRing;
  /**
   * The content from the front: n > 0 is a packet of n bytes, n < 0 are -n ordinary bytes. Null: no
   * packets.
   */
  private runs: number[] | null = null;
  readers: number = 0;
  writers: number = 0;
  /** Opens for reading and for writing so far; the open of a FIFO waits for the next one. */
  readerOpens: number = 0;
  writerOpens: number = 0;
  readonly waitQueue: WaitQueue = new WaitQueue();

  constructor(frames: FrameAllocator, inode: Inode) {
    this.inode = inode;
    this.ring = new ByteRing(frames, DEFAULT_BYTES);
  }

  /** Moves bytes out: -EAGAIN if empty while there are writers, 0 at the end. HOT */
  read(io: IoCursor): number {
    const { ring } = this;
    if (io.remaining === 0) return 0;
    if (ring.length === 0) return this.writers > 0 ? -EAGAIN : 0;
    const wasFull = ring.room < PIPE_BUF;
    const done = this.runs === null
      ? ring.take(io, Math.min(io.remaining, ring.length))
      : this.readRuns(io, this.runs);
    if (done < 0) return done;
    if (wasFull && ring.room >= PIPE_BUF) this.waitQueue.wake(POLLOUT | POLLWRNORM);
    return done;
  }

  /** Moves bytes in: those that fit (up to PIPE_BUF all or none), or -EAGAIN. HOT */
  write(io: IoCursor, isPacket: boolean): number {
    if (io.remaining === 0) return 0;
    if (this.readers === 0) return -EPIPE;
    const { ring } = this;
    let n = isPacket ? Math.min(io.remaining, PIPE_BUF) : io.remaining;
    if (n <= PIPE_BUF ? ring.room < n : ring.room === 0) return -EAGAIN;
    if (n > ring.room) n = ring.room;
    const done = ring.put(io, n);
    if (done <= 0) return done;
    this.noteRun(done, isPacket);
    this.waitQueue.wake(POLLIN | POLLRDNORM);
    return done;
  }

  /**
   * Copies the first bytes of another pipe (tee), or with `consume` moves them (splice): bytes, or
   * -ENOMEM.
   */
  moveFrom(from: Pipe, wanted: number, consume: boolean): number {
    const n = Math.min(wanted, from.ring.length, this.ring.room);
    if (n <= 0) return 0;
    const r = this.ring.putFrom(from.ring, 0, n);
    if (r < 0) return r;
    this.noteRun(n, false);
    if (consume) from.consume(n);
    this.waitQueue.wake(POLLIN | POLLRDNORM);
    return n;
  }

  /** Removes the first `n` bytes, which the caller has copied out of the ring itself. */
  consume(n: number): void {
    this.ring.skip(n);
    if (this.runs !== null) this.dropRuns(this.runs, n);
    this.waitQueue.wake(POLLOUT | POLLWRNORM);
  }

  /** Adds `n` bytes that the caller has stored behind the last one. */
  append(n: number): void {
    this.ring.commit(n);
    this.noteRun(n, false);
    this.waitQueue.wake(POLLIN | POLLRDNORM);
  }

  get capacity(): number {
    return this.ring.limit;
  }

  /** F_SETPIPE_SZ: the new capacity; -EBUSY: the content does not fit; -EPERM: over the limit. */
  resize(bytes: number): number {
    if (bytes > 0x80000000) return -EINVAL;
    let capacity = PAGE_SIZE;
    while (capacity < bytes) capacity *= 2;
    if (capacity > PIPE_MAX_BYTES) return -EPERM;
    if (this.ring.length > capacity) return -EBUSY;
    this.ring.limit = capacity;
    this.waitQueue.wake(POLLOUT | POLLWRNORM);
    return capacity;
  }

  poll(canRead: boolean, canWrite: boolean): number {
    let bits = 0;
    if (canRead) {
      if (this.ring.length > 0) bits |= POLLIN | POLLRDNORM;
      if (this.writers === 0) bits |= POLLHUP;
    }
    if (canWrite) {
      if (this.ring.room >= PIPE_BUF) bits |= POLLOUT | POLLWRNORM;
      if (this.readers === 0) bits |= POLLERR;
    }
    return bits;
  }

  attach(canRead: boolean, canWrite: boolean): void {
    if (canRead) {
      this.readers++;
      this.readerOpens++;
    }
    if (canWrite) {
      this.writers++;
      this.writerOpens++;
    }
    this.waitQueue.wake(0);
  }

  /** Closes an end; with the last end the content is freed. */
  detach(canRead: boolean, canWrite: boolean): void {
    if (canRead) this.readers--;
    if (canWrite) this.writers--;
    if (this.readers === 0 && this.writers === 0) {
      this.ring.free();
      this.runs = null;
    } else if (canRead && this.readers === 0) {
      this.waitQueue.wake(POLLERR | POLLOUT | POLLWRNORM);
    } else if (canWrite && this.writers === 0) {
      this.waitQueue.wake(POLLHUP | POLLIN | POLLRDNORM);
    }
  }

  /** Reads ordinary bytes up to and into the next packet, whose rest is lost. */
  private readRuns(io: IoCursor, runs: number[]): number {
    let total = 0;
    while (io.remaining > 0 && runs.length > 0) {
      const isPacket = runs[0]! > 0, n = Math.abs(runs[0]!);
      const done = this.ring.take(io, Math.min(io.remaining, n));
      if (done < 0) return total > 0 ? total : done;
      total += done;
      if (isPacket) this.ring.skip(n - done);
      this.dropRuns(runs, isPacket ? n : done);
      if (isPacket || done < n) break;
    }
    return total;
  }

  private dropRuns(runs: number[], n: number): void {
    while (n > 0) {
      const run = runs[0]!, size = Math.abs(run);
      if (size > n) {
        runs[0] = run > 0 ? run - n : run + n;
        return;
      }
      runs.shift();
      n -= size;
    }
    if (runs.length === 0) this.runs = null;
  }

  /** Notes the boundaries of `n` bytes that were appended. */
  private noteRun(n: number, isPacket: boolean): void {
    const { runs } = this;
    if (runs === null) {
      const before = this.ring.length - n;
      if (!isPacket || joinsPage(before, n)) return;
      this.runs = before > 0 ? [-before, n] : [n];
      return;
    }
    const last = runs.length - 1, run = runs[last] ?? 0;
    if (run < 0 && (!isPacket || joinsPage(-run, n))) runs[last] = run - n;
    else runs.push(isPacket ? n : -n);
  }
}

/** As on Linux, a packet behind ordinary bytes joins them if it fits into their last page. */
function joinsPage(before: number, n: number): boolean {
  const inPage = before % PAGE_SIZE;
  return inPage > 0 && inPage + n <= PAGE_SIZE;
}

/** One end of a pipe, or both (a FIFO opened with O_RDWR). */
export class PipeFile extends OpenFile {
  readonly pipe: Pipe;
  /**
   * Value of `writerOpens` for which there is no hang-up: a FIFO opened without a writer waits for
   * its first.
   */
  private readonly ignoredOpens: number;

  constructor(account: Account, pipe: Pipe, flags: number, ignoredOpens: number = -1) {
    super(account, flags);
    this.pipe = pipe;
    this.ignoredOpens = ignoredOpens;
    pipe.attach(this.canRead, this.canWrite);
  }

  override get canSignal(): boolean {
    return true;
  }
  override get inode(): Inode {
    return this.pipe.inode;
  }
  override get waitQueue(): WaitQueue {
    return this.pipe.waitQueue;
  }
  override get writesAll(): boolean {
    return true;
  }
  override get readsNow(): boolean {
    return true;
  }
  override get writesNow(): boolean {
    return true;
  }
  override read(io: IoCursor, _offset: number): number {
    return this.pipe.read(io);
  }
  override write(io: IoCursor, _offset: number): number {
    return this.pipe.write(io, (this.flags & O_DIRECT) !== 0);
  }
  override poll(): number {
    const bits = this.pipe.poll(this.canRead, this.canWrite);
    return this.pipe.writerOpens === this.ignoredOpens ? bits & ~POLLHUP : bits;
  }
  override ioctl(request: number, arg: number, user: UserMemory): number {
    if (request === FIONREAD) return user.store32(arg, this.pipe.ring.length);
    return super.ioctl(request, arg, user);
  }
  override describe(): string {
    return `pipe:[${this.pipe.inode.ino}]`;
  }
  protected override release(): void {
    this.pipe.detach(this.canRead, this.canWrite);
  }
}
