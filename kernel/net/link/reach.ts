/**
 * Where a packet arrives: which network namespace has an address, seen from another one, through routes, pairs of virtual
 * Ethernet and bridges. Sockets are connected with each other then; no packet travels.
 *
 * DIFFERS: a connection does not notice what changes on its way, and nothing is filtered. Neighbour: flood.ts.
 */

import { EHOSTDOWN, EHOSTUNREACH, ENETUNREACH, ENODEV } from "../../../ffi/abi/errno.ts";
import { isLoopback, isV4 } from "../inet/address.ts";
import type { NetNamespace } from "../net_namespace.ts";
import { RT_SCOPE_HOST } from "../../../ffi/abi/netlink.ts";
import type { Link } from "./link.ts";
import { effectiveSetting } from "./link_settings.ts";
import { isInNetwork } from "./prefix.ts";
import { refusalOf } from "./route.ts";

/** Nobody answers for the address where it should be: who sends something there hears so later. */
export const UNANSWERED = -EHOSTDOWN;

/** Stations on the way, as many as a packet's TTL allows at first. */
const STATIONS_MAX = 64;
/** What `rp_filter` is when the way back has to be by the same link. */
const STRICT = 1;

/**
 * The namespace that a packet from `net` to `destination` arrives in, or -ENETUNREACH, -EHOSTUNREACH, UNANSWERED, or what a route that
 * leads nowhere says. `device`: index of the link that its sender is bound to (-ENODEV), 0 for none.
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
    // Who is bound to a link looks for all that no route leads to right behind it.
    if (route === null && only === null) return stations === 0 ? -ENETUNREACH : -EHOSTUNREACH;
    const refusal = route === null ? 0 : refusalOf(route.type);
    if (refusal < 0) return stations === 0 ? refusal : -EHOSTUNREACH;
    const next = neighbour(route?.link ?? only!, route?.via ?? destination);
    if (next === null) return UNANSWERED;
    hops?.push(next);
    arrived = next.station;
    at = arrived.table.net;
  }
  return -EHOSTUNREACH;
}

/** From link to link to a destination; empty if it is in the same namespace, null if there is no way. */
export function hopsTo(net: NetNamespace, destination: string): readonly Hop[] | null {
  const hops: Hop[] = [];
  return typeof findNamespace(net, destination, hops) === "number" ? null : hops;
}

/**
 * Index of the link by which a packet comes to sockets of `net`: of its own packets the link that has the address, of others
 * the one that leads back.
 */
export function arrivalIndex({ links }: NetNamespace, source: string, destination: string): number {
  const isOwn = links.linkOf(source) !== null;
  const link = isOwn ? links.linkOf(destination) : links.routeTo(source)?.link ?? null;
  return link?.index ?? 0;
}

/** Whether answers find their way back. */
export function isReachableBack(from: NetNamespace, source: string, to: NetNamespace): boolean {
  return from === to || findNamespace(from, source) === to;
}

/** Whether all stations take a packet from `source`: `rp_filter` of those that it comes by. */
export function passesReverseFilter(hops: readonly Hop[], source: string): boolean {
  return !isV4(source) || hops.every(({ station }) => {
    const { table, settings } = station;
    const filter = effectiveSetting(table.settings.ipv4.all, settings.ipv4, "rp_filter");
    if (filter === 0) return true;
    const back = table.routeTo(source);
    return back !== null && (filter !== STRICT || back.link === station);
  });
}

/** What came by a link goes on. IPv6 asks for all links. */
function forwards(link: Link, destination: string): boolean {
  const asked = isV4(destination) ? link.settings.ipv4 : link.table.settings.ipv6.all;
  return asked.get("forwarding") !== 0;
}

/** A frame passes a link: it goes out, or comes in. */
export interface Crossing {
  readonly link: Link;
  readonly isIncoming: boolean;
}

/** From one station to the next: the link that it leaves by, the one that it is for, and all on the way. */
export interface Hop {
  readonly out: Link;
  readonly station: Link;
  readonly crossed: readonly Crossing[];
}

/** How a port was come to; links are crossed in the order from the last `before` on. */
interface Trail extends Crossing {
  readonly before: Trail | null;
}

/** Who has this address on the Ethernet that the link is on. */
function neighbour(link: Link, address: string): Hop | null {
  const start: Trail = { link, isIncoming: false, before: null }, seen = new Set<Link>([link]);
  const queue: Trail[] = [];
  if (link.kind === "bridge") { for (const port of portsBehind(link, start)) queue.push(port); }
  else queue.push(start);
  for (let trail = queue.pop(); trail !== undefined; trail = queue.pop()) {
    const port = trail.link, far = port.peer;
    if (far === null || !port.isUp || !far.isUp || seen.has(far)) continue;
    seen.add(far);
    // A port of a bridge has no station of its own: the bridge is one.
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

/** Values of `arp_ignore`: only for addresses of the link, and of the asker's network; not of this machine alone; never. */
const OF_LINK = 1, OF_NETWORK = 2, NOT_OF_HOST = 3, NEVER = 8;

/** `asker`: the link that the question was sent by. */
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

/** `proxy_arp`: it answers for those that it would forward to by another link. */
function isProxy(station: Link, address: string): boolean {
  const { table, settings: { ipv4 } } = station;
  const isAsked = effectiveSetting(table.settings.ipv4.all, ipv4, "proxy_arp") !== 0;
  if (!isAsked || ipv4.get("forwarding") === 0) return false;
  const route = table.routeTo(address);
  return route !== null && route.link !== station && refusalOf(route.type) === 0;
}
