/**
 * Reads the cause of a signal from the frame of a thread in the signal handler, once, into the
 * context.
 *
 * Neighbours: `frame.ts` has the offsets of a frame, `context.ts` acts. Source: sigaction(2),
 * seccomp(2).
 */

import { AUDIT_ARCH_X86_64 } from "../../ffi/abi/seccomp.ts";
import { SI_KERNEL, SYS_SECCOMP } from "../../ffi/abi/siginfo.ts";
import { SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP } from "../../ffi/abi/signal.ts";
import { X86_PF_INSTR, X86_PF_WRITE, X86_TRAP_GP, X86_TRAP_PF } from "../../ffi/abi/ucontext.ts";
import {
  ACCESS_EXEC,
  ACCESS_READ,
  ACCESS_WRITE,
  type Context,
  CR2,
  EFLAGS,
  ERR,
  R10,
  R11,
  R8,
  R9,
  RAX,
  RCX,
  RDI,
  RDX,
  RIP,
  RSI,
  RSP,
  TRAPNO,
} from "../platform.ts";
import { INT80_ERROR, setCall, setException, setFault } from "../traps.ts";
import type { ThunkTable } from "../thunks.ts";
import type { ControlMemory } from "./control_memory.ts";
import type { Engine } from "./engine.ts";
import { SIG_KICK } from "./stub/layout.ts";

/** The context's fields say what happened. */
export const REPORTED_STOP = 0;
/** The fast path requested a frame; the registers are in the slot. */
export const SAVED_STOP = 1;
/** A kick, or a signal that no guest code caused. */
const SPURIOUS_STOP = 2;

// siginfo_t: fields by offset.
const SI_CODE = 8, SI_ADDR = 16, SI_ARCH = 28;
/** Bytes of `int 0x80`, `sysenter`, `syscall`. */
const CALL_BYTES = 2;
const EXCEPTIONS: readonly number[] = [SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP];
const ARGUMENTS = new Int32Array([RDI, RSI, RDX, R10, R8, R9]);

/**
 * Reads the frame of the slot at `slotAt` into `c`; `thunks` are those of its space. Returns the
 * kind of stop.
 */
export function readStop(
  c: Context,
  engine: Engine,
  slotAt: number,
  thunks: ThunkTable | null,
): number {
  const { control, frame } = engine;
  const regs = slotAt + frame.regs;
  const info = slotAt + frame.siginfo;
  const { dv } = control;
  const signo = dv.getInt32(info, true);
  const code = dv.getInt32(info + SI_CODE, true);
  const rip = control.word(regs + RIP);
  c.rip = rip;
  c.rsp = control.word(regs + RSP);
  if (signo === SIGSYS) {
    if (rip === engine.image.save) return SAVED_STOP;
    if (code !== SYS_SECCOMP) return SPURIOUS_STOP;
    if (dv.getUint32(info + SI_ARCH, true) !== AUDIT_ARCH_X86_64) {
      return readInt80(c, control, regs, rip - CALL_BYTES);
    }
    readCall(c, control, regs);
    return REPORTED_STOP;
  }
  if (signo === SIG_KICK || code <= 0) return SPURIOUS_STOP;
  if (signo === SIGILL && thunks?.returnsTo(rip + CALL_BYTES) === true) {
    enterPatchedCall(c, control, regs, rip + CALL_BYTES);
    return REPORTED_STOP;
  }
  // The instruction of a site faulted in its thunk, where nothing had been executed before it.
  const site = thunks?.siteOf(rip) ?? -1;
  if (site >= 0) {
    control.setWord(regs + RIP, site);
    c.rip = site;
  }
  readException(c, control, regs, info, signo, code);
  return REPORTED_STOP;
}

function readCall(c: Context, control: ControlMemory, regs: number): void {
  setCall(c, control.dv.getInt32(regs + RAX, true), control.dv, regs, ARGUMENTS);
  c.viaSignal = true;
}

/**
 * A thread was at, or jumped to, the `syscall` of a site that has been patched since, and hit an
 * invalid opcode there. The thread makes the call that its code meant.
 */
function enterPatchedCall(c: Context, control: ControlMemory, regs: number, rip: number): void {
  const { dv } = control;
  control.setWord(regs + RIP, rip);
  control.setWord(regs + RCX, rip);
  dv.setUint32(regs + R11, dv.getUint32(regs + EFLAGS, true), true);
  dv.setUint32(regs + R11 + 4, 0, true);
  c.rip = rip;
  readCall(c, control, regs);
}

/**
 * A 32-bit call: a general protection fault at the instruction, as on a kernel without such calls.
 */
function readInt80(c: Context, control: ControlMemory, regs: number, rip: number): number {
  control.setWord(regs + RIP, rip);
  c.rip = rip;
  setException(c, SIGSEGV, SI_KERNEL, 0, X86_TRAP_GP, INT80_ERROR);
  return REPORTED_STOP;
}

function readException(
  c: Context,
  control: ControlMemory,
  regs: number,
  info: number,
  signo: number,
  code: number,
): void {
  const { dv } = control;
  // The guest may have written over the frame, so only signals of exceptions are reported.
  const safe = EXCEPTIONS.includes(signo) ? signo : SIGSEGV;
  const vector = dv.getUint32(regs + TRAPNO, true), error = dv.getUint32(regs + ERR, true);
  if (vector !== X86_TRAP_PF) {
    return setException(c, safe, code, control.word(info + SI_ADDR), vector, error);
  }
  const access = (error & X86_PF_WRITE) !== 0
    ? ACCESS_WRITE
    : (error & X86_PF_INSTR) !== 0
    ? ACCESS_EXEC
    : ACCESS_READ;
  setFault(c, safe, code, control.word(regs + CR2), access, error);
}
