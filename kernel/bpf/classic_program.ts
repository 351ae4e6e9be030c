/**
 * Classic BPF of seccomp(2) and of sockets (SO_ATTACH_FILTER): validates programs
 * (bpf_check_classic and seccomp_check_filter of Linux), and stores their code as dense operation
 * numbers, one array for each field.
 *
 * Not here: running them (seccomp/bpf_filter.ts, net/filter.ts).
 */

import { BPF_MAXINSNS, SeccompData, SockFilter } from "../../ffi/abi/seccomp.ts";

export const OP_LD_ABS = 0, OP_LD_IMM = 1, OP_LDX_IMM = 2, OP_LD_MEM = 3, OP_LDX_MEM = 4;
export const OP_ST = 5, OP_STX = 6, OP_RET_K = 7, OP_RET_A = 8, OP_JA = 9;
export const OP_JEQ_K = 10, OP_JEQ_X = 11, OP_JGT_K = 12, OP_JGT_X = 13, OP_JGE_K = 14;
export const OP_JGE_X = 15, OP_JSET_K = 16, OP_JSET_X = 17, OP_TAX = 18, OP_TXA = 19;
const OP_ADD_K = 20, OP_ADD_X = 21, OP_SUB_K = 22, OP_SUB_X = 23, OP_MUL_K = 24;
export const OP_MUL_X = 25, OP_DIV_K = 26, OP_DIV_X = 27, OP_OR_K = 28, OP_OR_X = 29;
export const OP_AND_K = 30, OP_AND_X = 31, OP_LSH_K = 32, OP_LSH_X = 33, OP_RSH_K = 34;
export const OP_RSH_X = 35, OP_XOR_K = 36, OP_XOR_X = 37, OP_NEG = 38;
/**
 * Operations of sockets alone: bytes of a packet, its length, and ancillary data (SKF_AD_*, in
 * `k`).
 */
export const OP_LD_B_ABS = 39, OP_MOD_K = 40, OP_MOD_X = 41, OP_LD_H_ABS = 42, OP_LD_IND = 43;
export const OP_LD_H_IND = 44, OP_LD_B_IND = 45, OP_LDX_MSH = 46, OP_LD_LEN = 47, OP_LDX_LEN = 48;
export const OP_LD_ANC = 49;
/** The set of operations that a program may use. */
type BpfDialect = "seccomp" | "socket";

/** From sock_filter's code to an operation; the length of the data becomes a constant. */
const OPS: ReadonlyMap<number, number> = new Map([
  ...[[0x20, OP_LD_ABS], [0x00, OP_LD_IMM], [0x01, OP_LDX_IMM]],
  ...[[0x80, OP_LD_IMM], [0x81, OP_LDX_IMM], [0x60, OP_LD_MEM], [0x61, OP_LDX_MEM]],
  ...[[0x02, OP_ST], [0x03, OP_STX], [0x06, OP_RET_K], [0x16, OP_RET_A], [0x05, OP_JA]],
  ...[[0x15, OP_JEQ_K], [0x1d, OP_JEQ_X], [0x25, OP_JGT_K], [0x2d, OP_JGT_X]],
  ...[[0x35, OP_JGE_K], [0x3d, OP_JGE_X], [0x45, OP_JSET_K], [0x4d, OP_JSET_X]],
  ...[[0x07, OP_TAX], [0x87, OP_TXA], [0x04, OP_ADD_K], [0x0c, OP_ADD_X]],
  ...[[0x14, OP_SUB_K], [0x1c, OP_SUB_X], [0x24, OP_MUL_K], [0x2c, OP_MUL_X]],
  ...[[0x34, OP_DIV_K], [0x3c, OP_DIV_X], [0x44, OP_OR_K], [0x4c, OP_OR_X]],
  ...[[0x54, OP_AND_K], [0x5c, OP_AND_X], [0x64, OP_LSH_K], [0x6c, OP_LSH_X]],
  ...[[0x74, OP_RSH_K], [0x7c, OP_RSH_X], [0xa4, OP_XOR_K], [0xac, OP_XOR_X]],
  [0x84, OP_NEG],
] as [number, number][]);

const SOCKET_OPS: ReadonlyMap<number, number> = new Map([
  ...OPS,
  ...[[0x28, OP_LD_H_ABS], [0x30, OP_LD_B_ABS], [0x40, OP_LD_IND], [0x48, OP_LD_H_IND]],
  ...[[0x50, OP_LD_B_IND], [0xb1, OP_LDX_MSH], [0x80, OP_LD_LEN], [0x81, OP_LDX_LEN]],
  ...[[0x94, OP_MOD_K], [0x9c, OP_MOD_X]],
] as [number, number][]);

const LD_LEN = 0x80, LDX_LEN = 0x81;
/** Offsets from here on are numbers of SKF_AD_*, every fourth one up to the last. */
const ANCILLARY = 0xfffff000, ANCILLARY_LAST = 60;
const MEMORY_WORDS = 16, WORD_BITS = 32;

/** True if the operation on A takes X, not a constant. */
export function isByX(op: number): boolean {
  return (op - OP_ADD_K) % 2 === 1;
}

/** Whether an operation is a conditional jump. */
function isConditional(op: number): boolean {
  return op >= OP_JEQ_K && op <= OP_JSET_X;
}

export class BpfProgram {
  readonly length: number;
  readonly op: Uint8Array;
  readonly jt: Uint8Array;
  readonly jf: Uint8Array;
  readonly k: Uint32Array;
  /** The instructions as the program passed them: struct sock_filter[]. */
  readonly source: Uint8Array<ArrayBuffer>;

  private readonly dialect: BpfDialect;

  private constructor(source: Uint8Array<ArrayBuffer>, dialect: BpfDialect) {
    this.source = source;
    this.dialect = dialect;
    const n = this.length = source.length / SockFilter.size;
    this.op = new Uint8Array(n);
    this.jt = new Uint8Array(n);
    this.jf = new Uint8Array(n);
    this.k = new Uint32Array(n);
  }

  /**
   * Parses struct sock_filter[], whose bytes the program keeps; null: Linux would refuse the
   * filter.
   */
  static parse(
    source: Uint8Array<ArrayBuffer>,
    dialect: BpfDialect = "seccomp",
  ): BpfProgram | null {
    const bytes = source.length;
    if (bytes === 0 || bytes % SockFilter.size !== 0) return null;
    if (bytes > BPF_MAXINSNS * SockFilter.size) return null;
    const program = new BpfProgram(source, dialect),
      dv = new DataView(source.buffer, source.byteOffset);
    for (let i = 0; i < program.length; i++) if (!program.decode(dv, i)) return null;
    const last = program.op[program.length - 1];
    if (last !== OP_RET_K && last !== OP_RET_A) return null;
    return program.initialisesMemory() ? program : null;
  }

  private decode(dv: DataView, i: number): boolean {
    const at = i * SockFilter.size, code = dv.getUint16(at, true);
    const isSocket = this.dialect === "socket";
    let op = (isSocket ? SOCKET_OPS : OPS).get(code);
    if (op === undefined) return false;
    const jt = dv.getUint8(at + SockFilter.at.jt), jf = dv.getUint8(at + SockFilter.at.jf);
    let k = dv.getUint32(at + SockFilter.at.k, true);
    if (!isSocket && (code === LD_LEN || code === LDX_LEN)) k = SeccompData.size;
    const isLoad = op === OP_LD_ABS || op === OP_LD_H_ABS || op === OP_LD_B_ABS;
    if (isSocket && isLoad && k >= ANCILLARY) {
      k -= ANCILLARY;
      if (k % 4 !== 0 || k > ANCILLARY_LAST) return false;
      op = OP_LD_ANC;
    }
    this.op[i] = op;
    this.jt[i] = jt;
    this.jf[i] = jf;
    this.k[i] = k;
    switch (op) {
      case OP_LD_ABS:
        return isSocket || (k < SeccompData.size && k % 4 === 0);
      case OP_DIV_K:
      case OP_MOD_K:
        return k !== 0;
      case OP_LSH_K:
      case OP_RSH_K:
        return k < WORD_BITS;
      case OP_LD_MEM:
      case OP_LDX_MEM:
      case OP_ST:
      case OP_STX:
        return k < MEMORY_WORDS;
      case OP_JA:
        return k < this.length - i - 1;
      default:
        return !isConditional(op) || Math.max(jt, jf) < this.length - i - 1;
    }
  }

  /** True if no path reads a memory word before it was written. */
  private initialisesMemory(): boolean {
    const { op, k, jt, jf } = this, masks = new Uint16Array(this.length).fill(0xffff);
    let valid = 0;
    for (let i = 0; i < this.length; i++) {
      valid &= masks[i]!;
      const o = op[i]!;
      if (o === OP_ST || o === OP_STX) valid |= 1 << k[i]!;
      else if (o === OP_LD_MEM || o === OP_LDX_MEM) {
        if ((valid & (1 << k[i]!)) === 0) return false;
      } else if (o === OP_JA) {
        masks[i + 1 + k[i]!]! &= valid;
        valid = 0xffff;
      } else if (isConditional(o)) {
        masks[i + 1 + jt[i]!]! &= valid;
        masks[i + 1 + jf[i]!]! &= valid;
        valid = 0xffff;
      }
    }
    return true;
  }

  /**
   * Number of instructions after Linux's translation (bpf_convert_filter), which counts against the
   * limit of all filters of a task.
   */
  get linuxLength(): number {
    let n = 3;
    for (let i = 0; i < this.length; i++) {
      const op = this.op[i]!;
      if (op === OP_RET_K) n += 2;
      else if (op === OP_DIV_X) n += 5;
      else if (isConditional(op)) n += this.linuxJump(i, op);
      else n++;
    }
    return n;
  }

  private linuxJump(i: number, op: number): number {
    const isConstant = (op - OP_JEQ_K) % 2 === 0;
    const load = isConstant && this.k[i]! > 0x7fffffff ? 1 : 0;
    if (this.jf[i] === 0) return load + 1;
    const hasInverse = op < OP_JSET_K;
    return load + (this.jt[i] === 0 && hasInverse ? 1 : 2);
  }
}

/** `op` is the form with a constant. The result has 32 bits. */
export function calculate(op: number, a: number, b: number): number {
  switch (op) {
    case OP_ADD_K:
      return a + b | 0;
    case OP_SUB_K:
      return a - b | 0;
    case OP_MUL_K:
      return Math.imul(a, b);
    case OP_DIV_K:
      return Math.floor((a >>> 0) / (b >>> 0)) | 0;
    case OP_OR_K:
      return a | b;
    case OP_AND_K:
      return a & b;
    case OP_LSH_K:
      return a << b;
    case OP_RSH_K:
      return a >>> b | 0;
    case OP_MOD_K:
      return (a >>> 0) % (b >>> 0) | 0;
    default:
      return a ^ b;
  }
}
