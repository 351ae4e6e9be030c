/**
 * Signal frames on the user's stack, laid out as on x86-64 Linux (arch/x86/kernel/signal_64.c).
 * From low to high: return address, struct ucontext, siginfo_t; above, 64-byte aligned, the XSAVE
 * area. Debuggers, Go and unwinders read frames.
 *
 * Neighbours: fpu_state.ts, siginfo.ts, alt_stack.ts; return_to_user.ts decides when a frame is
 * pushed.
 */

import {
  CSGSFS,
  EFLAGS,
  OLDMASK,
  RAX,
  RDI,
  RDX,
  RIP,
  RSI,
  RSP,
  USER_CS,
  USER_SS,
} from "../../platform/platform.ts";
import { SI_KERNEL, SI_MAX_SIZE } from "../../ffi/abi/siginfo.ts";
import {
  SA_NODEFER,
  SA_ONSTACK,
  SA_RESETHAND,
  SA_RESTORER,
  SA_SIGINFO,
  SIG_DFL,
  SIGSEGV,
  SS_AUTODISARM,
} from "../../ffi/abi/signal.ts";
import {
  Sigcontext,
  UC_FP_XSTATE,
  UC_SIGCONTEXT_SS,
  UC_STRICT_RESTORE_SS,
  Ucontext,
} from "../../ffi/abi/ucontext.ts";
import { getReg, setReg } from "../task/registers.ts";
import { IN_GUEST } from "../core/result.ts";
import type { Task } from "../task/task.ts";
import { disableAltStack, isOnAltStack, isWithin, setAltStack } from "./alt_stack.ts";
import {
  accept,
  announcedSize,
  frameFpuSize,
  FXSAVE_SIZE,
  initFpu,
  MAGIC2_BYTES,
  markForFrame,
} from "./fpu_state.ts";
import type { SignalAction } from "./handlers.ts";
import { SigInfo } from "./pending.ts";
import { forceSignal } from "./send.ts";
import { setWord, writeSigInfo } from "./siginfo.ts";
import { UNBLOCKABLE_LO } from "./sigset.ts";

const REDZONE = 128;
const UC = 8, INFO = UC + Ucontext.size, FRAME_SIZE = INFO + SI_MAX_SIZE;
const MCONTEXT = UC + Ucontext.at.mcontext;
const FPSTATE = MCONTEXT + Sigcontext.at.fpstate, SIGMASK = UC + Ucontext.at.sigmask;
/**
 * Bytes of sigcontext whose registers are at the same offsets as in `Context.regs`: all before
 * fpstate.
 */
const SHARED_SIZE = Sigcontext.at.fpstate;
/** Flags that rt_sigreturn may change: AC OF DF TF SF ZF AF PF CF RF. */
const RESTORABLE_FLAGS = 0x50dd5;
/** Flags that are cleared for a handler: trap, direction and resume. */
const CLEARED_FLAGS = 0x10500;
const FLAGS = UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS;

const frame = new Uint8Array(FRAME_SIZE);
const frameView = new DataView(frame.buffer);

/**
 * Makes the task run the handler of `action` for `info`. Its registers and FPU state must be in its
 * context. False: the frame could not be written, and SIGSEGV was forced.
 */
export function pushSignalFrame(task: Task, info: SigInfo, action: SignalAction): boolean {
  const { signals, ctx } = task, regs = ctx.regs, fpu = ctx.fpu;
  let sp = getReg(regs, RSP);
  let usesAltStack = isOnAltStack(signals, sp);
  sp -= REDZONE;
  if ((action.flags & SA_ONSTACK) !== 0 && signals.altSize > 0 && !isOnAltStack(signals, sp)) {
    sp = signals.altBase + signals.altSize;
    usesAltStack = true;
  }
  const fpstate = alignDown(sp - frameFpuSize(fpu.length), 64);
  sp = alignDown(fpstate - FRAME_SIZE, 16) - 8;
  const isOverflow = usesAltStack && !isWithin(signals, sp);
  if (isOverflow || sp < 0 || (action.flags & SA_RESTORER) === 0) {
    return forceFrameFault(task, info.signo);
  }

  const hasXsave = fpu.length > FXSAVE_SIZE;
  markForFrame(fpu, task.kernel.platform.fpuFeatures);
  fillFrame(task, info, action, fpstate, hasXsave);
  const mm = task.mm;
  if (
    mm.copyOut(fpstate, fpu, 0, fpu.length) !== 0 ||
    (hasXsave && mm.copyOut(fpstate + fpu.length, MAGIC2_BYTES, 0, MAGIC2_BYTES.length) !== 0) ||
    mm.copyOut(sp, frame, 0, FRAME_SIZE) !== 0
  ) return forceFrameFault(task, info.signo);

  setReg(regs, RDI, info.signo);
  setReg(regs, RSI, sp + INFO);
  setReg(regs, RDX, sp + UC);
  setReg(regs, RAX, 0);
  setReg(regs, RSP, sp);
  setReg(regs, RIP, action.handler);
  setSegments(regs);
  regs.setUint32(EFLAGS, regs.getUint32(EFLAGS, true) & ~CLEARED_FLAGS, true);
  initFpu(fpu);
  blockForHandler(task, info.signo, action);
  return true;
}

function fillFrame(
  task: Task,
  info: SigInfo,
  action: SignalAction,
  fpstate: number,
  hasXsave: boolean,
): void {
  const { signals, ctx } = task, dv = frameView;
  const mask = signals.hasSaved ? signals.saved : signals.blocked;
  frame.fill(0);
  setWord(dv, 0, action.restorer);
  dv.setUint32(UC + Ucontext.at.flags, hasXsave ? FLAGS | UC_FP_XSTATE : FLAGS, true);
  setWord(dv, UC + Ucontext.at.stackSp, signals.altBase);
  dv.setUint32(UC + Ucontext.at.stackFlags, signals.altFlags, true);
  setWord(dv, UC + Ucontext.at.stackSize, signals.altSize);
  frame.set(ctx.regBytes.subarray(0, SHARED_SIZE), MCONTEXT);
  dv.setUint32(MCONTEXT + CSGSFS, USER_CS, true);
  dv.setUint32(MCONTEXT + CSGSFS + 4, USER_SS << 16, true);
  setWord(dv, MCONTEXT + Sigcontext.at.err, task.faultError);
  setWord(dv, MCONTEXT + Sigcontext.at.trapno, task.faultTrapno);
  setWord(dv, MCONTEXT + Sigcontext.at.cr2, task.faultAddress);
  dv.setUint32(MCONTEXT + OLDMASK, mask.lo, true);
  dv.setUint32(MCONTEXT + OLDMASK + 4, mask.hi, true);
  setWord(dv, FPSTATE, fpstate);
  dv.setUint32(SIGMASK, mask.lo, true);
  dv.setUint32(SIGMASK + 4, mask.hi, true);
  if ((action.flags & SA_SIGINFO) !== 0) writeSigInfo(dv, INFO, info);
}

/** Sets the thread's mask and stack for the time of the handler. */
function blockForHandler(task: Task, sig: number, action: SignalAction): void {
  const signals = task.signals, blocked = signals.blocked;
  // The frame saves the mask from before sigsuspend(2); the handler runs with the temporary one.
  signals.hasSaved = false;
  blocked.set(blocked.lo | action.maskLo, blocked.hi | action.maskHi);
  if ((action.flags & SA_NODEFER) === 0) blocked.add(sig);
  if ((action.flags & SA_RESETHAND) !== 0) action.handler = SIG_DFL;
  if ((signals.altFlags & SS_AUTODISARM) !== 0) disableAltStack(signals);
}

/**
 * The frame could not be written: forces SIGSEGV. If SIGSEGV itself had no room, the process ends.
 */
function forceFrameFault(task: Task, sig: number): boolean {
  if (sig === SIGSEGV) task.sighand.of(SIGSEGV).handler = SIG_DFL;
  forceSignal(task, new SigInfo(SIGSEGV, SI_KERNEL));
  return false;
}

/**
 * rt_sigreturn(2): restores everything from the frame at the stack pointer. IN_GUEST; a bad frame
 * forces SIGSEGV.
 */
export function sigreturn(task: Task): number {
  const { ctx, signals } = task, regs = ctx.regs, dv = frameView;
  if (!task.regsFetched) ctx.fetchRegs();
  initFpu(ctx.fpu);
  task.regsFetched = true;
  const at = getReg(regs, RSP) - 8;
  if (task.mm.copyIn(frame, 0, at, INFO) !== 0) return badFrame(task);
  if ((dv.getUint16(MCONTEXT + CSGSFS, true) | 3) !== USER_CS) return badFrame(task);
  signals.blocked.set(
    dv.getUint32(SIGMASK, true) & ~UNBLOCKABLE_LO,
    dv.getUint32(SIGMASK + 4, true),
  );
  task.attention = true;
  const eflags = (regs.getUint32(EFLAGS, true) & ~RESTORABLE_FLAGS) |
    (dv.getUint32(MCONTEXT + EFLAGS, true) & RESTORABLE_FLAGS);
  ctx.regBytes.set(frame.subarray(MCONTEXT, MCONTEXT + EFLAGS));
  regs.setUint32(EFLAGS, eflags, true);
  regs.setUint32(EFLAGS + 4, 0, true);
  setSegments(regs);
  if (!restoreFpu(task, getReg(dv, FPSTATE))) return badFrame(task);
  restoreAltStack(task);
  return IN_GUEST;
}

function restoreFpu(task: Task, at: number): boolean {
  if (at === 0) return true;
  const fpu = task.ctx.fpu;
  if (task.mm.copyIn(fpu, 0, at, Math.min(FXSAVE_SIZE, fpu.length)) !== 0) return false;
  const size = fpu.length > FXSAVE_SIZE ? announcedSize(fpu, fpu.length) : 0;
  if (size > 0) {
    const rest = size - FXSAVE_SIZE;
    if (task.mm.copyIn(fpu, FXSAVE_SIZE, at + FXSAVE_SIZE, rest) !== 0) return false;
  }
  if (accept(fpu, size)) return true;
  initFpu(fpu);
  return false;
}

/**
 * Restores the alternate stack as sigaltstack(2) does, without errors: the handler may have changed
 * it.
 */
function restoreAltStack(task: Task): void {
  const dv = frameView;
  setAltStack(
    task.signals,
    getReg(task.ctx.regs, RSP),
    getReg(dv, UC + Ucontext.at.stackSp),
    dv.getUint32(UC + Ucontext.at.stackFlags, true),
    getReg(dv, UC + Ucontext.at.stackSize),
  );
}

function badFrame(task: Task): number {
  forceSignal(task, new SigInfo(SIGSEGV, SI_KERNEL));
  return IN_GUEST;
}

function setSegments(regs: DataView): void {
  regs.setUint32(CSGSFS, USER_CS, true);
  regs.setUint32(CSGSFS + 4, USER_SS << 16, true);
}

function alignDown(n: number, to: number): number {
  return Math.floor(n / to) * to;
}
