/**
 * The CPUs that a thread may use, and its present one: sched_setaffinity(2), getcpu(2),
 * sched_yield(2).
 */

import { EFAULT, EINVAL, EPERM, ESRCH } from "../../../ffi/abi/errno.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { affinityOf, allowedCpus } from "../../cgroup/cpuset.ts";
import type { Task } from "../../task/task.ts";
import { isNoStronger, maySetNice, threadOf } from "./policy.ts";

const BYTES_A_WORD = 8;
/** LIMIT: bytes of a mask that are read. */
const MAX_MASK = 8192;

/**
 * sched_setaffinity(2).
 *
 * DIFFERS: the mask is kept and shown, as a cpuset is, but threads run where the host puts them.
 */
export function sysSchedSetaffinity(t: Task, a: SyscallArgs): number {
  const len = Math.min(a.u32(1), MAX_MASK), { u8 } = t.kernel.scratch;
  const { cpuCount } = t.kernel.host;
  u8.fill(0, 0, maskBytes(cpuCount));
  if (t.mm.copyIn(u8, 0, a.u64(2), len) !== 0) return -EFAULT;
  const target = threadOf(t, a.i32(0));
  if (target === null) return -ESRCH;
  if (!maySetNice(t, target) || !isNoStronger(t, target)) return -EPERM;
  const mask = new Uint32Array((cpuCount + 31) >> 5), allowed = allowedCpus(target);
  let isEmpty = true, isPart = false;
  for (let cpu = 0; cpu < cpuCount; cpu++) {
    if (((u8[cpu >> 3]! >> (cpu & 7)) & 1) === 0 || !isIn(allowed, cpu)) {
      isPart = true;
      continue;
    }
    mask[cpu >> 5]! |= 1 << (cpu & 31);
    isEmpty = false;
  }
  if (isEmpty) return -EINVAL;
  if (isPart) t.kernel.memory.hideProcessors();
  target.sched.affinity = mask;
  return 0;
}

/** sched_getaffinity(2): the number of bytes stored. */
export function sysSchedGetaffinity(t: Task, a: SyscallArgs): number {
  const len = a.u32(1), { cpuCount } = t.kernel.host, { u8 } = t.kernel.scratch;
  if (len * 8 >>> 0 < cpuCount || len % BYTES_A_WORD !== 0) return -EINVAL;
  const target = threadOf(t, a.i32(0));
  if (target === null) return -ESRCH;
  const bytes = maskBytes(cpuCount), affinity = affinityOf(target);
  u8.fill(0, 0, bytes);
  for (let cpu = 0; cpu < cpuCount; cpu++) {
    if (isIn(affinity, cpu)) u8[cpu >> 3]! |= 1 << (cpu & 7);
  }
  const n = Math.min(len, bytes);
  return t.mm.copyOut(a.u64(2), u8, 0, n) === 0 ? n : -EFAULT;
}

function isIn(mask: Uint32Array | null, cpu: number): boolean {
  return mask === null || ((mask[cpu >> 5]! >>> (cpu & 31)) & 1) === 1;
}

/** Bytes of the kernel's cpumask, in whole words. */
function maskBytes(cpus: number): number {
  return Math.ceil(cpus / 64) * BYTES_A_WORD;
}

/**
 * The first CPU that the thread may use: the kernel does not know its present one (the vDSO does).
 */
function cpuOf(t: Task): number {
  const affinity = affinityOf(t);
  if (affinity === null) return t.tid % t.kernel.host.cpuCount;
  for (let cpu = 0; cpu < affinity.length * 32; cpu++) {
    if (((affinity[cpu >> 5]! >>> (cpu & 31)) & 1) === 1) return cpu;
  }
  return 0;
}

/** getcpu(2). */
export function sysGetcpu(t: Task, a: SyscallArgs): number {
  if (a.u64(0) !== 0 && t.mm.store32(a.u64(0), cpuOf(t)) !== 0) return -EFAULT;
  return a.u64(1) !== 0 && t.mm.store32(a.u64(1), 0) !== 0 ? -EFAULT : 0;
}

/**
 * sched_yield(2): the host schedules guest threads; the call itself gives other threads a chance.
 */
export function sysSchedYield(): number {
  return 0;
}
