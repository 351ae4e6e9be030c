/**
 * Packets for more than one station, to groups and to all on a network: by which link they leave, and with which source
 * (ip(7), IP_MULTICAST_IF). How they travel: multicast_packets.ts.
 */

import { ENETUNREACH, ENODEV } from "../../../../ffi/abi/errno.ts";
import { RT_SCOPE_HOST } from "../../../../ffi/abi/netlink.ts";
import type { Link } from "../../link/link.ts";
import type { LinkTable } from "../../link/link_table.ts";
import { isInNetwork } from "../../link/prefix.ts";
import type { PacketHeader } from "../../message.ts";
import { ANY4, ANY6, BROADCAST4, type Endpoint, isAny, isMulticast, isV4 } from "../address.ts";
import type { InetSocket } from "../inet_socket.ts";

/** Packets to this address are for every station of a network, or of a group. */
export function isMultiDestination(links: LinkTable, address: string): boolean {
  return isMulticast(address) || address === BROADCAST4 || links.broadcastLink(address) !== null;
}

/** The link that packets of IPv6 to groups leave by when nobody says which. */
export function groupLink6Of(links: LinkTable): Link | null {
  let first: Link | null = null;
  for (const link of links.links) {
    if (!link.isUp || link === links.lo) continue;
    if (first === null || link.index < first.index) first = link;
  }
  return first;
}

/** The link that a packet to many leaves by, or -ENETUNREACH, -ENODEV. */
export function linkForMulticast(
  socket: InetSocket,
  { address, scope }: Endpoint,
  header: PacketHeader,
): Link | number {
  const { ip, net: { links }, options: { deviceIndex } } = socket, isFour = isV4(address);
  let index = header.link || scope || deviceIndex;
  if (index === 0 && isMulticast(address)) index = isFour ? ip.groupLink4 : ip.groupLink6;
  const link = index !== 0
    ? links.byIndex(index)
    : isFour
    ? linkToMany4(socket, address, header)
    : groupLink6Of(links);
  if (link === null) return index !== 0 ? -ENODEV : -ENETUNREACH;
  if (!link.isUp || (!isFour && link === links.lo)) return -ENETUNREACH;
  const source = chosenSource(socket, address, header);
  const isOwn = source === null || ip.freeBind || ip.transparent || links.linkOf(source) !== null;
  return isOwn ? link : -ENETUNREACH;
}

/** By the network that is meant, by the source, by the routes. */
function linkToMany4(socket: InetSocket, address: string, header: PacketHeader): Link | null {
  const { links } = socket.net, near = links.broadcastLink(address);
  if (near !== null) return near;
  const source = chosenSource(socket, address, header);
  return (source === null ? null : links.linkOf(source)) ?? links.routeTo(address)?.link ?? null;
}

/** The source that somebody chose for packets to many. */
function chosenSource(socket: InetSocket, to: string, header: PacketHeader): string | null {
  const { ip, local: { address: own } } = socket;
  if (header.source !== "" && isV4(header.source) === isV4(to)) return header.source;
  if (!isAny(own) && !socket.isBoundToMulticast) return own;
  const isNamed = isV4(to) && isMulticast(to) && !isAny(ip.groupAddress4);
  return isNamed ? ip.groupAddress4 : null;
}

export function sourceForMulticast(
  socket: InetSocket,
  link: Link,
  to: string,
  header: PacketHeader,
): string {
  return chosenSource(socket, to, header) ?? sourceOnLink(link, to);
}

/** An address of a link, of the network that is meant if there is one; else any of the station's, else none. */
export function sourceOnLink(link: Link, to: string): string {
  const isFour = isV4(to);
  const near = link.addresses.find(({ address, prefix }) => isInNetwork(to, address, prefix));
  if (near !== undefined) return near.address;
  for (const one of [link, ...link.table.links]) {
    if (!one.isUp) continue;
    const own = one.addresses.find((a) => isV4(a.address) === isFour && a.scope < RT_SCOPE_HOST);
    if (own !== undefined) return own.address;
  }
  return isFour ? ANY4 : ANY6;
}
