/**
 * The host's CPU time of the process behind a space, an upper bound for the time of its guest
 * threads: on a busy host or below a host limit, wall time is much longer. The guest may have used
 * less, because its threads also spin for replies. kernel/task/cpu_clock.ts limits charges by it.
 */

import type { AddressSpace } from "../../platform/platform.ts";
import type { Host } from "../core/host.ts";

export class HostUse {
  /**
   * CPU time that no task was charged for, ns. Negative: estimates since the last look were too
   * high, or the host's clock does not show them yet.
   */
  leftNs: number = 0;
  private cpuNs: number = 0;
  private lookedAtNs: number = -Infinity;

  /**
   * Reads the host's clock, unless it was read within `ageNs`. False when the host has no number.
   */
  readCpu(host: Host, space: AddressSpace, nowNs: number, ageNs: number): boolean {
    if (nowNs - this.lookedAtNs < ageNs) return true;
    const cpuNs = space.hostPid > 0 ? host.processCpuNs(space.hostPid) : -1;
    if (cpuNs < 0) return false;
    this.leftNs = Math.max(0, this.leftNs + cpuNs - this.cpuNs);
    this.cpuNs = cpuNs;
    this.lookedAtNs = nowNs;
    return true;
  }
}
