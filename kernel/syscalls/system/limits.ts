/** Limits and resource use of processes: getrlimit(2), prlimit(2), getrusage(2), times(2). */

import { CAP_SYS_RESOURCE } from "../../../ffi/abi/capability.ts";
import { EFAULT, EINVAL, EPERM, ESRCH } from "../../../ffi/abi/errno.ts";
import {
  RLIM_INFINITY,
  RLIM_NLIMITS,
  Rlimit,
  RLIMIT_CPU,
  RLIMIT_NOFILE,
  Rusage,
  RUSAGE_CHILDREN,
  RUSAGE_SELF,
  RUSAGE_THREAD,
} from "../../../ffi/abi/resource.ts";
import { Tms, USER_HZ } from "../../../ffi/abi/time.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { hasCap, hasCapIn } from "../../cred/credentials.ts";
import { groupSystemNs, groupUserNs, threadUserNs } from "../../task/cpu_clock.ts";
import { applyMemoryLimits } from "../../task/memory_limits.ts";
import { getReg } from "../../task/registers.ts";
import type { Task } from "../../task/task.ts";
import type { ThreadGroup } from "../../task/thread_group.ts";
import { Usage } from "../../task/thread_group.ts";
import { ownUsage } from "../../task/wait.ts";
import { NR_OPEN } from "../../vfs/fd_table.ts";
import { fillRusage } from "../rusage.ts";

const TICK_NS = 1e9 / USER_HZ;
const usage = new Usage();

export function sysGetrlimit(t: Task, a: SyscallArgs): number {
  const which = a.u32(0);
  return which >= RLIM_NLIMITS ? -EINVAL : storeLimit(t, a.u64(1), t.group, which);
}

export function sysSetrlimit(t: Task, a: SyscallArgs): number {
  const { u8, dv } = t.kernel.scratch;
  if (t.mm.copyIn(u8, 0, a.u64(1), Rlimit.size) !== 0) return -EFAULT;
  const which = a.u32(0);
  return which >= RLIM_NLIMITS ? -EINVAL : changeLimit(t, t.group, which, dv);
}

/** prlimit64(2). */
export function sysPrlimit64(t: Task, a: SyscallArgs): number {
  const pid = a.i32(0), which = a.u32(1), newAddr = a.u64(2), oldAddr = a.u64(3);
  const { u8, dv } = t.kernel.scratch;
  if (newAddr !== 0 && t.mm.copyIn(u8, 0, newAddr, Rlimit.size) !== 0) return -EFAULT;
  const target = pid === 0 ? t : t.pids.taskOf(pid);
  if (target === null) return -ESRCH;
  if (!mayLimit(t, target)) return -EPERM;
  if (which >= RLIM_NLIMITS) return -EINVAL;
  const limits = target.group.limits;
  const soft = limits.soft[which]!, hard = limits.hard[which]!;
  if (newAddr !== 0) {
    const r = changeLimit(t, target.group, which, dv);
    if (r !== 0) return r;
  }
  return oldAddr === 0 ? 0 : storePair(t, oldAddr, soft, hard);
}

/** The caller's real ids equal all ids of the target, or it has CAP_SYS_RESOURCE. */
function mayLimit(t: Task, target: Task): boolean {
  if (t === target || hasCapIn(t.cred, target.cred.userNs, CAP_SYS_RESOURCE)) {
    return true;
  }
  const { uid, gid } = t.cred, to = target.cred;
  return uid === to.euid && uid === to.suid && uid === to.uid &&
    gid === to.egid && gid === to.sgid && gid === to.gid;
}

/** Applies the new limits in the scratch buffer. */
function changeLimit(t: Task, group: ThreadGroup, which: number, dv: DataView): number {
  const soft = fromWire(getReg(dv, Rlimit.at.cur)), hard = fromWire(getReg(dv, Rlimit.at.max));
  if (soft > hard) return -EINVAL;
  if (which === RLIMIT_NOFILE && hard > NR_OPEN) return -EPERM;
  const { limits } = group;
  if (hard > limits.hard[which]! && !hasCap(t.cred, CAP_SYS_RESOURCE)) return -EPERM;
  limits.set(which, soft, hard);
  if (which === RLIMIT_CPU) {
    group.timers.refreshCpuLimit(group, t.kernel.timers, t.kernel.now());
  }
  for (const x of group.tasks) applyMemoryLimits(x.mm, limits);
  return 0;
}

function fromWire(value: number): number {
  return value >= RLIM_INFINITY ? Infinity : value;
}

function storeLimit(t: Task, addr: number, group: ThreadGroup, which: number): number {
  return storePair(t, addr, group.limits.soft[which]!, group.limits.hard[which]!);
}

function storePair(t: Task, addr: number, soft: number, hard: number): number {
  const { u8, dv } = t.kernel.scratch;
  putLimit(dv, Rlimit.at.cur, soft);
  putLimit(dv, Rlimit.at.max, hard);
  return t.mm.copyOut(addr, u8, 0, Rlimit.size) === 0 ? 0 : -EFAULT;
}

function putLimit(dv: DataView, at: number, value: number): void {
  const isInfinite = value === Infinity;
  dv.setUint32(at, isInfinite ? 0xffffffff : value % 0x100000000, true);
  dv.setUint32(at + 4, isInfinite ? 0xffffffff : Math.floor(value / 0x100000000), true);
}

export function sysGetrusage(t: Task, a: SyscallArgs): number {
  switch (a.i32(0)) {
    case RUSAGE_SELF:
      ownUsage(t.group, usage);
      break;
    case RUSAGE_CHILDREN:
      usage.clear();
      usage.add(t.group.childUsage);
      break;
    case RUSAGE_THREAD:
      ownUsage(t.group, usage);
      usage.userNs = threadUserNs(t);
      usage.systemNs = t.systemNs;
      usage.voluntarySwitches = t.blockCount;
      usage.transfers.clear();
      usage.transfers.add(t.transfers);
      break;
    default:
      return -EINVAL;
  }
  const { scratch } = t.kernel;
  fillRusage(scratch, usage);
  return t.mm.copyOut(a.u64(1), scratch.u8, 0, Rusage.size) === 0 ? 0 : -EFAULT;
}

/** times(2): the result is the time since the sandbox started, in clock ticks. */
export function sysTimes(t: Task, a: SyscallArgs): number {
  const { scratch } = t.kernel, { group } = t, at = Tms.at;
  if (a.u64(0) !== 0) {
    scratch.setU53(at.utime, Math.floor(groupUserNs(group) / TICK_NS));
    scratch.setU53(at.stime, Math.floor(groupSystemNs(group) / TICK_NS));
    scratch.setU53(at.cutime, Math.floor(group.childUsage.userNs / TICK_NS));
    scratch.setU53(at.cstime, Math.floor(group.childUsage.systemNs / TICK_NS));
    if (t.mm.copyOut(a.u64(0), scratch.u8, 0, Tms.size) !== 0) return -EFAULT;
  }
  return Math.floor(t.kernel.now() / TICK_NS);
}
