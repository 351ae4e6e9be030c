/** The transport that is always there: `lo`, and links between the guest's own namespaces, wholly in this kernel (inet/). */

import { IFF_RUNNING } from "../../../ffi/abi/inet.ts";
import type { NetDevice } from "../../proc/fs/net_tables.ts";
import type { UserMemory } from "../../mm/user_memory.ts";
import { createLoopbackSocket, InetPorts } from "./inet_ports.ts";
import { interfaceIoctl } from "../link/interface_ioctls.ts";
import type { SocketCaller } from "../message.ts";
import type { NetNamespace } from "../net_namespace.ts";
import type { RouteRequest } from "../netlink/request.ts";
import { answerRoute } from "../netlink/route.ts";
import type { NetlinkWriter } from "../netlink/writer.ts";
import type { Socket } from "../socket.ts";
import { countersOf, trafficTable } from "../traffic/tables.ts";
import type { Transport } from "../transport.ts";

export class LoopbackTransport implements Transport {
  readonly name = "loopback";
  private readonly net: NetNamespace;
  private readonly ports: InetPorts;

  constructor(net: NetNamespace) {
    this.net = net;
    this.ports = new InetPorts(net);
    net.inet = this.ports;
  }

  createSocket(
    caller: SocketCaller,
    family: number,
    type: number,
    protocol: number,
  ): Socket | number {
    return createLoopbackSocket(this.net, this.ports, caller, family, type, protocol);
  }
  interfaceIoctl(
    request: number,
    arg: number,
    user: UserMemory,
    caller: SocketCaller | null,
  ): number {
    return interfaceIoctl(this.net, request, arg, user, caller);
  }
  answerRoute(request: RouteRequest, out: NetlinkWriter): number {
    return answerRoute(request, out);
  }
  devices(): readonly NetDevice[] {
    return this.net.links.links.map((link) => ({
      name: link.name,
      index: link.index,
      mtu: link.mtu,
      address: macText(link.mac),
      broadcast: macText(link.broadcastMac),
      type: link.type,
      flags: link.flags & ~IFF_RUNNING,
      txQueueLen: link.txQueueLength,
      counters: countersOf(link),
    }));
  }
  table(name: string): string | null {
    return trafficTable(this.net, name);
  }
}

function macText(mac: string): string {
  return Array.from(mac, (c) => c.charCodeAt(0).toString(16).padStart(2, "0")).join(":");
}
