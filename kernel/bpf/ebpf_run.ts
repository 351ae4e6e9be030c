/**
 * Runs validated programs of eBPF (ebpf_verify.ts): a few at each opening of a device, so speed
 * does not matter.
 */

import * as P from "./ebpf_program.ts";

const registers: bigint[] = new Array<bigint>(11).fill(0n);

/** Returns the program's result. `context` is its argument. */
export function runEbpf(p: P.EbpfProgram, context: DataView): number {
  registers.fill(0n);
  for (let pc = 0;; pc++) {
    const op = p.op[pc]!, dst = p.dst[pc]!, byRegister = (op & P.BY_REGISTER) !== 0;
    const imm = BigInt(p.imm[pc]!), operand = byRegister ? registers[p.src[pc]!]! : imm;
    switch (op & 7) {
      case P.LDX:
        registers[dst] = BigInt(load(context, p.off[pc]!, op & P.SIZE_MASK));
        break;
      case P.ALU:
        registers[dst] = calculate(op >> 4, registers[dst]!, operand, 32);
        break;
      case P.ALU64:
        registers[dst] = calculate(op >> 4, registers[dst]!, operand, 64);
        break;
      default:
        if (op >> 4 === P.EXIT) return Number(registers[0]);
        if (op >> 4 === P.JA || jumps(op, registers[dst]!, operand)) pc += p.off[pc]!;
    }
  }
}

function load(context: DataView, offset: number, size: number): number {
  if (size === P.SIZE_W) return context.getUint32(offset, true);
  return size === P.SIZE_H ? context.getUint16(offset, true) : context.getUint8(offset);
}

function calculate(operation: number, left: bigint, right: bigint, bits: 32 | 64): bigint {
  const a = BigInt.asUintN(bits, left), b = BigInt.asUintN(bits, right);
  return BigInt.asUintN(bits, exact(operation, a, b, bits));
}

function exact(operation: number, a: bigint, b: bigint, bits: 32 | 64): bigint {
  const shift = b & BigInt(bits - 1);
  switch (operation) {
    case P.ADD:
      return a + b;
    case P.SUB:
      return a - b;
    case P.MUL:
      return a * b;
    case P.DIV:
      return b === 0n ? 0n : a / b;
    case P.MOD:
      return b === 0n ? a : a % b;
    case P.OR:
      return a | b;
    case P.AND:
      return a & b;
    case P.XOR:
      return a ^ b;
    case P.LSH:
      return a << shift;
    case P.RSH:
      return a >> shift;
    case P.ARSH:
      return BigInt.asIntN(bits, a) >> shift;
    case P.NEG:
      return -a;
    default:
      return b; // MOV
  }
}

function jumps(op: number, left: bigint, right: bigint): boolean {
  const bits = (op & 7) === P.JMP ? 64 : 32;
  const a = BigInt.asUintN(bits, left), b = BigInt.asUintN(bits, right);
  const signedA = BigInt.asIntN(bits, left), signedB = BigInt.asIntN(bits, right);
  switch (op >> 4) {
    case P.JEQ:
      return a === b;
    case P.JNE:
      return a !== b;
    case P.JSET:
      return (a & b) !== 0n;
    case P.JGT:
      return a > b;
    case P.JGE:
      return a >= b;
    case P.JLT:
      return a < b;
    case P.JLE:
      return a <= b;
    case P.JSGT:
      return signedA > signedB;
    case P.JSGE:
      return signedA >= signedB;
    case P.JSLT:
      return signedA < signedB;
    default:
      return signedA <= signedB; // JSLE
  }
}
