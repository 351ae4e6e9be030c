/**
 * Actions, masks and stacks of the calling thread: rt_sigaction(2), rt_sigprocmask(2),
 * sigaltstack(2) and so on.
 */

import { EFAULT, EINTR, EINVAL } from "../../../ffi/abi/errno.ts";
import {
  SA_EXPOSE_TAGBITS,
  SA_NOCLDSTOP,
  SA_NOCLDWAIT,
  SA_NODEFER,
  SA_ONSTACK,
  SA_RESETHAND,
  SA_RESTART,
  SA_RESTORER,
  SA_SIGINFO,
  SIG_BLOCK,
  SIG_DFL,
  SIG_IGN,
  SIG_SETMASK,
  SIG_UNBLOCK,
  Sigaction,
  SIGKILL,
  SIGRTMAX,
  SIGSET_SIZE,
  SIGSTOP,
  StackT,
} from "../../../ffi/abi/signal.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { getReg } from "../../task/registers.ts";
import { setAltStack, stackFlags } from "../alt_stack.ts";
import { sigreturn } from "../frame.ts";
import { discardAll } from "../send.ts";
import { ACTION_IGNORE, defaultActionOf, UNBLOCKABLE_LO } from "../sigset.ts";
import { setBlocked } from "../mask.ts";
import type { Task } from "../../task/task.ts";

/**
 * Flags that are kept. Unknown flags are dropped, so that programs can detect support
 * (sigaction(2)).
 */
const KNOWN_FLAGS = SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_ONSTACK | SA_RESTART |
  SA_NODEFER | SA_RESETHAND | SA_RESTORER | SA_EXPOSE_TAGBITS;

/** rt_sigaction(2). */
export function sysRtSigaction(t: Task, a: SyscallArgs): number {
  const sig = a.i32(0), newAddr = a.u64(1), oldAddr = a.u64(2), at = Sigaction.at;
  const { u8, dv } = t.kernel.scratch;
  if (a.u64(3) !== SIGSET_SIZE) return -EINVAL;
  if (newAddr !== 0 && t.mm.copyIn(u8, 0, newAddr, Sigaction.size) !== 0) return -EFAULT;
  if (sig < 1 || sig > SIGRTMAX) return -EINVAL;
  if (newAddr !== 0 && (sig === SIGKILL || sig === SIGSTOP)) return -EINVAL;
  const action = t.sighand.of(sig), OLD = Sigaction.size;
  setWord(dv, OLD + at.handler, action.handler);
  setWord(dv, OLD + at.flags, action.flags);
  setWord(dv, OLD + at.restorer, action.restorer);
  dv.setUint32(OLD + at.mask, action.maskLo, true);
  dv.setUint32(OLD + at.mask + 4, action.maskHi, true);
  if (newAddr !== 0) {
    action.handler = getReg(dv, at.handler);
    action.flags = (dv.getUint32(at.flags, true) & KNOWN_FLAGS) >>> 0;
    action.restorer = getReg(dv, at.restorer);
    action.maskLo = (dv.getUint32(at.mask, true) & ~UNBLOCKABLE_LO) >>> 0;
    action.maskHi = dv.getUint32(at.mask + 4, true);
    // Pending signals that are ignored from now on are discarded (POSIX).
    const isIgnored = action.handler === SIG_IGN ||
      (action.handler === SIG_DFL && defaultActionOf(sig) === ACTION_IGNORE);
    if (isIgnored) discardAll(t.group, sig);
  }
  if (oldAddr === 0) return 0;
  return t.mm.copyOut(oldAddr, u8, OLD, Sigaction.size) === 0 ? 0 : -EFAULT;
}

function setWord(dv: DataView, at: number, value: number): void {
  dv.setUint32(at, value % 0x100000000, true);
  dv.setUint32(at + 4, Math.floor(value / 0x100000000), true);
}

/** rt_sigprocmask(2). HOT */
export function sysRtSigprocmask(t: Task, a: SyscallArgs): number {
  const setAddr = a.u64(1), oldAddr = a.u64(2), { mm } = t, { blocked } = t.signals;
  if (a.u64(3) !== SIGSET_SIZE) return -EINVAL;
  const oldLo = blocked.lo, oldHi = blocked.hi;
  if (setAddr !== 0) {
    const lo = mm.load32(setAddr), hi = mm.load32(setAddr + 4);
    if (lo < 0 || hi < 0) return -EFAULT;
    switch (a.i32(0)) {
      case SIG_BLOCK:
        setBlocked(t, oldLo | lo, oldHi | hi);
        break;
      case SIG_UNBLOCK:
        setBlocked(t, oldLo & ~lo, oldHi & ~hi);
        break;
      case SIG_SETMASK:
        setBlocked(t, lo, hi);
        break;
      default:
        return -EINVAL;
    }
  }
  if (oldAddr === 0) return 0;
  if (mm.store32(oldAddr, oldLo) !== 0) return -EFAULT;
  return mm.store32(oldAddr + 4, oldHi) === 0 ? 0 : -EFAULT;
}

/** rt_sigpending(2). */
export function sysRtSigpending(t: Task, a: SyscallArgs): number {
  if (a.u64(1) > SIGSET_SIZE) return -EINVAL;
  const own = t.signals.pending.set, shared = t.group.pending.set, { blocked } = t.signals;
  const { u8, dv } = t.kernel.scratch;
  dv.setUint32(0, (own.lo | shared.lo) & blocked.lo, true);
  dv.setUint32(4, (own.hi | shared.hi) & blocked.hi, true);
  return t.mm.copyOut(a.u64(0), u8, 0, a.u64(1)) === 0 ? 0 : -EFAULT;
}

/** sigaltstack(2). */
export function sysSigaltstack(t: Task, a: SyscallArgs): number {
  const newAddr = a.u64(0), oldAddr = a.u64(1), at = StackT.at;
  const { u8, dv } = t.kernel.scratch, { signals } = t;
  if (newAddr !== 0 && t.mm.copyIn(u8, 0, newAddr, StackT.size) !== 0) return -EFAULT;
  const OLD = StackT.size;
  setWord(dv, OLD + at.sp, signals.altBase);
  dv.setUint32(OLD + at.flags, stackFlags(signals, t.ctx.rsp), true);
  dv.setUint32(OLD + at.flags + 4, 0, true);
  setWord(dv, OLD + at.size, signals.altSize);
  if (newAddr !== 0) {
    const size = getReg(dv, at.size);
    const r = setAltStack(
      signals,
      t.ctx.rsp,
      getReg(dv, at.sp),
      dv.getUint32(at.flags, true),
      size,
    );
    if (r !== 0) return r;
  }
  if (oldAddr === 0) return 0;
  return t.mm.copyOut(oldAddr, u8, OLD, StackT.size) === 0 ? 0 : -EFAULT;
}

/** rt_sigreturn(2). */
export function sysRtSigreturn(t: Task): number {
  return sigreturn(t);
}

/**
 * restart_syscall(2): the kernel restarts calls by itself, so a direct call has nothing to restart.
 */
export function sysRestartSyscall(): number {
  return -EINTR;
}
