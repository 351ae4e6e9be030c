/**
 * A queue of bytes in arena frames, for pipes, streams and datagrams. Bytes move from guest memory
 * to guest memory without passing JS. Frames are allocated at the first write, and more up to the
 * limit.
 *
 * Not here: permissions, message boundaries, wake-ups.
 */

import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import { EFAULT, ENOMEM } from "../../ffi/abi/errno.ts";
import { copy } from "../../ffi/mem/native_memory.ts";
import type { FrameAllocator } from "../mm/frames.ts";
import type { IoCursor } from "../mm/io_cursor.ts";

/** LIMIT: bytes allocated at first; a full ring grows to four times its size. */
const FIRST_BYTES = 16384;

export class ByteRing {
  readonly frames: FrameAllocator;
  /** The most bytes that the ring may hold. */
  limit: number;
  /** Bytes in it. */
  length: number = 0;
  /** Arena offset and bytes of the frames; -1 and 0: none. */
  private base: number = -1;
  private size: number = 0;
  /** Offset of the first byte. */
  private head: number = 0;

  constructor(frames: FrameAllocator, limit: number) {
    this.frames = frames;
    this.limit = limit;
  }

  /** Bytes that fit; negative after the limit was lowered below the content. */
  get room(): number {
    return this.limit - this.length;
  }

  /**
   * Appends `n` bytes of the cursor, which must fit: bytes moved, -EFAULT or -ENOMEM. At a fault
   * only whole units of `unit` bytes are moved. HOT
   */
  put(io: IoCursor, n: number, unit: number = PAGE_SIZE): number {
    const ready = this.prepare(n);
    if (ready < 0) return ready;
    const base = this.frames.arena.base + this.base;
    let done = 0;
    while (done < n) {
      let tail = this.head + this.length;
      if (tail >= this.size) tail -= this.size;
      const step = Math.min(n - done, this.size - tail);
      const moved = Math.max(0, io.takeHost(base + tail, step));
      this.length += moved;
      done += moved;
      if (moved < step) {
        const torn = done % unit;
        this.length -= torn;
        return torn === done ? -EFAULT : done - torn;
      }
    }
    return done;
  }

  /** Moves `n` bytes (at most `length`) out: bytes moved, or -EFAULT. `unit`: as for `put`. HOT */
  take(io: IoCursor, n: number, unit: number = 1): number {
    const base = this.frames.arena.base + this.base;
    let done = 0;
    while (done < n) {
      const step = Math.min(n - done, this.size - this.head);
      const moved = Math.max(0, io.putHost(base + this.head, step));
      this.skip(moved);
      done += moved;
      if (moved < step) {
        const torn = done % unit;
        this.length += torn;
        this.head -= torn;
        if (this.head < 0) this.head += this.size;
        return torn === done ? -EFAULT : done - torn;
      }
    }
    return done;
  }

  /** Copies `n` bytes from position `offset` and keeps them: bytes copied, or -EFAULT. */
  peek(io: IoCursor, offset: number, n: number): number {
    const base = this.frames.arena.base + this.base;
    let done = 0;
    while (done < n) {
      let at = this.head + offset + done;
      if (at >= this.size) at -= this.size;
      const step = Math.min(n - done, this.size - at);
      const moved = io.putHost(base + at, step);
      if (moved < 0) return done > 0 ? done : moved;
      done += moved;
      if (moved < step) break;
    }
    return done;
  }

  /**
   * Drops the first `n` bytes. An empty ring starts over at its first page, which the host already
   * has in memory.
   */
  skip(n: number): void {
    this.length -= n;
    if (this.length === 0) {
      this.head = 0;
      return;
    }
    this.head += n;
    if (this.head >= this.size) this.head -= this.size;
  }

  /** Drops the last `n` bytes. */
  unput(n: number): void {
    this.length -= n;
    if (this.length === 0) this.head = 0;
  }

  /**
   * Appends a copy of `n` bytes of another ring from position `offset`, which must fit: 0 or
   * -ENOMEM.
   */
  putFrom(from: ByteRing, offset: number, n: number): number {
    const ready = this.prepare(n);
    if (ready < 0) return ready;
    const arena = this.frames.arena.base;
    for (let done = 0; done < n;) {
      let at = from.head + offset + done, tail = this.head + this.length;
      if (at >= from.size) at -= from.size;
      if (tail >= this.size) tail -= this.size;
      const step = Math.min(n - done, from.size - at, this.size - tail);
      if (copy(arena + this.base + tail, arena + from.base + at, step) !== step) {
        this.unput(done);
        return -ENOMEM;
      }
      this.length += step;
      done += step;
    }
    return 0;
  }

  /** Host address of the first byte; `frontRun` bytes are contiguous there. */
  get frontAddress(): number {
    return this.frames.arena.base + this.base + this.head;
  }
  get frontRun(): number {
    return Math.min(this.length, this.size - this.head);
  }

  /**
   * Host address for the next byte, after which `n` bytes must fit; or -ENOMEM. `backRun` bytes are
   * contiguous there.
   */
  backAddress(n: number): number {
    const ready = this.prepare(n);
    return ready < 0 ? ready : this.frames.arena.base + this.base + this.tail;
  }
  get backRun(): number {
    const tail = this.tail;
    return tail < this.head ? this.head - tail : this.size - tail;
  }
  /** Adds `n` bytes that the caller has stored at `backAddress`. */
  commit(n: number): void {
    this.length += n;
  }

  /** Frees the frames and drops the content. */
  free(): void {
    if (this.base >= 0) this.frames.release(this.base, this.size / PAGE_SIZE);
    this.base = -1;
    this.size = 0;
    this.head = this.length = 0;
  }

  private get tail(): number {
    const tail = this.head + this.length;
    return tail >= this.size ? tail - this.size : tail;
  }

  /** Makes room for `n` more bytes: 0 or -ENOMEM. HOT */
  private prepare(n: number): number {
    return this.length + n <= this.size ? 0 : this.grow(this.length + n);
  }

  /** Moves the content to new frames that hold `bytes` or more: 0 or -ENOMEM. */
  private grow(bytes: number): number {
    let size = this.size === 0 ? Math.min(FIRST_BYTES, roundUp(this.limit)) : this.size;
    while (size < bytes) size *= 4;
    size = Math.max(roundUp(bytes), Math.min(size, roundUp(this.limit)));
    const base = this.frames.alloc(size / PAGE_SIZE);
    if (base < 0) return -ENOMEM;
    if (this.base >= 0) {
      const arena = this.frames.arena.base;
      const first = Math.min(this.length, this.size - this.head);
      copy(arena + base, arena + this.base + this.head, first);
      copy(arena + base + first, arena + this.base, this.length - first);
      this.frames.release(this.base, this.size / PAGE_SIZE);
    }
    this.base = base;
    this.size = size;
    this.head = 0;
    return 0;
  }
}

function roundUp(bytes: number): number {
  return Math.ceil(bytes / PAGE_SIZE) * PAGE_SIZE;
}
