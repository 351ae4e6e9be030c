/**
 * The routes of table main of one namespace: found by the longest prefix without a look at each,
 * and kept in the order in which they are listed. A guest may have some 70,000.
 */

import { isV4 } from "../inet/address.ts";
import { networkKey } from "./prefix.ts";
import type { Route } from "./route.ts";

/** Up to so many routes are inserted into the list one by one; more at once are merged into it. */
const INSERTED_MAX = 16;

/** The routes of one prefix length by network; those of one network are in the order of metrics. */
export class PrefixRoutes {
  readonly bits: number;
  private readonly byNetwork: Map<string, Route[]> = new Map();

  constructor(bits: number) {
    this.bits = bits;
  }

  get isEmpty(): boolean {
    return this.byNetwork.size === 0;
  }

  /** The routes of the network that the address is in. HOT */
  routesOf(address: string): readonly Route[] {
    return this.byNetwork.get(networkKey(address, this.bits)) ?? NONE;
  }

  add(route: Route): void {
    const key = networkKey(route.network, this.bits), routes = this.byNetwork.get(key);
    if (routes === undefined) this.byNetwork.set(key, [route]);
    else routes.splice(routes.findLastIndex((r) => r.metric <= route.metric) + 1, 0, route);
  }

  remove(route: Route): void {
    const key = networkKey(route.network, this.bits), routes = this.byNetwork.get(key)!;
    routes.splice(routes.lastIndexOf(route), 1);
    if (routes.length === 0) this.byNetwork.delete(key);
  }

  /** Removes routes of this prefix length: each network is gone through once. */
  removeAll(gone: ReadonlySet<Route>): void {
    for (const key of new Set([...gone].map(({ network }) => networkKey(network, this.bits)))) {
      const left = this.byNetwork.get(key)!.filter((route) => !gone.has(route));
      if (left.length > 0) this.byNetwork.set(key, left);
      else this.byNetwork.delete(key);
    }
  }
}

const NONE: readonly Route[] = [];

/** The routes of one address family. */
export class FamilyRoutes {
  /** By prefix length, the longest first. */
  private readonly prefixes: PrefixRoutes[] = [];
  private readonly isFour: boolean;
  /** For IPv4 in the order of `byNetwork`, for IPv6 in the order of addition. */
  list: Route[] = [];

  constructor(isFour: boolean) {
    this.isFour = isFour;
  }

  /** The best route to an address among those that the test accepts. HOT */
  find(address: string, accepts: (route: Route) => boolean): Route | null {
    for (const prefix of this.prefixes) {
      for (const route of prefix.routesOf(address)) if (accepts(route)) return route;
    }
    return null;
  }

  /** The routes of one network, by metric. */
  ofNetwork(network: string, bits: number): readonly Route[] {
    return this.prefixes.find((prefix) => prefix.bits === bits)?.routesOf(network) ?? NONE;
  }

  add(routes: readonly Route[]): void {
    for (const route of routes) this.findOrAddPrefix(route.bits).add(route);
    if (routes.length <= INSERTED_MAX) {
      for (const route of routes) this.list.splice(this.placeOf(route, true), 0, route);
    } else if (this.isFour) this.list = mergeSorted(this.list, routes.toSorted(byNetwork));
    else this.list.push(...routes);
  }

  private findOrAddPrefix(bits: number): PrefixRoutes {
    const { prefixes } = this, at = prefixes.findIndex((prefix) => prefix.bits <= bits);
    if (at >= 0 && prefixes[at]!.bits === bits) return prefixes[at]!;
    const prefix = new PrefixRoutes(bits);
    prefixes.splice(at < 0 ? prefixes.length : at, 0, prefix);
    return prefix;
  }

  /** The index in the list before all routes like `route`, or with `behind` after all of them. */
  private placeOf(route: Route, behind: boolean): number {
    let low = 0, high = this.list.length;
    if (!this.isFour) return behind ? high : low;
    while (low < high) {
      const middle = (low + high) >>> 1, order = byNetwork(this.list[middle]!, route);
      if (order < 0 || (behind && order === 0)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  remove(route: Route): void {
    this.list.splice(this.list.indexOf(route, this.placeOf(route, false)), 1);
    const prefix = this.findOrAddPrefix(route.bits);
    prefix.remove(route);
    this.leaveIfEmpty(prefix);
  }

  /**
   * Removes all routes for which the test holds. Returns how many of them were added, and do not
   * follow from addresses.
   */
  drop(test: (route: Route) => boolean): number {
    const dropped = this.list.filter(test);
    if (dropped.length === 0) return 0;
    const gone = new Set(dropped);
    this.list = this.list.filter((route) => !gone.has(route));
    for (const [bits, routes] of Map.groupBy(dropped, (route) => route.bits)) {
      const prefix = this.findOrAddPrefix(bits);
      prefix.removeAll(new Set(routes));
      this.leaveIfEmpty(prefix);
    }
    return dropped.reduce((n, { connected }) => connected === null ? n + 1 : n, 0);
  }

  private leaveIfEmpty(prefix: PrefixRoutes): void {
    if (prefix.isEmpty) this.prefixes.splice(this.prefixes.indexOf(prefix), 1);
  }
}

export class RouteTable {
  private readonly v4: FamilyRoutes = new FamilyRoutes(true);
  private readonly v6: FamilyRoutes = new FamilyRoutes(false);
  /** The number of routes that do not follow from addresses. */
  addedCount: number = 0;

  /**
   * The routes of a family in the order of `ip route`: for IPv4 by network, prefix and metric.
   * DIFFERS: for IPv6 in the order of addition.
   */
  listOf(isFour: boolean): readonly Route[] {
    return this.familyOf(isFour).list;
  }

  private familyOf(isFour: boolean): FamilyRoutes {
    return isFour ? this.v4 : this.v6;
  }

  /** The route with the longest prefix, and then the least metric, of those that are accepted. */
  find(address: string, accepts: (route: Route) => boolean): Route | null {
    return this.familyOf(isV4(address)).find(address, accepts);
  }

  /** The routes of exactly this network, by metric. */
  ofNetwork(network: string, bits: number): readonly Route[] {
    return this.familyOf(isV4(network)).ofNetwork(network, bits);
  }

  /** Adds routes of one family. */
  add(routes: readonly Route[]): void {
    if (routes.length === 0) return;
    this.familyOf(isV4(routes[0]!.network)).add(routes);
    for (const { connected } of routes) if (connected === null) this.addedCount++;
  }

  /** Removes a route, which must be in the table. */
  remove(route: Route): void {
    this.familyOf(isV4(route.network)).remove(route);
    if (route.connected === null) this.addedCount--;
  }

  /**
   * Removes all routes for which the test holds. Returns how many of them were added, and do not
   * follow from addresses.
   */
  drop(test: (route: Route) => boolean): number {
    const count = this.v4.drop(test) + this.v6.drop(test);
    this.addedCount -= count;
    return count;
  }
}

/** Compares two routes in the order of `ip route` for IPv4: network, longest prefix, metric. */
function byNetwork(a: Route, b: Route): number {
  if (a.network !== b.network) return a.network < b.network ? -1 : 1;
  return b.bits - a.bits || a.metric - b.metric;
}

/** Merges two sorted lists; of equal routes those of the first list come first. */
function mergeSorted(first: readonly Route[], second: readonly Route[]): Route[] {
  const all: Route[] = [];
  let i = 0;
  for (const route of second) {
    while (i < first.length && byNetwork(first[i]!, route) <= 0) all.push(first[i++]!);
    all.push(route);
  }
  while (i < first.length) all.push(first[i++]!);
  return all;
}
