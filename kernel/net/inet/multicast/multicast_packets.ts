/**
 * Multicast and broadcast packets (ip(7)): over the links to every station that wants them, and
 * there to all sockets that do. The link: group_route.ts; the stations: net/link/flood.ts.
 *
 * DIFFERS: no router forwards them, no station asks for members (IGMP, MLD), echo requests to them
 * get no reply.
 */

import { IPPROTO_UDP, IPPROTO_UDPLITE } from "../../../../ffi/abi/inet.ts";
import { flood } from "../../link/flood.ts";
import type { Link } from "../../link/link.ts";
import { showMulticast } from "../../packet/show_packets.ts";
import { countMulticastIn, countMulticastOut } from "../../traffic/count_packets.ts";
import type { PacketHeader } from "../../message.ts";
import { ANY4, BROADCAST4, Endpoint, isMulticast, isV4 } from "../address.ts";
import { linkForMulticast } from "./group_route.ts";
import type { InetSocket } from "../inet_socket.ts";
import type { IpPacket } from "../ip/ip_packet.ts";
import { deliverToRawSockets } from "../raw/raw_receivers.ts";
import { stampSent } from "../timestamping.ts";
import { deliverToMembers } from "../udp/udp_receivers.ts";

/** Sends by the link that the socket or its routes choose: 0 or -errno. */
export function routeMulticast(socket: InetSocket, packet: IpPacket, header: PacketHeader): number {
  const link = linkForMulticast(socket, new Endpoint(packet.destination, 0), header);
  if (typeof link === "number") return link;
  sendMulticastPacket(socket, link, packet);
  return 0;
}

/** Sends by a link that is up. */
export function sendMulticastPacket(socket: InetSocket, link: Link, packet: IpPacket): void {
  const { destination, hops } = packet, isLoopback = link.kind === "loopback";
  stampSent(socket, packet);
  const comesBack = !isMulticast(destination) || socket.ip.loops(destination);
  if (comesBack && !isLoopback) deliverToStation(link, packet);
  if (hops === 0 && !isLoopback) return;
  const { crossed, stations } = flood(link);
  countMulticastOut(socket.net, packet, crossed);
  showMulticast(link, crossed, packet);
  for (const station of stations) {
    if (isLoopback) deliverToStation(station, packet);
    else receiveMulticast(station, packet);
  }
}

/** A packet came to `link` from another station. */
export function receiveMulticast(link: Link, packet: IpPacket): void {
  // A station that asks for an address (DHCP) has the source 0.0.0.0.
  if (packet.source === ANY4 || !isForged(link, packet.source)) deliverToStation(link, packet);
}

/**
 * Whether Linux drops a packet because of its source: an IPv4 address of this station, a group, the
 * broadcast address, or 0.0.0.0.
 */
export function isForged({ table }: Link, source: string): boolean {
  if (isMulticast(source)) return true;
  return isV4(source) &&
    (source === ANY4 || source === BROADCAST4 || table.linkOf(source) !== null);
}

/** Delivers to the sockets of the station of `link` that want the packet. */
function deliverToStation(link: Link, packet: IpPacket): void {
  const { net } = link.table, { inet } = net, { source, destination, protocol } = packet;
  if (inet === null) return;
  countMulticastIn(net, packet);
  const isWanted = isMulticast(destination)
    ? link.groups.takes(destination, source)
    : destination === BROADCAST4 || net.links.broadcastLink(destination) !== null;
  if (!isWanted) return;
  deliverToRawSockets(inet.raw, packet, link);
  if (protocol === IPPROTO_UDP) deliverToMembers(inet.udp, link, packet);
  else if (protocol === IPPROTO_UDPLITE) deliverToMembers(inet.udpLite, link, packet);
}
