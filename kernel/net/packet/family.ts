/**
 * The address family AF_PACKET (packet(7)), which needs CAP_NET_RAW. DIFFERS: no SOCK_PACKET, which
 * Linux 2.2 replaced.
 */

import { EAFNOSUPPORT, EOPNOTSUPP, EPERM, ESOCKTNOSUPPORT } from "../../../ffi/abi/errno.ts";
import { CAP_NET_RAW } from "../../../ffi/abi/capability.ts";
import { SOCK_DGRAM, SOCK_RAW } from "../../../ffi/abi/socket.ts";
import type { SocketCaller } from "../message.ts";
import type { NetNamespace, SocketFamily } from "../net_namespace.ts";
import type { Socket } from "../socket.ts";
import { PacketSocket } from "./packet_socket.ts";

export class PacketFamily implements SocketFamily {
  private readonly net: NetNamespace;

  constructor(net: NetNamespace) {
    this.net = net;
  }

  create(caller: SocketCaller, type: number, protocol: number): Socket | number {
    // DIFFERS: links of the host cannot be watched; the error is that of a kernel without packet
    // sockets.
    if (this.net.transport.name === "host") return -EAFNOSUPPORT;
    if (!this.net.isCapable(caller.cred, CAP_NET_RAW)) return -EPERM;
    if (type !== SOCK_RAW && type !== SOCK_DGRAM) return -ESOCKTNOSUPPORT;
    return new PacketSocket(caller.account, this.net, type, protocol & 0xffff, caller.cred.fsuid);
  }

  createPair(): number {
    return -EOPNOTSUPP;
  }
}
