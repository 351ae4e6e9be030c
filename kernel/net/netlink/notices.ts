/**
 * Notifications of rtnetlink(7): the difference between its lists before and after a change. This
 * finds all effects of a change, also in the namespaces of other ends of links. Nothing is listed
 * while the groups have no members.
 *
 * DIFFERS: notifications of one change come in the order of the lists, and intermediate states get
 * none.
 */

import * as N from "../../../ffi/abi/netlink.ts";
import { AF_INET } from "../../../ffi/abi/socket.ts";
import { bytesToString } from "../../core/bytes.ts";
import type { NetNamespace } from "../net_namespace.ts";
import { dumpAddresses } from "./addresses.ts";
import { readAttributes } from "./attributes.ts";
import { getLinks } from "./links.ts";
import { getNeighbours } from "./neighbours.ts";
import { RouteRequest } from "./request.ts";
import { getRoutes } from "./routes.ts";
import { NetlinkRequest, NetlinkWriter } from "./writer.ts";

const HEADER = N.Nlmsghdr.size;
const LISTS: readonly [type: number, list: (r: RouteRequest, out: NetlinkWriter) => number][] = [
  [N.RTM_GETLINK, getLinks],
  [N.RTM_GETADDR, dumpAddresses],
  [N.RTM_GETROUTE, getRoutes],
  [N.RTM_GETNEIGH, getNeighbours],
];
const GROUPS: readonly number[] = [
  N.RTNLGRP_LINK,
  N.RTNLGRP_NEIGH,
  N.RTNLGRP_IPV4_IFADDR,
  N.RTNLGRP_IPV4_ROUTE,
  N.RTNLGRP_IPV6_IFADDR,
  N.RTNLGRP_IPV6_ROUTE,
];
const nothing = new DataView(new ArrayBuffer(N.Ifinfomsg.size));

/** Messages by the object that they are about. */
type Listing = Map<string, Uint8Array<ArrayBuffer>>;

export class Notices {
  private readonly listings: readonly (readonly [NetNamespace, Listing])[];
  /** The request that makes the change; null: the change is not made through netlink. */
  private readonly request: NetlinkRequest | null;

  private constructor(nets: readonly NetNamespace[], request: NetlinkRequest | null) {
    this.listings = nets.map((net) => [net, listOf(net)]);
    this.request = request;
  }

  /** Takes the lists before a change in `net`; null: the groups have no members. */
  static before(net: NetNamespace, request: NetlinkRequest | null): Notices | null {
    const nets = new Set([net]);
    for (const { peer } of net.links.links) if (peer !== null) nets.add(peer.table.net);
    const listening = [...nets].filter(hasMembers);
    return listening.length === 0 ? null : new Notices(listening, request);
  }

  /** Notifies the groups after the change. */
  tell(): void {
    for (const [net, before] of this.listings) {
      const after = listOf(net);
      const gone = [...before].filter(([what]) => !after.has(what)).reverse();
      for (const [, message] of gone) this.send(net, message, true);
      for (const [what, message] of after) {
        const old = before.get(what);
        if (old === undefined || !isSame(old, message)) this.send(net, message, false);
      }
    }
  }

  private send(net: NetNamespace, message: Uint8Array<ArrayBuffer>, isGone: boolean): void {
    const dv = new DataView(message.buffer, message.byteOffset), { at } = N.Nlmsghdr;
    const type = dv.getUint16(at.type, true), { request } = this;
    dv.setUint16(at.type, isGone ? type + 1 : type, true);
    dv.setUint16(at.flags, 0, true);
    dv.setUint32(at.seq, request?.seq ?? 0, true);
    dv.setUint32(at.pid, request?.pid ?? 0, true);
    net.netlink.get(N.NETLINK_ROUTE)?.broadcast(groupOf(type, message[HEADER]!), message);
  }
}

function hasMembers(net: NetNamespace): boolean {
  const route = net.netlink.get(N.NETLINK_ROUTE);
  return GROUPS.some((group) => route?.hasMembers(group));
}

function listOf(net: NetNamespace): Listing {
  const listing: Listing = new Map(), out = new NetlinkWriter(), request = new NetlinkRequest();
  request.flags = N.NLM_F_DUMP;
  for (const [type, list] of LISTS) {
    request.type = type;
    const r = new RouteRequest(net, null, null, request, nothing, true);
    list(r, out);
    while (r.dump?.step(out));
  }
  for (let from = 0; from < out.length;) {
    const length = out.dv.getUint32(from, true), message = out.u8.slice(from, from + length);
    listing.set(nameOf(message), message);
    from += (length + 3) & ~3;
  }
  return listing;
}

/** The object of a message; for routes the whole message. */
function nameOf(message: Uint8Array<ArrayBuffer>): string {
  const dv = new DataView(message.buffer), body = new DataView(message.buffer, HEADER);
  const type = dv.getUint16(N.Nlmsghdr.at.type, true);
  switch (type) {
    case N.RTM_NEWLINK:
      return `link ${body.getInt32(N.Ifinfomsg.at.index, true)}`;
    case N.RTM_NEWADDR: {
      const { at, size } = N.Ifaddrmsg, attributes = readAttributes(body, size);
      const own = attributes.get(N.IFA_LOCAL) ?? attributes.get(N.IFA_ADDRESS);
      return `address ${body.getUint32(at.index, true)} ${body.getUint8(at.prefixlen)} ${own}`;
    }
    case N.RTM_NEWNEIGH: {
      const { at, size } = N.Ndmsg, to = readAttributes(body, size).get(N.NDA_DST);
      return `neighbour ${body.getInt32(at.ifindex, true)} ${to}`;
    }
    default:
      return bytesToString(message, 0, message.length);
  }
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

function groupOf(type: number, family: number): number {
  const isFour = family === AF_INET;
  switch (type) {
    case N.RTM_NEWLINK:
      return N.RTNLGRP_LINK;
    case N.RTM_NEWADDR:
      return isFour ? N.RTNLGRP_IPV4_IFADDR : N.RTNLGRP_IPV6_IFADDR;
    case N.RTM_NEWROUTE:
      return isFour ? N.RTNLGRP_IPV4_ROUTE : N.RTNLGRP_IPV6_ROUTE;
    default:
      return N.RTNLGRP_NEIGH;
  }
}
