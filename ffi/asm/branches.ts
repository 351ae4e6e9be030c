/**
 * Jumps, calls and conditional instructions: jcc, setcc, cmovcc.
 *
 * Neighbours: `integer.ts` below, `assembler.ts` above.
 */

import { IntegerInstructions } from "./integer.ts";
import { fitsSigned, type Mem, operandSize, type RegMem } from "./operands.ts";
import type { Gpr, Reg64, Reg8 } from "./registers.ts";

/**
 * The width of a jump's distance: 8 bits ("short") or 32 ("near"). Without a choice, a jump back is
 * short where it can be, and a jump ahead is near, as its distance is not known yet.
 */
type Reach = "short" | "near";

const SHORT_JUMP_BYTES = 2;

export class BranchInstructions extends IntegerInstructions {
  readonly jo = this.#jump(0x0);
  readonly jno = this.#jump(0x1);
  readonly jb = this.#jump(0x2);
  readonly jc = this.#jump(0x2);
  readonly jae = this.#jump(0x3);
  readonly jnc = this.#jump(0x3);
  readonly je = this.#jump(0x4);
  readonly jz = this.#jump(0x4);
  readonly jne = this.#jump(0x5);
  readonly jnz = this.#jump(0x5);
  readonly jbe = this.#jump(0x6);
  readonly ja = this.#jump(0x7);
  readonly js = this.#jump(0x8);
  readonly jns = this.#jump(0x9);
  readonly jp = this.#jump(0xa);
  readonly jnp = this.#jump(0xb);
  readonly jl = this.#jump(0xc);
  readonly jge = this.#jump(0xd);
  readonly jle = this.#jump(0xe);
  readonly jg = this.#jump(0xf);

  readonly seto = this.#set(0x0);
  readonly setno = this.#set(0x1);
  readonly setb = this.#set(0x2);
  readonly setc = this.#set(0x2);
  readonly setae = this.#set(0x3);
  readonly setnc = this.#set(0x3);
  readonly sete = this.#set(0x4);
  readonly setz = this.#set(0x4);
  readonly setne = this.#set(0x5);
  readonly setnz = this.#set(0x5);
  readonly setbe = this.#set(0x6);
  readonly seta = this.#set(0x7);
  readonly sets = this.#set(0x8);
  readonly setns = this.#set(0x9);
  readonly setp = this.#set(0xa);
  readonly setnp = this.#set(0xb);
  readonly setl = this.#set(0xc);
  readonly setge = this.#set(0xd);
  readonly setle = this.#set(0xe);
  readonly setg = this.#set(0xf);

  readonly cmovo = this.#move(0x0);
  readonly cmovno = this.#move(0x1);
  readonly cmovb = this.#move(0x2);
  readonly cmovc = this.#move(0x2);
  readonly cmovae = this.#move(0x3);
  readonly cmovnc = this.#move(0x3);
  readonly cmove = this.#move(0x4);
  readonly cmovz = this.#move(0x4);
  readonly cmovne = this.#move(0x5);
  readonly cmovnz = this.#move(0x5);
  readonly cmovbe = this.#move(0x6);
  readonly cmova = this.#move(0x7);
  readonly cmovs = this.#move(0x8);
  readonly cmovns = this.#move(0x9);
  readonly cmovp = this.#move(0xa);
  readonly cmovnp = this.#move(0xb);
  readonly cmovl = this.#move(0xc);
  readonly cmovge = this.#move(0xd);
  readonly cmovle = this.#move(0xe);
  readonly cmovg = this.#move(0xf);

  readonly ret = this.fixed(0xc3);

  /** To a label, or to the address in a register or in memory (then `reach` has no meaning). */
  jmp(target: string | Reg64 | Mem, reach?: Reach): this {
    if (typeof target !== "string") return this.modrm(0xff, 4, target);
    return this.#relative(target, reach, 0xeb, [0xe9]);
  }

  call(target: string | Reg64 | Mem): this {
    if (typeof target !== "string") return this.modrm(0xff, 2, target);
    return this.#relative(target, "near", 0, [0xe8]);
  }

  #jump(condition: number): (label: string, reach?: Reach) => this {
    return (label, reach) =>
      this.#relative(label, reach, 0x70 | condition, [0x0f, 0x80 | condition]);
  }

  #set(condition: number): (dst: Reg8 | Mem) => this {
    return (dst) => this.modrm(0x0f90 | condition, 0, dst, { size: 1 });
  }

  #move(condition: number): (dst: Gpr<8> | Gpr<4> | Gpr<2>, src: RegMem) => this {
    return (dst, src) =>
      this.modrm(0x0f40 | condition, dst, src, { size: operandSize(dst.size, src) });
  }

  #relative(label: string, reach: Reach | undefined, short: number, near: number[]): this {
    const isShort = reach === "short" || reach === undefined && this.isBound(label) &&
        fitsSigned(this.offsetOf(label) - this.length - SHORT_JUMP_BYTES, 8);
    const width = isShort ? 1 : 4;
    this.fixed(...(isShort ? [short] : near))();
    this.fixup(width, label, 0, this.length + width);
    return this;
  }
}
