/**
 * Assembles `syscall`, one raw system call whose arguments are doubles, which Deno passes without
 * conversion; and `rdtsc`.
 *
 * Neighbour: native.ts, which loads it.
 */

import type { Assembler } from "../asm/assembler.ts";
import {
  eax,
  edi,
  r10,
  r8,
  r9,
  rax,
  rdi,
  rdx,
  rsi,
  xmm0,
  xmm1,
  xmm2,
  xmm3,
  xmm4,
  xmm5,
} from "../asm/registers.ts";

/** `double syscall(int nr, double a0 .. a5)`. */
export function emitSyscall(a: Assembler): void {
  a.align(16).label("syscall").mov(eax, edi);
  a.cvttsd2si(rdi, xmm0).cvttsd2si(rsi, xmm1).cvttsd2si(rdx, xmm2);
  a.cvttsd2si(r10, xmm3).cvttsd2si(r8, xmm4).cvttsd2si(r9, xmm5);
  a.syscall().pxor(xmm0, xmm0).cvtsi2sd(xmm0, rax).ret();
}

/** `double rdtsc(void)`: the time stamp counter, ordered behind earlier loads. */
export function emitTsc(a: Assembler): void {
  a.align(16).label("rdtsc").lfence().rdtsc();
  a.shl(rdx, 32).or(rax, rdx);
  a.pxor(xmm0, xmm0).cvtsi2sd(xmm0, rax).ret();
}
