/**
 * Whether a fault was a read, a write or a fetch. ptrace(2) does not tell the error code of the processor, so it is concluded
 * from what is mapped, and else from the instruction.
 *
 * Neighbours: `../mapping_index.ts`, `instruction.ts`.
 */

import { PTRACE_PEEKDATA, UserRegs } from "../../ffi/abi/ptrace.ts";
import {
  ACCESS_EXEC,
  ACCESS_READ,
  ACCESS_WRITE,
  PROT_EXEC,
  PROT_READ,
  PROT_WRITE,
} from "../platform.ts";
import type { GuestThread } from "./guest_thread.ts";
import { decode, type Instruction, MAX_INSTRUCTION_BYTES } from "./instruction.ts";

const WORD_BYTES = 8;
/** How far from rsp a push or pop is taken for the stack's, and from rdi a string write for its target. */
const STACK_REACH = 16, STRING_REACH = 64;

/**
 * @param isDenied the host has a page at addr, whose permissions forbid the access (SEGV_ACCERR)
 * @returns an ACCESS bit, or 0 if it cannot be known
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
    return ACCESS_EXEC; // it begins on a page that could be fetched and ends on this one
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

/** Bytes at rip, up to where memory ends. Aligned words do not cross pages, so each is there or not. */
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
