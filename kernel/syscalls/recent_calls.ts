/**
 * The last calls of all guests, for the report of a kernel that failed: numbers only, so that noting one costs next to
 * nothing. Neighbours: observe/crash.ts says what was going on; dispatch.ts notes.
 */

import { NAMES } from "../../ffi/abi/syscall_numbers.ts";

/** How many are kept: a power of two. */
const KEPT = 128;
/** How many a report shows. */
export const REPORTED = 100;

const tids = new Int32Array(KEPT);
const numbers = new Int32Array(KEPT);
let count = 0;

/** A call begins. HOT */
export function noteCall(tid: number, nr: number): void {
  const at = count++ & (KEPT - 1);
  tids[at] = tid;
  numbers[at] = nr;
}

/** Calls since the start. */
export function callCount(): number {
  return count;
}

/** The last ones, a line each, the latest last. */
export function recentCalls(): string[] {
  const lines: string[] = [];
  for (let i = Math.max(0, count - REPORTED); i < count; i++) {
    const at = i & (KEPT - 1), nr = numbers[at] ?? -1;
    lines.push(`[${tids[at]}] ${NAMES[nr] || `call ${nr}`}`);
  }
  return lines;
}
