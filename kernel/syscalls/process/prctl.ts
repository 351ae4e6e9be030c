/**
 * prctl(2): attributes of the calling thread and its process. Capabilities are in prctl_caps.ts,
 * addresses of the program in prctl_mm.ts.
 */

import { EFAULT, EINVAL, ENODEV, EPERM } from "../../../ffi/abi/errno.ts";
import * as P from "../../../ffi/abi/prctl.ts";
import { SIGRTMAX } from "../../../ffi/abi/signal.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { tellName } from "../../task/process_events.ts";
import { hasCap } from "../../cred/credentials.ts";
import type { Task } from "../../task/task.ts";
import { changeUserDispatch } from "../../task/user_dispatch.ts";
import {
  changeAmbient,
  dropBounding,
  isBounding,
  setKeepCaps,
  setSecurebits,
} from "./prctl_caps.ts";
import { setProgramAddress } from "./prctl_mm.ts";
import { setArea } from "./prctl_vma.ts";
import { setSeccomp } from "../../seccomp/calls/seccomp.ts";
import { CAP_SYS_RESOURCE, SECBIT_KEEP_CAPS } from "../../../ffi/abi/capability.ts";

/** Bytes of saved_auxv, which is longer than its content: AT_VECTOR_SIZE. */
const AUXV_BYTES = 56 * 8;

/** prctl(2). Unknown operations are EINVAL, and so are reserved arguments that are not 0. */
export function sysPrctl(t: Task, a: SyscallArgs): number {
  const op = a.i32(0), arg = a.u64(1);
  switch (op) {
    case P.PR_SET_PDEATHSIG:
      if (arg > SIGRTMAX) return -EINVAL;
      t.parentDeathSignal = arg;
      return 0;
    case P.PR_GET_PDEATHSIG:
      return t.mm.store32(arg, t.parentDeathSignal);
    case P.PR_GET_DUMPABLE:
      return t.mm.isDumpable ? P.SUID_DUMP_USER : P.SUID_DUMP_DISABLE;
    case P.PR_SET_DUMPABLE:
      if (arg !== P.SUID_DUMP_DISABLE && arg !== P.SUID_DUMP_USER) return -EINVAL;
      t.mm.isDumpable = arg === P.SUID_DUMP_USER;
      return 0;
    case P.PR_SET_NAME:
      return setName(t, arg);
    case P.PR_GET_NAME:
      return getName(t, arg);
    case P.PR_GET_TIMING:
      return 0;
    case P.PR_SET_TIMING:
      return arg === 0 ? 0 : -EINVAL;
    case P.PR_GET_TSC:
      return t.mm.store32(arg, P.PR_TSC_ENABLE);
    case P.PR_SET_TSC:
      // DIFFERS: PR_TSC_SIGSEGV is refused.
      return arg === P.PR_TSC_ENABLE ? 0 : -EINVAL;
    case P.PR_SET_TIMERSLACK:
      t.sched.setTimerSlack(arg);
      return 0;
    case P.PR_GET_TIMERSLACK:
      return t.sched.timerSlackNs;
    case P.PR_SET_CHILD_SUBREAPER:
      t.group.isSubreaper = arg !== 0;
      return 0;
    case P.PR_GET_CHILD_SUBREAPER:
      return t.mm.store32(arg, t.group.isSubreaper ? 1 : 0);
    case P.PR_GET_TID_ADDRESS:
      return t.mm.store64(arg, t.clearChildTid);
    case P.PR_SET_MM:
      return setProgramAddress(t, a);
    case P.PR_SET_VMA:
      return setArea(t, a);
    case P.PR_SET_SYSCALL_USER_DISPATCH:
      return dispatchCalls(t, a);
    case P.PR_GET_SECCOMP:
      return t.seccompMode;
    case P.PR_SET_SECCOMP:
      return setSeccomp(t, arg, a.u64(2));
    default:
      return capabilityCalls(t, a, op, arg);
  }
}

function dispatchCalls(t: Task, a: SyscallArgs): number {
  return changeUserDispatch(t, a.u64(1), a.u64(2), a.u64(3), a.u64(4));
}

function capabilityCalls(t: Task, a: SyscallArgs, op: number, arg: number): number {
  switch (op) {
    case P.PR_GET_KEEPCAPS:
      return (t.cred.securebits & SECBIT_KEEP_CAPS) !== 0 ? 1 : 0;
    case P.PR_SET_KEEPCAPS:
      return setKeepCaps(t, arg);
    case P.PR_CAPBSET_READ:
      return isBounding(t, arg);
    case P.PR_CAPBSET_DROP:
      return dropBounding(t, arg);
    case P.PR_GET_SECUREBITS:
      return t.cred.securebits;
    case P.PR_SET_SECUREBITS:
      return setSecurebits(t, arg);
    case P.PR_CAP_AMBIENT:
      return changeAmbient(t, a);
    case P.PR_SET_NO_NEW_PRIVS:
      if (arg !== 1 || !restIsZero(a, 2)) return -EINVAL;
      t.cred = { ...t.cred, noNewPrivs: true };
      return 0;
    case P.PR_GET_NO_NEW_PRIVS:
      return !restIsZero(a, 1) ? -EINVAL : t.cred.noNewPrivs ? 1 : 0;
    default:
      return rareCalls(t, a, op, arg);
  }
}

/** Operations that few programs use. */
function rareCalls(t: Task, a: SyscallArgs, op: number, arg: number): number {
  switch (op) {
    case P.PR_MCE_KILL:
      return restIsZero(a, 3) ? setMemoryErrorPolicy(t, arg, a.u64(2)) : -EINVAL;
    case P.PR_MCE_KILL_GET:
      return restIsZero(a, 1) ? t.memoryErrorPolicy : -EINVAL;
    case P.PR_GET_THP_DISABLE:
      return restIsZero(a, 1) ? +t.mm.isHugeDisabled : -EINVAL;
    case P.PR_SET_THP_DISABLE:
      if (!restIsZero(a, 2)) return -EINVAL;
      t.mm.isHugeDisabled = arg !== 0;
      return 0;
    case P.PR_GET_SPECULATION_CTRL:
      return restIsZero(a, 2) ? -ENODEV : -EINVAL;
    case P.PR_SET_SPECULATION_CTRL:
      return restIsZero(a, 3) ? -ENODEV : -EINVAL;
    case P.PR_GET_IO_FLUSHER:
      if (!hasCap(t.cred, CAP_SYS_RESOURCE)) return -EPERM;
      return restIsZero(a, 1) ? +t.isIoFlusher : -EINVAL;
    case P.PR_SET_IO_FLUSHER:
      if (!hasCap(t.cred, CAP_SYS_RESOURCE)) return -EPERM;
      if (!restIsZero(a, 2) || arg > 1) return -EINVAL;
      t.isIoFlusher = arg === 1;
      return 0;
    case P.PR_SET_MDWE:
      return restIsZero(a, 2) ? setWriteOrExec(t, arg) : -EINVAL;
    case P.PR_GET_MDWE:
      return restIsZero(a, 1) ? t.mm.writeOrExec : -EINVAL;
    case P.PR_GET_AUXV:
      return a.u64(3) === 0 && a.u64(4) === 0 ? getAuxv(t, arg, a.u64(2)) : -EINVAL;
    case P.PR_TASK_PERF_EVENTS_DISABLE:
    case P.PR_TASK_PERF_EVENTS_ENABLE:
      return 0;
    default:
      return -EINVAL;
  }
}

/** PR_MCE_KILL: early, late, or the system's default. */
function setMemoryErrorPolicy(t: Task, what: number, policy: number): number {
  if (what === P.PR_MCE_KILL_CLEAR) {
    if (policy !== 0) return -EINVAL;
    t.memoryErrorPolicy = P.PR_MCE_KILL_DEFAULT;
    return 0;
  }
  if (what !== P.PR_MCE_KILL_SET || policy > P.PR_MCE_KILL_DEFAULT) return -EINVAL;
  t.memoryErrorPolicy = policy;
  return 0;
}

/** PR_SET_MDWE: bits can only be added. */
function setWriteOrExec(t: Task, bits: number): number {
  const known = P.PR_MDWE_REFUSE_EXEC_GAIN | P.PR_MDWE_NO_INHERIT, { mm } = t;
  if (bits > known || bits === P.PR_MDWE_NO_INHERIT) return -EINVAL;
  if (mm.writeOrExec !== 0 && mm.writeOrExec !== bits) return -EPERM;
  mm.writeOrExec = bits;
  return 0;
}

/** PR_GET_AUXV: copies as much of the auxiliary vector as fits; returns its whole size. */
function getAuxv(t: Task, addr: number, len: number): number {
  const { auxv } = t.mm.program, whole = new Uint8Array(AUXV_BYTES);
  whole.set(auxv.subarray(0, AUXV_BYTES));
  const n = Math.min(len, AUXV_BYTES);
  return t.mm.copyOut(addr, whole, 0, n) === 0 ? AUXV_BYTES : -EFAULT;
}

function restIsZero(a: SyscallArgs, from: number): boolean {
  for (let i = from; i < 5; i++) if (a.u64(i) !== 0) return false;
  return true;
}

function setName(t: Task, addr: number): number {
  const { u8 } = t.kernel.scratch;
  let name = "";
  for (let i = 0; i < P.TASK_COMM_LEN - 1; i++) {
    if (t.mm.copyIn(u8, 0, addr + i, 1) !== 0) return -EFAULT;
    if (u8[0] === 0) break;
    name += String.fromCharCode(u8[0]!);
  }
  t.comm = name;
  tellName(t);
  return 0;
}

function getName(t: Task, addr: number): number {
  const { u8 } = t.kernel.scratch;
  u8.fill(0, 0, P.TASK_COMM_LEN);
  for (let i = 0; i < t.comm.length; i++) u8[i] = t.comm.charCodeAt(i);
  return t.mm.copyOut(addr, u8, 0, P.TASK_COMM_LEN);
}
