/**
 * Assembler for classic BPF as seccomp(2) takes it: programs over `struct seccomp_data`, whose last
 * word is a verdict.
 *
 *     new BpfAssembler()
 *       .ldAbs(SECCOMP_DATA.nr).jeq(39, "allow").ret(KILL)
 *       .label("allow").ret(ALLOW)
 *       .assemble();
 *
 * Which calls to allow is decided elsewhere. Not eBPF. Source: the kernel's
 * Documentation/networking/filter.rst.
 */

/** Offsets in `struct seccomp_data`, in bytes; 64-bit fields are loaded as two halves. */
export const SECCOMP_DATA = {
  nr: 0,
  arch: 4,
  ipLo: 8,
  ipHi: 12,
  /** The low half of argument `i`, 0 to 5. */
  argLo: (i: number): number => 16 + 8 * argument(i),
  argHi: (i: number): number => 20 + 8 * argument(i),
};

const SECCOMP_DATA_BYTES = 64;
const INSN_BYTES = 8;
const MAX_INSNS = 4096; // BPF_MAXINSNS

const LD_IMM = 0x00;
const LD_W_ABS = 0x20;
const JA = 0x05;
const JEQ = 0x15;
const JGT = 0x25;
const JGE = 0x35;
const JSET = 0x45;
const RET_K = 0x06;
const RET_A = 0x16;
const ADD = 0x04;
const SUB = 0x14;
const OR = 0x44;
const AND = 0x54;
const LSH = 0x64;
const RSH = 0x74;
const XOR = 0xa4;

interface Insn {
  readonly code: number;
  readonly k: number;
  /** Jump targets: null is the next instruction. */
  readonly ifTrue: string | null;
  readonly ifFalse: string | null;
}

/**
 * A is the accumulator, k a constant of 32 bits (signed or unsigned spelling). Jumps only lead
 * forward.
 */
export class BpfAssembler {
  #insns: Insn[] = [];
  #labels = new Map<string, number>();

  /** A += k, and so on; shifts by 0 to 31. */
  readonly add = this.#op(ADD);
  readonly sub = this.#op(SUB);
  readonly or = this.#op(OR);
  readonly and = this.#op(AND);
  readonly xor = this.#op(XOR);
  readonly lsh = this.#shift(LSH);
  readonly rsh = this.#shift(RSH);

  /**
   * If A == k continues at `ifTrue`, else at `ifFalse`; an omitted target is the next instruction.
   */
  readonly jeq = this.#branch(JEQ);
  /** A > k, unsigned. */
  readonly jgt = this.#branch(JGT);
  /** A >= k, unsigned. */
  readonly jge = this.#branch(JGE);
  /** (A & k) != 0. */
  readonly jset = this.#branch(JSET);

  /** A = k. */
  readonly ld = this.#op(LD_IMM);
  /** Ends the program with the verdict k: a SECCOMP_RET_ value. */
  readonly ret = this.#op(RET_K);

  /** Instructions so far. */
  get length(): number {
    return this.#insns.length;
  }

  /** Binds `name` to the next instruction. Throws if it is bound already. */
  label(name: string): this {
    if (this.#labels.has(name)) throw new Error(`label "${name}" is bound twice`);
    this.#labels.set(name, this.#insns.length);
    return this;
  }

  /** A = the 32-bit word at `offset` of seccomp_data: see `SECCOMP_DATA`. */
  ldAbs(offset: number): this {
    if (!Number.isInteger(offset / 4) || offset < 0 || offset >= SECCOMP_DATA_BYTES) {
      throw new RangeError(`offset ${offset} is not a word of seccomp_data`);
    }
    return this.#push(LD_W_ABS, offset);
  }

  /** Jumps always, any distance. */
  ja(label: string): this {
    return this.#push(JA, 0, label);
  }

  /** Ends the program with the verdict in A. */
  retA(): this {
    return this.#push(RET_A, 0);
  }

  /**
   * The program as an array of `struct sock_filter`, 8 bytes each.
   *
   * @throws Error naming the label if one is not bound, lies behind, at the end, or over 255
   *   instructions away; if the program is empty, too long, or does not end in a verdict
   */
  assemble(): Uint8Array<ArrayBuffer> {
    const count = this.#insns.length;
    if (count > MAX_INSNS) {
      throw new RangeError(`${count} instructions are more than ${MAX_INSNS}`);
    }
    const last = this.#insns.at(-1);
    if (last === undefined || last.code !== RET_K && last.code !== RET_A) {
      throw new Error("a program must end in ret");
    }
    const out = new Uint8Array(count * INSN_BYTES);
    const view = new DataView(out.buffer);
    this.#insns.forEach((insn, i) => {
      const isFar = insn.code === JA;
      const ifTrue = this.#distance(insn.ifTrue, i, isFar ? MAX_INSNS : 255);
      view.setUint16(i * INSN_BYTES, insn.code, true);
      view.setUint8(i * INSN_BYTES + 2, isFar ? 0 : ifTrue);
      view.setUint8(i * INSN_BYTES + 3, this.#distance(insn.ifFalse, i, 255));
      view.setUint32(i * INSN_BYTES + 4, isFar ? ifTrue : insn.k, true);
    });
    return out;
  }

  #distance(label: string | null, from: number, limit: number): number {
    if (label === null) return 0;
    const target = this.#labels.get(label);
    if (target === undefined) throw new Error(`label "${label}" is not bound`);
    const distance = target - from - 1;
    if (distance < 0) {
      throw new RangeError(
        `label "${label}" lies behind instruction ${from}: jumps only go forward`,
      );
    }
    if (distance > limit) {
      throw new RangeError(`label "${label}" is ${distance} instructions away, over ${limit}`);
    }
    if (target >= this.#insns.length) throw new RangeError(`label "${label}" is at the end`);
    return distance;
  }

  #op(code: number): (k: number) => this {
    return (k) => this.#push(code, k);
  }

  #shift(code: number): (k: number) => this {
    return (k) => {
      if (!(k >= 0 && k < 32)) throw new RangeError(`shift by ${k} is not 0 to 31`);
      return this.#push(code, k);
    };
  }

  #branch(code: number): (k: number, ifTrue?: string, ifFalse?: string) => this {
    return (k, ifTrue, ifFalse) => this.#push(code, k, ifTrue, ifFalse);
  }

  #push(code: number, k: number, ifTrue?: string, ifFalse?: string): this {
    if (!Number.isInteger(k) || k < -(2 ** 31) || k >= 2 ** 32) {
      throw new RangeError(`constant ${k} does not fit 32 bits`);
    }
    this.#insns.push({ code, k, ifTrue: ifTrue ?? null, ifFalse: ifFalse ?? null });
    return this;
  }
}

function argument(i: number): number {
  if (Number.isInteger(i) && i >= 0 && i <= 5) return i;
  throw new RangeError(`argument ${i} is not 0 to 5`);
}
