/**
 * What carries internet packets: the one thing that AF_INET and AF_INET6 sockets, rtnetlink and questions about
 * interfaces ask. Two exist: net/inet/loopback_transport.ts, wholly in this kernel, and host/host_transport.ts, sockets of the
 * host. A packet stack on links of its own would be the third.
 *
 * Not here: sockets of other families, and which transport a namespace gets (net_namespace.ts).
 */

import type { NetDevice } from "../proc/fs/net_tables.ts";
import type { UserMemory } from "../mm/user_memory.ts";
import type { SocketCaller } from "./message.ts";
import type { RouteRequest } from "./netlink/request.ts";
import type { NetlinkWriter } from "./netlink/writer.ts";
import type { Socket } from "./socket.ts";

export interface Transport {
  readonly name: "loopback" | "host";
  /** socket(2) of AF_INET or AF_INET6; `type` is without flags. */
  createSocket(
    caller: SocketCaller,
    family: number,
    type: number,
    protocol: number,
  ): Socket | number;
  /** An ioctl about interfaces (netdevice(7)): its result, or -ENOTTY when it is none. */
  interfaceIoctl(
    request: number,
    arg: number,
    user: UserMemory,
    caller: SocketCaller | null,
  ): number;
  /** Writes the answers of NETLINK_ROUTE to one request: 0 or -errno. */
  answerRoute(request: RouteRequest, out: NetlinkWriter): number;
  /** The links, for /proc/net/dev and /sys/class/net. */
  devices(): readonly NetDevice[];
  /** The whole text of a table of /proc/net, its header included; null: the kernel's own. */
  table(name: string): string | null;
}
