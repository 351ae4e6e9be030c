/**
 * Counts packets that would travel: at the namespaces that send, forward and receive them, and at
 * all links on the way. Links other than `lo` count the Ethernet header too, except a bridge for
 * what it receives.
 */

import { IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_TCP } from "../../../ffi/abi/inet.ts";
import { ETH_HLEN } from "../../../ffi/abi/packet.ts";
import { isMulticast, isV4 } from "../inet/address.ts";
import { IP6_HEADER, IP_HEADER, type IpPacket } from "../inet/ip/ip_packet.ts";
import { type Crossing, hopsTo } from "../link/reach.ts";
import type { NetNamespace } from "../net_namespace.ts";

/** Count packets to an address; `bytes`: those of all, without IP headers. */
export function countPackets( // HOT
  from: NetNamespace,
  to: NetNamespace,
  destination: string,
  packets: number,
  bytes: number,
): void {
  const isFour = isV4(destination);
  const whole = bytes + packets * (isFour ? IP_HEADER : IP6_HEADER);
  const { v4, v6 } = from.traffic;
  (isFour ? v4 : v6).out.add(packets, whole);
  if (from === to) {
    const { lo } = from.links;
    lo.sent.add(packets, whole);
    lo.received.add(packets, whole);
    (isFour ? v4 : v6).in.add(packets, whole);
    return;
  }
  countOnWay(from, destination, packets, whole);
  to.traffic.of(destination).in.add(packets, whole);
}

/** Count TCP segments; `bytes`: all behind the IP headers. */
export function countSegments( // HOT
  from: NetNamespace,
  to: NetNamespace,
  destination: string,
  segments: number,
  bytes: number,
): void {
  from.traffic.tcp.segmentsOut += segments;
  to.traffic.tcp.segmentsIn += segments;
  countPackets(from, to, destination, segments, bytes);
}

/** Count a whole packet, and its message of ICMP or datagram. */
export function countPacket(from: NetNamespace, to: NetNamespace, packet: IpPacket): void {
  const { protocol, destination, payload, whole } = packet;
  if (whole === null) countPackets(from, to, destination, 1, payload.length);
  else countPackets(from, to, destination, 1, whole.length - IP_HEADER);
  if (protocol === IPPROTO_TCP) {
    from.traffic.tcp.segmentsOut++;
    to.traffic.tcp.segmentsIn++;
  } else if (isMessage(packet)) countMessage(from, to, destination, payload[0]!);
}

/** A packet reached its station in a frame that a packet socket sent. */
export function countArrival(to: NetNamespace, packet: IpPacket): void {
  const { protocol, destination, payload } = packet, counters = to.traffic.of(destination);
  counters.in.add(1, sizeOf(packet));
  if (protocol === IPPROTO_TCP) to.traffic.tcp.segmentsIn++;
  else if (isMessage(packet)) counters.icmpIn.add(payload[0]!);
}

/** Count an ICMP message by its type. */
export function countMessage(
  from: NetNamespace,
  to: NetNamespace,
  destination: string,
  type: number,
): void {
  from.traffic.of(destination).icmpOut.add(type);
  to.traffic.of(destination).icmpIn.add(type);
}

/** A multicast or broadcast packet leaves by links. */
export function countMulticastOut(
  from: NetNamespace,
  packet: IpPacket,
  crossed: readonly Crossing[],
): void {
  const { destination, payload } = packet, counters = from.traffic.of(destination);
  const bytes = sizeOf(packet), isForGroup = isMulticast(destination);
  counters.out.add(1, bytes);
  (isForGroup ? counters.outToGroups : counters.outToAll).add(1, bytes);
  if (isMessage(packet)) counters.icmpOut.add(payload[0]!);
  for (const crossing of crossed) countCrossing(crossing, 1, bytes);
}

/** A multicast or broadcast packet reaches a station. */
export function countMulticastIn(to: NetNamespace, packet: IpPacket): void {
  const { destination, payload } = packet, counters = to.traffic.of(destination);
  const bytes = sizeOf(packet);
  counters.in.add(1, bytes);
  (isMulticast(destination) ? counters.inToGroups : counters.inToAll).add(1, bytes);
  if (isMessage(packet)) counters.icmpIn.add(payload[0]!);
}

function isMessage({ protocol, destination, payload }: IpPacket): boolean {
  return protocol === (isV4(destination) ? IPPROTO_ICMP : IPPROTO_ICMPV6) && payload.length > 0;
}

function sizeOf({ destination, payload, whole }: IpPacket): number {
  return whole?.length ?? payload.length + (isV4(destination) ? IP_HEADER : IP6_HEADER);
}

function countOnWay(from: NetNamespace, destination: string, packets: number, bytes: number): void {
  const hops = hopsTo(from, destination) ?? [];
  hops.forEach(({ station, crossed }, i) => {
    for (const crossing of crossed) countCrossing(crossing, packets, bytes);
    if (i === hops.length - 1) return;
    const counters = station.table.net.traffic.of(destination);
    counters.in.add(packets, bytes);
    counters.forwarded += packets;
  });
}

/** Count packets at a link; `bytes`: those of all, without Ethernet headers. */
export function countCrossing(
  { link, isIncoming }: Crossing,
  packets: number,
  bytes: number,
): void {
  const isBare = link.kind === "loopback" || (link.kind === "bridge" && isIncoming);
  const counter = isIncoming ? link.received : link.sent;
  counter.add(packets, isBare ? bytes : bytes + packets * ETH_HLEN);
}
