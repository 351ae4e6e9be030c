/**
 * The link and the source address of multicast and broadcast packets (IP_MULTICAST_IF of ip(7)).
 * Their delivery: multicast_packets.ts.
 */

import { ENETUNREACH, ENODEV } from "../../../../ffi/abi/errno.ts";
import { RT_SCOPE_HOST } from "../../../../ffi/abi/netlink.ts";
import type { Link } from "../../link/link.ts";
import type { LinkTable } from "../../link/link_table.ts";
import { isInNetwork } from "../../link/prefix.ts";
import type { PacketHeader } from "../../message.ts";
import { ANY4, ANY6, BROADCAST4, type Endpoint, isAny, isMulticast, isV4 } from "../address.ts";
import type { InetSocket } from "../inet_socket.ts";

/** Whether packets to `address` go to a group, or to all stations of a network. */
export function isMultiDestination(links: LinkTable, address: string): boolean {
  return isMulticast(address) || address === BROADCAST4 || links.broadcastLink(address) !== null;
}

/** The link by which IPv6 multicast leaves when neither socket nor address names one. */
export function groupLink6Of(links: LinkTable): Link | null {
  let first: Link | null = null;
  for (const link of links.links) {
    if (!link.isUp || link === links.lo) continue;
    if (first === null || link.index < first.index) first = link;
  }
  return first;
}

/** The link by which a multicast or broadcast packet leaves, or -ENETUNREACH, -ENODEV. */
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
    ? linkForMulticast4(socket, address, header)
    : groupLink6Of(links);
  if (link === null) return index !== 0 ? -ENODEV : -ENETUNREACH;
  if (!link.isUp || (!isFour && link === links.lo)) return -ENETUNREACH;
  const source = chosenSource(socket, address, header);
  const isOwn = source === null || ip.freeBind || ip.transparent || links.linkOf(source) !== null;
  return isOwn ? link : -ENETUNREACH;
}

/** The link of the broadcast's network, of the chosen source, or of the route. */
function linkForMulticast4(socket: InetSocket, address: string, header: PacketHeader): Link | null {
  const { links } = socket.net, near = links.broadcastLink(address);
  if (near !== null) return near;
  const source = chosenSource(socket, address, header);
  return (source === null ? null : links.linkOf(source)) ?? links.routeTo(address)?.link ?? null;
}

/** The source that the socket or the message chose. */
function chosenSource(socket: InetSocket, to: string, header: PacketHeader): string | null {
  const { ip, local: { address: own } } = socket;
  if (header.source !== "" && isV4(header.source) === isV4(to)) return header.source;
  if (!isAny(own) && !socket.isBoundToMulticast) return own;
  const isNamed = isV4(to) && isMulticast(to) && !isAny(ip.groupAddress4);
  return isNamed ? ip.groupAddress4 : null;
}

/** The source of a packet that leaves by `link`. */
export function sourceForMulticast(
  socket: InetSocket,
  link: Link,
  to: string,
  header: PacketHeader,
): string {
  return chosenSource(socket, to, header) ?? sourceOnLink(link, to);
}

/**
 * An address of the link for packets to `to`: one of the same network if there is one, else any of
 * the station.
 */
function sourceOnLink(link: Link, to: string): string {
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
