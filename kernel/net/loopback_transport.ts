/** The transport that is always there: one loopback interface, wholly in this kernel (inet/). */

import type { NetDevice } from "../fs/procfs/net_tables.ts";
import { ARPHRD_LOOPBACK, IFF_LOOPBACK, IFF_UP } from "../../ffi/abi/inet.ts";
import type { UserMemory } from "../mm/user_memory.ts";
import { createLoopbackSocket, InetPorts } from "./inet/create.ts";
import { interfaceIoctl } from "./interfaces.ts";
import type { SocketCaller } from "./message.ts";
import type { NetNamespace } from "./net_namespace.ts";
import type { RouteRequest } from "./netlink/request.ts";
import { answerRoute } from "./netlink/route.ts";
import type { NetlinkWriter } from "./netlink/writer.ts";
import type { Socket } from "./socket.ts";
import type { Transport } from "./transport.ts";

const NO_ADDRESS = "00:00:00:00:00:00";

export class LoopbackTransport implements Transport {
  readonly name = "loopback";
  private readonly net: NetNamespace;
  private readonly ports: InetPorts;

  constructor(net: NetNamespace) {
    this.net = net;
    this.ports = new InetPorts(net);
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
    return interfaceIoctl(this.net.loopback, request, arg, user, caller);
  }
  answerRoute(request: RouteRequest, out: NetlinkWriter): number {
    return answerRoute(request, out);
  }
  devices(): readonly NetDevice[] {
    const { name, index, mtu, isUp } = this.net.loopback;
    return [{
      name,
      index,
      mtu,
      address: NO_ADDRESS,
      broadcast: NO_ADDRESS,
      type: ARPHRD_LOOPBACK,
      flags: IFF_LOOPBACK | (isUp ? IFF_UP : 0),
      txQueueLen: 1000,
      rxBytes: 0,
      rxPackets: 0,
      txBytes: 0,
      txPackets: 0,
    }];
  }
  table(_name: string): string | null {
    return null;
  }
}
