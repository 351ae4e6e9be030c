/**
 * Tells whether a fault was a read, a write or a fetch. ptrace(2) does not report the error code of
 * the processor, so the access follows from the mappings, and else from the instruction.
 *
 * Neighbours: `../mapping_index.ts`, `instruction.ts`.
 */

import { PROT_EXEC, PROT_READ, PROT_WRITE } from "../../ffi/abi/mman.ts";
import { PTRACE_PEEKDATA, UserRegs } from "../../ffi/abi/ptrace.ts";
import { ACCESS_EXEC, ACCESS_READ, ACCESS_WRITE } from "../platform.ts";
import type { GuestThread } from "./guest_thread.ts";
import { decode, type Instruction, MAX_INSTRUCTION_BYTES } from "./instruction.ts";

const WORD_BYTES = 8;
/**
 * Distance from rsp within which a fault of a push or pop is the stack's, and from rdi within which
 * a fault of a string write is its target's.
 */
const STACK_REACH = 16, STRING_REACH = 64;

/**
 * @param isDenied the host has a page at addr whose permissions forbid the access (SEGV_ACCERR)
 * @returns an ACCESS bit, or 0 if the access is not known
 */
export function faultAccess(
  thread: GuestThread,
  addr: number,
  rip: number,
  isDenied: boolean,
): number {
  const prot = thread.space.mappings.protectionAt(addr);
  const isFetchable = prot !== -1 && (prot & PROT_EXEC) !== 0;
  if (addr === rip && !isFetchable) return ACCESS_EXEC;
  const code = codeAt(thread, rip);
  const instruction = code.length === 0 ? null : decode(code);
  const isWithin = addr > rip && addr < rip + MAX_INSTRUCTION_BYTES;
  if (isWithin && !isFetchable && (instruction === null || addr < rip + instruction.length)) {
    return ACCESS_EXEC; // it begins on a page that was fetched and ends on this one
  }
  const isReadOnly = prot !== -1 && (prot & PROT_READ) !== 0 && (prot & PROT_WRITE) === 0;
  if (isDenied && isReadOnly) return ACCESS_WRITE;
  return instruction === null ? 0 : accessOf(thread, instruction, addr);
}

function accessOf(thread: GuestThread, { kind }: Instruction, addr: number): number {
  const isStack = Math.abs(addr - thread.u64(UserRegs.at.rsp)) <= STACK_REACH;
  switch (kind) {
    case "r":
    case "l":
    case "q":
      return ACCESS_READ;
    case "w":
    case "s":
    case "p":
      return ACCESS_WRITE;
    case ">":
      return isStack ? ACCESS_WRITE : ACCESS_READ;
    case "<":
      return isStack ? ACCESS_READ : ACCESS_WRITE;
    case "v":
      return Math.abs(addr - thread.u64(UserRegs.at.rdi)) <= STRING_REACH
        ? ACCESS_WRITE
        : ACCESS_READ;
    default:
      return 0;
  }
}

/**
 * Bytes at rip, up to the end of readable memory. An aligned word does not cross pages, so it is
 * readable as a whole or not.
 */
function codeAt(thread: GuestThread, rip: number): Uint8Array {
  const { tracer } = thread;
  const bytes = new Uint8Array(3 * WORD_BYTES);
  const skip = rip % WORD_BYTES;
  let length = 0;
  for (; length < skip + MAX_INSTRUCTION_BYTES; length += WORD_BYTES) {
    const from = rip - skip + length;
    if (thread.request(PTRACE_PEEKDATA, from, tracer.address(tracer.word)) < 0) break;
    for (let i = 0; i < WORD_BYTES; i++) bytes[length + i] = tracer.dv.getUint8(tracer.word + i);
  }
  return bytes.subarray(skip, Math.max(skip, length));
}
