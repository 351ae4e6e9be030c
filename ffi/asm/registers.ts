/**
 * x86-64 registers as values: what the assembler's methods take.
 *
 * Not here: memory operands (`operands.ts`), and the high byte registers (`ah`...), which no REX
 * instruction can name.
 */

/** Operand size in bytes. */
export type Size = 1 | 2 | 4 | 8;

/** A general purpose register; `code` is its number, 0 (rax) to 15 (r15). */
export interface Gpr<S extends Size = Size> {
  readonly kind: "gpr";
  readonly size: S;
  readonly code: number;
  readonly name: string;
}

/** An SSE register; `code` is its number, 0 to 15. */
export interface Xmm {
  readonly kind: "xmm";
  readonly code: number;
  readonly name: string;
}

export type Reg64 = Gpr<8>;
export type Reg32 = Gpr<4>;
export type Reg16 = Gpr<2>;
export type Reg8 = Gpr<1>;

function gpr<S extends Size>(size: S, code: number, name: string): Gpr<S> {
  return { kind: "gpr", size, code, name };
}

function xmm(code: number): Xmm {
  return { kind: "xmm", code, name: `xmm${code}` };
}

export const rax: Reg64 = gpr(8, 0, "rax");
export const rcx: Reg64 = gpr(8, 1, "rcx");
export const rdx: Reg64 = gpr(8, 2, "rdx");
export const rbx: Reg64 = gpr(8, 3, "rbx");
export const rsp: Reg64 = gpr(8, 4, "rsp");
export const rbp: Reg64 = gpr(8, 5, "rbp");
export const rsi: Reg64 = gpr(8, 6, "rsi");
export const rdi: Reg64 = gpr(8, 7, "rdi");
export const r8: Reg64 = gpr(8, 8, "r8");
export const r9: Reg64 = gpr(8, 9, "r9");
export const r10: Reg64 = gpr(8, 10, "r10");
export const r11: Reg64 = gpr(8, 11, "r11");
export const r12: Reg64 = gpr(8, 12, "r12");
export const r13: Reg64 = gpr(8, 13, "r13");
export const r14: Reg64 = gpr(8, 14, "r14");
export const r15: Reg64 = gpr(8, 15, "r15");

export const eax: Reg32 = gpr(4, 0, "eax");
export const ecx: Reg32 = gpr(4, 1, "ecx");
export const edx: Reg32 = gpr(4, 2, "edx");
export const ebx: Reg32 = gpr(4, 3, "ebx");
export const esp: Reg32 = gpr(4, 4, "esp");
export const ebp: Reg32 = gpr(4, 5, "ebp");
export const esi: Reg32 = gpr(4, 6, "esi");
export const edi: Reg32 = gpr(4, 7, "edi");
export const r8d: Reg32 = gpr(4, 8, "r8d");
export const r9d: Reg32 = gpr(4, 9, "r9d");
export const r10d: Reg32 = gpr(4, 10, "r10d");
export const r11d: Reg32 = gpr(4, 11, "r11d");
export const r12d: Reg32 = gpr(4, 12, "r12d");
export const r13d: Reg32 = gpr(4, 13, "r13d");
export const r14d: Reg32 = gpr(4, 14, "r14d");
export const r15d: Reg32 = gpr(4, 15, "r15d");

export const ax: Reg16 = gpr(2, 0, "ax");
export const cx: Reg16 = gpr(2, 1, "cx");
export const dx: Reg16 = gpr(2, 2, "dx");
export const bx: Reg16 = gpr(2, 3, "bx");
export const sp: Reg16 = gpr(2, 4, "sp");
export const bp: Reg16 = gpr(2, 5, "bp");
export const si: Reg16 = gpr(2, 6, "si");
export const di: Reg16 = gpr(2, 7, "di");
export const r8w: Reg16 = gpr(2, 8, "r8w");
export const r9w: Reg16 = gpr(2, 9, "r9w");
export const r10w: Reg16 = gpr(2, 10, "r10w");
export const r11w: Reg16 = gpr(2, 11, "r11w");
export const r12w: Reg16 = gpr(2, 12, "r12w");
export const r13w: Reg16 = gpr(2, 13, "r13w");
export const r14w: Reg16 = gpr(2, 14, "r14w");
export const r15w: Reg16 = gpr(2, 15, "r15w");

export const al: Reg8 = gpr(1, 0, "al");
export const cl: Reg8 = gpr(1, 1, "cl");
export const dl: Reg8 = gpr(1, 2, "dl");
export const bl: Reg8 = gpr(1, 3, "bl");
export const spl: Reg8 = gpr(1, 4, "spl");
export const bpl: Reg8 = gpr(1, 5, "bpl");
export const sil: Reg8 = gpr(1, 6, "sil");
export const dil: Reg8 = gpr(1, 7, "dil");
export const r8b: Reg8 = gpr(1, 8, "r8b");
export const r9b: Reg8 = gpr(1, 9, "r9b");
export const r10b: Reg8 = gpr(1, 10, "r10b");
export const r11b: Reg8 = gpr(1, 11, "r11b");
export const r12b: Reg8 = gpr(1, 12, "r12b");
export const r13b: Reg8 = gpr(1, 13, "r13b");
export const r14b: Reg8 = gpr(1, 14, "r14b");
export const r15b: Reg8 = gpr(1, 15, "r15b");

export const xmm0 = xmm(0);
export const xmm1 = xmm(1);
export const xmm2 = xmm(2);
export const xmm3 = xmm(3);
export const xmm4 = xmm(4);
export const xmm5 = xmm(5);
export const xmm6 = xmm(6);
export const xmm7 = xmm(7);
export const xmm8 = xmm(8);
export const xmm9 = xmm(9);
export const xmm10 = xmm(10);
export const xmm11 = xmm(11);
export const xmm12 = xmm(12);
export const xmm13 = xmm(13);
export const xmm14 = xmm(14);
export const xmm15 = xmm(15);
