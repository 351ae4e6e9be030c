/**
 * Ping sockets (icmp(7), SOCK_DGRAM): echo requests whose identifier is the socket's port. Who may have one is said by
 * ping_group.ts.
 */

import { EADDRINUSE, EINVAL } from "../../../ffi/abi/errno.ts";
import { IPPROTO_ICMP, IPPROTO_ICMPV6 } from "../../../ffi/abi/inet.ts";
import { AF_INET, SOCK_DGRAM } from "../../../ffi/abi/socket.ts";
import type { Message } from "../message.ts";
import type { NetNamespace } from "../net_namespace.ts";
import type { Endpoint } from "./address.ts";
import { echoReply, isEchoRequest } from "./icmp_packet.ts";
import { IcmpSocket } from "./icmp_socket.ts";
import type { PortTable } from "./ports.ts";
import { deliverRaw, type RawSockets } from "./raw_icmp.ts";

export class PingSocket extends IcmpSocket {
  private readonly raw: RawSockets;

  constructor(net: NetNamespace, ports: PortTable, raw: RawSockets, family: number, uid: number) {
    const protocol = family === AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;
    super(net, ports, family, SOCK_DGRAM, protocol, uid);
    this.raw = raw;
  }

  protected override transmit(
    bytes: Uint8Array<ArrayBuffer>,
    source: string,
    to: Endpoint,
    message: Message,
  ): number {
    if (!isEchoRequest(bytes, to.address)) return -EINVAL;
    if (!this.isBound && this.takePort(0) < 0) return -EADDRINUSE;
    bytes[4] = this.local.port >> 8;
    bytes[5] = this.local.port & 0xff;
    const reply = echoReply(bytes, to.address, source);
    const hops = this.ip.hopsOf(to.address, message.header);
    const trafficClass = this.ip.classOf(to.address, message.header);
    deliverRaw(this.raw, bytes, source, to.address, hops, trafficClass);
    deliverRaw(this.raw, reply, to.address, source, hops, trafficClass);
    this.deliver(reply, to.address, source, hops, trafficClass);
    return 0;
  }
}
