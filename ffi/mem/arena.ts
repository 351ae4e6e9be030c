/**
 * Guest memory as the kernel of a sandbox sees it: one sparse memory file, and behind it windows on
 * host files, in one flat buffer.
 *
 * An arena offset below `size` is memory, from `size` on it is a window. The buffer is a growable
 * SharedArrayBuffer that is created small, mapped over, and grown once: V8 then does not count it
 * as memory that collections could free. kernel/mm decides which pages belong to which object.
 * Access scalars through `dv`, words that another thread may be writing through `words`, and bytes
 * through native_memory.ts (`base` + offset), which survives truncated files.
 */

import { FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE } from "../abi/fcntl.ts";
import {
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_NORESERVE,
  MAP_PRIVATE,
  MAP_SHARED,
  PAGE_SIZE,
  PROT_NONE,
  PROT_READ,
  PROT_WRITE,
} from "../abi/mman.ts";
import { EINVAL } from "../abi/errno.ts";
import { SEEK_DATA } from "../abi/fs.ts";
import { Stat } from "../abi/stat.ts";
import { check } from "../sys/errors.ts";
import { close, fallocate, fstat, lseek, mmap, pwrite } from "../sys/files.ts";
import { addressOf, scratch } from "../sys/cstring.ts";
import { syscall } from "../sys/native.ts";
import { SYS_mincore } from "../abi/syscall_numbers.ts";
import { sealedMemfd } from "./shared_region.ts";

/** Size and alignment of a window, in bytes. */
export const WINDOW_BYTES = 2 * 1024 * 1024;

const FIRST_BYTES = 65536;
/** LIMIT: pages that the host is asked for at once. */
const MINCORE_PAGES = 4096;
/** Unit of st_blocks. */
const BLOCK_BYTES = 512;

export class Arena {
  /** The memory file: sealed against shrinking and growing, close-on-exec. */
  readonly fd: number;
  /** Host address of offset 0. */
  readonly base: number;
  /** Bytes of guest memory; windows begin here. */
  readonly size: number;
  /** Number of windows. */
  readonly windowCount: number;
  /**
   * All of the buffer. An access to a window that is not mapped, or whose file was truncated, ends
   * the process.
   */
  readonly dv: DataView<SharedArrayBuffer>;
  /**
   * The same as aligned words. An element is loaded and stored as a whole. V8 reads a DataView's
   * number byte by byte in code that it has not compiled, which can mix an old and a new value.
   */
  readonly words: Int32Array<SharedArrayBuffer>;

  private constructor(fd: number, base: number, size: number, buffer: SharedArrayBuffer) {
    this.fd = fd;
    this.base = base;
    this.size = size;
    this.windowCount = (buffer.byteLength - size) / WINDOW_BYTES;
    this.dv = new DataView(buffer, 0, buffer.byteLength);
    this.words = new Int32Array(buffer, 0, buffer.byteLength / 4);
  }

  /**
   * @param sizeBytes of guest memory, a multiple of WINDOW_BYTES; sparse, so it may exceed RAM
   * @param windowBytes of address space for windows, a multiple of WINDOW_BYTES
   * @throws SyscallError or RangeError if the host has no address space or descriptor left
   */
  static create(sizeBytes: number, windowBytes: number): Arena {
    if (sizeBytes <= 0 || sizeBytes % WINDOW_BYTES !== 0 || windowBytes % WINDOW_BYTES !== 0) {
      throw new RangeError(
        `arena sizes are multiples of ${WINDOW_BYTES}: ${sizeBytes}, ${windowBytes}`,
      );
    }
    const total = sizeBytes + windowBytes;
    const buffer = new SharedArrayBuffer(FIRST_BYTES, { maxByteLength: total });
    const base = addressOf(new Uint8Array(buffer));
    if (base % PAGE_SIZE !== 0) throw new RangeError("the arena is not at a page boundary");
    const fd = sealedMemfd("dvisor-guest", sizeBytes);
    try {
      const flags = MAP_SHARED | MAP_FIXED;
      check(mmap(base, sizeBytes, PROT_READ | PROT_WRITE, flags, fd, 0), "mmap arena");
      buffer.grow(total);
      if (windowBytes > 0) check(reserve(base + sizeBytes, windowBytes), "mmap windows");
    } catch (error) {
      close(fd);
      throw error;
    }
    return new Arena(fd, base, sizeBytes, buffer);
  }

  /** Gives whole pages back to the host; they read as zeros again. 0 or `-errno`. */
  punch(offset: number, lenBytes: number): number {
    return fallocate(this.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, lenBytes);
  }

  /**
   * The host copies from one offset to another: where it has allocated nothing yet, it neither
   * clears pages first nor maps them here, which takes half the time. Returns the bytes copied;
   * fewer if it has no memory.
   */
  copyWithin(target: number, source: number, lenBytes: number): number {
    return Math.max(0, pwrite(this.fd, this.base + source, lenBytes, target));
  }

  /**
   * How many of the pages in [offset, offset + lenBytes), page aligned and within guest memory, the
   * host has allocated.
   */
  residentPages(offset: number, lenBytes: number): number {
    const end = offset + lenBytes;
    let count = 0;
    for (let at = offset; at < end;) {
      const data = this.nextData(at);
      if (data >= end) break;
      const pages = Math.min(MINCORE_PAGES, (end - data) / PAGE_SIZE);
      count += this.presentPages(data, pages);
      at = data + pages * PAGE_SIZE;
    }
    return count;
  }

  /** The first page at or behind `offset` that the host has allocated, or Infinity. */
  nextData(offset: number): number {
    const at = lseek(this.fd, offset, SEEK_DATA);
    return at < 0 ? Infinity : at;
  }
  /**
   * The first page in [offset, end) that the host has not allocated, or where the search stopped:
   * at `end` or before. SEEK_HOLE would search up to the end of the allocated part, at 45 ns a
   * page.
   */
  nextHole(offset: number, end: number): number {
    const pages = Math.min(MINCORE_PAGES, Math.ceil((end - offset) / PAGE_SIZE));
    const vector = scratch.areaOffset(0), { u8 } = scratch;
    const r = syscall(SYS_mincore, this.base + offset, pages * PAGE_SIZE, scratch.area(0));
    u8[vector + pages] = 0;
    const present = r < 0 ? pages : u8.indexOf(0, vector) - vector;
    return Math.min(end, offset + present * PAGE_SIZE);
  }

  /** The number of allocated pages among `pages` from `offset` on, at most MINCORE_PAGES. */
  presentPages(offset: number, pages: number): number {
    const vector = scratch.areaOffset(0), { u8 } = scratch;
    if (syscall(SYS_mincore, this.base + offset, pages * PAGE_SIZE, scratch.area(0)) < 0) {
      return pages;
    }
    let present = 0;
    for (let i = vector; i < vector + pages; i++) present += u8[i]! & 1;
    return present;
  }

  /** Bytes that the host has allocated for guest memory. */
  residentBytes(): number {
    if (fstat(this.fd, scratch.area(0)) < 0) return 0;
    return BLOCK_BYTES *
      Number(scratch.dv.getBigInt64(scratch.areaOffset(0) + Stat.at.blocks, true));
  }

  /** Arena offset of a window. */
  windowOffset(windowIndex: number): number {
    return this.size + windowIndex * WINDOW_BYTES;
  }

  /**
   * Maps a part of a host file into a window, in place of its former mapping.
   *
   * @param fileOffset a multiple of the page size
   * @param lenBytes at most WINDOW_BYTES; pages beyond the end of the file fault
   * @returns the arena offset of the window, or `-errno`
   */
  mapWindow(
    windowIndex: number,
    fd: number,
    fileOffset: number,
    lenBytes: number,
    writable: boolean,
  ): number {
    if (!this.#hasWindow(windowIndex) || lenBytes <= 0 || lenBytes > WINDOW_BYTES) return -EINVAL;
    const prot = writable ? PROT_READ | PROT_WRITE : PROT_READ;
    const address = this.base + this.windowOffset(windowIndex);
    const r = mmap(address, lenBytes, prot, MAP_SHARED | MAP_FIXED, fd, fileOffset);
    return r < 0 ? r : address - this.base;
  }

  /** Removes a window's mapping; its address space stays reserved. 0 or `-errno`. */
  unmapWindow(windowIndex: number): number {
    if (!this.#hasWindow(windowIndex)) return -EINVAL;
    const r = reserve(this.base + this.windowOffset(windowIndex), WINDOW_BYTES);
    return r < 0 ? r : 0;
  }

  /**
   * Closes the memory file. The mapping stays until the arena is collected, as `dv` may still be in
   * use.
   */
  close(): void {
    close(this.fd);
  }

  #hasWindow(index: number): boolean {
    return Number.isInteger(index) && index >= 0 && index < this.windowCount;
  }
}

function reserve(address: number, lenBytes: number): number {
  const flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
  return mmap(address, lenBytes, PROT_NONE, flags, -1, 0);
}
