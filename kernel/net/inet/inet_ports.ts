/** Which internet sockets the loopback transport has. */

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
import type { SocketCaller } from "../message.ts";
import type { NetNamespace } from "../net_namespace.ts";
import { mayPing } from "./icmp/ping_group.ts";
import type { Socket } from "../socket.ts";
import { PingSocket } from "./icmp/ping_socket.ts";
import { PortTable } from "./ports.ts";
import type { RawSockets } from "./raw/raw_receivers.ts";
import { RawSocket } from "./raw/raw_socket.ts";
import { LoopbackTcp } from "./tcp/loopback_tcp.ts";
import { UdpSocket } from "./udp/udp_socket.ts";
import { UdpLiteSocket } from "./udp/udp_lite.ts";
import type { UdpPorts } from "./udp/udp_receivers.ts";

/** The port tables, which both families share. */
export class InetPorts {
  readonly tcp: PortTable;
  readonly udp: UdpPorts;
  readonly udpLite: UdpPorts;
  /** Identifiers of ping sockets. */
  readonly ping: PortTable;
  readonly raw: RawSockets = new Set();
  readonly net: NetNamespace;

  constructor(net: NetNamespace) {
    this.net = net;
    this.tcp = new PortTable(net.host);
    this.udp = new PortTable(net.host);
    this.udpLite = new PortTable(net.host);
    this.ping = new PortTable(net.host);
  }
}

/** A socket of AF_INET or AF_INET6, or -errno. */
export function createLoopbackSocket(
  net: NetNamespace,
  ports: InetPorts,
  caller: SocketCaller,
  family: number,
  type: number,
  protocol: number,
): Socket | number {
  const uid = caller.cred.fsuid;
  const pingProtocol = family === AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;
  switch (type) {
    case SOCK_STREAM:
      if (protocol !== 0 && protocol !== IPPROTO_TCP) return -EPROTONOSUPPORT;
      return new LoopbackTcp(net, ports.tcp, family, uid);
    case SOCK_DGRAM:
      if (protocol === pingProtocol) {
        if (!mayPing(net, caller)) return -EACCES;
        return new PingSocket(net, ports.ping, family, uid);
      }
      if (protocol === IPPROTO_UDPLITE) return new UdpLiteSocket(net, ports, family, uid);
      if (protocol !== 0 && protocol !== IPPROTO_UDP) return -EPROTONOSUPPORT;
      return new UdpSocket(net, ports.udp, family, uid);
    case SOCK_RAW:
      if (protocol === 0) return -EPROTONOSUPPORT;
      if (!net.isCapable(caller.cred, CAP_NET_RAW)) return -EPERM;
      return new RawSocket(net, ports, family, protocol, uid);
    default:
      return -ESOCKTNOSUPPORT;
  }
}
