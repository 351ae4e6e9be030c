/**
 * Delivery to raw sockets of packets that other sockets send. Callers: every protocol below inet/.
 */

import { isV4 } from "../address.ts";
import { optionsOf } from "../ip/header_options.ts";
import { buildPacket4, type IpPacket } from "../ip/ip_packet.ts";
import type { Link } from "../../link/link.ts";
import type { NetNamespace } from "../../net_namespace.ts";
import { showPacket } from "../../packet/show_packets.ts";
import type { InetPorts } from "../ports.ts";
import type { RawSocket } from "./raw_socket.ts";

/** All raw sockets of a namespace. */
export type RawSockets = Set<RawSocket>;

/** Shows a packet to the packet sockets of `from` and delivers it to the raw sockets of `to`. */
export function showToObservers(from: NetNamespace, to: InetPorts, packet: IpPacket): void {
  showPacket(from, packet);
  deliverToRawSockets(to.raw, packet);
}

/**
 * Delivers a packet to the raw sockets that take it; true if there is one. `link`: the link by
 * which a multicast or broadcast packet arrived.
 */
export function deliverToRawSockets(
  sockets: RawSockets,
  packet: IpPacket,
  link: Link | null = null,
): boolean {
  let bytes: Uint8Array<ArrayBuffer> | null = null;
  for (const socket of sockets) {
    if (!socket.takesPacket(packet, link)) continue;
    bytes ??= isV4(packet.destination) ? buildPacket4(packet) : packet.payload;
    const { source, destination, hops, trafficClass } = packet;
    const options = optionsOf(packet);
    socket.deliver(bytes, source, destination, hops, trafficClass, link, options);
  }
  return bytes !== null;
}
