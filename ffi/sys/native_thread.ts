/**
 * A thread that runs assembled code and no JavaScript, like those of helper_threads.ts: no libc, no
 * TLS, no stack until the code makes one, all signals blocked until it unblocks some.
 *
 * Neighbour: helper_code.ts, which makes the thread.
 */

import { FUTEX_WAIT } from "../abi/futex.ts";
import { SYS_futex } from "../abi/syscall_numbers.ts";
import { HelperSlot } from "./helper_code.ts";
import { native, syscall, viewOf } from "./native.ts";

/**
 * Bytes of the block that the thread needs at its start and its end, to which `rbx` points. It must
 * outlive the thread.
 */
export const THREAD_BLOCK_BYTES: number = HelperSlot.size;

/**
 * @param block host address of THREAD_BLOCK_BYTES bytes, aligned to them
 * @param entry host address of code; it ends by exit(2)
 * @returns the thread id, or `-errno`
 *
 * SAFETY: the code runs with all rights of this process.
 */
export function startThread(block: number, entry: number): number {
  new DataView(viewOf(block, HelperSlot.size)).setBigUint64(
    HelperSlot.at.entry,
    BigInt(entry),
    true,
  );
  return native.start_helper(block);
}

/** Waits until the thread has ended; its own protocol must have requested that. */
export function joinThread(block: number): void {
  const words = new Int32Array(viewOf(block, HelperSlot.size)), at = HelperSlot.at.tid;
  for (;;) {
    const tid = Atomics.load(words, at / 4);
    if (tid === 0) return;
    syscall(SYS_futex, block + at, FUTEX_WAIT, tid, 0);
  }
}
