/** Limits of all guests that the kernel of a sandbox keeps, without control groups of the host. */

import type { Container } from "../../../kernel/task/container.ts";
import type { GuestLimits } from "../../protocol/boot_spec.ts";

/** The period of a limit of processor time, us. */
const PERIOD_US = 100_000;

/** @param own tasks of the sandbox itself, which do not count */
export function limitGuests(
  container: Container,
  limits: GuestLimits | undefined,
  own: number = 0,
): void {
  if (limits === undefined) return;
  const { tasks, cpus } = limits;
  container.tasksMax = (tasks ?? Infinity) + own;
  const { unified } = container.ns.cgroup.roots;
  if (cpus !== null) unified.cpu.setQuota(Math.round(cpus * PERIOD_US), PERIOD_US);
}
