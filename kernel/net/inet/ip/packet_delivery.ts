/**
 * Delivers packets that raw and packet sockets send: to raw sockets, to UDP sockets, to the echo
 * reply of ICMP, and to TCP, which replies to segments without a connection
 * (../tcp/segment_reply.ts).
 */

import * as I from "../../../../ffi/abi/inet.ts";
import type { NetNamespace } from "../../net_namespace.ts";
import { isMulticast, isV4 } from "../address.ts";
import type { InetPorts } from "../ports.ts";
import { echoReply, isEchoRequest } from "../icmp/icmp_packet.ts";
import type { IpPacket } from "./ip_packet.ts";
import { deliverToRawSockets, showToObservers } from "../raw/raw_receivers.ts";
import { showPacket } from "../../packet/show_packets.ts";
import { countPacket } from "../../traffic/count_packets.ts";
import { replyToSegment } from "../tcp/segment_reply.ts";
import { deliverDatagram } from "../udp/udp_receivers.ts";
import { sendUnreachable } from "../icmp/unreachable.ts";

/** Protocols that have a receiver: ICMP reports none of them as unreachable. */
const PROTOCOLS: ReadonlySet<number> = new Set([
  I.IPPROTO_ICMP,
  I.IPPROTO_IGMP,
  I.IPPROTO_TCP,
  I.IPPROTO_UDP,
  I.IPPROTO_UDPLITE,
]);

/**
 * Delivers a packet of a raw or packet socket of namespace `from` (null: another station) in `to`,
 * which may be the same.
 */
export function deliverPacket(from: InetPorts | null, to: InetPorts, packet: IpPacket): void {
  const isTakenByRaw = deliverToRawSockets(to.raw, packet);
  const { protocol, destination, payload } = packet;
  if (protocol === (isV4(destination) ? I.IPPROTO_ICMP : I.IPPROTO_ICMPV6)) {
    const isAsked = isEchoRequest(payload, destination) && repliesToEcho(to.net, destination);
    if (from === null || !isAsked) return;
    const answer = echoReplyTo(packet);
    countPacket(to.net, from.net, answer);
    showToObservers(to.net, from, answer);
  } else if (protocol === I.IPPROTO_UDP) {
    const isTaken = deliverDatagram(from?.udp ?? null, to.udp, packet);
    if (!isTaken) to.net.traffic.of(destination).udp.refused++;
    if (!isTaken && from !== null) sendUnreachable(to.net, from, packet);
  } else if (protocol === I.IPPROTO_TCP && from !== null) {
    const answer = replyToSegment(to, packet);
    if (answer === null) return;
    // The reply may cause a reply in turn; RST ends the exchange.
    countPacket(to.net, from.net, answer);
    showPacket(to.net, answer);
    deliverPacket(to, from, answer);
  } else if (!isTakenByRaw && from !== null && isV4(destination) && !PROTOCOLS.has(protocol)) {
    if (!isMulticast(destination)) sendUnreachable(to.net, from, packet, I.ICMP_PROT_UNREACH);
  }
}

/** Whether a namespace answers echo requests to one of its addresses. */
export function repliesToEcho(net: NetNamespace, destination: string): boolean {
  const path = "net/ipv4/icmp_echo_ignore_all";
  return !isV4(destination) || net.number(path, 0) === 0;
}

/** The reply to an echo request. */
export function echoReplyTo(request: IpPacket): IpPacket {
  const { source, destination } = request;
  return {
    ...request,
    source: destination,
    destination: source,
    payload: echoReply(request.payload, destination, source),
    options: null,
    whole: null,
  };
}
