/** AF_PACKET as a family (packet(7)): for CAP_NET_RAW. DIFFERS: no SOCK_PACKET, which was old when Linux 2.2 came. */

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
    // DIFFERS: links of the host cannot be watched; as a kernel without packet sockets says.
    if (this.net.transport.name === "host") return -EAFNOSUPPORT;
    if (!this.net.isCapable(caller.cred, CAP_NET_RAW)) return -EPERM;
    if (type !== SOCK_RAW && type !== SOCK_DGRAM) return -ESOCKTNOSUPPORT;
    return new PacketSocket(this.net, type, protocol & 0xffff, caller.cred.fsuid);
  }

  createPair(): number {
    return -EOPNOTSUPP;
  }
}
