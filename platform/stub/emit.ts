/**
 * Helpers of the files that emit stub code: operands for fixed addresses, system calls, and the list of
 * call sites that the filter of guest threads allows.
 */

import type { Assembler } from "../../ffi/asm/assembler.ts";
import { type Mem, mem, memSeg, rip } from "../../ffi/asm/operands.ts";
import { eax, edi, edx, esi, r10d, rdi } from "../../ffi/asm/registers.ts";
import { FUTEX_WAIT, FUTEX_WAKE } from "../../ffi/abi/futex.ts";
import { SYS_exit_group, SYS_futex } from "../../ffi/abi/syscall_numbers.ts";
import { SLOT_AT, TEXT } from "./layout.ts";

/** Label of the first byte of the text. */
export const TEXT_START = "text";

/** Names of the instructions behind each system call that guest threads may make, by kind of call. */
export class AllowedSites {
  readonly futex: string[] = [];
  readonly doorbell: string[] = [];
  readonly sigreturn: string[] = [];
  readonly sigprocmask: string[] = [];
  readonly exit: string[] = [];
}

/** Memory at a fixed address of the stub region. */
export function at(address: number): Mem {
  return rip(TEXT_START, address - TEXT);
}

/** A field of this thread's slot, on the fast path. */
export function gs(offset: number): Mem {
  return memSeg("gs", mem(null, offset));
}

/** A register of this thread's slot, by its offset in `platform.ts`. */
export function gsReg(offset: number): Mem {
  return gs(SLOT_AT.regs + offset);
}

/** `syscall`, with a label behind it that is added to `sites`. */
export function allowedCall(a: Assembler, sites: string[]): void {
  const site = a.fresh("site");
  a.syscall().label(site);
  sites.push(site);
}

/** futex(word, FUTEX_WAIT, edx): the word is shared with the Sentry, so not a private futex. */
export function futexWait(a: Assembler, word: Mem, sites: string[]): void {
  a.lea(rdi, word).mov(esi, FUTEX_WAIT).xor(r10d, r10d).mov(eax, SYS_futex);
  allowedCall(a, sites);
}

export function futexWake(a: Assembler, word: Mem, count: number, sites: string[]): void {
  a.lea(rdi, word).mov(esi, FUTEX_WAKE).mov(edx, count).mov(eax, SYS_futex);
  allowedCall(a, sites);
}

/** exit_group(code): the stub is of no use any more. The code says why, see `ExitCode`. */
export function dieWith(a: Assembler, code: number): void {
  a.mov(edi, code).mov(eax, SYS_exit_group).syscall().ud2();
}

/** Exit codes of zygote and stub; others are the errno of a refused mapping. */
export const EXIT_BAD_COMMAND = 200;
export const EXIT_SETUP = 201;
export const EXIT_FILTER = 202;
export const EXIT_MESSAGE = 203;
