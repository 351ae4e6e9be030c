/**
 * The x86-64 instruction format: prefixes, REX, opcode, ModRM, SIB, displacement, immediate (Intel
 * SDM vol. 2, chapter 2).
 *
 * Mnemonics are in `integer.ts`, `branches.ts` and `assembler.ts`, each of which extends the one
 * before. Where several encodings are possible the choice is that of GNU as, so that a test can
 * compare bytes.
 */

import { CodeBuffer } from "./code_buffer.ts";
import { fitsSigned, isMem, type Mem } from "./operands.ts";
import type { Gpr, Size, Xmm } from "./registers.ts";

/** The parts of an instruction besides its opcode and operands. */
interface Encoding {
  /** Operand size: 8 sets REX.W, 2 adds the 0x66 prefix, 1 and 4 add nothing. Default 4. */
  readonly size?: Size;
  /** A prefix that belongs to the opcode. */
  readonly prefix?: 0x66 | 0xf2 | 0xf3;
  readonly imm?: number;
  /** Width of `imm` in bytes; 0 without one. */
  readonly immBytes?: 0 | 1 | 2 | 4;
}

const NO_REX = 0;
const REX = 0x40;
const REX_W = 0x48;
const REX_R = 0x44;
const REX_X = 0x42;
const REX_B = 0x41;
const SEGMENT_PREFIX = { fs: 0x64, gs: 0x65 };

export class Encoder extends CodeBuffer {
  #isLocked = false;

  /** The lock prefix for the next instruction, which must change a memory operand. */
  lock(): this {
    if (this.#isLocked) throw new Error("lock() twice for one instruction");
    this.#isLocked = true;
    return this;
  }

  override assemble(origin = 0): Uint8Array<ArrayBuffer> {
    if (this.#isLocked) throw new Error("lock() without an instruction after it");
    return super.assemble(origin);
  }

  /**
   * One instruction with a ModRM byte.
   *
   * @param opcode one to three bytes, the first the most significant: 0x89, 0x0fb6
   * @param reg the operand in ModRM.reg, or the opcode extension (`/digit`)
   * @param rm the operand in ModRM.rm
   */
  protected modrm(
    opcode: number,
    reg: Gpr | Xmm | number,
    rm: Gpr | Xmm | Mem,
    { size = 4, prefix, imm = 0, immBytes = 0 }: Encoding = {},
  ): this {
    const regCode = typeof reg === "number" ? reg : reg.code;
    let rex = rexOfSize(size) | rexOfByte(reg) | (regCode > 7 ? REX_R : NO_REX);
    if (isMem(rm)) {
      if (rm.seg !== null) this.db(SEGMENT_PREFIX[rm.seg]);
      if (rm.base !== null && rm.base.code > 7) rex |= REX_B;
      if (rm.index !== null && rm.index.code > 7) rex |= REX_X;
    } else {
      rex |= rexOfByte(rm) | (rm.code > 7 ? REX_B : NO_REX);
    }
    this.#prefixes(size, prefix, isMem(rm), rex);
    this.#opcode(opcode);
    if (isMem(rm)) this.#memory((regCode & 7) << 3, rm, immBytes);
    else this.db(0xc0 | (regCode & 7) << 3 | rm.code & 7);
    if (immBytes !== 0) this.field(imm, immBytes);
    return this;
  }

  /**
   * One instruction with its register in the low bits of the opcode's last byte, or implied (then
   * rax).
   */
  protected plusReg(
    opcode: number,
    reg: Gpr,
    { size = 4, prefix, imm = 0, immBytes = 0 }: Encoding = {},
  ): this {
    const rex = rexOfSize(size) | rexOfByte(reg) | (reg.code > 7 ? REX_B : NO_REX);
    this.#prefixes(size, prefix, false, rex);
    this.#opcode(opcode | reg.code & 7);
    if (immBytes !== 0) this.field(imm, immBytes);
    return this;
  }

  /** An instruction that is always the same bytes, as a method. */
  protected fixed(...bytes: number[]): () => this {
    return () => {
      if (this.#isLocked) throw new Error("lock() before an instruction without memory operand");
      return this.db(...bytes);
    };
  }

  /** In the order of GNU as: operand size, opcode prefix, lock, REX. */
  #prefixes(size: Size, prefix: number | undefined, isMemory: boolean, rex: number): void {
    if (size === 2) this.db(0x66);
    if (prefix !== undefined) this.db(prefix);
    if (this.#isLocked) {
      if (!isMemory) throw new Error("lock() before an instruction without memory operand");
      this.#isLocked = false;
      this.db(0xf0);
    }
    if (rex !== NO_REX) this.db(rex);
  }

  #opcode(opcode: number): void {
    if (opcode > 0xffff) this.db(opcode >> 16);
    if (opcode > 0xff) this.db(opcode >> 8 & 0xff);
    this.db(opcode & 0xff);
  }

  /** Emits ModRM, SIB and displacement. `immBytes` follow, and rip counts from behind them. */
  #memory(reg: number, m: Mem, immBytes: number): void {
    if (m.label !== null) {
      this.db(reg | 5);
      this.fixup(4, m.label, m.disp, this.length + 4 + immBytes);
      return;
    }
    if (m.base === null) { // by SIB with base 5, mode 0; the same without SIB would mean rip
      this.db(reg | 4, sib(m, 5)).field(m.disp, 4);
      return;
    }
    const base = m.base.code & 7;
    // rbp and r13 without displacement would mean "no base" or rip
    const mode = m.disp === 0 && base !== 5 ? 0 : fitsSigned(m.disp, 8) ? 0x40 : 0x80;
    if (m.index !== null || base === 4) this.db(mode | reg | 4, sib(m, base)); // rm 4 means SIB
    else this.db(mode | reg | base);
    if (mode !== 0) this.field(m.disp, mode === 0x40 ? 1 : 4);
  }
}

function sib(m: Mem, base: number): number {
  const index = m.index === null ? 4 : m.index.code & 7;
  return Math.log2(m.scale) << 6 | index << 3 | base;
}

function rexOfSize(size: Size): number {
  return size === 8 ? REX_W : NO_REX;
}

/** spl, bpl, sil and dil need a REX prefix: without one their codes mean ah, ch, dh and bh. */
function rexOfByte(op: Gpr | Xmm | number): number {
  if (typeof op === "number" || op.kind === "xmm" || op.size !== 1) return NO_REX;
  return op.code >= 4 && op.code <= 7 ? REX : NO_REX;
}
