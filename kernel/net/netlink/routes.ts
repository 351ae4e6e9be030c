/**
 * RTM_GETROUTE, RTM_NEWROUTE and RTM_DELROUTE of rtnetlink(7), as `ip route` uses them, for the
 * tables main and local; RTM_GETRULE.
 */

import { EINVAL, ENETDOWN, ENETUNREACH, ENODEV, EOPNOTSUPP } from "../../../ffi/abi/errno.ts";
import * as N from "../../../ffi/abi/netlink.ts";
import { AF_INET, AF_INET6 } from "../../../ffi/abi/socket.ts";
import { ANY4, ANY6, isV4 } from "../inet/address.ts";
import type { Link, LinkAddress } from "../link/link.ts";
import type { LinkTable } from "../link/link_table.ts";
import { bitsOf, broadcastOf, networkOf } from "../link/prefix.ts";
import { refusalOf, type Route } from "../link/route.ts";
import { fromRaw, rawAddress } from "./addresses.ts";
import { type Attributes, readAttributes, u32Of } from "./attributes.ts";
import { Dump, DumpSequence, familiesOf, LinkDump, LOOKS, MESSAGES } from "./dump.ts";
import type { RouteRequest } from "./request.ts";
import type { NetlinkRequest, NetlinkWriter } from "./writer.ts";

const { at } = N.Rtmsg;
/** The default metric of IPv6 routes. */
const METRIC6 = 1024;
/**
 * Of linux/in_route.h: a route to this host. struct rta_cacheinfo is all zero, as nothing is
 * cached.
 */
const RTCF_LOCAL = 0x80000000, CACHEINFO_BYTES = 32;

interface Shown {
  readonly network: string;
  readonly bits: number;
  readonly table: number;
  readonly type: number;
  readonly scope: number;
  readonly protocol: number;
  readonly link: Link;
  readonly via: string | null;
  readonly source: string | null;
  readonly metric: number;
}

/** RTM_GETROUTE: 0 or -errno. */
export function getRoutes(r: RouteRequest, out: NetlinkWriter): number {
  if (!r.isDump) return getRoute(r, out);
  const { request, net: { links } } = r;
  const parts = familiesOf(r).flatMap((family) => [
    new LocalRouteDump(request, links, [family]),
    new MainRouteDump(request, links, family),
  ]);
  return r.answerBy(new DumpSequence(request, parts));
}

/** The routes of table local, which follow from the addresses of links. */
export class LocalRouteDump extends LinkDump<LinkAddress> {
  protected override itemsOf(link: Link): readonly LinkAddress[] {
    return link.isUp ? link.addresses : NONE;
  }
  protected override put(
    out: NetlinkWriter,
    link: Link,
    address: LinkAddress,
    family: number,
  ): boolean {
    if (isV4(address.address) !== (family === AF_INET)) return false;
    for (const route of localRoutes(link, address)) {
      putRoute(this.request, out, route, family, N.NLM_F_MULTI);
    }
    return true;
  }
}

const NONE: readonly LinkAddress[] = [];

/** The routes of table main; it remembers the last route that was sent. */
export class MainRouteDump extends Dump {
  private readonly table: LinkTable;
  private readonly family: number;
  private last: Route | null = null;
  private place: number = 0;

  constructor(request: NetlinkRequest, table: LinkTable, family: number) {
    super(request);
    this.table = table;
    this.family = family;
  }

  override step(out: NetlinkWriter): boolean {
    const all = this.table.routes.listOf(this.family === AF_INET);
    let looks = LOOKS, messages = MESSAGES;
    for (this.place = this.placeIn(all); this.place < all.length; this.place++) {
      if (looks-- <= 0 || messages <= 0) return true;
      const route = this.last = all[this.place]!;
      putRoute(this.request, out, shown(route), this.family, N.NLM_F_MULTI);
      messages--;
    }
    this.last = null;
    return false;
  }

  /** The index behind the last route, if it still exists; else the old index. */
  private placeIn(all: readonly Route[]): number {
    const { last, place } = this;
    if (last === null || all[place - 1] === last) return place;
    const found = all.indexOf(last);
    return found < 0 ? place - 1 : found + 1;
  }
}

function shown(route: Route): Shown {
  return {
    ...route,
    table: N.RT_TABLE_MAIN,
  };
}

/** Local routes of an address: itself, its network on lo, and broadcast. */
function localRoutes(link: Link, { address, prefix, broadcast }: LinkAddress): Shown[] {
  const all: Shown[] = [], isFour = isV4(address);
  const table = N.RT_TABLE_LOCAL, protocol = N.RTPROT_KERNEL, via = null;
  const source = isFour ? address : null, metric = 0;
  const common = { table, protocol, via, source, metric, link };
  const type = N.RTN_LOCAL, scope = isFour ? N.RT_SCOPE_HOST : N.RT_SCOPE_UNIVERSE;
  if (link.kind === "loopback" && isFour && prefix < 32) {
    all.push({ ...common, network: networkOf(address, prefix), bits: prefix, type, scope });
  }
  all.push({ ...common, network: address, bits: bitsOf(address), type, scope });
  const last = link.kind === "loopback" && isFour ? broadcastOf(address, prefix) : broadcast;
  if (last === null) return all;
  const kind = { type: N.RTN_BROADCAST, scope: N.RT_SCOPE_LINK };
  all.push({ ...common, network: last, bits: 32, ...kind });
  return all;
}

function putRoute(
  request: NetlinkRequest,
  out: NetlinkWriter,
  route: Shown,
  family: number,
  flags: number,
): void {
  const body = out.begin(request, N.RTM_NEWROUTE, flags, N.Rtmsg.size);
  out.u8[body + at.family] = family;
  out.u8[body + at.dstLen] = route.bits;
  out.u8[body + at.table] = route.table;
  out.u8[body + at.protocol] = route.protocol;
  out.u8[body + at.scope] = route.scope;
  out.u8[body + at.type] = route.type;
  out.u32(N.RTA_TABLE, route.table);
  if (route.bits > 0) out.bytes(N.RTA_DST, rawAddress(route.network));
  if (route.metric !== 0) out.u32(N.RTA_PRIORITY, route.metric);
  if (route.via !== null) out.bytes(N.RTA_GATEWAY, rawAddress(route.via));
  if (route.source !== null && family === AF_INET) {
    out.bytes(N.RTA_PREFSRC, rawAddress(route.source));
  }
  const isNowhere = family === AF_INET && refusalOf(route.type) < 0;
  if (!isNowhere) out.u32(N.RTA_OIF, route.link.index);
  out.end();
}

/** `ip route get`: the route of a packet to one address. */
function getRoute(r: RouteRequest, out: NetlinkWriter): number {
  if (r.body.byteLength < N.Rtmsg.size) return -EINVAL;
  const { family, net: { links } } = r;
  const destination = fromRaw(readAttributes(r.body, N.Rtmsg.size).get(N.RTA_DST), family);
  if (destination === undefined) return -EINVAL;
  const isOwn = links.linkOf(destination) !== null;
  const route = isOwn ? null : links.routeTo(destination);
  if (route === null && !isOwn) return -ENETUNREACH;
  const refusal = route === null ? 0 : refusalOf(route.type);
  if (refusal < 0) return refusal;
  putWay(r, out, destination, route);
  return 0;
}

/**
 * The attributes of rt_fill_info and rt6_fill_node in their order: libraries find some of them by
 * position.
 */
function putWay(r: RouteRequest, out: NetlinkWriter, to: string, route: Route | null): void {
  const { family, net: { links } } = r, isFour = family === AF_INET;
  // As on Linux without rules, IPv4 look-ups show one table.
  const table = route === null && !isFour ? N.RT_TABLE_LOCAL : N.RT_TABLE_MAIN;
  const body = out.begin(r.request, N.RTM_NEWROUTE, 0, N.Rtmsg.size);
  out.u8[body + at.family] = family;
  out.u8[body + at.dstLen] = bitsOf(to);
  out.u8[body + at.table] = table;
  out.u8[body + at.type] = route === null ? N.RTN_LOCAL : N.RTN_UNICAST;
  const flags = isFour ? N.RTM_F_CLONED | (route === null ? RTCF_LOCAL : 0) : 0;
  out.dv.setUint32(body + at.flags, flags, true);
  out.u32(N.RTA_TABLE, table);
  out.bytes(N.RTA_DST, rawAddress(to));
  const link = (route?.link ?? links.lo).index, source = links.sourceFor(to);
  const via = route?.via ?? null;
  if (isFour) out.u32(N.RTA_OIF, link);
  if (source !== null) out.bytes(N.RTA_PREFSRC, rawAddress(source));
  if (via !== null) out.bytes(N.RTA_GATEWAY, rawAddress(via));
  if (!isFour) out.u32(N.RTA_OIF, link);
  out.attribute(N.RTA_CACHEINFO, CACHEINFO_BYTES);
  out.end();
}

/** Parses a request: the route, or -errno. */
function read(r: RouteRequest): { route: Omit<Route, "link">; link: Link | null } | number {
  const { body, family } = r;
  if (body.byteLength < N.Rtmsg.size) return -EINVAL;
  if (family !== AF_INET && family !== AF_INET6) return -EOPNOTSUPP;
  const attributes = readAttributes(body, N.Rtmsg.size), bits = body.getUint8(at.dstLen);
  const network = fromRaw(attributes.get(N.RTA_DST), family) ?? (family === AF_INET ? ANY4 : ANY6);
  if (bits > bitsOf(network) || networkOf(network, bits) !== network) return -EINVAL;
  const table = u32Of(attributes.get(N.RTA_TABLE)) ?? body.getUint8(at.table);
  const type = body.getUint8(at.type);
  // DIFFERS: only table main can be changed.
  if (table !== N.RT_TABLE_MAIN && table !== N.RT_TABLE_UNSPEC) return -EOPNOTSUPP;
  const isKnown = type === N.RTN_UNICAST || type === 0 || refusalOf(type) < 0;
  if (!isKnown) return -EOPNOTSUPP;
  const index = u32Of(attributes.get(N.RTA_OIF)) ?? 0, link = r.net.links.byIndex(index);
  if (index !== 0 && link === null) return -ENODEV;
  return { route: describe(body, attributes, family, network, bits), link };
}

function describe(
  body: DataView,
  attributes: Attributes,
  family: number,
  network: string,
  bits: number,
): Omit<Route, "link"> {
  const via = fromRaw(attributes.get(N.RTA_GATEWAY), family) ?? null;
  const source = fromRaw(attributes.get(N.RTA_PREFSRC), family) ?? null;
  const given = u32Of(attributes.get(N.RTA_PRIORITY)) ?? 0;
  const metric = given === 0 && family === AF_INET6 ? METRIC6 : given;
  const scope = family === AF_INET6 ? 0 : body.getUint8(at.scope);
  const type = body.getUint8(at.type), protocol = body.getUint8(at.protocol);
  const connected = null;
  return { type, network, bits, via, source, metric, scope, protocol, connected };
}

/** RTM_NEWROUTE: 0 or -errno. */
export function addRoute(r: RouteRequest): number {
  const wanted = read(r);
  if (typeof wanted === "number") return wanted;
  const { links } = r.net, { flags } = r.request;
  const route = { ...wanted.route, type: wanted.route.type || N.RTN_UNICAST };
  let { link } = wanted;
  const replaces = (flags & N.NLM_F_REPLACE) !== 0, appends = (flags & N.NLM_F_APPEND) !== 0;
  if (refusalOf(route.type) < 0) {
    if (r.family === AF_INET && (link !== null || route.via !== null)) {
      const why = "Gateway, device and multipath can not be specified for this route type";
      return r.refuse(-EINVAL, why);
    }
    return links.addRoute({ ...route, via: null, link: links.lo }, replaces, appends);
  }
  if (route.via !== null) {
    // The gateway has to be on a link.
    const found = links.routeTo(route.via);
    const near = found !== null && refusalOf(found.type) < 0 ? null : found;
    if (link === null) link = near?.via === null ? near.link : null;
    if (link === null || near === null || near.link !== link) {
      return r.refuse(-ENETUNREACH, "Nexthop has invalid gateway");
    }
  }
  if (link === null) return -ENODEV;
  if (!link.isUp) return -ENETDOWN;
  if (route.source !== null && links.linkOf(route.source) === null) return -EINVAL;
  return links.addRoute({ ...route, link }, replaces, appends);
}

/** RTM_DELROUTE: 0 or -errno. */
export function deleteRoute(r: RouteRequest): number {
  const wanted = read(r);
  if (typeof wanted === "number") return wanted;
  const { route, link } = wanted, isFour = r.family === AF_INET;
  return r.net.links.removeRoute(
    route.network,
    route.bits,
    (one) =>
      (route.type === 0 || one.type === route.type) && (link === null || one.link === link) &&
      (route.via === null || one.via === route.via) &&
      (route.metric === 0 || one.metric === route.metric || !isFour),
  );
}

interface Rule {
  readonly table: number;
  readonly priority: number;
}

const LOCAL_RULE: Readonly<Rule> = { table: N.RT_TABLE_LOCAL, priority: 0 };
const MAIN_RULE: Readonly<Rule> = { table: N.RT_TABLE_MAIN, priority: 0x7ffe };
const DEFAULT_RULE: Readonly<Rule> = { table: N.RT_TABLE_DEFAULT, priority: 0x7fff };
const NOT_SUPPRESSED = 0xffffffff;

/** RTM_GETRULE: the rules that each namespace begins with. DIFFERS: there are no others. */
export function getRules(r: RouteRequest, out: NetlinkWriter): number {
  if (r.wantsFamily(AF_INET)) {
    for (const one of [LOCAL_RULE, MAIN_RULE, DEFAULT_RULE]) {
      putRule(r, out, one, AF_INET);
    }
  }
  if (r.wantsFamily(AF_INET6)) {
    for (const one of [LOCAL_RULE, MAIN_RULE]) putRule(r, out, one, AF_INET6);
  }
  return 0;
}

function putRule(r: RouteRequest, out: NetlinkWriter, rule: Rule, family: number): void {
  const { at } = N.FibRuleHdr;
  const body = out.begin(r.request, N.RTM_NEWRULE, N.NLM_F_MULTI, N.FibRuleHdr.size);
  out.u8[body + at.family] = family;
  out.u8[body + at.table] = rule.table;
  out.u8[body + at.action] = N.FR_ACT_TO_TBL;
  out.u32(N.FRA_TABLE, rule.table);
  out.u32(N.FRA_SUPPRESS_PREFIXLEN, NOT_SUPPRESSED);
  out.u8Value(N.FRA_PROTOCOL, N.RTPROT_KERNEL);
  if (rule.priority !== 0) out.u32(N.FRA_PRIORITY, rule.priority);
  out.end();
}
