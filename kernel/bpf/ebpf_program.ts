/**
 * Validated programs of eBPF (bpf(2)): their instructions, one array for each field. ebpf_verify.ts
 * validates, ebpf_run.ts runs them. Classic BPF is in bpf/classic_program.ts.
 */

import { Quota } from "../core/quota.ts";

/** Classes: the low three bits of an opcode. */
export const LDX = 1, ST = 2, STX = 3, ALU = 4, JMP = 5, JMP32 = 6, ALU64 = 7;
/** Flag of an opcode: the other operand is a register. */
export const BY_REGISTER = 8;
/** Operations of ALU and ALU64, and of JMP and JMP32: the high four bits. */
export const ADD = 0, SUB = 1, MUL = 2, DIV = 3, OR = 4, AND = 5, LSH = 6, RSH = 7, NEG = 8;
export const MOD = 9, XOR = 10, MOV = 11, ARSH = 12;
export const JA = 0, JEQ = 1, JGT = 2, JGE = 3, JSET = 4, JNE = 5, JSGT = 6, JSGE = 7, CALL = 8;
export const EXIT = 9, JLT = 10, JLE = 11, JSLT = 12, JSLE = 13;
/** Loads: the mode of access, and the size. */
export const MODE_MASK = 0xe0, MODE_MEM = 0x60;
export const SIZE_MASK = 0x18, SIZE_W = 0, SIZE_H = 8, SIZE_B = 0x10;

export const INSTRUCTION_BYTES = 8;
/**
 * LIMIT: instructions of one program, and of all loaded programs: each may run at each opening of a
 * device.
 */
export const MAX_INSTRUCTIONS = 4096;
export const EBPF_INSTRUCTIONS: Quota = new Quota(39, 1 << 16, 50);

export class EbpfProgram {
  readonly length: number;
  readonly op: Uint8Array;
  readonly dst: Uint8Array;
  readonly src: Uint8Array;
  readonly off: Int16Array;
  readonly imm: Int32Array;

  /** @param code the instructions in the form of bpf(2) */
  constructor(code: Uint8Array) {
    const n = this.length = code.length / INSTRUCTION_BYTES;
    const view = new DataView(code.buffer, code.byteOffset, code.length);
    this.op = new Uint8Array(n);
    this.dst = new Uint8Array(n);
    this.src = new Uint8Array(n);
    this.off = new Int16Array(n);
    this.imm = new Int32Array(n);
    for (let i = 0; i < n; i++) {
      const at = i * INSTRUCTION_BYTES, registers = view.getUint8(at + 1);
      this.op[i] = view.getUint8(at);
      this.dst[i] = registers & 15;
      this.src[i] = registers >> 4;
      this.off[i] = view.getInt16(at + 2, true);
      this.imm[i] = view.getInt32(at + 4, true);
    }
  }
}
