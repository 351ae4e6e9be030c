/**
 * What the kernel keeps of the limits of a container's control group in `config.json` and of
 * `dvisor update`: tasks, and its part of the kernel's turns. Memory and processor time:
 * guest_container.ts, and the host.
 */

import type { CgroupLimits } from "../../../kernel/cgroup/fs/limits.ts";
import type { Container } from "../../../kernel/task/container.ts";

/**
 * Host threads that the group of a container has at least, and that its sandbox takes of them:
 * container/create.ts.
 */
const HOST_PIDS_MIN = 64, HOST_THREADS = 24;

/** @param hasHostThreads each task of the container is a thread of the host */
export function keepLimits(
  container: Container,
  { pidsMax, cpuWeight }: CgroupLimits,
  hasHostThreads: boolean,
): void {
  container.turnWeight = cpuWeight;
  container.tasksMax = pidsMax;
  if (hasHostThreads) container.hostThreadsMax = Math.max(pidsMax, HOST_PIDS_MIN) - HOST_THREADS;
}
