/** Waiting for signals: rt_sigsuspend(2), pause(2), rt_sigtimedwait(2). */

import { EAGAIN, EFAULT, EINVAL } from "../../../ffi/abi/errno.ts";
import { SI_MAX_SIZE } from "../../../ffi/abi/siginfo.ts";
import { SIGSET_SIZE } from "../../../ffi/abi/signal.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { dequeueFrom } from "../dequeue.ts";
import { useTemporaryMask } from "../mask.ts";
import { SigSet, UNBLOCKABLE_LO } from "../sigset.ts";
import { writeSigInfo } from "../siginfo.ts";
import type { Task } from "../../task/task.ts";
import { readTimeout } from "../../syscalls/timespec.ts";

const wanted = new SigSet();

/** pause(2). */
export function sysPause(t: Task): number {
  return t.waitUntil(Infinity);
}

/** rt_sigsuspend(2): the old mask is restored after the handler ran. */
export function sysRtSigsuspend(t: Task, a: SyscallArgs): number {
  if (a.u64(1) !== SIGSET_SIZE) return -EINVAL;
  if (!t.signals.hasSaved) {
    const lo = t.mm.load32(a.u64(0)), hi = t.mm.load32(a.u64(0) + 4);
    if (lo < 0 || hi < 0) return -EFAULT;
    useTemporaryMask(t, lo, hi);
  }
  return t.waitUntil(Infinity);
}

/** rt_sigtimedwait(2). */
export function sysRtSigtimedwait(t: Task, a: SyscallArgs): number {
  if (a.u64(3) !== SIGSET_SIZE) return -EINVAL;
  const lo = t.mm.load32(a.u64(0)), hi = t.mm.load32(a.u64(0) + 4), { progress, signals } = t;
  if (lo < 0 || hi < 0) return -EFAULT;
  if (progress.deadlineNs < 0) {
    const r = readTimeout(t, a.u64(2));
    if (r !== 0) return r;
  }
  signals.waiting.set(0, 0);
  wanted.set(lo & ~UNBLOCKABLE_LO, hi);
  const info = dequeueFrom(t, wanted);
  if (info !== null) {
    const { u8, dv } = t.kernel.scratch;
    if (a.u64(1) === 0) return info.signo;
    u8.fill(0, 0, SI_MAX_SIZE);
    writeSigInfo(dv, 0, info);
    return t.mm.copyOut(a.u64(1), u8, 0, SI_MAX_SIZE) === 0 ? info.signo : -EFAULT;
  }
  if (t.kernel.now() >= progress.deadlineNs) return -EAGAIN;
  const r = t.waitUntil(progress.deadlineNs);
  if (!t.interrupted) signals.waiting.copy(wanted);
  return r;
}
