/**
 * Integer instructions: moves, arithmetic, shifts, bits and the stack. Operands are in Intel order,
 * destination first.
 *
 * Instructions that differ only in a number are made from it, so that this file reads like the
 * opcode map of Intel SDM vol. 2. Neighbours: `encoder.ts` below, `branches.ts` above.
 */

import type { LabelAddress } from "./code_buffer.ts";
import { Encoder } from "./encoder.ts";
import { fitsSigned, immediate, isMem, type Mem, operandSize, type RegMem } from "./operands.ts";
import { cl, type Gpr, rax, type Reg32, type Reg64, type Reg8, type Size } from "./registers.ts";

export class IntegerInstructions extends Encoder {
  readonly add = this.#arithmetic(0);
  readonly or = this.#arithmetic(1);
  readonly adc = this.#arithmetic(2);
  readonly sbb = this.#arithmetic(3);
  readonly and = this.#arithmetic(4);
  readonly sub = this.#arithmetic(5);
  readonly xor = this.#arithmetic(6);
  readonly cmp = this.#arithmetic(7);

  readonly rol = this.#shift(0);
  readonly ror = this.#shift(1);
  readonly shl = this.#shift(4);
  readonly shr = this.#shift(5);
  readonly sar = this.#shift(7);

  readonly inc = this.#unary(0xfe, 0);
  readonly dec = this.#unary(0xfe, 1);
  readonly not = this.#unary(0xf6, 2);
  readonly neg = this.#unary(0xf6, 3);
  /** rdx:rax = rax * src. */
  readonly mul = this.#unary(0xf6, 4);
  /** rax = rdx:rax / src, rdx = the remainder; unsigned. */
  readonly div = this.#unary(0xf6, 6);
  /** rax = rdx:rax / src, rdx = the remainder; signed. */
  readonly idiv = this.#unary(0xf6, 7);

  readonly bt = this.#bitTest(4);
  readonly bts = this.#bitTest(5);
  readonly btr = this.#bitTest(6);
  readonly btc = this.#bitTest(7);

  readonly bsf = this.#scan(0x0fbc);
  readonly bsr = this.#scan(0x0fbd);
  readonly tzcnt = this.#scan(0x0fbc, 0xf3);
  readonly lzcnt = this.#scan(0x0fbd, 0xf3);
  readonly popcnt = this.#scan(0x0fb8, 0xf3);

  readonly movzx = this.#extend(0x0fb6);
  readonly movsx = this.#extend(0x0fbe);

  readonly xadd = this.#readModifyWrite(0x0fc0);
  /** If rax equals dst: dst = src, else rax = dst. */
  readonly cmpxchg = this.#readModifyWrite(0x0fb0);

  readonly pushfq = this.fixed(0x9c);
  readonly popfq = this.fixed(0x9d);
  readonly sahf = this.fixed(0x9e);
  readonly leave = this.fixed(0xc9);
  readonly cdq = this.fixed(0x99);
  readonly cqo = this.fixed(0x48, 0x99);
  readonly cld = this.fixed(0xfc);
  readonly std = this.fixed(0xfd);

  /** A number that a 64-bit register cannot get by sign extension takes the 10-byte form. */
  mov(dst: RegMem, src: RegMem | number, size?: Size): this {
    const s = operandSize(size, dst, src);
    if (typeof src !== "number") return this.#registerOr(0x88, dst, src, s);
    if (!isMem(dst) && s === 8 && !fitsSigned(src, 32)) return this.#movabs(dst, src);
    const imm = immediate(src, s);
    const encoding = { size: s, imm, immBytes: immWidth(s) };
    if (isMem(dst) || s === 8) return this.modrm(s === 1 ? 0xc6 : 0xc7, 0, dst, encoding);
    return this.plusReg(s === 1 ? 0xb0 : 0xb8, dst, encoding);
  }

  /** The 10-byte move of a full 64-bit number, or of a label's address. */
  movabs(dst: Reg64, value: number | bigint | LabelAddress): this {
    return this.#movabs(dst, value);
  }

  /** dst = src, sign extended from 32 bits. */
  movsxd(dst: Reg64, src: Reg32 | Mem): this {
    return this.modrm(0x63, dst, src, { size: 8 });
  }

  lea(dst: Reg64 | Reg32, src: Mem): this {
    return this.modrm(0x8d, dst, src, { size: dst.size });
  }

  test(a: RegMem, b: RegMem | number, size?: Size): this {
    const s = operandSize(size, a, b);
    if (typeof b !== "number") return this.#symmetric(0x84, a, b, s);
    const encoding = { size: s, imm: immediate(b, s), immBytes: immWidth(s) };
    if (isAccumulator(a)) return this.plusReg(s === 1 ? 0xa8 : 0xa9, rax, encoding);
    return this.modrm(s === 1 ? 0xf6 : 0xf7, 0, a, encoding);
  }

  /** With memory it is locked, with or without `lock()`. */
  xchg(a: RegMem, b: RegMem): this {
    const s = operandSize(undefined, a, b);
    if (s !== 1 && !isMem(a) && !isMem(b)) {
      // exchanging eax with itself clears the upper half, and the one-byte form is a nop
      const isNop = s === 4 && a.code === 0 && b.code === 0;
      if (a.code === 0 && !isNop) return this.plusReg(0x90, b, { size: s });
      if (b.code === 0 && !isNop) return this.plusReg(0x90, a, { size: s });
    }
    return this.#symmetric(0x86, a, b, s);
  }

  /** dst *= src, or dst = src * imm. */
  imul(dst: Gpr<8> | Gpr<4> | Gpr<2>, src: RegMem | number, imm?: number): this {
    if (typeof src === "number") return this.imul(dst, dst, src);
    const size = operandSize(dst.size, src);
    if (imm === undefined) return this.modrm(0x0faf, dst, src, { size });
    const value = immediate(imm, size);
    if (fitsSigned(value, 8)) {
      return this.modrm(0x6b, dst, src, { size, imm: value, immBytes: 1 });
    }
    return this.modrm(0x69, dst, src, { size, imm: value, immBytes: immWidth(size) });
  }

  bswap(dst: Reg64 | Reg32): this {
    return this.plusReg(0x0fc8, dst, { size: dst.size });
  }

  /** Compares rdx:rax with 16 bytes of memory; equal: stores rcx:rbx, else loads rdx:rax. */
  cmpxchg16b(dst: Mem): this {
    return this.modrm(0x0fc7, 1, dst, { size: 8 });
  }

  /** 8 bytes; an immediate is a signed 32-bit one. */
  push(src: Reg64 | Mem | number): this {
    if (typeof src === "number") {
      const imm = immediate(src, 8);
      const isByte = fitsSigned(imm, 8);
      return this.plusReg(isByte ? 0x6a : 0x68, rax, { imm, immBytes: isByte ? 1 : 4 });
    }
    return isMem(src) ? this.modrm(0xff, 6, src) : this.plusReg(0x50, src);
  }

  pop(dst: Reg64 | Mem): this {
    return isMem(dst) ? this.modrm(0x8f, 0, dst) : this.plusReg(0x58, dst);
  }

  /** The eight operations that share one opcode pattern (`add` is 0, `cmp` is 7). */
  #arithmetic(op: number): (dst: RegMem, src: RegMem | number, size?: Size) => this {
    return (dst, src, size) => {
      const s = operandSize(size, dst, src);
      if (typeof src !== "number") return this.#registerOr(op << 3, dst, src, s);
      const imm = immediate(src, s);
      if (s !== 1 && fitsSigned(imm, 8)) {
        return this.modrm(0x83, op, dst, { size: s, imm, immBytes: 1 });
      }
      const encoding = { size: s, imm, immBytes: immWidth(s) };
      const wide = s === 1 ? 0 : 1;
      if (isAccumulator(dst)) return this.plusReg(op << 3 | 4 | wide, rax, encoding);
      return this.modrm(0x80 | wide, op, dst, encoding);
    };
  }

  /** By a constant, masked by the processor to the operand's width, or by cl. */
  #shift(op: number): (dst: RegMem, by: number | Reg8, size?: Size) => this {
    return (dst, by, size) => {
      const s = operandSize(size, dst);
      const wide = s === 1 ? 0 : 1;
      if (typeof by !== "number") {
        if (by !== cl) throw new TypeError(`a shift is by a constant or by cl, not by ${by.name}`);
        return this.modrm(0xd2 | wide, op, dst, { size: s });
      }
      if (by === 1) return this.modrm(0xd0 | wide, op, dst, { size: s });
      return this.modrm(0xc0 | wide, op, dst, { size: s, imm: byteCount(by), immBytes: 1 });
    };
  }

  #unary(opcode: number, digit: number): (rm: RegMem, size?: Size) => this {
    return (rm, size) => {
      const s = operandSize(size, rm);
      return this.modrm(s === 1 ? opcode : opcode + 1, digit, rm, { size: s });
    };
  }

  /** Bit `src` of dst to the carry flag; a register may index memory beyond the operand. */
  #bitTest(op: number): (dst: RegMem, bit: Gpr | number, size?: Size) => this {
    return (dst, bit, size) => {
      const s = notByte(operandSize(size, dst, bit));
      if (typeof bit !== "number") return this.modrm(0x0f83 | op << 3, bit, dst, { size: s });
      return this.modrm(0x0fba, op, dst, { size: s, imm: byteCount(bit), immBytes: 1 });
    };
  }

  #scan(opcode: number, prefix?: 0xf3): (dst: Gpr, src: RegMem) => this {
    return (dst, src) => {
      const size = notByte(operandSize(dst.size, src));
      return this.modrm(opcode, dst, src, prefix === undefined ? { size } : { size, prefix });
    };
  }

  /** From a register, or from `srcSize` bytes of memory. */
  #extend(opcode: number): (dst: Gpr, src: Reg8 | Gpr<2> | Mem, srcSize?: 1 | 2) => this {
    return (dst, src, srcSize) => {
      const from = operandSize(srcSize, src);
      if (from >= dst.size) throw new TypeError(`${dst.name} is not wider than ${from} bytes`);
      return this.modrm(from === 1 ? opcode : opcode + 1, dst, src, { size: dst.size });
    };
  }

  #readModifyWrite(opcode: number): (dst: RegMem, src: Gpr) => this {
    return (dst, src) => this.#bySize(opcode, src, dst, operandSize(undefined, dst, src));
  }

  #movabs(dst: Gpr, value: number | bigint | LabelAddress): this {
    return this.plusReg(0xb8, dst, { size: 8 }).dq(value);
  }

  /** `opcode` with a register source, `opcode + 2` with a memory source. */
  #registerOr(opcode: number, dst: RegMem, src: RegMem, size: Size): this {
    if (!isMem(src)) return this.#bySize(opcode, src, dst, size);
    if (isMem(dst)) throw new TypeError("both operands are in memory");
    return this.#bySize(opcode + 2, dst, src, size);
  }

  /** An instruction whose operands can be in any order. */
  #symmetric(opcode: number, a: RegMem, b: RegMem, size: Size): this {
    if (!isMem(b)) return this.#bySize(opcode, b, a, size);
    if (isMem(a)) throw new TypeError("both operands are in memory");
    return this.#bySize(opcode, a, b, size);
  }

  /** `opcode` for bytes, `opcode + 1` for all wider sizes. */
  #bySize(opcode: number, reg: Gpr, rm: RegMem, size: Size): this {
    return this.modrm(size === 1 ? opcode : opcode + 1, reg, rm, { size });
  }
}

function isAccumulator(op: RegMem): boolean {
  return !isMem(op) && op.code === 0;
}

/** Immediates of 64-bit operations are 32 bits wide. */
function immWidth(size: Size): 1 | 2 | 4 {
  return size === 8 ? 4 : size;
}

function byteCount(n: number): number {
  if (Number.isInteger(n) && n >= 0 && n <= 255) return n;
  throw new RangeError(`bit count ${n} is not 0 to 255`);
}

function notByte(size: Size): Size {
  if (size === 1) throw new TypeError("this instruction has no form for bytes");
  return size;
}
