/** AF_NETLINK as a family. */

import { EOPNOTSUPP, EPROTONOSUPPORT, ESOCKTNOSUPPORT } from "../../../ffi/abi/errno.ts";
import {
  NETLINK_KOBJECT_UEVENT,
  NETLINK_ROUTE,
  NETLINK_SOCK_DIAG,
} from "../../../ffi/abi/netlink.ts";
import { SOCK_DGRAM, SOCK_RAW } from "../../../ffi/abi/socket.ts";
import type { SocketCaller } from "../message.ts";
import type { NetNamespace, SocketFamily } from "../net_namespace.ts";
import type { Socket } from "../socket.ts";
import { NetlinkSocket } from "./netlink_socket.ts";
import { PortIds } from "./port_ids.ts";

export class NetlinkFamily implements SocketFamily {
  private readonly net: NetNamespace;
  private readonly ids: ReadonlyMap<number, PortIds> = new Map([
    [NETLINK_ROUTE, new PortIds()],
    [NETLINK_SOCK_DIAG, new PortIds()],
    [NETLINK_KOBJECT_UEVENT, new PortIds()],
  ]);

  constructor(net: NetNamespace) {
    this.net = net;
  }

  create(_caller: SocketCaller, type: number, protocol: number): Socket | number {
    if (type !== SOCK_RAW && type !== SOCK_DGRAM) return -ESOCKTNOSUPPORT;
    const ids = this.ids.get(protocol);
    return ids === undefined ? -EPROTONOSUPPORT : new NetlinkSocket(this.net, ids, type, protocol);
  }

  createPair(): number {
    return -EOPNOTSUPP;
  }
}
