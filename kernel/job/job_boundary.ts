/**
 * What a job's processes may not do to others: control them. A debugger could run its code in a
 * process outside, which the limits of the job do not reach.
 *
 * DIFFERS from Linux, which has no jobs: ptrace(2) attaching, process_vm_readv(2) and
 * /proc/PID/mem fail with EPERM and EACCES. Without jobs, and for a job without limits, such as an
 * interactive shell with gdb(1), nothing differs.
 */

import type { Job, JobLimits } from "./job.ts";

/** Whether a task of `from` may not control a task of `to`; null: no job. */
export function isOutOfReach(from: Job | null, to: Job | null): boolean {
  return from !== null && from !== to && isLimited(from.limits);
}

function isLimited({ wallNs, cpuNs, memoryBytes, tasks, cpus }: JobLimits): boolean {
  return Math.min(wallNs, cpuNs, memoryBytes, tasks, cpus) < Infinity;
}
