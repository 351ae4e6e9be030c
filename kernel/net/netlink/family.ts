/** The address family AF_NETLINK. */

import { EOPNOTSUPP, EPROTONOSUPPORT, ESOCKTNOSUPPORT } from "../../../ffi/abi/errno.ts";
import { SOCK_DGRAM, SOCK_RAW } from "../../../ffi/abi/socket.ts";
import type { SocketCaller } from "../message.ts";
import type { NetNamespace, SocketFamily } from "../net_namespace.ts";
import type { Socket } from "../socket.ts";
import { NetlinkSocket } from "./netlink_socket.ts";

export class NetlinkFamily implements SocketFamily {
  private readonly net: NetNamespace;

  constructor(net: NetNamespace) {
    this.net = net;
  }

  create(caller: SocketCaller, type: number, protocol: number): Socket | number {
    if (type !== SOCK_RAW && type !== SOCK_DGRAM) return -ESOCKTNOSUPPORT;
    const found = this.net.netlink.get(protocol);
    return found === undefined
      ? -EPROTONOSUPPORT
      : new NetlinkSocket(caller.account, this.net, found, type);
  }

  createPair(): number {
    return -EOPNOTSUPP;
  }
}
