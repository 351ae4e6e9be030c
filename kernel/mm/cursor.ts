/**
 * The two cursors of I/O (io_cursor.ts): over user memory (one buffer or an iovec array) and over
 * kernel memory. A cursor object is kept and set again for each call.
 */

import { UIO_MAXIOV } from "../../ffi/abi/socket.ts";
import { MAX_RW_COUNT } from "../../ffi/abi/fs.ts";
import { EFAULT, EINVAL } from "../../ffi/abi/errno.ts";
import { copy, copyFromBuffer, copyToBuffer, fill, store64 } from "../../ffi/mem/native_memory.ts";
import { ACCESS_READ, ACCESS_WRITE } from "../../platform/platform.ts";
import { IoCursor } from "./io_cursor.ts";
import type { MemoryManager } from "./memory_manager.ts";

const IOVEC_BYTES = 16;
/** LIMIT: areas that one call checks for secret memory. */
const MAX_AREAS = 4096;

const iovecs = new Uint8Array(UIO_MAXIOV * IOVEC_BYTES);
const iovecView = new DataView(iovecs.buffer);

/** The other side of a transfer: host memory, a JS buffer, or zeros. */
const HOST = 0, BYTES = 1, ZEROS = 2;

export class UserCursor extends IoCursor {
  mm: MemoryManager;
  private addrs: Float64Array = new Float64Array(8);
  private lens: Float64Array = new Float64Array(8);
  private count: number = 0;
  /** The next segment, and how many of its bytes are done. */
  private index: number = 0;
  private used: number = 0;

  constructor(mm: MemoryManager) {
    super();
    this.mm = mm;
  }

  /**
   * Sets one buffer: 0, or -EFAULT when it is not in the range of user addresses. Longer buffers
   * are cut to MAX_RW_COUNT.
   */
  set(addr: number, len: number): number {
    this.reset();
    if (addr + len > this.mm.layout.maxAddress) return -EFAULT;
    this.push(addr, len);
    return 0;
  }

  /** Adds a buffer, before anything was moved: 0 or -EFAULT. */
  add(addr: number, len: number): number {
    if (addr + len > this.mm.layout.maxAddress) return this.fail(-EFAULT);
    this.push(addr, len);
    return 0;
  }

  /** Sets the buffers of `count` struct iovec at user address `iov`: 0, -EINVAL or -EFAULT. */
  setIov(iov: number, count: number): number {
    this.reset();
    if (count < 0 || count > UIO_MAXIOV) return -EINVAL;
    if (this.mm.copyIn(iovecs, 0, iov, count * IOVEC_BYTES) < 0) return -EFAULT;
    const max = this.mm.layout.maxAddress;
    for (let i = 0; i < count; i++) {
      const at = i * IOVEC_BYTES, hi = iovecView.getInt32(at + 12, true);
      if (hi < 0) return this.fail(-EINVAL);
      const len = iovecView.getUint32(at + 8, true) + hi * 0x100000000;
      const addr = iovecView.getUint32(at, true) +
        iovecView.getUint32(at + 4, true) * 0x100000000;
      if (addr + len > max) return this.fail(-EFAULT);
      this.push(addr, len);
    }
    return 0;
  }

  /**
   * Cuts the cursor in front of secret memory (memfd_secret(2)): 0, or -EFAULT when nothing is
   * left.
   */
  stopAtSecrets(): number {
    let clear = 0, areas = 0;
    for (let i = 0; i < this.count; i++) {
      const end = this.addrs[i]! + this.lens[i]!;
      for (let at = this.addrs[i]!; at < end;) {
        const vma = this.mm.vmas.find(at), next = Math.min(end, vma?.end ?? end);
        if (vma?.isSecret || ++areas > MAX_AREAS) {
          this.limit(clear);
          return clear === 0 ? -EFAULT : 0;
        }
        clear += next - at;
        at = next;
      }
    }
    return 0;
  }

  private fail(error: number): number {
    this.reset();
    return error;
  }

  private reset(): void {
    this.remaining = 0;
    this.done = 0;
    this.count = 0;
    this.index = 0;
    this.used = 0;
  }

  private push(addr: number, len: number): void {
    const n = Math.min(len, MAX_RW_COUNT - this.remaining);
    if (n <= 0) return;
    if (this.count === this.addrs.length) this.grow();
    this.addrs[this.count] = addr;
    this.lens[this.count++] = n;
    this.remaining += n;
  }

  private grow(): void {
    const addrs = new Float64Array(this.count * 2), lens = new Float64Array(this.count * 2);
    addrs.set(this.addrs);
    lens.set(this.lens);
    this.addrs = addrs;
    this.lens = lens;
  }

  putHost(src: number, len: number): number {
    return this.putRun(HOST, src, NOTHING, len);
  }
  putBytes(src: Uint8Array<ArrayBuffer>, offset: number, len: number): number {
    return this.putRun(BYTES, offset, src, len);
  }
  putZeros(len: number): number {
    return this.putRun(ZEROS, 0, NOTHING, len);
  }
  takeHost(dst: number, len: number): number {
    return this.take(HOST, dst, NOTHING, len);
  }
  takeBytes(dst: Uint8Array<ArrayBuffer>, offset: number, len: number): number {
    return this.take(BYTES, offset, dst, len);
  }

  override get isAwaited(): boolean {
    const { mm } = this;
    if (!mm.hasHandlers) return false;
    let used = this.used;
    for (let i = this.index; i < this.count; i++) {
      while (used < this.lens[i]!) {
        const host = mm.translateRun(this.addrs[i]! + used, this.lens[i]! - used, ACCESS_READ);
        if (host < 0) return mm.ctx.awaited.handler !== null;
        used += mm.reached;
      }
      used = 0;
    }
    return false;
  }

  override get isHeldUp(): boolean {
    return this.mm.ctx.awaited.handler !== null;
  }

  private putRun(kind: number, at: number, bytes: Uint8Array<ArrayBuffer>, len: number): number {
    let total = 0, left = Math.min(len, this.remaining);
    while (left > 0) {
      const host = this.next(left, ACCESS_WRITE);
      if (host < 0) break;
      const n = this.mm.reached;
      const moved = kind === HOST
        ? copy(host, at + total, n)
        : kind === BYTES
        ? copyFromBuffer(host, bytes, at + total, n)
        : fill(host, 0, n);
      total += moved;
      left -= moved;
      this.advance(moved);
      if (moved < n) break;
    }
    return total > 0 || left === 0 ? total : -EFAULT;
  }

  private take(kind: number, at: number, bytes: Uint8Array<ArrayBuffer>, len: number): number {
    let total = 0, left = Math.min(len, this.remaining);
    while (left > 0) {
      const host = this.next(left, ACCESS_READ);
      if (host < 0) break;
      const n = this.mm.reached;
      const moved = kind === HOST
        ? copy(at + total, host, n)
        : copyToBuffer(bytes, at + total, host, n);
      total += moved;
      left -= moved;
      this.advance(moved);
      if (moved < n) break;
    }
    return total > 0 || left === 0 ? total : -EFAULT;
  }

  /** The host address of the next bytes, `mm.reached` of them and at most `max`; -1 at a fault. */
  private next(max: number, access: number): number {
    const n = Math.min(max, this.lens[this.index]! - this.used);
    return this.mm.translateRun(this.addrs[this.index]! + this.used, n, access);
  }

  hostSegments(write: boolean, iov: number, maxSegments: number, maxBytes: number): number {
    const access = write ? ACCESS_WRITE : ACCESS_READ;
    const { index, used } = this;
    let filled = 0, bytes = Math.min(maxBytes, this.remaining);
    while (bytes > 0 && filled < maxSegments) {
      const host = this.next(bytes, access);
      if (host < 0) break;
      const n = this.mm.reached;
      store64(iov + filled * IOVEC_BYTES, host);
      store64(iov + filled * IOVEC_BYTES + 8, n);
      filled++;
      bytes -= n;
      this.step(n);
    }
    this.index = index;
    this.used = used;
    return filled > 0 || bytes === 0 ? filled : -EFAULT;
  }

  advance(len: number): void {
    this.remaining -= len;
    this.done += len;
    this.step(len);
  }

  private step(len: number): void {
    this.used += len;
    while (this.index < this.count && this.used >= this.lens[this.index]!) {
      this.used -= this.lens[this.index++]!;
    }
  }
}

const NOTHING = new Uint8Array(0);

/** Kernel memory: one range of host addresses. */
export class KernelCursor extends IoCursor {
  private at: number = 0;

  set(hostAddr: number, len: number): this {
    this.at = hostAddr;
    this.remaining = len;
    this.done = 0;
    return this;
  }

  putHost(src: number, len: number): number {
    const n = Math.min(len, this.remaining);
    return this.advanceOrFault(copy(this.at, src, n), n);
  }
  putBytes(src: Uint8Array<ArrayBuffer>, offset: number, len: number): number {
    const n = Math.min(len, this.remaining);
    return this.advanceOrFault(copyFromBuffer(this.at, src, offset, n), n);
  }
  putZeros(len: number): number {
    const n = Math.min(len, this.remaining);
    return this.advanceOrFault(fill(this.at, 0, n), n);
  }
  takeHost(dst: number, len: number): number {
    const n = Math.min(len, this.remaining);
    return this.advanceOrFault(copy(dst, this.at, n), n);
  }
  takeBytes(dst: Uint8Array<ArrayBuffer>, offset: number, len: number): number {
    const n = Math.min(len, this.remaining);
    return this.advanceOrFault(copyToBuffer(dst, offset, this.at, n), n);
  }

  private advanceOrFault(n: number, wanted: number): number {
    this.advance(n);
    return n > 0 || wanted === 0 ? n : -EFAULT;
  }

  hostSegments(_write: boolean, iov: number, maxSegments: number, maxBytes: number): number {
    const n = Math.min(maxBytes, this.remaining);
    if (n <= 0 || maxSegments <= 0) return 0;
    store64(iov, this.at);
    store64(iov + 8, n);
    return 1;
  }

  advance(len: number): void {
    this.at += len;
    this.remaining -= len;
    this.done += len;
  }
}
