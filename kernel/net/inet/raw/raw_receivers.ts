/** Raw sockets and packet sockets hear what others send. Neighbours: raw_socket.ts, net/inet/ip/packet_delivery.ts. */

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

/** A packet from one namespace to the sockets of another, or the same: who watches and who overhears it. */
export function showToObservers(from: NetNamespace, to: InetPorts, packet: IpPacket): void {
  showPacket(from, packet);
  deliverToRawSockets(to.raw, packet);
}

/**
 * Only raw sockets hear it: its receiver has it already. Whether one does. `link`: what one for many stations came by.
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
