/** Registers of a stopped tracee as struct user_regs_struct and struct user (sys/user.h). */

import { UserRegs } from "../../ffi/abi/ptrace.ts";
import {
  ADDRESS_LIMIT_HIGH,
  CSGSFS,
  EFLAGS,
  FS_BASE,
  GS_BASE,
  R10,
  R11,
  R12,
  R13,
  R14,
  R15,
  R8,
  R9,
  RAX,
  RBP,
  RBX,
  RCX,
  RDI,
  RDX,
  RIP,
  RSI,
  RSP,
  USER_CS,
  USER_SS,
} from "../../platform/platform.ts";
import { setWord } from "../signal/siginfo.ts";
import type { Task } from "../task/task.ts";
import type { Trace } from "./trace.ts";

const U = UserRegs.at;
/** Pairs: offset in struct user_regs_struct, offset in Context.regs. */
const PAIRS: readonly (readonly [number, number])[] = [
  ...[[U.r8, R8], [U.r9, R9], [U.r10, R10], [U.r11, R11], [U.r12, R12], [U.r13, R13]],
  ...[[U.r14, R14], [U.r15, R15], [U.rdi, RDI], [U.rsi, RSI], [U.rbp, RBP], [U.rbx, RBX]],
  ...[[U.rdx, RDX], [U.rax, RAX], [U.rcx, RCX], [U.rsp, RSP], [U.rip, RIP], [U.eflags, EFLAGS]],
  ...[[U.fsBase, FS_BASE], [U.gsBase, GS_BASE]],
] as [number, number][];
/** Flags that a tracer may set: AC RF NT OF DF TF SF ZF AF PF CF. */
const SETTABLE = 0x54dd5;

/** Writes all registers at `at`. */
export function readUserRegs(task: Task, trace: Trace, dv: DataView, at: number): void {
  const { regs } = task.ctx;
  for (let i = 0; i < UserRegs.size; i += 4) dv.setUint32(at + i, 0, true);
  for (const [to, from] of PAIRS) {
    dv.setUint32(at + to, regs.getUint32(from, true), true);
    dv.setUint32(at + to + 4, regs.getUint32(from + 4, true), true);
  }
  dv.setInt32(at + U.origRax, trace.origRax, true);
  dv.setInt32(at + U.origRax + 4, trace.origRax < 0 ? -1 : 0, true);
  setWord(dv, at + U.cs, USER_CS);
  setWord(dv, at + U.ss, USER_SS);
}

/**
 * Loads the registers at offsets [from, to) of struct user_regs_struct, in whole words, of which
 * `at` is the first. False: a base outside of user space; the registers before it are loaded.
 */
export function writeUserRegs(
  task: Task,
  trace: Trace,
  dv: DataView,
  at: number,
  from: number,
  to: number,
): boolean {
  const { regs } = task.ctx;
  for (let field = from; field + 8 <= to; field += 8) {
    const lo = dv.getUint32(at + field - from, true),
      hi = dv.getUint32(at + field - from + 4, true);
    if (field === U.origRax) {
      trace.origRax = lo | 0;
      continue;
    }
    const pair = PAIRS.find((p) => p[0] === field);
    // DIFFERS: segment selectors cannot be changed.
    if (pair === undefined) continue;
    const target = pair[1];
    if ((target === FS_BASE || target === GS_BASE) && hi >= ADDRESS_LIMIT_HIGH) return false;
    if (target === EFLAGS) {
      regs.setUint32(EFLAGS, (regs.getUint32(EFLAGS, true) & ~SETTABLE) | (lo & SETTABLE), true);
      continue;
    }
    if (target === GS_BASE && (lo | hi) !== 0) task.mm.hasOwnGs = true;
    regs.setUint32(target, lo, true);
    regs.setUint32(target + 4, hi, true);
  }
  regs.setUint32(CSGSFS, USER_CS, true);
  regs.setUint32(CSGSFS + 4, USER_SS << 16, true);
  return true;
}
