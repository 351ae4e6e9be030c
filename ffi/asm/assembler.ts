/**
 * The x86-64 assembler: all instructions that dvisor's stubs, trampolines, native primitives and
 * tests are made of.
 *
 *     const code = new Assembler()
 *       .label("getpid").mov(eax, 39).syscall().ret()
 *       .assemble();
 *
 * This class adds system, string and SSE instructions to those of `integer.ts` and `branches.ts`;
 * labels and data are in `code_buffer.ts`. It knows nothing of ELF: see `elf_shared.ts` and
 * `elf_executable.ts`. 64-bit mode only.
 */

import { BranchInstructions } from "./branches.ts";
import { isMem, type Mem } from "./operands.ts";
import type { Reg32, Reg64, Xmm } from "./registers.ts";

export class Assembler extends BranchInstructions {
  readonly syscall = this.fixed(0x0f, 0x05);
  readonly sysretq = this.fixed(0x48, 0x0f, 0x07);
  readonly iretq = this.fixed(0x48, 0xcf);
  readonly swapgs = this.fixed(0x0f, 0x01, 0xf8);
  readonly int3 = this.fixed(0xcc);
  readonly ud2 = this.fixed(0x0f, 0x0b);
  readonly hlt = this.fixed(0xf4);
  readonly pause = this.fixed(0xf3, 0x90);
  readonly endbr64 = this.fixed(0xf3, 0x0f, 0x1e, 0xfa);
  readonly cpuid = this.fixed(0x0f, 0xa2);
  readonly rdtsc = this.fixed(0x0f, 0x31);
  readonly rdtscp = this.fixed(0x0f, 0x01, 0xf9);
  readonly xgetbv = this.fixed(0x0f, 0x01, 0xd0);
  readonly rdpkru = this.fixed(0x0f, 0x01, 0xee);
  readonly wrpkru = this.fixed(0x0f, 0x01, 0xef);
  readonly lfence = this.fixed(0x0f, 0xae, 0xe8);
  readonly mfence = this.fixed(0x0f, 0xae, 0xf0);
  readonly sfence = this.fixed(0x0f, 0xae, 0xf8);

  readonly repMovsb = this.fixed(0xf3, 0xa4);
  readonly repMovsq = this.fixed(0xf3, 0x48, 0xa5);
  readonly repStosb = this.fixed(0xf3, 0xaa);
  readonly repStosq = this.fixed(0xf3, 0x48, 0xab);

  readonly rdfsbase = this.#segmentBase(0);
  readonly rdgsbase = this.#segmentBase(1);
  readonly wrfsbase = this.#segmentBase(2);
  readonly wrgsbase = this.#segmentBase(3);

  // The 64-bit forms (fxsave64, xsave64, ...), which keep full instruction and data pointers.
  readonly fxsave = this.#state(0x0fae, 0, 8);
  readonly fxrstor = this.#state(0x0fae, 1, 8);
  readonly xsave = this.#state(0x0fae, 4, 8);
  readonly xrstor = this.#state(0x0fae, 5, 8);
  readonly xsavec64 = this.#state(0x0fc7, 4, 8);
  readonly ldmxcsr = this.#state(0x0fae, 2, 4);
  readonly stmxcsr = this.#state(0x0fae, 3, 4);
  readonly fldcw = this.#state(0xd9, 5, 4);
  readonly fnstcw = this.#state(0xd9, 7, 4);
  readonly fninit = this.fixed(0xdb, 0xe3);

  readonly movups = this.#vectorMove(0x0f10, 0x0f11);
  readonly movaps = this.#vectorMove(0x0f28, 0x0f29);
  readonly movdqu = this.#vectorMove(0x0f6f, 0x0f7f, 0xf3);
  readonly movdqa = this.#vectorMove(0x0f6f, 0x0f7f, 0x66);

  /** lsl: the limit of the segment that a selector names. ZF is set if the segment may be read. */
  lsl(dst: Reg32, selector: Reg32): this {
    return this.modrm(0x0f03, dst, selector);
  }

  /** Moves 8 bytes between an SSE register and another one, a general one, or memory. */
  movq(dst: Xmm | Reg64 | Mem, src: Xmm | Reg64 | Mem): this {
    if (dst.kind === "xmm") {
      if (src.kind === "gpr") return this.modrm(0x0f6e, dst, src, { size: 8, prefix: 0x66 });
      return this.modrm(0x0f7e, dst, src, { prefix: 0xf3 });
    }
    if (src.kind !== "xmm") throw new TypeError("movq needs an SSE register");
    if (dst.kind === "gpr") return this.modrm(0x0f7e, src, dst, { size: 8, prefix: 0x66 });
    return this.modrm(0x0fd6, src, dst, { prefix: 0x66 });
  }

  /** Moves 4 bytes between an SSE register and a general one, or memory. */
  movd(dst: Xmm | Reg32 | Mem, src: Xmm | Reg32 | Mem): this {
    if (dst.kind === "xmm" && src.kind !== "xmm") {
      return this.modrm(0x0f6e, dst, src, { prefix: 0x66 });
    }
    if (src.kind === "xmm" && dst.kind !== "xmm") {
      return this.modrm(0x0f7e, src, dst, { prefix: 0x66 });
    }
    throw new TypeError("movd needs one SSE register");
  }

  pxor(dst: Xmm, src: Xmm | Mem): this {
    return this.modrm(0x0fef, dst, src, { prefix: 0x66 });
  }

  /** Converts a double to a signed integer, truncated. */
  cvttsd2si(dst: Reg64 | Reg32, src: Xmm | Mem): this {
    return this.modrm(0x0f2c, dst, src, { size: dst.size, prefix: 0xf2 });
  }

  /** Converts a signed integer to a double. The upper half of dst stays as it was. */
  cvtsi2sd(dst: Xmm, src: Reg64 | Reg32): this {
    return this.modrm(0x0f2a, dst, src, { size: src.size, prefix: 0xf2 });
  }

  #segmentBase(digit: number): (r: Reg64) => this {
    return (r) => this.modrm(0x0fae, digit, r, { size: 8, prefix: 0xf3 });
  }

  #state(opcode: number, digit: number, size: 4 | 8): (m: Mem) => this {
    return (m) => this.modrm(opcode, digit, m, { size });
  }

  #vectorMove(
    load: number,
    store: number,
    prefix?: 0x66 | 0xf3,
  ): (dst: Xmm | Mem, src: Xmm | Mem) => this {
    const encoding = prefix === undefined ? {} : { prefix };
    return (dst, src) => {
      if (!isMem(dst)) return this.modrm(load, dst, src, encoding);
      if (isMem(src)) throw new TypeError("both operands are in memory");
      return this.modrm(store, src, dst, encoding);
    };
  }
}
