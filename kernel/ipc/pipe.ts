/**
 * Pipes: pipe(7). A ring of bytes in arena frames, so that data moves from guest memory to guest memory; taken at the
 * first write and given back when the pipe runs empty for good. Packet mode (O_DIRECT) keeps the packets' lengths.
 *
 * Not here: FIFOs' blocking open (fifo.ts), blocking itself (syscalls/io), splice.
 */

import { EAGAIN, EBUSY, EFAULT, EINVAL, ENOMEM, EPERM, EPIPE } from "../../ffi/abi/errno.ts";
import { copy } from "../../ffi/mem/native_memory.ts";
import { WaitQueue } from "../core/wait.ts";
import type { FrameAllocator } from "../mm/frames.ts";
import type { IoCursor } from "../mm/io_cursor.ts";
import type { UserMemory } from "../mm/user_memory.ts";
import type { Inode } from "../vfs/inode.ts";
import {
  OpenFile,
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLOUT,
  POLLRDNORM,
  POLLWRNORM,
} from "../vfs/open_file.ts";

export const PIPE_BUF = 4096;
const PAGE = 4096;
const DEFAULT_BYTES = 65536;
/** LIMIT: /proc/sys/fs/pipe-max-size, for all users here. */
export const PIPE_MAX_BYTES = 1 << 20;
const FIONREAD = 0x541b;
const O_DIRECT = 0o40000;

export class Pipe {
  readonly frames: FrameAllocator;
  readonly inode: Inode;
  capacity: number = DEFAULT_BYTES;
  /** Arena offset of the ring, -1 before the first write. */
  private ring: number = -1;
  private head: number = 0;
  /** Bytes in the ring. */
  length: number = 0;
  /** Lengths of packets from the front; 0 marks ordinary bytes and is the last entry only. */
  private packets: number[] | null = null;
  readers: number = 0;
  writers: number = 0;
  readonly waitQueue: WaitQueue = new WaitQueue();

  constructor(frames: FrameAllocator, inode: Inode) {
    this.frames = frames;
    this.inode = inode;
  }

  /** Bytes that fit. */
  get room(): number {
    return this.capacity - this.length;
  }

  /** Move bytes out; -EAGAIN when empty with writers, 0 at the end. HOT */
  read(io: IoCursor): number {
    if (io.remaining === 0) return 0;
    if (this.length === 0) return this.writers > 0 ? -EAGAIN : 0;
    const wasFull = this.room < PIPE_BUF;
    const packet = this.packets === null ? 0 : this.packets[0] ?? 0;
    const limit = packet > 0 ? packet : this.length;
    const wanted = Math.min(io.remaining, limit);
    const done = this.drain(io, wanted);
    if (done < 0) return done;
    if (packet > 0) this.dropPacket(packet - done);
    if (wasFull && this.room >= PIPE_BUF) this.waitQueue.wake(POLLOUT | POLLWRNORM);
    return done;
  }

  /** Move bytes in: what fits (all or nothing up to PIPE_BUF), -EAGAIN when nothing does. HOT */
  write(io: IoCursor, isPacket: boolean): number {
    const total = io.remaining;
    if (this.readers === 0) return -EPIPE;
    if (total === 0) return 0;
    let wanted = total;
    if (isPacket) wanted = Math.min(total, PIPE_BUF);
    if (this.room < Math.min(wanted, PIPE_BUF)) return -EAGAIN;
    if (wanted > this.room) wanted = this.room;
    if (this.ring < 0 && !this.allocate()) return -ENOMEM;
    const done = this.fill(io, wanted);
    if (done < 0) return done;
    if (isPacket) (this.packets ??= []).push(done);
    this.waitQueue.wake(POLLIN | POLLRDNORM);
    return done;
  }

  /** Copy bytes from another pipe without consuming (tee) or consuming them (splice): bytes moved. */
  moveFrom(from: Pipe, wanted: number, consume: boolean): number {
    let n = Math.min(wanted, from.length, this.room);
    if (n <= 0) return 0;
    if (this.ring < 0 && !this.allocate()) return -ENOMEM;
    const base = this.frames.arena.base;
    let at = from.head, moved = 0;
    while (n > 0) {
      const tail = (this.head + this.length) % this.capacity;
      const step = Math.min(n, from.capacity - at, this.capacity - tail);
      if (copy(base + this.ring + tail, base + from.ring + at, step) !== step) return -EFAULT;
      this.length += step;
      at = (at + step) % from.capacity;
      moved += step;
      n -= step;
    }
    if (consume) {
      from.consume(moved);
      from.waitQueue.wake(POLLOUT | POLLWRNORM);
    }
    this.waitQueue.wake(POLLIN | POLLRDNORM);
    return moved;
  }

  /** F_SETPIPE_SZ: the new capacity, -EBUSY when the content does not fit, -EPERM beyond the limit. */
  resize(bytes: number): number {
    if (bytes > 0x80000000) return -EINVAL;
    let capacity = PAGE;
    while (capacity < bytes) capacity *= 2;
    if (capacity > PIPE_MAX_BYTES) return -EPERM;
    if (this.length > capacity) return -EBUSY;
    if (capacity === this.capacity) return capacity;
    if (this.ring >= 0) {
      const ring = this.frames.alloc(capacity / PAGE);
      if (ring < 0) return -ENOMEM;
      const base = this.frames.arena.base;
      const first = Math.min(this.length, this.capacity - this.head);
      copy(base + ring, base + this.ring + this.head, first);
      copy(base + ring + first, base + this.ring, this.length - first);
      this.frames.release(this.ring, this.capacity / PAGE);
      this.ring = ring;
      this.head = 0;
    }
    this.capacity = capacity;
    this.waitQueue.wake(POLLOUT | POLLWRNORM);
    return capacity;
  }

  poll(canRead: boolean, canWrite: boolean): number {
    let bits = 0;
    if (canRead) {
      if (this.length > 0) bits |= POLLIN | POLLRDNORM;
      if (this.writers === 0) bits |= POLLHUP;
    }
    if (canWrite) {
      if (this.room >= PIPE_BUF) bits |= POLLOUT | POLLWRNORM;
      if (this.readers === 0) bits |= POLLERR;
    }
    return bits;
  }

  attach(canRead: boolean, canWrite: boolean): void {
    if (canRead) this.readers++;
    if (canWrite) this.writers++;
  }

  detach(canRead: boolean, canWrite: boolean): void {
    if (canRead) this.readers--;
    if (canWrite) this.writers--;
    if (this.readers === 0 && this.writers === 0) {
      if (this.ring >= 0) this.frames.release(this.ring, this.capacity / PAGE);
      this.ring = -1;
      this.head = this.length = 0;
      this.packets = null;
    } else if (canRead && this.readers === 0) {
      this.waitQueue.wake(POLLERR | POLLOUT | POLLWRNORM);
    } else if (canWrite && this.writers === 0) {
      this.waitQueue.wake(POLLHUP | POLLIN | POLLRDNORM);
    }
  }

  private allocate(): boolean {
    this.ring = this.frames.alloc(this.capacity / PAGE);
    return this.ring >= 0;
  }

  private drain(io: IoCursor, wanted: number): number {
    const base = this.frames.arena.base + this.ring;
    let done = 0;
    while (done < wanted) {
      const step = Math.min(wanted - done, this.capacity - this.head);
      const n = io.putHost(base + this.head, step);
      if (n < 0) return done > 0 ? done : n;
      this.consume(n);
      done += n;
      if (n < step) break;
    }
    return done;
  }

  private fill(io: IoCursor, wanted: number): number {
    const base = this.frames.arena.base + this.ring;
    let done = 0;
    while (done < wanted) {
      const tail = (this.head + this.length) % this.capacity;
      const step = Math.min(wanted - done, this.capacity - tail);
      const n = io.takeHost(base + tail, step);
      if (n < 0) return done > 0 ? done : n;
      this.length += n;
      done += n;
      if (n < step) break;
    }
    return done;
  }

  /** An empty ring starts over at its first page, which is in the host's memory already. */
  private consume(n: number): void {
    this.length -= n;
    this.head = this.length === 0 ? 0 : (this.head + n) % this.capacity;
  }

  private dropPacket(rest: number): void {
    this.packets!.shift();
    this.consume(rest);
    if (this.packets!.length === 0) this.packets = null;
  }
}

/** One end of a pipe, or both (a FIFO opened O_RDWR). */
export class PipeFile extends OpenFile {
  readonly pipe: Pipe;

  constructor(pipe: Pipe, flags: number) {
    super(flags);
    this.pipe = pipe;
    pipe.attach(this.canRead, this.canWrite);
  }

  override get inode(): Inode {
    return this.pipe.inode;
  }
  override get waitQueue(): WaitQueue {
    return this.pipe.waitQueue;
  }
  override read(io: IoCursor, _offset: number): number {
    return this.pipe.read(io);
  }
  override write(io: IoCursor, _offset: number): number {
    return this.pipe.write(io, (this.flags & O_DIRECT) !== 0);
  }
  override poll(): number {
    return this.pipe.poll(this.canRead, this.canWrite);
  }
  override ioctl(request: number, arg: number, user: UserMemory): number {
    if (request === FIONREAD) return user.store32(arg, this.pipe.length);
    return super.ioctl(request, arg, user);
  }
  override describe(): string {
    return `pipe:[${this.pipe.inode.ino}]`;
  }
  protected override release(): void {
    this.pipe.detach(this.canRead, this.canWrite);
  }
}
