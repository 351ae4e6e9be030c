/**
 * Settings for worker threads of io_uring (io_uring_register(2)). There are no such threads; their
 * greatest number is kept and shown.
 */

import { RLIMIT_NPROC } from "../../ffi/abi/resource.ts";
import { EFAULT, EINVAL } from "../../ffi/abi/errno.ts";
import type { Task } from "../task/task.ts";
import type { Uring } from "./ring.ts";

const INT_MAX = 0x7fffffff;
/** Worker threads for bounded work per processor (io-wq of Linux). */
const BOUNDED_A_CPU = 4;

/** IORING_REGISTER_IOWQ_AFF. DIFFERS: the mask has no effect, as there are no worker threads. */
export function registerAffinity(t: Task, arg: number, bytes: number): number {
  if (arg === 0 || bytes === 0) return -EINVAL;
  return t.mm.load8(arg) < 0 ? -EFAULT : 0;
}

/**
 * IORING_REGISTER_IOWQ_MAX_WORKERS: sets two numbers, 0 for no change; the former ones are written
 * back.
 */
export function registerMaxWorkers(t: Task, ring: Uring, arg: number, count: number): number {
  if (arg === 0 || count !== 2) return -EINVAL;
  const bounded = t.mm.load32(arg), unbounded = t.mm.load32(arg + 4);
  if (bounded < 0 || unbounded < 0) return -EFAULT;
  if (bounded > INT_MAX || unbounded > INT_MAX) return -EINVAL;
  const most = t.group.limits.get(RLIMIT_NPROC);
  const old = ring.maxWorkers ??= [
    Math.min(ring.sqEntries, BOUNDED_A_CPU * t.kernel.host.cpuCount),
    most > INT_MAX ? 0 : most,
  ];
  ring.maxWorkers = [
    bounded === 0 ? old[0] : Math.min(bounded, most),
    unbounded === 0 ? old[1] : Math.min(unbounded, most),
  ];
  return t.mm.store32(arg, old[0]) < 0 || t.mm.store32(arg + 4, old[1]) < 0 ? -EFAULT : 0;
}
