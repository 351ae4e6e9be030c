/** The interface by which /sys sees the rest of the kernel. kernel/proc implements it. */

import type { Host } from "../../core/host.ts";
import type { NetDevices } from "../../core/net_device.ts";
import type { Vfs } from "../../vfs/vfs.ts";

export interface SysSource {
  readonly host: Host;
  readonly vfs: Vfs;
  /** The network of the caller. */
  readonly net: { readonly devices: NetDevices };
  /** Reserved memory; the total is `host.memoryBytes`. */
  machine(): { readonly usedBytes: number };
}
