/** Numbers in files of control groups. */

import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import { EINVAL } from "../../ffi/abi/errno.ts";

/** "max" for Infinity. */
export function shown(limit: number): string {
  return limit === Infinity ? "max" : String(limit);
}

/** A whole number, or null. */
export function integer(text: string): number | null {
  return /^[+-]?\d+$/.test(text) ? Number(text) : null;
}

/** "max" or a whole number that is not negative; or -EINVAL. */
export function countOrMax(text: string): number {
  if (text === "max") return Infinity;
  const n = integer(text);
  return n === null || n < 0 ? -EINVAL : n;
}

/** Bytes as memparse of Linux reads them, in whole pages: "64M", "max"; or -EINVAL. */
export function bytesOrMax(text: string, max: string = "max"): number {
  if (text === max) return Infinity;
  const m = /^(0[xX][0-9a-fA-F]+|\d+)([kKmMgGtTpPeE]?)$/.exec(text);
  if (m === null) return -EINVAL;
  const scale = 1024 ** (" kmgtpe".indexOf(m[2]!.toLowerCase() || " "));
  const bytes = Math.floor(Number(m[1]) * scale / PAGE_SIZE) * PAGE_SIZE;
  return bytes >= 2 ** 63 - PAGE_SIZE ? Infinity : bytes;
}
