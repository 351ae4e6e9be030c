/** The interface by which /sys sees the rest of the kernel. kernel/proc implements it. */

import type { Host } from "../../core/host.ts";
import type { NetDevices } from "../../core/net_device.ts";

export interface SysSource {
  readonly host: Host;
  /** The network of the caller. */
  readonly net: { readonly devices: NetDevices };
  /** Reserved memory; the total is `host.memoryBytes`. */
  machine(): { readonly usedBytes: number };
}
