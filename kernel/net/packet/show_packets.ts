/**
 * Shows packets of internet sockets to packet sockets. Nothing travels here (link/reach.ts); frames
 * are built only while packet sockets watch. The sockets: taps.ts; frames that they send:
 * send_frame.ts.
 *
 * DIFFERS: no packet is fragmented, and no ARP or neighbour discovery is seen: all neighbours are
 * known.
 */

import * as P from "../../../ffi/abi/packet.ts";
import { isV4 } from "../inet/address.ts";
import { buildPacket4, buildPacket6, type IpPacket } from "../inet/ip/ip_packet.ts";
import { groupMac } from "../link/link_groups.ts";
import { type Link, NO_MAC } from "../link/link.ts";
import { type Crossing, type Hop, hopsTo } from "../link/reach.ts";
import type { NetNamespace } from "../net_namespace.ts";
import { putHeader, typeFor } from "./ethernet.ts";
import type { Frame } from "./taps.ts";

/** Shows a packet of `net` on all links to its destination. */
export function showPacket(net: NetNamespace, packet: IpPacket): void {
  if (net.shared.watchers === 0) return;
  const hops = hopsTo(net, packet.destination);
  if (hops === null) return;
  const frame = frameOf(packet);
  if (hops.length === 0) showOnLoopback(net, frame);
  for (const hop of hops) showHop(hop, frame);
}

/** The frame: room for the Ethernet header, and the packet. */
function frameOf(packet: IpPacket): Frame {
  const isFour = isV4(packet.destination),
    body = isFour ? buildPacket4(packet) : buildPacket6(packet);
  const bytes = new Uint8Array(P.ETH_HLEN + body.length);
  bytes.set(body, P.ETH_HLEN);
  return { bytes, protocol: isFour ? P.ETH_P_IP : P.ETH_P_IPV6 };
}

/** Shows a multicast or broadcast packet on all links that it passes. */
export function showMulticast(out: Link, crossed: readonly Crossing[], packet: IpPacket): void {
  if (out.table.net.shared.watchers === 0) return;
  const { destination } = packet, frame = frameOf(packet);
  const mac = out.kind === "loopback" ? NO_MAC : groupMac(destination);
  putHeader(frame.bytes, mac, out.mac, frame.protocol);
  const type = mac === NO_MAC ? P.PACKET_HOST : typeFor(frame.bytes, NO_MAC);
  for (const { link, isIncoming } of crossed) {
    link.table.net.taps.show(link, frame, isIncoming ? type : P.PACKET_OUTGOING, null);
  }
}

function showOnLoopback({ links: { lo }, taps }: NetNamespace, frame: Frame): void {
  putHeader(frame.bytes, NO_MAC, NO_MAC, frame.protocol);
  taps.show(lo, frame, P.PACKET_OUTGOING, null);
  taps.show(lo, frame, P.PACKET_HOST, null);
}

function showHop({ out, station, crossed }: Hop, frame: Frame): void {
  putHeader(frame.bytes, station.mac, out.mac, frame.protocol);
  for (const { link, isIncoming } of crossed) {
    const isForIt = isIncoming && link === station;
    const type = isForIt ? P.PACKET_HOST : isIncoming ? P.PACKET_OTHERHOST : P.PACKET_OUTGOING;
    link.table.net.taps.show(link, frame, type, null);
  }
}
