/**
 * The transport of internet packets, which AF_INET and AF_INET6 sockets, rtnetlink and interface
 * ioctls use. There are two: inet/loopback_transport.ts, inside this kernel, and
 * host/host_transport.ts, sockets of the host.
 *
 * A namespace chooses its transport in net_namespace.ts.
 */

import type { NetDevice } from "../core/net_device.ts";
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
  /** Writes the replies of NETLINK_ROUTE to one request: 0 or -errno. */
  answerRoute(request: RouteRequest, out: NetlinkWriter): number;
  /** The links as /proc/net/dev and /sys/class/net show them. */
  devices(): readonly NetDevice[];
  /** The text of a table of /proc/net with its header; null: the kernel makes it itself. */
  table(name: string): string | null;
}
