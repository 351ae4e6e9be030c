/**
 * A thread that runs assembled code of its own and no JavaScript, as helper_threads.ts has them: no libc, no TLS, no stack
 * until the code makes one, all signals blocked until it opens some.
 *
 * Neighbour: helper_code.ts, which makes the thread.
 */

import { FUTEX_WAIT } from "../abi/futex.ts";
import { SYS_futex } from "../abi/syscall_numbers.ts";
import { HelperSlot } from "./helper_code.ts";
import { native, syscall, viewOf } from "./native.ts";

/** What the thread needs at its beginning and its end, and `rbx` points to: memory that outlives it. */
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

/** Waits until the thread is gone; it was told to end. */
export function joinThread(block: number): void {
  const words = new Int32Array(viewOf(block, HelperSlot.size)), at = HelperSlot.at.tid;
  for (;;) {
    const tid = Atomics.load(words, at / 4);
    if (tid === 0) return;
    syscall(SYS_futex, block + at, FUTEX_WAIT, tid, 0);
  }
}
