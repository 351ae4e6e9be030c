/** Raw sockets and packet sockets hear what others send. Neighbours: raw_socket.ts, net/inet/ip/packet_delivery.ts. */

import { type Endpoint, isV4 } from "../address.ts";
import { optionsOf } from "../ip/header_options.ts";
import { checksum, headed, type IpPacket, pseudoHeader, UDP_HEADER } from "../ip/ip_packet.ts";
import type { Link } from "../../link/link.ts";
import type { NetNamespace } from "../../net_namespace.ts";
import { showPacket } from "../../packet/show_packets.ts";
import type { InetPorts } from "../inet_ports.ts";
import type { RawSocket } from "./raw_socket.ts";

/** All raw sockets of a namespace. */
export type RawSockets = Set<RawSocket>;

/** A packet from one namespace to the sockets of another, or the same: who watches and who overhears it. */
export function pass(from: NetNamespace, to: InetPorts, packet: IpPacket): void {
  showPacket(from, packet);
  overhear(to.raw, packet);
}

/**
 * Only raw sockets hear it: its receiver has it already. Whether one does. `link`: what one for many stations came by.
 */
export function overhear(sockets: RawSockets, packet: IpPacket, link: Link | null = null): boolean {
  let bytes: Uint8Array<ArrayBuffer> | null = null;
  for (const socket of sockets) {
    if (!socket.hears(packet, link)) continue;
    bytes ??= isV4(packet.destination) ? headed(packet) : packet.payload;
    const { source, destination, hops, trafficClass } = packet;
    const options = optionsOf(packet);
    socket.deliver(bytes, source, destination, hops, trafficClass, link, options);
  }
  return bytes !== null;
}

/** The packet in which a datagram of UDP travels: raw sockets hear it. */
export function datagramPacket(
  bytes: Uint8Array<ArrayBuffer>,
  from: Endpoint,
  to: Endpoint,
  around: Pick<IpPacket, "protocol" | "hops" | "trafficClass" | "options">,
): IpPacket {
  const payload = new Uint8Array(UDP_HEADER + bytes.length), dv = new DataView(payload.buffer);
  dv.setUint16(0, from.port);
  dv.setUint16(2, to.port);
  dv.setUint16(4, payload.length);
  payload.set(bytes, UDP_HEADER);
  const source = from.address, destination = to.address;
  const start = pseudoHeader(payload.length, around.protocol, source, destination);
  dv.setUint16(6, checksum(payload, 0, payload.length, start) || 0xffff);
  return { ...around, source, destination, payload, whole: null };
}
