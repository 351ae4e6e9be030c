/**
 * Assembles the memory primitives: copies, fills, scalars, atomics and searches on absolute
 * addresses, which survive faults.
 *
 * All follow the C convention (doubles in xmm0.., integers in edi, esi, edx, ecx), keep no state
 * and call nothing. Addresses are doubles. Neighbours: mem/native_memory.ts, which documents each;
 * fault_code.ts, which resumes them.
 */

import type { Assembler } from "../asm/assembler.ts";
import { mem } from "../asm/operands.ts";
import {
  al,
  ax,
  dl,
  dx,
  eax,
  ecx,
  edi,
  edx,
  esi,
  r8,
  r8d,
  r9,
  rax,
  rcx,
  rdi,
  rdx,
  rsi,
  xmm0,
  xmm1,
  xmm2,
  xmm3,
} from "../asm/registers.ts";
import type { FaultTable } from "./fault_code.ts";

/** From this length on `rep movsb` beats a loop of 16-byte moves (docs/performance.md). */
const REP_BYTES = 1024;

/** Writes all primitives; the labels are the names of the symbols. */
export function emitMemory(a: Assembler, faults: FaultTable): void {
  emitCopies(a, faults);
  emitFill(a, faults);
  emitLoads(a, faults);
  emitStores(a, faults);
  emitAtomics(a, faults);
  emitFindZero(a, faults);
  emitCompare(a, faults);
}

function emitCopies(a: Assembler, faults: FaultTable): void {
  // copy_to_buffer(rdi: buffer, esi: offset, xmm0: source, edx: length)
  a.align(16).label("copy_to_buffer").mov(r8d, edx).mov(ecx, edx).mov(esi, esi).add(rdi, rsi);
  a.cvttsd2si(rsi, xmm0).jmp("copy_body");
  // copy_from_buffer(xmm0: destination, rdi: buffer, esi: offset, edx: length)
  a.align(16).label("copy_from_buffer").mov(r8d, edx).mov(ecx, edx).mov(esi, esi).add(rsi, rdi);
  a.cvttsd2si(rdi, xmm0).jmp("copy_body");
  // copy(xmm0: destination, xmm1: source, edi: length)
  a.align(16).label("copy").mov(r8d, edi).mov(ecx, edi);
  a.cvttsd2si(rsi, xmm1).cvttsd2si(rdi, xmm0);

  // rdi, rsi, ecx > 0 left of r8d. A fault leaves them at the last whole block: bytes finish it.
  a.label("copy_body").test(ecx, ecx).jle("copy_nothing");
  a.cmp(ecx, 16).jb("copy_small").cmp(ecx, REP_BYTES).jae("copy_bytes");
  faults.cover("copy_bytes", () => {
    a.label("copy_64").cmp(ecx, 64).jb("copy_16");
    a.movups(xmm0, mem(rsi)).movups(xmm1, mem(rsi, 16));
    a.movups(xmm2, mem(rsi, 32)).movups(xmm3, mem(rsi, 48));
    a.movups(mem(rdi), xmm0).movups(mem(rdi, 16), xmm1);
    a.movups(mem(rdi, 32), xmm2).movups(mem(rdi, 48), xmm3);
    a.add(rsi, 64).add(rdi, 64).sub(ecx, 64).jmp("copy_64");
    a.label("copy_16").cmp(ecx, 16).jb("copy_rest");
    a.movups(xmm0, mem(rsi)).movups(mem(rdi), xmm0);
    a.add(rsi, 16).add(rdi, 16).sub(ecx, 16).jmp("copy_16");
    // Less than 16 bytes remain of a range of 16 or more: one move that ends where the range ends.
    a.label("copy_rest").test(ecx, ecx).je("copy_all");
    a.movups(xmm0, mem(rsi, -16, rcx)).movups(mem(rdi, -16, rcx), xmm0).jmp("copy_all");
    a.label("copy_small").cmp(ecx, 8).jb("copy_under_8");
    a.mov(rax, mem(rsi)).mov(rdx, mem(rsi, -8, rcx));
    a.mov(mem(rdi), rax).mov(mem(rdi, -8, rcx), rdx).jmp("copy_all");
    a.label("copy_under_8").cmp(ecx, 4).jb("copy_under_4");
    a.mov(eax, mem(rsi)).mov(edx, mem(rsi, -4, rcx));
    a.mov(mem(rdi), eax).mov(mem(rdi, -4, rcx), edx).jmp("copy_all");
    a.label("copy_under_4").cmp(ecx, 2).jb("copy_one");
    a.mov(ax, mem(rsi)).mov(dx, mem(rsi, -2, rcx));
    a.mov(mem(rdi), ax).mov(mem(rdi, -2, rcx), dx).jmp("copy_all");
    a.label("copy_one").mov(al, mem(rsi)).mov(mem(rdi), al);
  });
  a.label("copy_all").mov(eax, r8d).ret();
  a.label("copy_bytes");
  faults.cover("copy_stopped", () => a.repMovsb());
  a.label("copy_stopped").mov(eax, r8d).sub(eax, ecx).ret();
  a.label("copy_nothing").xor(eax, eax).ret();
}

/** `fill(xmm0: destination, edi: byte, esi: length)`. */
function emitFill(a: Assembler, faults: FaultTable): void {
  a.align(16).label("fill").mov(eax, edi).mov(ecx, esi).cvttsd2si(rdi, xmm0);
  a.test(ecx, ecx).jle("copy_nothing");
  a.cmp(ecx, 256).jae("fill_bytes");
  a.movzx(eax, al).movabs(rdx, 0x0101010101010101n).imul(rax, rdx);
  faults.cover("fill_bytes", () => {
    a.label("fill_8").cmp(ecx, 8).jb("fill_1");
    a.mov(mem(rdi), rax).add(rdi, 8).sub(ecx, 8).jmp("fill_8");
    a.label("fill_1").test(ecx, ecx).je("fill_stopped");
    a.mov(mem(rdi), al).add(rdi, 1).sub(ecx, 1).jmp("fill_1");
  });
  a.label("fill_bytes");
  faults.cover("fill_stopped", () => a.repStosb());
  a.label("fill_stopped").mov(eax, esi).sub(eax, ecx).ret();
}

/** `double loadN(xmm0: address)`: unsigned; -1 at a fault. */
function emitLoads(a: Assembler, faults: FaultTable): void {
  a.align(16).label("load8").cvttsd2si(rdi, xmm0);
  faults.cover("fault_double", () => a.movzx(eax, mem(rdi), 1));
  a.jmp("return_double");
  a.align(16).label("load16").cvttsd2si(rdi, xmm0);
  faults.cover("fault_double", () => a.movzx(eax, mem(rdi), 2));
  a.jmp("return_double");
  a.align(16).label("load32").cvttsd2si(rdi, xmm0);
  faults.cover("fault_double", () => a.mov(eax, mem(rdi)));
  a.label("return_double").pxor(xmm0, xmm0).cvtsi2sd(xmm0, rax).ret();

  a.align(16).label("load64").cvttsd2si(rdi, xmm0);
  faults.cover("fault_double", () => a.mov(rax, mem(rdi)));
  a.test(rax, rax).jns("return_double");
  // From 2^63 on: half of the value, with the odd bit kept for rounding, then 1 added to the
  // exponent.
  a.mov(rdx, rax).shr(rax, 1).and(edx, 1).or(rax, rdx).cvtsi2sd(xmm0, rax);
  a.movq(rax, xmm0).movabs(rdx, 1n << 52n).add(rax, rdx).movq(xmm0, rax).ret();

  a.label("fault_double").mov(rax, -1).jmp("return_double");
}

/**
 * `int storeN(xmm0: address, edi: value)`; `store64` takes its value in xmm1. 0, or -1 at a fault.
 */
function emitStores(a: Assembler, faults: FaultTable): void {
  a.align(16).label("store8").mov(edx, edi).cvttsd2si(rdi, xmm0);
  faults.cover("fault_int", () => a.mov(mem(rdi), dl));
  a.xor(eax, eax).ret();
  a.align(16).label("store16").mov(edx, edi).cvttsd2si(rdi, xmm0);
  faults.cover("fault_int", () => a.mov(mem(rdi), dx));
  a.xor(eax, eax).ret();
  a.align(16).label("store32").mov(edx, edi).cvttsd2si(rdi, xmm0);
  faults.cover("fault_int", () => a.mov(mem(rdi), edx));
  a.xor(eax, eax).ret();
  a.align(16).label("store64").cvttsd2si(rdx, xmm1).cvttsd2si(rdi, xmm0);
  faults.cover("fault_int", () => a.mov(mem(rdi), rdx));
  a.xor(eax, eax).ret();
  a.label("fault_int").mov(eax, -1).ret();
}

/** Locked operations on 32-bit words: the previous value as an unsigned double, -1 at a fault. */
function emitAtomics(a: Assembler, faults: FaultTable): void {
  // (xmm0: address, edi: old, esi: new)
  a.align(16).label("cas32").mov(eax, edi).cvttsd2si(rdi, xmm0);
  faults.cover("fault_double", () => a.lock().cmpxchg(mem(rdi), esi));
  a.jmp("return_double");
  a.align(16).label("xadd32").mov(eax, edi).cvttsd2si(rdi, xmm0);
  faults.cover("fault_double", () => a.lock().xadd(mem(rdi), eax));
  a.jmp("return_double");
  a.align(16).label("xchg32").mov(eax, edi).cvttsd2si(rdi, xmm0);
  faults.cover("fault_double", () => a.xchg(mem(rdi), eax));
  a.jmp("return_double");
}

/**
 * `int find_zero(xmm0: address, edi: max)`. Words of 8 bytes are aligned, so none reaches into a
 * page that holds none of the bytes.
 */
function emitFindZero(a: Assembler, faults: FaultTable): void {
  a.align(16).label("find_zero").mov(esi, edi).cvttsd2si(rdi, xmm0).xor(eax, eax);
  a.test(esi, esi).jle("zero_found");
  a.movabs(r8, 0x0101010101010101n).movabs(r9, 0x8080808080808080n);
  faults.cover("fault_int", () => {
    a.label("zero_1").lea(rdx, mem(rdi, 0, rax)).test(edx, 7).je("zero_8");
    a.cmp(mem(rdx), 0, 1).je("zero_found");
    a.add(eax, 1).cmp(eax, esi).jb("zero_1").ret();
    a.label("zero_8").mov(rdx, mem(rdi, 0, rax));
    a.mov(rcx, rdx).sub(rcx, r8).not(rdx).and(rcx, rdx).and(rcx, r9).jne("zero_in_word");
    a.add(eax, 8).cmp(eax, esi).jb("zero_8").mov(eax, esi).ret();
  });
  a.label("zero_in_word").bsf(rcx, rcx).shr(ecx, 3).add(eax, ecx);
  a.cmp(eax, esi).cmova(eax, esi);
  a.label("zero_found").ret();
}

/**
 * `int compare(xmm0: a, xmm1: b, edi: length)`: 0 equal, 1 different, -1 at a fault before a
 * difference.
 */
function emitCompare(a: Assembler, faults: FaultTable): void {
  a.align(16).label("compare").mov(ecx, edi).cvttsd2si(rsi, xmm1).cvttsd2si(rdi, xmm0);
  a.test(ecx, ecx).jle("same");
  faults.cover("compare_1", () => {
    a.label("compare_8").cmp(ecx, 8).jb("compare_1");
    a.mov(rax, mem(rsi)).cmp(rax, mem(rdi)).jne("different");
    a.add(rsi, 8).add(rdi, 8).sub(ecx, 8).jmp("compare_8");
  });
  faults.cover("fault_int", () => {
    a.label("compare_1").test(ecx, ecx).je("same");
    a.mov(al, mem(rsi)).cmp(al, mem(rdi)).jne("different");
    a.add(rsi, 1).add(rdi, 1).sub(ecx, 1).jmp("compare_1");
  });
  a.label("same").xor(eax, eax).ret();
  a.label("different").mov(eax, 1).ret();
}
