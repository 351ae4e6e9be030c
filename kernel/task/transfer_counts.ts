/**
 * Counts of what tasks read and wrote (/proc/PID/io of proc_pid_io(5)), by the calls that Linux
 * counts: not those of sockets and splice(2).
 */

import { EBADF, ESPIPE } from "../../ffi/abi/errno.ts";
import type { Task } from "./task.ts";

/** Bits of a call: it reads a file, it writes one. */
export const READS = 1, WRITES = 2;

export class TransferCounts {
  readBytes: number = 0;
  writtenBytes: number = 0;
  /** Number of calls. */
  reads: number = 0;
  writes: number = 0;
  /**
   * Bytes read from and written to stored file systems. DIFFERS: counted at the call, because there
   * is no page cache.
   */
  fetchedBytes: number = 0;
  storedBytes: number = 0;

  clear(): void {
    this.readBytes = this.writtenBytes = 0;
    this.reads = this.writes = 0;
    this.fetchedBytes = this.storedBytes = 0;
  }

  add(o: TransferCounts): void {
    this.readBytes += o.readBytes;
    this.writtenBytes += o.writtenBytes;
    this.reads += o.reads;
    this.writes += o.writes;
    this.fetchedBytes += o.fetchedBytes;
    this.storedBytes += o.storedBytes;
  }
}

/**
 * Counts a call that moves bytes, behind its result. A call that found no file, or a file without
 * positions, moved nothing. HOT
 */
export function countTransfer({ transfers }: Task, moves: number, result: number): void {
  if (result === -EBADF || result === -ESPIPE) return;
  if ((moves & READS) !== 0) {
    transfers.reads++;
    if (result > 0) transfers.readBytes += result;
  }
  if ((moves & WRITES) !== 0) {
    transfers.writes++;
    if (result > 0) transfers.writtenBytes += result;
  }
}
