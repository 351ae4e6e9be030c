/**
 * RTM_GETLINK, RTM_NEWLINK, RTM_SETLINK and RTM_DELLINK of rtnetlink(7), as `ip link` uses them.
 */

import { EEXIST, EINVAL, ENODEV, EOPNOTSUPP, EPERM, ESRCH } from "../../../ffi/abi/errno.ts";
import { CAP_NET_ADMIN } from "../../../ffi/abi/capability.ts";
import * as I from "../../../ffi/abi/inet.ts";
import * as N from "../../../ffi/abi/netlink.ts";
import { AF_UNSPEC } from "../../../ffi/abi/socket.ts";
import { COUNTER_NAMES } from "../../core/link_counters.ts";
import type { Link } from "../link/link.ts";
import type { NetNamespace } from "../net_namespace.ts";
import { countersOf } from "../traffic/tables.ts";
import { type Attributes, nestedAttributes, readAttributes, textOf, u32Of } from "./attributes.ts";
import { LinkDump } from "./dump.ts";
import type { RouteRequest } from "./request.ts";
import type { NetlinkRequest, NetlinkWriter } from "./writer.ts";

/** IFF_LOWER_UP, which is set with the carrier. */
const LOWER_UP = 0x10000;
/** Flags besides IFF_UP that may be set; they are only shown. */
const SETTABLE = I.IFF_NOARP | I.IFF_PROMISC | I.IFF_ALLMULTI | I.IFF_MULTICAST | I.IFF_DEBUG;
/** IFALIASZ. */
const ALIAS_BYTES = 256;
const { at } = N.Ifinfomsg;

/** RTM_GETLINK: 0 or -errno. */
export function getLinks(r: RouteRequest, out: NetlinkWriter): number {
  if (r.isDump) return r.answerBy(new LinksDump(r.request, r.net.links, [AF_UNSPEC]));
  if (r.body.byteLength < N.Ifinfomsg.size) return -EINVAL;
  const link = findLink(r, readAttributes(r.body, N.Ifinfomsg.size));
  if (link === null) return -ENODEV;
  putLink(r.request, link, out, 0);
  return 0;
}

export class LinksDump extends LinkDump<Link> {
  override get version(): number {
    return this.table.linkChanges;
  }
  protected override itemsOf(link: Link): readonly Link[] {
    return [link];
  }
  protected override put(out: NetlinkWriter, link: Link): boolean {
    putLink(this.request, link, out, N.NLM_F_MULTI);
    return true;
  }
}

/** The link of a request, by index or name. */
function findLink({ net, body }: RouteRequest, attributes: Attributes): Link | null {
  const index = body.getInt32(at.index, true);
  if (index !== 0) return net.links.byIndex(index);
  const name = textOf(attributes.get(N.IFLA_IFNAME));
  return name === "" ? null : net.links.byName(name);
}

function putLink(request: NetlinkRequest, link: Link, out: NetlinkWriter, flags: number): void {
  const body = out.begin(request, N.RTM_NEWLINK, flags, N.Ifinfomsg.size);
  const carrier = link.hasCarrier;
  out.dv.setUint16(body + at.type, link.type, true);
  out.dv.setInt32(body + at.index, link.index, true);
  out.dv.setUint32(body + at.flags, link.flags | (link.isUp && carrier ? LOWER_UP : 0), true);
  out.text(N.IFLA_IFNAME, link.name);
  out.u32(N.IFLA_TXQLEN, link.txQueueLength);
  out.u8Value(N.IFLA_OPERSTATE, link.operState);
  out.u8Value(N.IFLA_LINKMODE, 0);
  out.u32(N.IFLA_MTU, link.mtu);
  out.u32(N.IFLA_GROUP, 0);
  out.u32(
    N.IFLA_PROMISCUITY,
    link.promiscuity + +((link.extraFlags & I.IFF_PROMISC) !== 0),
  );
  out.u32(N.IFLA_NUM_TX_QUEUES, 1);
  out.u32(N.IFLA_NUM_RX_QUEUES, 1);
  if (link.master !== null) out.u32(N.IFLA_MASTER, link.master.index);
  // The index of a peer in another namespace has no meaning here.
  if (link.peer !== null) out.u32(N.IFLA_LINK, link.peer.index);
  if (link.peer !== null && link.peer.table !== link.table) out.u32(N.IFLA_LINK_NETNSID, 0);
  if (link.alias !== "") out.text(N.IFLA_IFALIAS, link.alias);
  out.u8Value(N.IFLA_CARRIER, +carrier);
  out.text(N.IFLA_QDISC, "noqueue");
  out.bytes(N.IFLA_ADDRESS, link.mac);
  out.bytes(N.IFLA_BROADCAST, link.broadcastMac);
  putCounters(link, out);
  if (link.kind !== "loopback") {
    const end = out.nest(N.IFLA_LINKINFO);
    out.text(N.IFLA_INFO_KIND, link.kind);
    end();
  }
  out.end();
}

/** struct rtnl_link_stats64, and rtnl_link_stats, which lacks the last field. */
function putCounters(link: Link, out: NetlinkWriter): void {
  const counters = countersOf(link), count = COUNTER_NAMES.length;
  const long = out.attribute(N.IFLA_STATS64, 8 * (count + 1));
  const short = out.attribute(N.IFLA_STATS, 4 * count);
  COUNTER_NAMES.forEach((name, i) => {
    out.dv.setBigUint64(long + 8 * i, BigInt(counters[name]), true);
    out.dv.setUint32(short + 4 * i, counters[name] % 2 ** 32, true);
  });
}

/** RTM_NEWLINK makes a missing link with NLM_F_CREATE; RTM_SETLINK only changes links. */
export function setLink(r: RouteRequest): number {
  if (r.body.byteLength < N.Ifinfomsg.size) return -EINVAL;
  const attributes = readAttributes(r.body, N.Ifinfomsg.size), link = findLink(r, attributes);
  const { type, flags } = r.request;
  if (link !== null) {
    const isNew = (flags & N.NLM_F_CREATE) !== 0 && (flags & N.NLM_F_EXCL) !== 0;
    return type === N.RTM_NEWLINK && isNew ? -EEXIST : changeLink(r, link, attributes);
  }
  if (type !== N.RTM_NEWLINK || (flags & N.NLM_F_CREATE) === 0) return -ENODEV;
  return makeLink(r, attributes);
}

function makeLink(r: RouteRequest, attributes: Attributes): number {
  const info = nestedAttributes(attributes.get(N.IFLA_LINKINFO));
  const kind = textOf(info.get(N.IFLA_INFO_KIND));
  if (kind !== "veth" && kind !== "bridge" && kind !== "dummy") {
    return r.refuse(-EOPNOTSUPP, "Unknown device type");
  }
  const target = namespaceOf(r, attributes);
  if (typeof target === "number") return target;
  const data = nestedAttributes(info.get(N.IFLA_INFO_DATA));
  // The peer is made first and has the lower index.
  const peer = kind === "veth" ? makePeer(r, target, data.get(N.VETH_INFO_PEER)) : null;
  if (typeof peer === "number") return peer;
  const undo = (error: number, link: Link | null): number => {
    link?.table.remove(link);
    return error;
  };
  const name = textOf(attributes.get(N.IFLA_IFNAME));
  const link = target.links.add(kind, name, macOf(attributes));
  if (typeof link === "number") return undo(link, peer);
  if (peer !== null) {
    link.peer = peer;
    peer.peer = link;
  }
  const error = changeLink(r, link, without(attributes, N.IFLA_NET_NS_PID, N.IFLA_NET_NS_FD));
  return error < 0 ? undo(error, link) : 0;
}

function makePeer(
  r: RouteRequest,
  beside: NetNamespace,
  message: string | undefined,
): Link | number {
  const attributes = nestedAttributes(message, message === undefined ? 0 : N.Ifinfomsg.size);
  const given = namespaceOf(r, attributes);
  if (typeof given === "number") return given;
  const isGiven = attributes.has(N.IFLA_NET_NS_PID) || attributes.has(N.IFLA_NET_NS_FD);
  const { links } = isGiven ? given : beside;
  const name = textOf(attributes.get(N.IFLA_IFNAME));
  const peer = links.add("veth", name, macOf(attributes));
  if (typeof peer === "number") return peer;
  const mtu = u32Of(attributes.get(N.IFLA_MTU));
  if (mtu === undefined || peer.setMtu(mtu)) return peer;
  links.remove(peer);
  return -EINVAL;
}

function macOf(attributes: Attributes): string | undefined {
  const mac = attributes.get(N.IFLA_ADDRESS);
  return mac?.length === 6 ? mac : undefined;
}

function without(attributes: Attributes, ...types: number[]): Attributes {
  return new Map([...attributes].filter(([type]) => !types.includes(type)));
}

/** The namespace that the request puts the link into; by default the caller's own. */
function namespaceOf(r: RouteRequest, attributes: Attributes): NetNamespace | number {
  const pid = u32Of(attributes.get(N.IFLA_NET_NS_PID)),
    fd = u32Of(attributes.get(N.IFLA_NET_NS_FD));
  if (pid === undefined && fd === undefined) return r.net;
  const { finder } = r.net.shared, { caller } = r;
  if (finder === null || caller === null) return -EOPNOTSUPP;
  const found = pid !== undefined ? finder.ofProcess(caller, pid) : finder.ofFile(caller, fd ?? -1);
  if (found === null) return pid !== undefined ? -ESRCH : -EINVAL;
  return r.isCapableOver(found, CAP_NET_ADMIN) ? found : -EPERM;
}

function changeLink(r: RouteRequest, link: Link, attributes: Attributes): number {
  const target = namespaceOf(r, attributes);
  if (typeof target === "number") return target;
  const name = textOf(attributes.get(N.IFLA_IFNAME));
  if (target !== r.net && link.table === r.net.links) {
    const error = r.net.links.moveTo(link, target.links, name === "" ? link.name : name);
    if (error < 0) return error;
  } else if (name !== "" && name !== link.name) {
    const chosen = link.table.freeName(name);
    if (typeof chosen === "number") return chosen;
    link.name = chosen;
  }
  const error = changeAttributes(link, attributes);
  if (error < 0) return error;
  changeFlags(link, r.body.getUint32(at.flags, true), r.body.getUint32(at.change, true));
  return 0;
}

function changeAttributes(link: Link, attributes: Attributes): number {
  const mtu = u32Of(attributes.get(N.IFLA_MTU)), queue = u32Of(attributes.get(N.IFLA_TXQLEN));
  const master = u32Of(attributes.get(N.IFLA_MASTER)), mac = attributes.get(N.IFLA_ADDRESS);
  const alias = attributes.get(N.IFLA_IFALIAS);
  if (mtu !== undefined && !link.setMtu(mtu)) return -EINVAL;
  if (mac !== undefined) {
    if (link.kind === "loopback") return -EOPNOTSUPP;
    if (mac.length !== 6) return -EINVAL;
    link.mac = mac;
  }
  if (queue !== undefined) link.txQueueLength = queue;
  if (alias !== undefined) {
    if (alias.length > ALIAS_BYTES) return -EINVAL;
    link.alias = textOf(alias);
  }
  if (master === undefined) return 0;
  const bridge = master === 0 ? null : link.table.byIndex(master);
  return bridge === null && master !== 0 ? -EINVAL : link.table.enslave(link, bridge);
}

/** An empty mask means all flags, unless the flags are empty too. */
function changeFlags(link: Link, flags: number, change: number): void {
  if (change === 0 && flags === 0) return;
  const mask = change === 0 ? ~0 : change;
  if ((mask & I.IFF_UP) !== 0) link.table.setUp(link, (flags & I.IFF_UP) !== 0);
  const changed = mask & SETTABLE;
  link.extraFlags = (link.extraFlags & ~changed) | (flags & changed);
}

/** RTM_DELLINK: 0 or -errno. */
export function deleteLink(r: RouteRequest): number {
  if (r.body.byteLength < N.Ifinfomsg.size) return -EINVAL;
  const link = findLink(r, readAttributes(r.body, N.Ifinfomsg.size));
  return link === null ? -ENODEV : r.net.links.remove(link);
}
