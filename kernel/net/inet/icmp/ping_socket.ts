/**
 * Ping sockets (icmp(7), SOCK_DGRAM): echo requests whose identifier is the socket's port. Who may have one is said by
 * net/inet/icmp/ping_group.ts.
 */

import { EADDRINUSE, EINVAL } from "../../../../ffi/abi/errno.ts";
import { IPPROTO_ICMP, IPPROTO_ICMPV6 } from "../../../../ffi/abi/inet.ts";
import { AF_INET, SOCK_DGRAM } from "../../../../ffi/abi/socket.ts";
import type { Message } from "../../message.ts";
import type { NetNamespace } from "../../net_namespace.ts";
import { countPacket } from "../../traffic/count_packets.ts";
import type { Endpoint } from "../address.ts";
import { isToMany } from "../multicast/group_route.ts";
import { isEchoRequest } from "./icmp_packet.ts";
import { routeToMany } from "../multicast/multicast_packets.ts";
import { answersEcho, answerTo } from "../ip/packet_delivery.ts";
import { pass } from "../raw/raw_receivers.ts";
import { MessageSocket } from "../raw/message_socket.ts";
import { optionsTo } from "../ip/header_options.ts";
import type { PortTable } from "../ports.ts";
import { stampSent } from "../timestamping.ts";

export class PingSocket extends MessageSocket {
  constructor(net: NetNamespace, ports: PortTable, family: number, uid: number) {
    const protocol = family === AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;
    super(net, ports, family, SOCK_DGRAM, protocol, uid);
  }

  protected override transmit(
    payload: Uint8Array<ArrayBuffer>,
    source: string,
    to: Endpoint,
    message: Message,
  ): number {
    if (!isEchoRequest(payload, to.address)) return -EINVAL;
    if (!this.isBound && this.takePort(0) < 0) return -EADDRINUSE;
    payload[4] = this.local.port >> 8;
    payload[5] = this.local.port & 0xff;
    const hops = this.ip.hopsOf(to.address, message.header);
    const trafficClass = this.ip.classOf(to.address, message.header);
    const { protocol } = this, destination = to.address;
    const options = optionsTo(this.ip, destination), whole = null;
    const request = { protocol, source, destination, payload, hops, trafficClass, options, whole };
    if (isToMany(this.net.links, destination)) return routeToMany(this, request, message.header);
    const arrival = this.arrival(source, destination);
    if (arrival === null) {
      this.lose(payload, to, request);
      return 0;
    }
    stampSent(this, request);
    const reply = answerTo(request);
    countPacket(this.net, arrival.net, request);
    pass(this.net, arrival, request);
    if (!answersEcho(arrival.net, destination)) return 0;
    countPacket(arrival.net, this.net, reply);
    if (this.net.inet !== null) pass(arrival.net, this.net.inet, reply);
    this.deliver(reply.payload, reply.source, reply.destination, hops, trafficClass);
    return 0;
  }
}
