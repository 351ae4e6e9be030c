/**
 * The transport inside this kernel: `lo`, and links between the guest's own namespaces. Each
 * namespace has it, but the first one of a sandbox with host networking (host/host_transport.ts).
 */

import { IFF_RUNNING } from "../../../ffi/abi/inet.ts";
import type { NetDevice } from "../../core/net_device.ts";
import type { UserMemory } from "../../mm/user_memory.ts";
import { InetPorts } from "./ports.ts";
import { EACCES, EPERM, EPROTONOSUPPORT, ESOCKTNOSUPPORT } from "../../../ffi/abi/errno.ts";
import { CAP_NET_RAW } from "../../../ffi/abi/capability.ts";
import {
  IPPROTO_ICMP,
  IPPROTO_ICMPV6,
  IPPROTO_TCP,
  IPPROTO_UDP,
  IPPROTO_UDPLITE,
} from "../../../ffi/abi/inet.ts";
import { AF_INET, SOCK_DGRAM, SOCK_RAW, SOCK_STREAM } from "../../../ffi/abi/socket.ts";
import { mayPing, PingSocket } from "./icmp/ping_socket.ts";
import { RawSocket } from "./raw/raw_socket.ts";
import { LoopbackTcp } from "./tcp/loopback_tcp.ts";
import { UdpSocket } from "./udp/udp_socket.ts";
import { UdpLiteSocket } from "./udp/udp_lite.ts";
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
    const { net, ports } = this, uid = caller.cred.fsuid;
    const pingProtocol = family === AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;
    switch (type) {
      case SOCK_STREAM:
        if (protocol !== 0 && protocol !== IPPROTO_TCP) return -EPROTONOSUPPORT;
        return new LoopbackTcp(caller.account, net, ports.tcp, family, uid);
      case SOCK_DGRAM:
        if (protocol === pingProtocol) {
          if (!mayPing(net, caller)) return -EACCES;
          return new PingSocket(caller.account, net, ports.ping, family, uid);
        }
        if (protocol === IPPROTO_UDPLITE) {
          return new UdpLiteSocket(caller.account, net, ports, family, uid);
        }
        if (protocol !== 0 && protocol !== IPPROTO_UDP) return -EPROTONOSUPPORT;
        return new UdpSocket(caller.account, net, ports.udp, family, uid);
      case SOCK_RAW:
        if (protocol === 0) return -EPROTONOSUPPORT;
        if (!net.isCapable(caller.cred, CAP_NET_RAW)) return -EPERM;
        return new RawSocket(caller.account, net, ports, family, protocol, uid);
      default:
        return -ESOCKTNOSUPPORT;
    }
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
