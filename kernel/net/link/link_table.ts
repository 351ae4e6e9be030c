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
import { AddressIndex } from "./address_index.ts";
import { bitsOf, isInNetwork, networkOf } from "./prefix.ts";
import { refusalOf, type Route } from "./route.ts";
import { RouteTable } from "./route_table.ts";

/** LIMIT: neighbours of one link. */
const NEIGHBOURS_MAX = 1024;
/** LIMIT: links and routes of one namespace. */
const LINKS_MAX = 1024, ROUTES_MAX = 4096;

export class LinkTable {
  /** The account that links, addresses and routes are charged to. */
  readonly account: Account;
  readonly net: NetNamespace;
  readonly links: Link[] = [];
  /** Routes that were added, and those that follow from addresses of links that are up. */
  readonly routes: RouteTable = new RouteTable();
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
  private readonly addresses: AddressIndex = new AddressIndex();

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
   * Adds a link, which is not up. -EINVAL, -EEXIST, -ENOBUFS. @param name may contain one `%d`;
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

  /** Removes a link, and with it the other end of a pair. -EOPNOTSUPP for `lo`. */
  remove(link: Link): number {
    if (link.kind === "loopback") return -EOPNOTSUPP;
    const { peer } = link;
    this.forget(link);
    if (peer !== null) peer.table.forget(peer);
    return 0;
  }

  /** Removes all that refers to the link. */
  private forget(link: Link): void {
    this.takeOut(link);
    NET_OBJECTS.give(1, this.account);
    this.dropAddresses(link);
    this.forgetNeighbours(link);
  }

  private dropAddresses(link: Link): void {
    for (const address of link.addresses) this.addresses.remove(link, address);
    NET_OBJECTS.give(link.addresses.length, this.account);
    link.addresses.length = 0;
  }

  private takeOut(link: Link): void {
    this.linkChanges++;
    link.groups.clear();
    for (const port of link.ports) port.master = null;
    link.master = null;
    link.isUp = false;
    this.links.splice(this.links.indexOf(link), 1);
    this.dropRoutes((route) => route.link === link);
  }

  /**
   * Moves a link to another namespace, where it has no addresses, routes or bridge. -EINVAL for
   * `lo`; -EEXIST: the name is taken there.
   */
  moveTo(link: Link, to: LinkTable, name: string = link.name): number {
    if (link.kind === "loopback") return -EINVAL;
    if (to === this) return 0;
    const chosen = to.freeName(name);
    if (typeof chosen === "number") return chosen;
    this.takeOut(link);
    this.dropAddresses(link);
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

  /** Makes the link a port of a bridge; null: of none. -EOPNOTSUPP, -ELOOP. */
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
    const wasUp = link.isUp;
    link.isUp = isUp;
    if (!isUp) {
      this.forgetNeighbours(link);
      this.dropRoutes((route) => route.link === link && refusalOf(route.type) === 0);
    } else if (link === this.lo) {
      this.addLoopback4();
      if (link.hasIpv6) this.addLoopback6();
    } else if (!wasUp) {
      const fours = link.addresses.filter(({ address }) => isV4(address));
      const sixes = link.addresses.filter(({ address }) => !isV4(address));
      for (const some of [fours, sixes]) this.routes.add(connectedTo(link, some));
    }
  }
  private addLoopback4(): void {
    const { addresses, settings } = this.lo;
    if (addresses.some((a) => isV4(a.address))) return;
    settings.ipv4.settle();
    const address = own(LOOPBACK4, 8, "lo", IFAPROT_UNSPEC);
    addresses.unshift(address);
    this.addresses.add(this.lo, address);
    this.addressChanges++;
    NET_OBJECTS.add(1, this.account);
  }
  private addLoopback6(): void {
    const { addresses } = this.lo;
    if (addresses.some((a) => a.address === LOOPBACK6)) return;
    const address = own(LOOPBACK6, 128, "", IFAPROT_KERNEL_LO);
    addresses.push(address);
    this.addresses.add(this.lo, address);
    this.addressChanges++;
    NET_OBJECTS.add(1, this.account);
  }

  /** IPv6 was switched on or off for a link. */
  onIpv6(link: Link): void {
    if (link.hasIpv6) {
      if (link === this.lo && link.isUp) this.addLoopback6();
      return;
    }
    this.takeAddresses(link, new Set(link.addresses.filter(({ address }) => !isV4(address))));
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
    if (isV4(address.address)) link.settings.ipv4.settle();
    link.addresses.push(address);
    this.addresses.add(link, address);
    if (link.isUp) this.routes.add(connectedTo(link, [address]));
    this.addressChanges++;
    return 0;
  }

  removeAddress(link: Link, address: string, prefix: number): number {
    const gone = link.addresses.find((a) => a.address === address && a.prefix === prefix);
    if (gone === undefined) return -EADDRNOTAVAIL;
    this.takeAddresses(link, new Set([gone]));
    return 0;
  }

  /** Removes addresses of a link, and the routes that need them. */
  private takeAddresses(link: Link, gone: ReadonlySet<LinkAddress>): void {
    const { addresses } = link, sources = new Set<string>();
    for (const address of gone) {
      this.addresses.remove(link, address);
      sources.add(address.address);
    }
    addresses.splice(0, addresses.length, ...addresses.filter((address) => !gone.has(address)));
    this.addressChanges += gone.size;
    NET_OBJECTS.give(gone.size, this.account);
    this.dropRoutes(({ connected, source }) =>
      connected === null ? source !== null && sources.has(source) : gone.has(connected)
    );
  }

  /** Sets a neighbour entry. 0 or -ENOBUFS. */
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

  /** Adds a route. 0, -EEXIST or -ENOBUFS. */
  addRoute(route: Route, replace: boolean, append: boolean): number {
    const same = this.routes.ofNetwork(route.network, route.bits).find(({ connected, metric }) =>
      connected === null && metric === route.metric
    );
    if (same !== undefined && replace) this.dropRoute(same);
    else if (same !== undefined && !append) return -EEXIST;
    if (this.routes.addedCount >= ROUTES_MAX || !NET_OBJECTS.take(1, this.account)) return -ENOBUFS;
    this.routes.add([route]);
    return 0;
  }

  /** Removes the first added route of a network that matches. 0 or -ESRCH. */
  removeRoute(network: string, bits: number, is: (route: Route) => boolean): number {
    const found = this.routes.ofNetwork(network, bits).find((route) =>
      route.connected === null && is(route)
    );
    if (found === undefined) return -ESRCH;
    this.dropRoute(found);
    return 0;
  }

  private dropRoute(route: Route): void {
    this.routes.remove(route);
    NET_OBJECTS.give(1, this.account);
  }

  dropRoutes(is: (route: Route) => boolean): void {
    NET_OBJECTS.give(this.routes.drop(is), this.account);
  }

  /** The link that has this address and is up. */
  linkOf(address: string): Link | null {
    if (isLoopback(address)) return this.lo.isUp ? this.lo : null;
    return this.addresses.linkOf(address);
  }

  /** The link for whose network this is the broadcast address. */
  broadcastLink(address: string): Link | null {
    return this.addresses.broadcastLink(address);
  }

  /** The route to an address of another station: the longest prefix, then the least metric. */
  routeTo(destination: string, only: Link | null = null): Route | null {
    return this.routes.find(
      destination,
      (route) =>
        (only === null || route.link === only) && (refusalOf(route.type) !== 0 || isUsable(route)),
    );
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

  /** Removes all links and their other ends at the end of the namespace. */
  release(): void {
    // Routes first, so that no link has to search for its own. Both ends of a pair may be here.
    this.dropRoutes(() => true);
    for (let last = this.links.at(-1)!; last !== this.lo; last = this.links.at(-1)!) {
      this.remove(last);
    }
    this.dropAddresses(this.lo);
  }
}

const SCOPE_LINK = 253, METRIC6 = 256;

function own(address: string, prefix: number, label: string, origin: number): LinkAddress {
  return { address, prefix, scope: RT_SCOPE_HOST, peer: address, broadcast: null, label, origin };
}

/** The routes to the networks of addresses of a link that is up. */
function connectedTo(link: Link, addresses: readonly LinkAddress[]): Route[] {
  const routes: Route[] = [];
  for (const connected of addresses) {
    const { peer, prefix: bits, address: source } = connected, isFour = isV4(source);
    if (link.kind === "loopback" || (bits === bitsOf(peer) && peer === source)) continue;
    const scope = isFour ? SCOPE_LINK : 0, metric = isFour ? 0 : METRIC6, via = null;
    const type = RTN_UNICAST, protocol = RTPROT_KERNEL, network = networkOf(peer, bits);
    routes.push({ type, network, bits, via, link, metric, source, scope, protocol, connected });
  }
  return routes;
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
