/**
 * Validates a program of eBPF: it ends, reads only what it wrote, and returns 0 or 1. Each
 * instruction is checked once, with the joined register state of all paths to it; jumps go forward
 * only.
 *
 * LIMIT: programs that read their context and calculate. Other features of Linux are -EINVAL or
 * -EACCES: loops, calls, maps, the stack, addresses derived from the context, byte swaps.
 */

import { EACCES, EINVAL } from "../../ffi/abi/errno.ts";
import * as P from "./ebpf_program.ts";

const REGISTERS = 10, FRAME = 10;
/** Content of a register: unset or different by path; the context; a number. */
const UNSET = 0, CONTEXT = 1, NUMBER = 2;
const U32_MAX = 0xffffffff;

/** The reason why a program was refused. */
class Refusal {
  readonly error: number;
  readonly why: string;

  constructor(error: number, why: string) {
    this.error = error;
    this.why = why;
  }
}

/** Registers before an instruction; `max` is the largest value of a number, as unsigned. */
class State {
  readonly kind: Uint8Array = new Uint8Array(REGISTERS);
  readonly max: Float64Array = new Float64Array(REGISTERS);

  copy(): State {
    const copy = new State();
    copy.kind.set(this.kind);
    copy.max.set(this.max);
    return copy;
  }

  /** Joins the state of another path to the same instruction. */
  join(other: State): void {
    for (let r = 0; r < REGISTERS; r++) {
      if (this.kind[r] !== other.kind[r]) this.kind[r] = UNSET;
      this.max[r] = Math.max(this.max[r]!, other.max[r]!);
    }
  }

  setNumber(r: number, max: number): void {
    this.kind[r] = NUMBER;
    this.max[r] = max;
  }
}

/** Decides which loads from the context are allowed. */
export type MayLoad = (offset: number, bytes: number) => boolean;

/** Checks a program: null, or the refusal with its errno and the text for the log. */
export function verify(program: P.EbpfProgram, mayLoad: MayLoad): Refusal | null {
  const first = new State();
  first.kind[1] = CONTEXT;
  const states: (State | undefined)[] = [first];
  for (let pc = 0; pc < program.length; pc++) {
    const state = states[pc];
    if (state === undefined) return new Refusal(EINVAL, `unreachable insn ${pc}`);
    const refusal = step(program, pc, state, mayLoad);
    if (refusal !== null) return new Refusal(refusal.error, `insn ${pc}: ${refusal.why}`);
    for (const next of nextOf(program, pc)) {
      if (next <= pc) return new Refusal(EINVAL, `back-edge from insn ${pc} to ${next}`);
      if (next >= program.length) return new Refusal(EINVAL, `jump out of range from insn ${pc}`);
      const there = states[next];
      if (there === undefined) states[next] = state.copy();
      else there.join(state);
    }
  }
  return null;
}

function nextOf({ op, off }: P.EbpfProgram, pc: number): number[] {
  const family = op[pc]! & 7, operation = op[pc]! >> 4;
  if (family !== P.JMP && family !== P.JMP32) return [pc + 1];
  if (operation === P.EXIT) return [];
  const target = pc + 1 + off[pc]!;
  return operation === P.JA ? [target] : [pc + 1, target];
}

const RESERVED = new Refusal(EINVAL, "uses reserved fields");
const UNKNOWN = new Refusal(EINVAL, "unknown opcode");

function step(p: P.EbpfProgram, pc: number, state: State, mayLoad: MayLoad): Refusal | null {
  if (p.dst[pc]! > FRAME || p.src[pc]! > FRAME) return new Refusal(EINVAL, "no such register");
  switch (p.op[pc]! & 7) {
    case P.ALU:
    case P.ALU64:
      return calculate(p, pc, state);
    case P.JMP:
    case P.JMP32:
      return jump(p, pc, state);
    case P.LDX:
      return load(p, pc, state, mayLoad);
    case P.ST:
    case P.STX:
      return new Refusal(EACCES, "invalid mem access");
    default:
      return UNKNOWN;
  }
}

function needNumber(state: State, register: number): Refusal | null {
  const kind = register === FRAME ? CONTEXT : state.kind[register]!;
  if (kind === NUMBER) return null;
  return new Refusal(
    EACCES,
    kind === UNSET ? `R${register} !read_ok` : `R${register} is a pointer`,
  );
}

function calculate(p: P.EbpfProgram, pc: number, state: State): Refusal | null {
  const op = p.op[pc]!, dst = p.dst[pc]!, src = p.src[pc]!, imm = p.imm[pc]!;
  const operation = op >> 4, byRegister = (op & P.BY_REGISTER) !== 0, is64 = (op & 7) === P.ALU64;
  if (operation > P.ARSH) return UNKNOWN;
  const isUnary = operation === P.NEG;
  if (p.off[pc] !== 0 || (byRegister ? imm !== 0 || isUnary : src !== 0)) return RESERVED;
  if (isUnary && imm !== 0) return RESERVED;
  const isShift = operation === P.LSH || operation === P.RSH || operation === P.ARSH;
  if (!byRegister && isShift && (imm < 0 || imm >= (is64 ? 64 : 32))) {
    return new Refusal(EINVAL, `invalid shift ${imm}`);
  }
  if (!byRegister && (operation === P.DIV || operation === P.MOD) && imm === 0) {
    return new Refusal(EINVAL, "div by zero");
  }
  if (dst === FRAME) return new Refusal(EACCES, "frame pointer is read only");
  if (operation === P.MOV && byRegister && is64 && src !== FRAME && state.kind[src] === CONTEXT) {
    state.kind[dst] = CONTEXT;
    return null;
  }
  const refusal = (byRegister ? needNumber(state, src) : null) ??
    (operation === P.MOV ? null : needNumber(state, dst));
  if (refusal !== null) return refusal;
  state.setNumber(dst, maxOf(operation, byRegister ? null : imm, is64, state, dst, src));
  return null;
}

/** Upper bound of a moved or masked value. */
function maxOf(
  operation: number,
  imm: number | null,
  is64: boolean,
  state: State,
  dst: number,
  src: number,
): number {
  const most = is64 ? Infinity : U32_MAX;
  if (operation === P.MOV) {
    if (imm === null) return Math.min(most, state.max[src]!);
    return imm >= 0 ? imm : is64 ? Infinity : imm >>> 0;
  }
  return operation === P.AND && imm !== null && imm >= 0 ? Math.min(imm, state.max[dst]!) : most;
}

function jump(p: P.EbpfProgram, pc: number, state: State): Refusal | null {
  const op = p.op[pc]!, dst = p.dst[pc]!, src = p.src[pc]!, imm = p.imm[pc]!;
  const operation = op >> 4, byRegister = (op & P.BY_REGISTER) !== 0;
  if (operation === P.JA || operation === P.EXIT) {
    if ((op & 7) !== P.JMP || byRegister) return UNKNOWN;
    const isPlain = dst === 0 && src === 0 && imm === 0;
    if (!isPlain || operation === P.EXIT && p.off[pc] !== 0) return RESERVED;
    return operation === P.JA ? null : mayEnd(state);
  }
  if (operation === P.CALL || operation > P.JSLE) return UNKNOWN;
  if (byRegister ? imm !== 0 : src !== 0) return RESERVED;
  return needNumber(state, dst) ?? (byRegister ? needNumber(state, src) : null);
}

function mayEnd(state: State): Refusal | null {
  if (state.kind[0] === UNSET) return new Refusal(EACCES, "R0 !read_ok");
  const isVerdict = state.kind[0] === NUMBER && state.max[0]! <= 1;
  return isVerdict ? null : new Refusal(EINVAL, "R0 should have been in [0, 1]");
}

function load(p: P.EbpfProgram, pc: number, state: State, mayLoad: MayLoad): Refusal | null {
  const op = p.op[pc]!, dst = p.dst[pc]!, src = p.src[pc]!;
  if ((op & P.MODE_MASK) !== P.MODE_MEM) return UNKNOWN;
  if (p.imm[pc] !== 0) return RESERVED;
  if (dst === FRAME) return new Refusal(EACCES, "frame pointer is read only");
  if (src === FRAME || state.kind[src] !== CONTEXT) {
    return new Refusal(EACCES, `R${src} invalid mem access`);
  }
  const bytes = bytesOf(op);
  if (!mayLoad(p.off[pc]!, bytes)) return new Refusal(EACCES, "invalid context access");
  state.setNumber(dst, 2 ** (8 * bytes) - 1);
  return null;
}

/** Bytes of a load; 8: two words. */
function bytesOf(op: number): number {
  const size = op & P.SIZE_MASK;
  return size === P.SIZE_W ? 4 : size === P.SIZE_H ? 2 : size === P.SIZE_B ? 1 : 8;
}
