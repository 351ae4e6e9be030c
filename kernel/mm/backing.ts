/**
 * The contract of a file mapping's contents: file systems, shared memory and drivers subclass
 * Backing. The memory manager asks a backing for frames (arena offsets) or for a host file to map
 * directly; the backing reports truncation through `mappings`.
 */

import type { Account } from "../core/account.ts";
import { EOPNOTSUPP } from "../../ffi/abi/errno.ts";

/** The identity of a file, for /proc/PID/maps and futex keys. Inodes implement it. */
export interface FileIdentity {
  readonly dev: number;
  readonly ino: number;
}

/**
 * A mapping that must know when file pages go away; the memory manager implements it
 * (file_mappings.ts).
 */
export interface FileMapping {
  /**
   * The pages at byte offsets [from, to) of the file are gone (truncation, hole): they are
   * unmapped, and the next touch faults again. Both are page aligned, or `to` is Infinity. On
   * truncation the new size is set before the call, and the frames are released after it.
   */
  onPagesGone(from: number, to: number): void;
}

export abstract class Backing {
  /** The inode whose pages these are; the same object for every mapping of it. */
  abstract readonly inode: FileIdentity;
  /**
   * The file that /proc/PID/maps shows instead: the one that was opened, where that is another
   * (overlay).
   */
  shown: FileIdentity | null = null;
  /** The path in /proc/PID/maps. */
  abstract describe(): string;
  /** The mappings of the inode. */
  readonly mappings: Set<FileMapping> = new Set();

  /**
   * A handle of Platform.registerFile when the host maps pages directly from a host file (then
   * `frame` is not used for shared and read-only mappings), else -1.
   */
  abstract readonly platformFile: number;
  /**
   * A descriptor of that file for the Sentry's own reads of mapped pages (copy on write, copyIn),
   * or -1.
   */
  abstract readonly hostFd: number;

  /** No shared mapping of it may be writable (F_SEAL_WRITE). */
  get isWriteSealed(): boolean {
    return false;
  }
  /**
   * memfd_secret(2): only a process that maps it may reach its pages, and not the kernel for
   * another process.
   */
  readonly isSecret: boolean = false;

  /** Its pages are frames that exist from the first write on (shared memory, tmpfs). */
  readonly isMemory: boolean = false;
  /** `own` works: a snapshot inside the process may share its frames. */
  readonly canOwn: boolean = false;
  /**
   * Called before a write to the page at `offset`: when a snapshot may hold its frame, the file
   * gets a copy of it there, and its mappings fault again. 0 or -ENOMEM.
   */
  own(_offset: number): number {
    return 0;
  }
  /** Whether the page at `offset` exists, or is a hole. */
  has(offset: number): boolean {
    return this.frame(offset, false) >= 0;
  }

  /** The present size of the file in bytes: pages at or behind it give SIGBUS. */
  abstract size(): number;
  /**
   * The arena offset of the page at file offset `offset` (page aligned); with `write` a hole gets a
   * frame. -1: a hole that reads as zeros; -EFAULT (SIGBUS); -ENOMEM.
   */
  abstract frame(offset: number, write: boolean): number;
  /**
   * The number of pages from `offset` on that are known to be contiguous from `frame` on, the frame
   * of `offset`.
   */
  contiguous(_offset: number, _frame: number, _maxPages: number): number {
    return 1;
  }
  /** The number of pages from `offset` on, which is a hole, that are known to be holes. */
  holePages(_offset: number, _maxPages: number): number {
    return 1;
  }
  /** MADV_REMOVE: makes a hole in the file. 0 or -errno. */
  punch(_offset: number, _len: number): number {
    return -EOPNOTSUPP;
  }
  /** Copies file bytes to host memory (for private copies); short at the end of the file. */
  abstract readInto(hostAddr: number, offset: number, len: number): number;
  /**
   * Called when a page is mapped for writing: the file's times change, once for each such fault, as
   * in Linux's tmpfs.
   */
  touch(): void {}
  /** MS_SYNC: brings data that was written through mappings to stable storage. 0 or -errno. */
  sync(): number {
    return 0;
  }
  /** A mapping holds the backing (the open file) while it exists. */
  abstract hold(): void;
  abstract drop(): void;
  /** A memory of the account maps it now, or no longer: what it costs is charged to its users. */
  onMapped(_account: Account): void {}
  onUnmapped(_account: Account): void {}
}
