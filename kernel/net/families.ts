/**
 * Registers the address families of a network namespace, and its transports for internet packets.
 */

import { EOPNOTSUPP } from "../../ffi/abi/errno.ts";
import { AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_UNIX } from "../../ffi/abi/socket.ts";
import { HostTransport } from "./host/host_transport.ts";
import { LoopbackTransport } from "./inet/loopback_transport.ts";
import type { SocketCaller } from "./message.ts";
import { NetlinkFamily } from "./netlink/family.ts";
import type { NetNamespace, SocketFamily } from "./net_namespace.ts";
import { PacketFamily } from "./packet/family.ts";
import type { Socket } from "./socket.ts";
import { UnixFamily } from "./unix/family.ts";

/** Registers the families and transports of a new namespace. */
export function registerFamilies(net: NetNamespace): void {
  net.offer(new LoopbackTransport(net));
  if (net.network !== null) net.offer(new HostTransport(net, net.network));
  net.register(AF_UNIX, new UnixFamily(net));
  net.register(AF_INET, new InetFamily(net, AF_INET));
  net.register(AF_INET6, new InetFamily(net, AF_INET6));
  net.register(AF_NETLINK, new NetlinkFamily(net));
  net.register(AF_PACKET, new PacketFamily(net));
}

export class InetFamily implements SocketFamily {
  private readonly net: NetNamespace;
  private readonly family: number;

  constructor(net: NetNamespace, family: number) {
    this.net = net;
    this.family = family;
  }

  create(caller: SocketCaller, type: number, protocol: number): Socket | number {
    return this.net.transport.createSocket(caller, this.family, type, protocol);
  }
  createPair(): number {
    return -EOPNOTSUPP;
  }
}
