/**
 * A seccomp filter that is a BPF program. For each call number the leading part of the program that
 * depends on number and architecture alone is run once, and its verdict is kept, or the instruction
 * that first needs another input.
 */

import type { Account } from "../core/account.ts";
import { AUDIT_ARCH_X86_64, SECCOMP_RET_ALLOW, SeccompData } from "../../ffi/abi/seccomp.ts";
import * as B from "../bpf/classic_program.ts";
import { type BpfData, runBpf } from "../bpf/classic_run.ts";
import { CACHED_CALLS, SeccompFilter } from "./filter.ts";

/** Programs of fewer instructions are always run from their start. */
const SHORT = 24;
/** Values of `entry` that are no instruction's index. */
const UNKNOWN = -2, IS_CONSTANT = -1;
const ARCH = SeccompData.at.arch;

/** A system call as BPF programs see it: whole words only. */
class CallData implements BpfData {
  words: Uint32Array = new Uint32Array(0);

  get length(): number {
    return SeccompData.size;
  }
  load(_op: number, offset: number): number {
    return this.words[offset >>> 2]!;
  }
  ancillary(): number {
    return 0;
  }
}
const call = new CallData();

/** Runs the program. A division by zero ends it with 0: the task is killed. */
function runFilter(program: B.BpfProgram, from: number, data: Uint32Array): number {
  call.words = data;
  return runBpf(program, from, call);
}

export class BpfFilter extends SeccompFilter {
  readonly program: B.BpfProgram;
  /** First instruction to run, by call number; null for short programs. */
  private readonly entry: Int16Array | null;
  private readonly constant: Uint32Array | null;
  /** The last constant verdict of `explore`. */
  private verdict: number = 0;
  override readonly linuxLength: number;

  constructor(account: Account, program: B.BpfProgram) {
    super(account);
    this.program = program;
    this.linuxLength = program.linuxLength;
    const isLong = program.length > SHORT;
    this.entry = isLong ? new Int16Array(CACHED_CALLS).fill(UNKNOWN) : null;
    this.constant = isLong ? new Uint32Array(CACHED_CALLS) : null;
  }

  override get source(): Uint8Array<ArrayBuffer> {
    return this.program.source;
  }

  override decide(data: Uint32Array): number {
    const nr = data[0]!, { entry, constant } = this;
    if (entry === null || constant === null) return runFilter(this.program, 0, data);
    if (nr >= CACHED_CALLS || data[1] !== AUDIT_ARCH_X86_64) {
      return runFilter(this.program, 0, data);
    }
    let from = entry[nr]!;
    if (from === UNKNOWN) {
      from = entry[nr] = this.explore(nr);
      constant[nr] = this.verdict;
    }
    return from === IS_CONSTANT ? constant[nr]! : runFilter(this.program, from, data);
  }

  override alwaysAllows(nr: number): boolean {
    return this.explore(nr) === IS_CONSTANT && this.verdict === SECCOMP_RET_ALLOW;
  }

  /** Runs the program as far as number and architecture decide. The state is A alone. */
  private explore(nr: number): number {
    const { op, k, jt, jf } = this.program;
    let a = 0;
    for (let pc = 0;;) {
      const o = op[pc]!, value = k[pc]!;
      switch (o) {
        case B.OP_LD_ABS:
          if (value === 0) a = nr;
          else if (value === ARCH) a = AUDIT_ARCH_X86_64;
          else return pc;
          break;
        case B.OP_LD_IMM:
          a = value;
          break;
        case B.OP_AND_K:
          a = (a & value) >>> 0;
          break;
        case B.OP_RET_K:
          return this.always(value);
        case B.OP_RET_A:
          return this.always(a);
        case B.OP_JA:
          pc += value;
          break;
        case B.OP_JEQ_K:
          pc += a === value ? jt[pc]! : jf[pc]!;
          break;
        case B.OP_JGT_K:
          pc += a > value ? jt[pc]! : jf[pc]!;
          break;
        case B.OP_JGE_K:
          pc += a >= value ? jt[pc]! : jf[pc]!;
          break;
        case B.OP_JSET_K:
          pc += (a & value) !== 0 ? jt[pc]! : jf[pc]!;
          break;
        default:
          return 0; // what the others leave behind would have to be kept: run it as a whole
      }
      pc++;
    }
  }

  private always(verdict: number): number {
    this.verdict = verdict;
    return IS_CONSTANT;
  }
}
