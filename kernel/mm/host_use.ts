/**
 * What the host's processors spent on the process behind a space. Its guest had no more: on a busy host, or below a limit
 * of the host's, most of the time goes by without it. It may have had less, since threads also wait awake for the kernel.
 */

import type { AddressSpace } from "../../platform/platform.ts";
import type { Host } from "../core/host.ts";

export class HostUse {
  /** CPU time that nobody was charged for, ns. Negative: estimates since the last look were too high, or are not seen yet. */
  leftNs: number = 0;
  private cpuNs: number = 0;
  private lookedAtNs: number = -Infinity;

  /** Looks at the host's clock if that was not done within `ageNs`; false when the host does not tell. */
  look(host: Host, space: AddressSpace, nowNs: number, ageNs: number): boolean {
    if (nowNs - this.lookedAtNs < ageNs) return true;
    const cpuNs = space.hostPid > 0 ? host.processCpuNs(space.hostPid) : -1;
    if (cpuNs < 0) return false;
    this.leftNs = Math.max(0, this.leftNs + cpuNs - this.cpuNs);
    this.cpuNs = cpuNs;
    this.lookedAtNs = nowNs;
    return true;
  }
}
