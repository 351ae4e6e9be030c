/** A network device as /proc/net/dev and sysfs show it; kernel/net lists those of a namespace. */

import type { LinkCounters } from "./link_counters.ts";

export interface NetDevice {
  readonly name: string;
  readonly index: number;
  readonly mtu: number;
  /** "00:00:00:00:00:00" */
  readonly address: string;
  readonly broadcast: string;
  /** ARPHRD_* and IFF_* of netdevice(7). */
  readonly type: number;
  readonly flags: number;
  readonly txQueueLen: number;
  readonly counters: LinkCounters;
}

/** Lists the devices of a network. */
export interface NetDevices {
  list(): readonly NetDevice[];
}
