/**
 * The links, addresses and routes of a network namespace (rtnetlink(7)). Callers check
 * privileges: netlink/route.ts and interface_ioctls.ts.
 */

import type { Account } from "../../core/account.ts";
import {
  EACCES,
  EADDRNOTAVAIL,
  EBUSY,
  EEXIST,
  EINVAL,
  ELOOP,
  ENOBUFS,
  EOPNOTSUPP,
  ESRCH,
} from "../../../ffi/abi/errno.ts";
import { IFNAMSIZ } from "../../../ffi/abi/inet.ts";
import {
  IFAPROT_KERNEL_LO,
  IFAPROT_UNSPEC,
  RT_SCOPE_HOST,
  RTN_UNICAST,
  RTPROT_KERNEL,
} from "../../../ffi/abi/netlink.ts";
import type { Host } from "../../core/host.ts";
import { NET_OBJECTS } from "../../core/quota.ts";
import { isLoopback, isV4, LOOPBACK4, LOOPBACK6 } from "../inet/address.ts";
import type { LinkFamily } from "../../proc/fs/link_fields.ts";
import type { NetNamespace } from "../net_namespace.ts";
import {
  ADDRESSES_MAX,
  Link,
  type LinkAddress,
  type LinkKind,
  type Neighbour,
  NO_MAC,
} from "./link.ts";
import { FamilySettings, type LinkSettings } from "./link_settings.ts";
import { bitsOf, broadcastOf, isInNetwork, networkOf } from "./prefix.ts";
import { refusalOf, type Route } from "./route.ts";

/** LIMIT: neighbours of one link. */
const NEIGHBOURS_MAX = 1024;
/** LIMIT: links and routes of one namespace. */
const LINKS_MAX = 1024, ROUTES_MAX = 4096;

export class LinkTable {
  /** The account that links, addresses and routes are charged to. */
  readonly account: Account;
  readonly net: NetNamespace;
  readonly links: Link[] = [];
  /** Routes that were added; those that follow from addresses are not stored. */
  readonly routes: Route[] = [];
  readonly lo: Link;
  /** Of /proc/sys/net/ipv4/conf and ipv6/conf. */
  readonly settings: Readonly<Record<LinkFamily, FamilySettings>> = {
    ipv4: new FamilySettings("ipv4"),
    ipv6: new FamilySettings("ipv6"),
  };
  /** Changes of links and of addresses so far: a dump that spans a change is marked. */
  linkChanges: number = 0;
  addressChanges: number = 0;
  private lastIndex = 0;
  /** The result of `allRoutes`; null: it has to be computed again. */
  private known: readonly Route[] | null = null;
  /** Links by broadcast address, for the routes in `broadcastsOf`. */
  private broadcasts: Map<string, Link> = new Map();
  private broadcastsOf: readonly Route[] | null = null;

  constructor(account: Account, net: NetNamespace) {
    this.account = account;
    this.net = net;
    this.lo = new Link(this, "loopback", "lo", this.nextIndex(), NO_MAC);
    this.links.push(this.lo);
  }

  private nextIndex(): number {
    return ++this.lastIndex;
  }

  /** Settings for a new link. */
  newSettings({ kind, mtu }: Link): Record<LinkFamily, LinkSettings> {
    const { ipv4, ipv6 } = this.settings, isLoopback = kind === "loopback";
    return { ipv4: ipv4.ofLink(isLoopback, mtu), ipv6: ipv6.ofLink(isLoopback, mtu) };
  }

  byName(name: string): Link | null {
    return this.links.find((link) => link.name === name) ?? null;
  }
  byIndex(index: number): Link | null {
    return this.links.find((link) => link.index === index) ?? null;
  }

  /**
   * Add a link, which is not up. -EINVAL, -EEXIST, -ENOBUFS. @param name may contain one `%d`;
   * empty: made from the kind
   */
  add(kind: LinkKind, name: string, mac: string = randomMac(this.net.host)): Link | number {
    if (this.links.length >= LINKS_MAX) return -ENOBUFS;
    const chosen = this.freeName(name === "" ? `${kind}%d` : name);
    if (typeof chosen === "number") return chosen;
    const link = new Link(this, kind, chosen, this.nextIndex(), mac);
    if (!NET_OBJECTS.take(1, this.account)) return -ENOBUFS;
    this.links.push(link);
    this.linkChanges++;
    return link;
  }

  /** A name without a link, from a pattern with at most one `%d`. */
  freeName(name: string): string | number {
    const isTemplate = name.includes("%d");
    for (let i = 0; i <= LINKS_MAX; i++) {
      const one = isTemplate ? name.replace("%d", String(i)) : name;
      if (!isName(one)) return -EINVAL;
      if (this.byName(one) === null) return one;
      if (!isTemplate) return -EEXIST;
    }
    return -ENOBUFS;
  }

  /** Remove a link, and with it the other end of a pair. -EOPNOTSUPP for `lo`. */
  remove(link: Link): number {
    if (link.kind === "loopback") return -EOPNOTSUPP;
    const { peer } = link;
    this.forget(link);
    if (peer !== null) peer.table.forget(peer);
    return 0;
  }

  /** Remove all that refers to the link. */
  private forget(link: Link): void {
    this.takeOut(link);
    NET_OBJECTS.give(1 + link.addresses.length, this.account);
    link.addresses.length = 0;
    this.forgetNeighbours(link);
  }

  private takeOut(link: Link): void {
    this.known = null;
    this.linkChanges++;
    link.groups.clear();
    for (const port of link.ports) port.master = null;
    link.master = null;
    link.isUp = false;
    this.links.splice(this.links.indexOf(link), 1);
    this.dropRoutes((route) => route.link === link);
  }

  /**
   * Move a link to another namespace, where it has no addresses, routes or bridge. -EINVAL for
   * `lo`; -EEXIST: the name is taken there.
   */
  moveTo(link: Link, to: LinkTable, name: string = link.name): number {
    if (link.kind === "loopback") return -EINVAL;
    if (to === this) return 0;
    const chosen = to.freeName(name);
    if (typeof chosen === "number") return chosen;
    this.takeOut(link);
    NET_OBJECTS.give(link.addresses.length, this.account);
    link.addresses.length = 0;
    this.forgetNeighbours(link);
    link.table = to;
    link.settings = to.newSettings(link);
    link.name = chosen;
    if (to.byIndex(link.index) !== null) link.index = to.nextIndex();
    to.lastIndex = Math.max(to.lastIndex, link.index);
    to.links.push(link);
    to.linkChanges++;
    return 0;
  }

  /** Make the link a port of a bridge; null: of none. -EOPNOTSUPP, -ELOOP. */
  enslave(link: Link, bridge: Link | null): number {
    if (bridge !== null) {
      if (bridge.kind !== "bridge") return -EOPNOTSUPP;
      if (link.kind === "bridge") return -ELOOP;
      if (link.kind === "loopback") return -EINVAL;
      if (link.master !== null && link.master !== bridge) return -EBUSY;
    }
    link.master = bridge;
    return 0;
  }

  setUp(link: Link, isUp: boolean): void {
    this.known = null;
    link.isUp = isUp;
    if (link === this.lo && isUp) {
      this.addLoopback4();
      if (link.hasIpv6) this.addLoopback6();
    }
    if (!isUp) this.forgetNeighbours(link);
    if (!isUp) {
      this.dropRoutes((route) => route.link === link && refusalOf(route.type) === 0);
    }
  }
  private addLoopback4(): void {
    const { addresses, settings } = this.lo;
    if (addresses.some((a) => isV4(a.address))) return;
    settings.ipv4.settle();
    addresses.unshift(own(LOOPBACK4, 8, "lo", IFAPROT_UNSPEC));
    this.addressChanges++;
    NET_OBJECTS.add(1, this.account);
  }
  private addLoopback6(): void {
    const { addresses } = this.lo;
    if (addresses.some((a) => a.address === LOOPBACK6)) return;
    addresses.push(own(LOOPBACK6, 128, "", IFAPROT_KERNEL_LO));
    this.addressChanges++;
    NET_OBJECTS.add(1, this.account);
  }

  /** IPv6 was switched on or off for a link. */
  onIpv6(link: Link): void {
    this.known = null;
    if (link.hasIpv6) {
      if (link === this.lo && link.isUp) this.addLoopback6();
      return;
    }
    for (const { address, prefix } of [...link.addresses]) {
      if (!isV4(address)) this.removeAddress(link, address, prefix);
    }
    this.dropRoutes((route) => route.link === link && !isV4(route.network));
  }

  addAddress(link: Link, address: LinkAddress): number {
    if (link.addresses.length >= ADDRESSES_MAX) return -ENOBUFS;
    if (!isV4(address.address) && !link.hasIpv6) return -EACCES;
    const isThere = link.addresses.some((a) =>
      a.address === address.address &&
      (a.prefix === address.prefix || !isV4(a.address))
    );
    if (isThere) return -EEXIST;
    if (!NET_OBJECTS.take(1, this.account)) return -ENOBUFS;
    this.known = null;
    if (isV4(address.address)) link.settings.ipv4.settle();
    link.addresses.push(address);
    this.addressChanges++;
    return 0;
  }

  removeAddress(link: Link, address: string, prefix: number): number {
    const at = link.addresses.findIndex((a) => a.address === address && a.prefix === prefix);
    if (at < 0) return -EADDRNOTAVAIL;
    this.known = null;
    link.addresses.splice(at, 1);
    this.addressChanges++;
    NET_OBJECTS.give(1, this.account);
    this.dropRoutes((route) => route.source === address);
    return 0;
  }

  /** Set a neighbour entry. 0 or -ENOBUFS. */
  setNeighbour(link: Link, address: string, neighbour: Neighbour): number {
    const isNew = !link.neighbours.has(address);
    if (isNew && (link.neighbours.size >= NEIGHBOURS_MAX || !NET_OBJECTS.take(1, this.account))) {
      return -ENOBUFS;
    }
    link.neighbours.set(address, neighbour);
    return 0;
  }
  dropNeighbour(link: Link, address: string): boolean {
    if (!link.neighbours.delete(address)) return false;
    NET_OBJECTS.give(1, this.account);
    return true;
  }
  forgetNeighbours(link: Link): void {
    NET_OBJECTS.give(link.neighbours.size, this.account);
    link.neighbours.clear();
  }

  addRoute(route: Route, replace: boolean, append: boolean): number {
    const same = this.routes.findIndex((r) =>
      r.network === route.network && r.bits === route.bits && r.metric === route.metric
    );
    if (same >= 0 && replace) this.dropRoute(same);
    else if (same >= 0 && !append) return -EEXIST;
    if (this.routes.length >= ROUTES_MAX || !NET_OBJECTS.take(1, this.account)) return -ENOBUFS;
    this.known = null;
    this.routes.push(route);
    return 0;
  }

  /** Remove the first route that matches. 0 or -ESRCH. */
  removeRoute(is: (route: Route) => boolean): number {
    const at = this.routes.findIndex(is);
    if (at < 0) return -ESRCH;
    this.dropRoute(at);
    return 0;
  }

  private dropRoute(at: number): void {
    this.known = null;
    this.routes.splice(at, 1);
    NET_OBJECTS.give(1, this.account);
  }

  dropRoutes(is: (route: Route) => boolean): void {
    for (let i = this.routes.length - 1; i >= 0; i--) {
      if (is(this.routes[i]!)) this.dropRoute(i);
    }
  }

  /** The link that has this address and is up. */
  linkOf(address: string): Link | null {
    if (isLoopback(address)) return this.lo.isUp ? this.lo : null;
    for (const link of this.links) {
      if (link.isUp && link.addresses.some((a) => a.address === address)) return link;
    }
    return null;
  }

  /** The link for whose network this is the broadcast address. */
  broadcastLink(address: string): Link | null {
    const routes = this.allRoutes();
    if (this.broadcastsOf !== routes) {
      this.broadcastsOf = routes;
      this.broadcasts = this.findBroadcasts();
    }
    return this.broadcasts.get(address) ?? null;
  }
  private findBroadcasts(): Map<string, Link> {
    const found = new Map<string, Link>();
    for (const link of this.links) {
      if (!link.isUp) continue;
      for (const { address, prefix, broadcast } of link.addresses) {
        if (!isV4(address) || prefix >= BROADCAST_BITS) continue;
        for (const all of [broadcast, broadcastOf(address, prefix)]) {
          if (all !== null && !found.has(all)) found.set(all, link);
        }
      }
    }
    return found;
  }

  /**
   * The routes of table main, in the order of `ip route`: those that follow from addresses, and
   * added ones.
   */
  allRoutes(): readonly Route[] {
    return this.known ??= [...this.connected(), ...this.routes].sort(inOrder);
  }

  /** Routes to the networks of the addresses of links that are up. */
  private connected(): Route[] {
    const routes: Route[] = [];
    for (const link of this.links) {
      if (!link.isUp || link === this.lo) continue;
      for (const { peer, prefix: bits, address: source } of link.addresses) {
        if (bits === bitsOf(peer) && peer === source) continue;
        const scope = isV4(source) ? SCOPE_LINK : 0, metric = isV4(source) ? 0 : METRIC6;
        const type = RTN_UNICAST, protocol = RTPROT_KERNEL;
        routes.push({
          type,
          network: peer,
          bits,
          via: null,
          link,
          metric,
          source,
          scope,
          protocol,
        });
      }
    }
    return routes;
  }

  /** The route to an address of another station: the longest prefix, then the least metric. */
  routeTo(destination: string, only: Link | null = null): Route | null {
    let best: Route | null = null;
    for (const route of this.allRoutes()) {
      if (only !== null && route.link !== only) continue;
      const isThere = refusalOf(route.type) !== 0 || isUsable(route);
      if (!isThere || !isInNetwork(destination, route.network, route.bits)) continue;
      const isBetter = best === null || route.bits > best.bits ||
        (route.bits === best.bits && route.metric < best.metric);
      if (isBetter) best = route;
    }
    return best;
  }

  /**
   * The source address for a sender that chose none. `device`: index of the link it is bound to, or
   * 0.
   */
  sourceFor(destination: string, device: number = 0): string {
    const own = this.linkOf(destination), bound = device === 0 ? null : this.byIndex(device);
    if (bound !== null && bound !== own && bound !== this.lo) {
      const isFour = isV4(destination);
      const address = bound.addresses.find((a) => isV4(a.address) === isFour)?.address;
      if (address !== undefined) return address;
    }
    if (own !== null) {
      return isLoopback(destination) ? isV4(destination) ? LOOPBACK4 : LOOPBACK6 : destination;
    }
    const route = this.routeTo(destination);
    return route === null
      ? isV4(destination) ? LOOPBACK4 : LOOPBACK6
      : sourceOf(route, destination);
  }

  /** The namespace ends: its links and their other ends go. */
  release(): void {
    // Routes first, so that no link has to search for its own. Both ends of a pair may be here.
    this.dropRoutes(() => true);
    for (let last = this.links.at(-1)!; last !== this.lo; last = this.links.at(-1)!) {
      this.remove(last);
    }
    NET_OBJECTS.give(this.lo.addresses.length, this.account);
    this.lo.addresses.length = 0;
  }
}

/** Longer prefixes have no broadcast address. */
const BROADCAST_BITS = 31;
const SCOPE_LINK = 253, METRIC6 = 256;

function own(address: string, prefix: number, label: string, origin: number): LinkAddress {
  return { address, prefix, scope: RT_SCOPE_HOST, peer: address, broadcast: null, label, origin };
}

/**
 * The order of `ip route`: IPv4 by network, longer prefixes later, and metric; then IPv6. DIFFERS:
 * IPv6 in the order of addition.
 */
function inOrder(a: Route, b: Route): number {
  const isFour = isV4(a.network);
  if (isFour !== isV4(b.network)) return isFour ? -1 : 1;
  if (!isFour) return 0;
  const one = networkOf(a.network, a.bits), two = networkOf(b.network, b.bits);
  return one === two ? b.bits - a.bits || a.metric - b.metric : one < two ? -1 : 1;
}

/** Whether packets can leave by the route. */
function isUsable({ link, network }: Route): boolean {
  if (!link.isUp || link.hasCarrier) return link.isUp;
  const family = isV4(network) ? "ipv4" : "ipv6";
  return link.settings[family].get("ignore_routes_with_linkdown") === 0;
}

function sourceOf(route: Route, destination: string): string {
  if (route.source !== null) return route.source;
  const next = route.via ?? destination;
  const fitting = route.link.addresses.filter((a) => isV4(a.address) === isV4(destination));
  const near = fitting.find((a) => isInNetwork(next, a.address, a.prefix));
  return (near ?? fitting[0])?.address ?? (isV4(destination) ? LOOPBACK4 : LOOPBACK6);
}

/** Names that mean something else in /sys or /proc/sys/net. */
const NOT_NAMES: readonly string[] = ["", ".", "..", "all", "default"];

/** dev_valid_name of Linux. */
function isName(name: string): boolean {
  return !NOT_NAMES.includes(name) && name.length < IFNAMSIZ && !/[\/:\s\0]/.test(name);
}

/** A locally administered unicast address. */
function randomMac(host: Host): string {
  const bytes = new Uint8Array(6);
  host.random(bytes);
  bytes[0] = (bytes[0]! & 0xfe) | 2;
  return String.fromCharCode(...bytes);
}
