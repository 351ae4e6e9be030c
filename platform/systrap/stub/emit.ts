/**
 * What the files that emit stub code share: labels of places in the text, operands for fixed
 * addresses, system calls, and the call sites that the filter of guest threads allows.
 */

import type { Assembler } from "../../../ffi/asm/assembler.ts";
import { type Mem, mem, memSeg, rip } from "../../../ffi/asm/operands.ts";
import {
  eax,
  edi,
  edx,
  esi,
  r10,
  r10d,
  r8,
  r9,
  rax,
  rbp,
  rdi,
  rdx,
  rsp,
} from "../../../ffi/asm/registers.ts";
import { FUTEX_WAIT, FUTEX_WAKE } from "../../../ffi/abi/futex.ts";
import { SYS_exit_group, SYS_futex, SYS_mmap } from "../../../ffi/abi/syscall_numbers.ts";
import { SLOT_REGS, TEXT } from "./layout.ts";

/** Label of the first byte of the text. */
export const TEXT_START = "text";

/** Labels of places in the text that more than one file needs. */
export const LABELS = {
  /** First instruction of the zygote. */
  zygote: "zygote",
  /** The target of thunks. */
  fast: "fast",
  /** Where a new thread starts, as if it had posted on the fast path. */
  fastWait: "fast_wait",
  /**
   * The instruction behind the call by which the fast path gets a signal frame: the guest's
   * registers are in the slot.
   */
  save: "save",
  /**
   * The tails, which return to the guest: start, first instruction after the check of `kick`, end.
   */
  tails: [
    ["tail_ret", "tail_ret_body", "tail_ret_end"],
    ["tail_load", "tail_load_body", "tail_load_end"],
  ],
} as const;

/** Labels behind the system calls that guest threads may make, by kind of call. */
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
  const at = SLOT_REGS[offset / 8];
  if (at === undefined) throw new RangeError(`no register at offset ${offset}`);
  return gs(at);
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

/** Emits a FUTEX_WAKE of `count` waiters of the word. Changes rax, rcx, rdx, rsi, rdi and r11. */
export function futexWake(a: Assembler, word: Mem, count: number, sites: string[]): void {
  a.lea(rdi, word).mov(esi, FUTEX_WAKE).mov(edx, count).mov(eax, SYS_futex);
  allowedCall(a, sites);
}

/**
 * A call that only the zygote and mappers may make: it shows the secret in two arguments that the
 * call does not use. The secret is in rsp and rbp, which these threads use for nothing else, and
 * never in memory of a stub. Changes r8 and r9.
 */
export function privilegedCall(a: Assembler, nr: number): void {
  a.mov(r8, rsp).mov(r9, rbp).mov(eax, nr).syscall();
}

/**
 * mmap(2) with the secret: it uses all arguments, but not the high halves of prot, flags and fd,
 * which take 96 bits.
 */
export function privilegedMmap(a: Assembler): void {
  a.mov(rax, rsp).shl(rax, 32).or(rdx, rax);
  a.mov(rax, rsp).shr(rax, 32).shl(rax, 32).or(r10, rax);
  a.mov(rax, rbp).shl(rax, 32).or(r8, rax);
  a.mov(eax, SYS_mmap).syscall();
}

/** exit_group(code): ends the stub. */
export function dieWith(a: Assembler, code: number): void {
  a.mov(edi, code);
  privilegedCall(a, SYS_exit_group);
  a.ud2();
}

/** Exit codes of zygote and stub; others are the errno of a refused mapping. */
export const EXIT_BAD_COMMAND = 200;
export const EXIT_SETUP = 201;
export const EXIT_THREAD = 202;
export const EXIT_MESSAGE = 203;
