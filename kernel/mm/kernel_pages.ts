/**
 * A backing of the kernel's own pages that a process maps: the rings of aio, io_uring and packet
 * sockets. The pages are contiguous, and released when neither their owner nor a mapping holds
 * them. The process can write all of it at any time, so each value is read once and then checked.
 */

import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import { EFAULT } from "../../ffi/abi/errno.ts";
import { copy } from "../../ffi/mem/native_memory.ts";
import { Backing, type FileIdentity } from "./backing.ts";
import type { FrameAllocator } from "./frames.ts";

export abstract class KernelPages extends Backing {
  override readonly inode: FileIdentity;
  override readonly platformFile = -1;
  override readonly hostFd = -1;
  protected readonly frames: FrameAllocator;
  /** The arena offset of the first page. */
  protected readonly base: number;
  readonly bytes: number;
  /** The file offset of the first page, in bytes. */
  private readonly fileStart: number;
  /** References of mappings and of the owner. */
  private refs: number = 1;

  /** Takes over allocated frames: `bytes` is a whole number of pages. */
  constructor(
    frames: FrameAllocator,
    inode: FileIdentity,
    base: number,
    bytes: number,
    fileStart = 0,
  ) {
    super();
    this.frames = frames;
    this.inode = inode;
    this.base = base;
    this.bytes = bytes;
    this.fileStart = fileStart;
  }

  get isMapped(): boolean {
    return this.refs > 1;
  }

  override size(): number {
    return this.fileStart + this.bytes;
  }
  override frame(offset: number, _write: boolean): number {
    const at = offset - this.fileStart;
    return at >= 0 && at < this.bytes ? this.base + at : -EFAULT;
  }
  override contiguous(offset: number, _frame: number, maxPages: number): number {
    return Math.max(1, Math.min(maxPages, (this.size() - offset) / PAGE_SIZE));
  }
  override readInto(hostAddr: number, offset: number, len: number): number {
    const at = offset - this.fileStart, n = Math.min(len, this.bytes - at);
    if (at < 0 || n <= 0) return 0;
    copy(hostAddr, this.frames.arena.base + this.base + at, n);
    return n;
  }
  override hold(): void {
    this.refs++;
  }
  override drop(): void {
    if (--this.refs === 0) this.frames.release(this.base, this.bytes / PAGE_SIZE);
  }
}
