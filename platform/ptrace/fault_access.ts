/**
 * Whether a fault was a read, a write or a fetch. ptrace(2) does not tell the error code of the processor, so it is concluded
 * from what is mapped, and else from the instruction.
 *
 * Neighbours: `mapping_index.ts`, `instruction_access.ts`.
 */

import { ACCESS_EXEC, ACCESS_WRITE, PROT_EXEC, PROT_READ, PROT_WRITE } from "../platform.ts";
import type { GuestThread } from "./guest_thread.ts";

/** Longest instruction of x86. */
const MAX_INSTRUCTION_BYTES = 15;

/** @returns an ACCESS bit, or 0 if it cannot be known */
export function faultAccess(thread: GuestThread, addr: number, rip: number): number {
  const mappings = thread.space.mappings;
  const prot = mappings.protectionAt(addr);
  const isAtCode = addr >= rip && addr < rip + MAX_INSTRUCTION_BYTES;
  // x86 pages that can be executed can be read: so code that cannot be fetched is not data of an instruction there.
  if (isAtCode && (prot === -1 || (prot & PROT_EXEC) === 0) && isFetch(thread, addr, rip)) {
    return ACCESS_EXEC;
  }
  if (prot !== -1 && (prot & PROT_READ) !== 0 && (prot & PROT_WRITE) === 0) return ACCESS_WRITE;
  return 0;
}

/** The page of `addr` cannot be executed and is within reach of the instruction at rip. */
function isFetch(_thread: GuestThread, addr: number, rip: number): boolean {
  return addr === rip || addr % 4096 === 0;
}
