/**
 * What stands behind a file mapping. The memory manager asks it for frames (arena offsets) or for a host file
 * to map directly; truncation and unmapping are told through `mappings`.
 */

import { EOPNOTSUPP } from "../../ffi/abi/errno.ts";

/** Which file it is: for /proc/PID/maps and futex keys. Inodes are such. */
export interface FileIdentity {
  readonly dev: number;
  readonly ino: number;
}

/** A mapping that wants to know when file pages go away; the memory manager implements it. */
export interface FileMapping {
  /**
   * Pages at byte offsets [from, to) of the file are gone (truncate, punch): unmap them; next touch faults again.
   * Both are page aligned, or `to` is Infinity. On truncation the new size is set before the call, and the frames
   * are released after it.
   */
  onPagesGone(from: number, to: number): void;
}

export abstract class Backing {
  /** The inode whose pages these are; the same object for every mapping of it. */
  abstract readonly inode: FileIdentity;
  /** Which file /proc/PID/maps names instead: the one that was opened, where that is another (overlay). */
  shown: FileIdentity | null = null;
  /** Path for /proc/PID/maps. */
  abstract describe(): string;
  /** Live mappings of the inode. */
  readonly mappings: Set<FileMapping> = new Set();

  /**
   * A handle of Platform.registerFile when pages are mapped straight from a host file (then `frame` is not
   * used for shared and read-only mappings), else -1.
   */
  abstract readonly platformFile: number;
  /** Same file for the Sentry's own reads of mapped pages (copy on write, copyIn), or -1. */
  abstract readonly hostFd: number;

  /** Shared mappings of it are never granted writing (F_SEAL_WRITE). */
  get isWriteSealed(): boolean {
    return false;
  }
  /** memfd_secret(2): only who maps it may reach its pages, not the kernel for somebody else. */
  readonly isSecret: boolean = false;

  /** Its pages are frames that are there from the first write on (shared memory, tmpfs). */
  readonly isMemory: boolean = false;
  /** Whether there is something at the page at `offset`, or a hole. */
  has(offset: number): boolean {
    return this.frame(offset, false) >= 0;
  }

  /** Size of the file now, bytes: pages at or behind it give SIGBUS. */
  abstract size(): number;
  /** Arena offset of the page at file offset `offset` (page aligned); allocates in holes when `write`;
   *  -1: a hole that reads as zeros (caller maps a zero page), -EFAULT (SIGBUS), -ENOMEM. */
  abstract frame(offset: number, write: boolean): number;
  /** How many pages from `offset` on are known to lie contiguously behind `frame`, the frame of `offset`. */
  contiguous(_offset: number, _frame: number, _maxPages: number): number {
    return 1;
  }
  /** How many pages from `offset` on, where a hole is, are known to be one. */
  holePages(_offset: number, _maxPages: number): number {
    return 1;
  }
  /** MADV_REMOVE: a hole in the file. 0 or -errno. */
  punch(_offset: number, _len: number): number {
    return -EOPNOTSUPP;
  }
  /** Copy file bytes to host memory (private copies); short at the end of the file. */
  abstract readInto(hostAddr: number, offset: number, len: number): number;
  /** A page is mapped to be written: the file's times change, once for each such fault, as those of Linux's tmpfs. */
  touch(): void {}
  /** Bring what was written through mappings to stable storage (MS_SYNC): 0 or -errno. */
  sync(): number {
    return 0;
  }
  /** A mapping holds the backing (the open file) as long as it lives. */
  abstract hold(): void;
  abstract drop(): void;
}
