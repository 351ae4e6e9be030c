/**
 * The meaning of a guest thread's stop: registers and siginfo become the trap of its context.
 *
 * Not here: what follows (`guest_thread.ts`). Neighbour: `fault_access.ts` tells reads from writes.
 * Source: ptrace(2), sigaction(2), Intel SDM vol. 3 ch. 6.
 */

import { PTRACE_GET_SYSCALL_INFO, UserRegs } from "../../ffi/abi/ptrace.ts";
import { AUDIT_ARCH_X86_64 } from "../../ffi/abi/seccomp.ts";
import {
  BUS_ADRALN,
  BUS_ADRERR,
  FPE_INTDIV,
  FPE_INTOVF,
  SYS_SECCOMP,
} from "../../ffi/abi/siginfo.ts";
import { SEGV_ACCERR, SEGV_MAPERR, SI_KERNEL, TRAP_TRACE } from "../../ffi/abi/siginfo.ts";
import { SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP, SIGUSR2 } from "../../ffi/abi/signal.ts";
import {
  X86_PF_INSTR,
  X86_PF_PROT,
  X86_PF_USER,
  X86_PF_WRITE,
  X86_TRAP_AC,
  X86_TRAP_BP,
  X86_TRAP_DB,
  X86_TRAP_DE,
  X86_TRAP_GP,
  X86_TRAP_OF,
  X86_TRAP_SS,
  X86_TRAP_UD,
  X86_TRAP_XF,
} from "../../ffi/abi/ucontext.ts";
import { ACCESS_EXEC, ACCESS_WRITE, TRAP_INTERRUPT } from "../platform.ts";
import { INT80_ERROR, setCall, setException, setFault } from "../traps.ts";
import type { PtraceContext } from "./context.ts";
import { faultAccess } from "./fault_access.ts";
import type { GuestThread } from "./guest_thread.ts";

/**
 * The signal that kicks a thread. Any would do: a stub blocks none, and a traced thread loses none.
 */
export const KICK_SIGNAL = SIGUSR2;

/** The guest must not notice this stop: the thread continues. */
const IGNORE = 0;
/** The context has a trap. */
export const REPORT = 1;
/** The kick arrived, and the context has TRAP_INTERRUPT, for a kernel that has interrupted it. */
export const KICK = 2;

/** With PTRACE_O_TRACESYSGOOD. */
const SYSCALL_STOP = SIGTRAP | 0x80;
/** Bytes of `syscall` and `int 0x80`. */
const SYSCALL_BYTES = 2;
/**
 * Offsets in siginfo: si_code; si_addr, si_call_addr; si_syscall; and arch in ptrace_syscall_info.
 */
const CODE = 8, ADDR = 16, SYSCALL_NR = 24, INFO_ARCH = 4;
const U = UserRegs.at;
const ARGUMENTS = new Int32Array([U.rdi, U.rsi, U.rdx, U.r10, U.r8, U.r9]);

/** Fills the trap of `context`. @returns IGNORE, REPORT or KICK. HOT */
export function decodeStop(thread: GuestThread, context: PtraceContext, status: number): number {
  const signo = (status >> 8) & 0xff;
  if (signo !== SYSCALL_STOP) return decodeSignal(thread, context, signo);
  if (thread.fetch() < 0) return IGNORE;
  const dv = thread.tracer.dv;
  const nr = dv.getInt32(thread.block + U.origRax, true);
  takePosition(thread, context);
  // The processor copied rip to rcx, so this was `syscall`. If they differ, the host decides.
  if (thread.u64(U.rcx) !== context.rip && !isNativeCall(thread)) {
    return refuseForeignCall(thread, context);
  }
  return takeCall(thread, context, nr);
}

function takePosition(thread: GuestThread, context: PtraceContext): void {
  context.rip = thread.u64(U.rip);
  context.rsp = thread.u64(U.rsp);
  context.isAtCall = false;
}

function takeCall(thread: GuestThread, context: PtraceContext, nr: number): number {
  setCall(context, nr, thread.tracer.dv, thread.block, ARGUMENTS);
  context.isAtCall = true;
  return REPORT;
}

function isNativeCall(thread: GuestThread): boolean {
  const at = thread.tracer.siginfo;
  thread.request(PTRACE_GET_SYSCALL_INFO, 88, thread.tracer.address(at));
  return thread.tracer.dv.getUint32(at + INFO_ARCH, true) === AUDIT_ARCH_X86_64;
}

/** `int 0x80` and the like: a general protection fault, as on a kernel without 32-bit calls. */
function refuseForeignCall(thread: GuestThread, context: PtraceContext): number {
  context.rip -= SYSCALL_BYTES;
  thread.set(U.rip, context.rip);
  thread.set(U.rax, thread.i64(U.origRax));
  return exception(context, SIGSEGV, SI_KERNEL, 0, X86_TRAP_GP, INT80_ERROR);
}

function decodeSignal(thread: GuestThread, context: PtraceContext, signo: number): number {
  if (thread.fetchSiginfo() < 0) return IGNORE;
  const dv = thread.tracer.dv, info = thread.tracer.siginfo;
  const code = dv.getInt32(info + CODE, true);
  if (signo === KICK_SIGNAL && code <= 0) {
    if (thread.fetch() < 0) return IGNORE;
    takePosition(thread, context);
    context.trap = TRAP_INTERRUPT;
    return KICK;
  }
  if (code <= 0 || thread.fetch() < 0) return IGNORE; // another process sent it
  const addr = dv.getUint32(info + ADDR, true) + dv.getUint32(info + ADDR + 4, true) * 0x100000000;
  takePosition(thread, context);
  switch (signo) {
    case SIGSEGV:
      if (code === SEGV_MAPERR || code === SEGV_ACCERR) {
        return fault(thread, context, signo, code, addr);
      }
      return exception(context, signo, code, addr, X86_TRAP_GP);
    case SIGBUS:
      if (code === BUS_ADRERR) return fault(thread, context, signo, code, addr);
      return exception(context, signo, code, addr, code === BUS_ADRALN ? X86_TRAP_AC : X86_TRAP_SS);
    case SIGILL:
      return exception(context, signo, code, addr, X86_TRAP_UD);
    case SIGFPE:
      return exception(context, signo, code, addr, floatingVector(code));
    case SIGTRAP:
      return exception(context, signo, code, addr, code === TRAP_TRACE ? X86_TRAP_DB : X86_TRAP_BP);
    case SIGSYS: // the fence stopped a call that SYSEMU does not see: the vsyscall page
      if (code !== SYS_SECCOMP) return IGNORE;
      thread.set(U.origRax, dv.getInt32(info + SYSCALL_NR, true));
      return takeCall(thread, context, dv.getInt32(info + SYSCALL_NR, true));
    default:
      return IGNORE;
  }
}

function floatingVector(code: number): number {
  if (code === FPE_INTDIV) return X86_TRAP_DE;
  if (code === FPE_INTOVF) return X86_TRAP_OF;
  return X86_TRAP_XF;
}

/** ptrace(2) does not report the error code of the processor. */
function exception(
  context: PtraceContext,
  signo: number,
  code: number,
  addr: number,
  vector: number,
  error = 0,
): number {
  setException(context, signo, code, addr, vector, error);
  return REPORT;
}

/** The error code follows from signal and access. */
function fault(
  thread: GuestThread,
  context: PtraceContext,
  signo: number,
  code: number,
  addr: number,
): number {
  const isDenied = signo === SIGSEGV && code === SEGV_ACCERR;
  const access = faultAccess(thread, addr, context.rip, isDenied);
  const error = X86_PF_USER | (isDenied ? X86_PF_PROT : 0) |
    (access === ACCESS_WRITE ? X86_PF_WRITE : 0) | (access === ACCESS_EXEC ? X86_PF_INSTR : 0);
  setFault(context, signo, code, addr, access, error);
  return REPORT;
}
