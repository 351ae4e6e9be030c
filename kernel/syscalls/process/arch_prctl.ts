/**
 * arch_prctl(2): the FS and GS bases, and the vector state that a process may use
 * (arch/x86/xstate.rst of Linux): the default state, as on a processor without AMX. All registers
 * are available (the row says `needsFull`).
 */

import { EINVAL, ENODEV, EOPNOTSUPP, EPERM } from "../../../ffi/abi/errno.ts";
import * as P from "../../../ffi/abi/prctl.ts";
import { FS_BASE, GS_BASE, RAX, type SyscallArgs, USER_END } from "../../../platform/platform.ts";
import { IN_GUEST } from "../../core/result.ts";
import { getReg, setReg } from "../../task/registers.ts";
import type { Task } from "../../task/task.ts";

/** Features on a platform that does not report them. */
const X87_SSE_AVX = 7;
/** Number of the last known feature. */
const XTILE_DATA = 18;

export function sysArchPrctl(t: Task, a: SyscallArgs): number {
  const addr = a.u64(1);
  switch (a.i32(0)) {
    case P.ARCH_SET_FS:
      return setBase(t, FS_BASE, addr);
    case P.ARCH_SET_GS:
      // DIFFERS: a thread starts with a GS base of 0 and cannot set it back to 0.
      if (addr === 0) return 0;
      t.mm.hasOwnGs = true;
      t.mm.setPatching(false); // patched call sites find their slot through the platform's own base
      return setBase(t, GS_BASE, addr);
    case P.ARCH_GET_FS:
      return getBase(t, FS_BASE, addr);
    case P.ARCH_GET_GS:
      return getBase(t, GS_BASE, addr);
    case P.ARCH_GET_CPUID:
      return 1;
    case P.ARCH_SET_CPUID:
      return -ENODEV;
    case P.ARCH_GET_XCOMP_SUPP:
    case P.ARCH_GET_XCOMP_PERM:
    case P.ARCH_GET_XCOMP_GUEST_PERM:
      return t.mm.store64(addr, t.kernel.platform.fpuFeatures ?? X87_SSE_AVX);
    case P.ARCH_REQ_XCOMP_PERM:
    case P.ARCH_REQ_XCOMP_GUEST_PERM:
      return addr > XTILE_DATA ? -EINVAL : -EOPNOTSUPP;
    default:
      return -EINVAL;
  }
}

function setBase(t: Task, at: number, addr: number): number {
  if (addr >= USER_END) return -EPERM;
  const { ctx } = t;
  if (!t.regsFetched) {
    ctx.fetchRegs();
    ctx.fetchFpu();
  }
  setReg(ctx.regs, at, addr);
  setReg(ctx.regs, RAX, 0);
  t.regsFetched = true;
  return IN_GUEST;
}

function getBase(t: Task, at: number, addr: number): number {
  if (!t.regsFetched) t.ctx.fetchRegs();
  return t.mm.store64(addr, getReg(t.ctx.regs, at));
}
