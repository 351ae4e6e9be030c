/**
 * Finds the network namespace that has an address, through routes, veth pairs and bridges. Sockets
 * of both namespaces are then connected directly; no packet travels. Callers: inet/inet_socket.ts,
 * traffic/count_packets.ts, packet/show_packets.ts.
 *
 * DIFFERS: a connection does not notice changes of the route, and nothing is filtered. Frames for
 * many stations: flood.ts.
 */

import { EHOSTDOWN, EHOSTUNREACH, ENETUNREACH, ENODEV } from "../../../ffi/abi/errno.ts";
import { isLoopback, isV4 } from "../inet/address.ts";
import type { NetNamespace } from "../net_namespace.ts";
import { RT_SCOPE_HOST } from "../../../ffi/abi/netlink.ts";
import type { Link } from "./link.ts";
import { effectiveSetting } from "./link_settings.ts";
import { isInNetwork } from "./prefix.ts";
import { refusalOf } from "./route.ts";

/** No station answers for the address on its link: the sender gets the error later. */
export const UNANSWERED = -EHOSTDOWN;

/** Stations on the way, as many as the default TTL allows. */
const STATIONS_MAX = 64;
/** The value of `rp_filter` that requires the same link for the way back. */
const STRICT = 1;

/**
 * The namespace in which a packet from `net` to `destination` arrives, or -ENETUNREACH,
 * -EHOSTUNREACH, UNANSWERED, or the error of a route without a link. `device`: the index of the
 * link that the sender is bound to (-ENODEV), or 0.
 */
export function findNamespace(
  net: NetNamespace,
  destination: string,
  hops: Hop[] | null = null,
  device: number = 0,
): NetNamespace | number {
  const bound = device === 0 ? null : net.links.byIndex(device);
  if (device !== 0 && bound === null) return -ENODEV;
  let at = net, arrived: Link | null = null;
  for (let stations = 0; stations < STATIONS_MAX; stations++) {
    const { links } = at, own = links.linkOf(destination);
    if (own !== null) {
      if (at !== net) return at;
      if (!links.lo.isUp) return -ENETUNREACH;
      return bound === null || bound === own || bound === links.lo ? at : -EHOSTUNREACH;
    }
    const only = stations === 0 ? bound : null;
    if (isLoopback(destination)) return only === null ? -ENETUNREACH : -EHOSTUNREACH;
    if (arrived !== null && !forwards(arrived, destination)) return -EHOSTUNREACH;
    const route = links.routeTo(destination, only);
    // A sender bound to a link looks for unrouted addresses directly on that link.
    if (route === null && only === null) return stations === 0 ? -ENETUNREACH : -EHOSTUNREACH;
    const refusal = route === null ? 0 : refusalOf(route.type);
    if (refusal < 0) return stations === 0 ? refusal : -EHOSTUNREACH;
    const next = findStation(route?.link ?? only!, route?.via ?? destination);
    if (next === null) return UNANSWERED;
    hops?.push(next);
    arrived = next.station;
    at = arrived.table.net;
  }
  return -EHOSTUNREACH;
}

/** The hops to a destination; empty: the same namespace; null: there is no way. */
export function hopsTo(net: NetNamespace, destination: string): readonly Hop[] | null {
  const hops: Hop[] = [];
  return typeof findNamespace(net, destination, hops) === "number" ? null : hops;
}

/**
 * Index of the link by which a packet reaches sockets of `net`: for own packets the link that has
 * the destination, for others the one that routes back to the source.
 */
export function arrivalIndex({ links }: NetNamespace, source: string, destination: string): number {
  const isOwn = links.linkOf(source) !== null;
  const link = isOwn ? links.linkOf(destination) : links.routeTo(source)?.link ?? null;
  return link?.index ?? 0;
}

/** Whether replies reach `source`. */
export function isReachableBack(from: NetNamespace, source: string, to: NetNamespace): boolean {
  return from === to || findNamespace(from, source) === to;
}

/** Whether the `rp_filter` of each station on the way lets a packet from `source` pass. */
export function passesReverseFilter(hops: readonly Hop[], source: string): boolean {
  return !isV4(source) || hops.every(({ station }) => {
    const { table, settings } = station;
    const filter = effectiveSetting(table.settings.ipv4.all, settings.ipv4, "rp_filter");
    if (filter === 0) return true;
    const back = table.routeTo(source);
    return back !== null && (filter !== STRICT || back.link === station);
  });
}

/** Whether the station forwards packets that came by `link`; IPv6 has one setting for all links. */
function forwards(link: Link, destination: string): boolean {
  const asked = isV4(destination) ? link.settings.ipv4 : link.table.settings.ipv6.all;
  return asked.get("forwarding") !== 0;
}

/** A frame passes a link, outwards or inwards. */
export interface Crossing {
  readonly link: Link;
  readonly isIncoming: boolean;
}

/**
 * The way from one station to the next: the links that it leaves and enters by, and all that it
 * crosses.
 */
export interface Hop {
  readonly out: Link;
  readonly station: Link;
  readonly crossed: readonly Crossing[];
}

/** A port that the search has reached, and the one before it. */
interface Trail extends Crossing {
  readonly before: Trail | null;
}

/** The station that answers for an address on the Ethernet of `link`; null: none. */
function findStation(link: Link, address: string): Hop | null {
  const start: Trail = { link, isIncoming: false, before: null }, seen = new Set<Link>([link]);
  const queue: Trail[] = [];
  if (link.kind === "bridge") { for (const port of portsBehind(link, start)) queue.push(port); }
  else queue.push(start);
  for (let trail = queue.pop(); trail !== undefined; trail = queue.pop()) {
    const port = trail.link, far = port.peer;
    if (far === null || !port.isUp || !far.isUp || seen.has(far)) continue;
    seen.add(far);
    // The station of a bridge's port is the bridge.
    const station = far.master ?? far;
    if (!station.isUp || (station !== far && seen.has(station))) continue;
    seen.add(station);
    const arrived: Trail = { link: far, isIncoming: true, before: trail };
    const there = station === far ? arrived : { link: station, isIncoming: true, before: arrived };
    if (claimsAddress(station, address, link)) {
      return { out: link, station, crossed: inOrder(there) };
    }
    if (station !== far) {
      for (const port of portsBehind(station, arrived)) if (!seen.has(port.link)) queue.push(port);
    }
  }
  return null;
}

function inOrder(last: Trail): Crossing[] {
  const crossed: Crossing[] = [];
  for (let one: Trail | null = last; one !== null; one = one.before) crossed.push(one);
  return crossed.reverse();
}

function portsBehind(bridge: Link, before: Trail): Trail[] {
  const open = bridge.ports.filter((port) => port.isUp);
  return open.map((link) => ({ link, isIncoming: false, before }));
}

/**
 * Values of `arp_ignore`: reply only for addresses of the link; and of the sender's network; not
 * for addresses of host scope; never.
 */
const OF_LINK = 1, OF_NETWORK = 2, NOT_OF_HOST = 3, NEVER = 8;

/**
 * Whether a station answers ARP or neighbour discovery for an address. `asker`: the link that the
 * request came from.
 */
function claimsAddress(station: Link, address: string, asker: Link): boolean {
  const { table } = station;
  if (!isV4(address)) return station.addresses.some((own) => own.address === address);
  const owner = table.linkOf(address);
  if (owner === null) return isProxy(station, address);
  const own = owner.addresses.find((one) => one.address === address);
  const rule = effectiveSetting(table.settings.ipv4.all, station.settings.ipv4, "arp_ignore");
  switch (rule) {
    case OF_LINK:
      return owner === station;
    case OF_NETWORK: {
      const source = asker.table.sourceFor(address, asker.index);
      return owner === station && own !== undefined && isInNetwork(source, address, own.prefix);
    }
    case NOT_OF_HOST:
      return own !== undefined && own.scope !== RT_SCOPE_HOST;
    default:
      return rule !== NEVER;
  }
}

/** Whether `proxy_arp` applies: the station would forward to the address by another link. */
function isProxy(station: Link, address: string): boolean {
  const { table, settings: { ipv4 } } = station;
  const isAsked = effectiveSetting(table.settings.ipv4.all, ipv4, "proxy_arp") !== 0;
  if (!isAsked || ipv4.get("forwarding") === 0) return false;
  const route = table.routeTo(address);
  return route !== null && route.link !== station && refusalOf(route.type) === 0;
}
