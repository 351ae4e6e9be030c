/**
 * Ping sockets (SOCK_DGRAM of icmp(7)): they send echo requests whose identifier is the socket's
 * port, and receive the replies.
 */

import type { Account } from "../../../core/account.ts";
import { EADDRINUSE, EINVAL } from "../../../../ffi/abi/errno.ts";
import { IPPROTO_ICMP, IPPROTO_ICMPV6 } from "../../../../ffi/abi/inet.ts";
import { AF_INET, SOCK_DGRAM } from "../../../../ffi/abi/socket.ts";
import type { Message, SocketCaller } from "../../message.ts";
import type { NetNamespace } from "../../net_namespace.ts";
import { countPacket } from "../../traffic/count_packets.ts";
import type { Endpoint } from "../address.ts";
import { isMultiDestination } from "../multicast/group_route.ts";
import { isEchoRequest } from "./icmp_packet.ts";
import { routeMulticast } from "../multicast/multicast_packets.ts";
import { echoReplyTo, repliesToEcho } from "../ip/packet_delivery.ts";
import { showToObservers } from "../raw/raw_receivers.ts";
import { MessageSocket } from "../raw/message_socket.ts";
import { optionsTo } from "../ip/header_options.ts";
import type { PortTable } from "../ports.ts";
import { stampSent } from "../timestamping.ts";

export class PingSocket extends MessageSocket {
  constructor(account: Account, net: NetNamespace, ports: PortTable, family: number, uid: number) {
    const protocol = family === AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;
    super(account, net, ports, family, SOCK_DGRAM, protocol, uid);
  }

  protected override sendMessage(
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
    if (isMultiDestination(this.net.links, destination)) {
      return routeMulticast(this, request, message.header);
    }
    const arrival = this.arrival(source, destination);
    if (arrival === null) {
      this.loseDatagram(payload, to, request);
      return 0;
    }
    stampSent(this, request);
    const reply = echoReplyTo(request);
    countPacket(this.net, arrival.net, request);
    showToObservers(this.net, arrival, request);
    if (!repliesToEcho(arrival.net, destination)) return 0;
    countPacket(arrival.net, this.net, reply);
    if (this.net.inet !== null) showToObservers(arrival.net, this.net.inet, reply);
    this.deliver(reply.payload, reply.source, reply.destination, hops, trafficClass);
    return 0;
  }
}

/** Whether a group of the caller is in /proc/sys/net/ipv4/ping_group_range (icmp(7)). */
export function mayPing(net: NetNamespace, caller: SocketCaller): boolean {
  const words = net.setting("net/ipv4/ping_group_range").split(/\s+/);
  // Without settings the range is empty, as on Linux.
  const first = Number(words[0]), last = Number(words[1]), { egid, groups } = caller.cred;
  return [egid, ...groups].some((gid) => gid >= first && gid <= last);
}
