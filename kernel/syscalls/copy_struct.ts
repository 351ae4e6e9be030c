/**
 * Structs that grow with kernel versions: clone3, sched_setattr, openat2 (copy_struct_from_user of
 * Linux).
 */

import { E2BIG, EFAULT } from "../../ffi/abi/errno.ts";
import type { Task } from "../task/task.ts";

/**
 * Copies a struct of `size` bytes, the size that the user knows, into `kernel.scratch`, which then
 * holds `known` bytes: zeros behind a shorter one. The rest of a longer one must be zero: otherwise
 * -E2BIG. `size` is at most 4096.
 */
export function copyInStruct(t: Task, addr: number, size: number, known: number): number {
  const { u8 } = t.kernel.scratch;
  u8.fill(0, 0, Math.max(size, known));
  if (t.mm.copyIn(u8, 0, addr, size) !== 0) return -EFAULT;
  for (let i = known; i < size; i++) if (u8[i] !== 0) return -E2BIG;
  return 0;
}
