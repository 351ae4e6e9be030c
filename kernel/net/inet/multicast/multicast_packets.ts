/**
 * Packets to groups and to all stations of a network: over the links, to every station that wants them, and there to all
 * sockets (ip(7)). Neighbours: group_route.ts (by which link), net/link/flood.ts (to which stations).
 *
 * DIFFERS: no router carries them on, nobody asks who is a member (IGMP, MLD), echo requests are not answered.
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

/** From a socket, by the link that it or its routes say: 0 or -errno. */
export function routeMulticast(socket: InetSocket, packet: IpPacket, header: PacketHeader): number {
  const link = linkForMulticast(socket, new Endpoint(packet.destination, 0), header);
  if (typeof link === "number") return link;
  sendMulticastPacket(socket, link, packet);
  return 0;
}

/** By a link that is up. */
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

/** One has come to a link from outside. */
export function receiveMulticast(link: Link, packet: IpPacket): void {
  // A station that asks for its address has none.
  if (packet.source === ANY4 || !isForged(link, packet.source)) deliverToStation(link, packet);
}

/**
 * As Linux judges where a packet says that it comes from: no other station may have an IPv4 address
 * of this one, and none is a group, all stations, or 0.0.0.0.
 */
export function isForged({ table }: Link, source: string): boolean {
  if (isMulticast(source)) return true;
  return isV4(source) &&
    (source === ANY4 || source === BROADCAST4 || table.linkOf(source) !== null);
}

/** To the sockets of a link's station, if they want it. */
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
