/**
 * Where a packet arrives: which network namespace has an address, seen from another one, through routes, pairs of virtual
 * Ethernet and bridges. Sockets are connected with each other then; no packet travels.
 *
 * DIFFERS: a connection does not notice what changes on its way, nothing is filtered, and no multicast leaves.
 */

import { EHOSTUNREACH, ENETUNREACH } from "../../../ffi/abi/errno.ts";
import { isLoopback, isV4 } from "../inet/address.ts";
import type { NetNamespace } from "../net_namespace.ts";
import type { Link } from "./link.ts";

/** Stations on the way, as many as a packet's TTL allows at first. */
const STATIONS_MAX = 64;

/** The namespace that a packet from `net` to `destination` arrives in, or -ENETUNREACH, -EHOSTUNREACH. */
export function reach(net: NetNamespace, destination: string): NetNamespace | number {
  let at = net;
  for (let stations = 0; stations < STATIONS_MAX; stations++) {
    const { links } = at;
    if (links.linkOf(destination) !== null) return links.lo.isUp || at !== net ? at : -ENETUNREACH;
    if (isLoopback(destination)) return -ENETUNREACH;
    if (stations > 0 && !forwards(at, destination)) return -EHOSTUNREACH;
    const route = links.routeTo(destination);
    if (route === null) return stations === 0 ? -ENETUNREACH : -EHOSTUNREACH;
    const next = neighbour(route.link, route.via ?? destination);
    if (next === null) return -EHOSTUNREACH;
    at = next;
  }
  return -EHOSTUNREACH;
}

/** Whether answers find their way back. */
export function isReachableBack(from: NetNamespace, source: string, to: NetNamespace): boolean {
  return from === to || reach(from, source) === to;
}

function forwards(net: NetNamespace, destination: string): boolean {
  const path = isV4(destination) ? "net/ipv4/ip_forward" : "net/ipv6/conf/all/forwarding";
  return net.setting(path).trim() === "1";
}

/** Who has this address on the Ethernet that the link is on. */
function neighbour(link: Link, address: string): NetNamespace | null {
  const seen = new Set<Link>([link]), queue = link.kind === "bridge" ? openPorts(link) : [link];
  for (let port = queue.pop(); port !== undefined; port = queue.pop()) {
    const far = port.peer;
    if (far === null || !port.isUp || !far.isUp || seen.has(far)) continue;
    seen.add(far);
    // A port of a bridge has no station of its own: the bridge is one.
    const station = far.master ?? far;
    if (!station.isUp || (station !== far && seen.has(station))) continue;
    seen.add(station);
    if (station.table.linkOf(address) !== null) return station.table.net;
    if (station !== far) queue.push(...openPorts(station).filter((other) => !seen.has(other)));
  }
  return null;
}

function openPorts(bridge: Link): Link[] {
  return bridge.ports.filter((port) => port.isUp);
}
