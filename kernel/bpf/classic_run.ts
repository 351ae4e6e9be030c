/**
 * Runs validated programs of classic BPF (classic_program.ts) on a BpfData: a system call or a
 * packet.
 */

import * as B from "./classic_program.ts";

/** Result of a load beyond the data: the program ends with 0. */
export const OUTSIDE = -1;

export interface BpfData {
  readonly length: number;
  /** Performs the loads OP_LD_*ABS, OP_LD_*IND and OP_LDX_MSH: an unsigned number, or OUTSIDE. */
  load(op: number, offset: number, x: number): number;
  /** OP_LD_ANC: ancillary data (SKF_AD_*). */
  ancillary(what: number, a: number, x: number): number;
}

/** M[]. Content stays from run to run; a validated program writes a word before it reads it. */
const memory = new Int32Array(16);

/** Runs from an instruction on, with A, X and M unset; returns the verdict. HOT */
export function runBpf(program: B.BpfProgram, from: number, data: BpfData): number {
  const { op, k, jt, jf } = program;
  let a = 0, x = 0;
  for (let pc = from;; pc++) {
    const o = op[pc]!, value = k[pc]!;
    switch (o) {
      case B.OP_LD_IMM:
        a = value | 0;
        break;
      case B.OP_LDX_IMM:
        x = value | 0;
        break;
      case B.OP_LD_MEM:
        a = memory[value]!;
        break;
      case B.OP_LDX_MEM:
        x = memory[value]!;
        break;
      case B.OP_ST:
        memory[value] = a;
        break;
      case B.OP_STX:
        memory[value] = x;
        break;
      case B.OP_LD_LEN:
        a = data.length;
        break;
      case B.OP_LDX_LEN:
        x = data.length;
        break;
      case B.OP_LD_ANC:
        a = data.ancillary(value, a, x);
        break;
      case B.OP_RET_K:
        return value;
      case B.OP_RET_A:
        return a >>> 0;
      case B.OP_JA:
        pc += value;
        break;
      case B.OP_JEQ_K:
        pc += a === (value | 0) ? jt[pc]! : jf[pc]!;
        break;
      case B.OP_JEQ_X:
        pc += a === x ? jt[pc]! : jf[pc]!;
        break;
      case B.OP_JGT_K:
        pc += a >>> 0 > value ? jt[pc]! : jf[pc]!;
        break;
      case B.OP_JGT_X:
        pc += a >>> 0 > x >>> 0 ? jt[pc]! : jf[pc]!;
        break;
      case B.OP_JGE_K:
        pc += a >>> 0 >= value ? jt[pc]! : jf[pc]!;
        break;
      case B.OP_JGE_X:
        pc += a >>> 0 >= x >>> 0 ? jt[pc]! : jf[pc]!;
        break;
      case B.OP_JSET_K:
        pc += (a & value) !== 0 ? jt[pc]! : jf[pc]!;
        break;
      case B.OP_JSET_X:
        pc += (a & x) !== 0 ? jt[pc]! : jf[pc]!;
        break;
      case B.OP_TAX:
        x = a;
        break;
      case B.OP_TXA:
        a = x;
        break;
      case B.OP_NEG:
        a = -a | 0;
        break;
      case B.OP_DIV_X:
      case B.OP_MOD_X:
        if (x === 0) return 0;
        a = B.calculate(o - 1, a, x);
        break;
      case B.OP_LD_ABS:
      case B.OP_LD_H_ABS:
      case B.OP_LD_B_ABS:
      case B.OP_LD_IND:
      case B.OP_LD_H_IND:
      case B.OP_LD_B_IND:
      case B.OP_LDX_MSH: {
        const loaded = data.load(o, value | 0, x);
        if (loaded === OUTSIDE) return 0;
        if (o === B.OP_LDX_MSH) x = loaded;
        else a = loaded | 0;
        break;
      }
      default:
        a = B.isByX(o) ? B.calculate(o - 1, a, x) : B.calculate(o, a, value | 0);
    }
  }
}
