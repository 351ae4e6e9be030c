/**
 * The limits of a container's control group that the kernel keeps, from `config.json` and `dvisor
 * update`: the number of tasks, and the container's share of the kernel's turns. For memory and
 * processor time see guest_container.ts.
 */

import type { CgroupLimits } from "../../../kernel/cgroup/fs/limits.ts";
import type { Container } from "../../../kernel/task/container.ts";

/**
 * The fewest host threads that a container's group permits, and those that its sandbox uses of
 * them: container/create.ts.
 */
const HOST_PIDS_MIN = 64, HOST_THREADS = 24;

/** @param hasHostThreads whether each task of the container is a thread of the host */
export function keepLimits(
  container: Container,
  { pidsMax, cpuWeight }: CgroupLimits,
  hasHostThreads: boolean,
): void {
  container.turnWeight = cpuWeight;
  container.tasksMax = pidsMax;
  if (hasHostThreads) container.hostThreadsMax = Math.max(pidsMax, HOST_PIDS_MIN) - HOST_THREADS;
}
