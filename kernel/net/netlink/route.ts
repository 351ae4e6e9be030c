/**
 * NETLINK_ROUTE (rtnetlink(7)): links, addresses and routes of a machine whose only interface is `lo`; switching it on
 * and off. What would change anything else is refused.
 */

import { EEXIST, EINVAL, ENODEV, EOPNOTSUPP, EPERM } from "../../../ffi/abi/errno.ts";
import { ARPHRD_LOOPBACK, IFF_UP } from "../../../ffi/abi/inet.ts";
import * as N from "../../../ffi/abi/netlink.ts";
import { AF_INET, AF_INET6 } from "../../../ffi/abi/socket.ts";
import { LOOPBACK4, LOOPBACK6 } from "../inet/address.ts";
import { answerNoNsid, attributeBytes, type RouteRequest } from "./request.ts";
import type { NetlinkWriter } from "./writer.ts";

/** Write the answers into `out`: 0 or -errno. */
export function answerRoute(r: RouteRequest, out: NetlinkWriter): number {
  switch (r.request.type) {
    case N.RTM_GETLINK:
      return getLink(r, out);
    case N.RTM_GETADDR:
      if (!r.isDump) return -EOPNOTSUPP;
      if (!r.lo.hasAddresses) return 0;
      if (r.wantsFamily(AF_INET)) putAddress(r, out, AF_INET);
      if (r.wantsFamily(AF_INET6)) putAddress(r, out, AF_INET6);
      return 0;
    case N.RTM_GETROUTE:
      if (!r.isDump) return -EOPNOTSUPP;
      if (r.lo.isUp) putRoutes(r, out);
      return 0;
    case N.RTM_GETNEIGH:
    case N.RTM_GETRULE:
      return r.isDump ? 0 : -EOPNOTSUPP;
    case N.RTM_GETNSID:
      return answerNoNsid(r, out);
    case N.RTM_NEWLINK:
    case N.RTM_SETLINK:
      return setLink(r);
    case N.RTM_NEWADDR:
      return mayChange(r) ? addAddress(r) : -EPERM;
    default:
      return mayChange(r) ? -EOPNOTSUPP : -EPERM;
  }
}

function mayChange(r: RouteRequest): boolean {
  return r.lo.isAdministrator(r.caller);
}

/** What a link request is about: `lo` by its index or its name, everything, or something else. */
function isAboutLo(r: RouteRequest): boolean {
  const index = r.body.getInt32(N.Ifinfomsg.at.index, true);
  if (index !== 0) return index === r.lo.index;
  const name = attributeBytes(r.body, N.Ifinfomsg.size, N.IFLA_IFNAME);
  return name.replace(/\0[^]*$/, "") === r.lo.name;
}

function getLink(r: RouteRequest, out: NetlinkWriter): number {
  if (r.isDump) {
    putLink(r, out);
    return 0;
  }
  if (r.body.byteLength < N.Ifinfomsg.size) return -EINVAL;
  if (!isAboutLo(r)) return -ENODEV;
  putLink(r, out);
  return 0;
}

function multi(r: RouteRequest): number {
  return r.isDump ? N.NLM_F_MULTI : 0;
}

function putLink(r: RouteRequest, out: NetlinkWriter): void {
  const { lo } = r, at = N.Ifinfomsg.at;
  const body = out.begin(r.request, N.RTM_NEWLINK, multi(r), N.Ifinfomsg.size);
  out.dv.setUint16(body + at.type, ARPHRD_LOOPBACK, true);
  out.dv.setInt32(body + at.index, lo.index, true);
  // IFF_LOWER_UP goes with IFF_RUNNING.
  out.dv.setUint32(body + at.flags, lo.flags | (lo.isUp ? 0x10000 : 0), true);
  out.text(N.IFLA_IFNAME, lo.name);
  out.u32(N.IFLA_TXQLEN, 1000);
  out.u8Value(N.IFLA_OPERSTATE, lo.isUp ? N.IF_OPER_UNKNOWN : N.IF_OPER_DOWN);
  out.u8Value(N.IFLA_LINKMODE, 0);
  out.u32(N.IFLA_MTU, lo.mtu);
  out.u32(N.IFLA_GROUP, 0);
  out.u32(N.IFLA_NUM_TX_QUEUES, 1);
  out.u32(N.IFLA_NUM_RX_QUEUES, 1);
  out.u8Value(N.IFLA_CARRIER, 1);
  out.text(N.IFLA_QDISC, "noqueue");
  out.bytes(N.IFLA_ADDRESS, "\0".repeat(6));
  out.bytes(N.IFLA_BROADCAST, "\0".repeat(6));
  // struct rtnl_link_stats64 and rtnl_link_stats: nothing is counted.
  out.attribute(N.IFLA_STATS64, 200);
  out.attribute(N.IFLA_STATS, 100);
  out.end();
}

function putAddress(r: RouteRequest, out: NetlinkWriter, family: number): void {
  const at = N.Ifaddrmsg.at, isV4 = family === AF_INET;
  const address = isV4 ? LOOPBACK4.substring(12) : LOOPBACK6;
  const body = out.begin(r.request, N.RTM_NEWADDR, N.NLM_F_MULTI, N.Ifaddrmsg.size);
  out.u8[body + at.family] = family;
  out.u8[body + at.prefixlen] = isV4 ? 8 : 128;
  out.u8[body + at.flags] = N.IFA_F_PERMANENT;
  out.u8[body + at.scope] = N.RT_SCOPE_HOST;
  out.dv.setUint32(body + at.index, r.lo.index, true);
  out.bytes(N.IFA_ADDRESS, address);
  if (isV4) {
    out.bytes(N.IFA_LOCAL, address);
    out.text(N.IFA_LABEL, r.lo.name);
  }
  out.u32(N.IFA_FLAGS, N.IFA_F_PERMANENT);
  // struct ifa_cacheinfo: preferred and valid for ever.
  const cache = out.attribute(N.IFA_CACHEINFO, 16);
  out.dv.setUint32(cache, 0xffffffff, true);
  out.dv.setUint32(cache + 4, 0xffffffff, true);
  out.end();
}

/** The local table: 127.0.0.0/8, 127.0.0.1 and its broadcast address, ::1. */
function putRoutes(r: RouteRequest, out: NetlinkWriter): void {
  if (r.wantsFamily(AF_INET)) {
    putRoute(r, out, AF_INET, "\x7f\0\0\0", 8, N.RTN_LOCAL, N.RT_SCOPE_HOST);
    putRoute(r, out, AF_INET, "\x7f\0\0\x01", 32, N.RTN_LOCAL, N.RT_SCOPE_HOST);
    putRoute(r, out, AF_INET, "\x7f\xff\xff\xff", 32, N.RTN_BROADCAST, N.RT_SCOPE_LINK);
  }
  if (!r.wantsFamily(AF_INET6)) return;
  putRoute(r, out, AF_INET6, LOOPBACK6, 128, N.RTN_LOCAL, N.RT_SCOPE_UNIVERSE);
}

function putRoute(
  r: RouteRequest,
  out: NetlinkWriter,
  family: number,
  destination: string,
  bits: number,
  type: number,
  scope: number,
): void {
  const at = N.Rtmsg.at;
  const body = out.begin(r.request, N.RTM_NEWROUTE, N.NLM_F_MULTI, N.Rtmsg.size);
  out.u8[body + at.family] = family;
  out.u8[body + at.dstLen] = bits;
  out.u8[body + at.table] = N.RT_TABLE_LOCAL;
  out.u8[body + at.protocol] = N.RTPROT_KERNEL;
  out.u8[body + at.scope] = scope;
  out.u8[body + at.type] = type;
  out.u32(N.RTA_TABLE, N.RT_TABLE_LOCAL);
  out.bytes(N.RTA_DST, destination);
  if (family === AF_INET) out.bytes(N.RTA_PREFSRC, "\x7f\0\0\x01");
  out.u32(N.RTA_OIF, r.lo.index);
  out.end();
}

/** RTM_NEWLINK and RTM_SETLINK of lo: its IFF_UP, as `ip link set lo up` asks. */
function setLink(r: RouteRequest): number {
  if (!mayChange(r)) return -EPERM;
  if (r.body.byteLength < N.Ifinfomsg.size) return -EINVAL;
  if (!isAboutLo(r)) {
    const isNew = r.request.type === N.RTM_NEWLINK && (r.request.flags & N.NLM_F_CREATE) !== 0;
    return isNew ? -EOPNOTSUPP : -ENODEV;
  }
  const flags = r.body.getUint32(N.Ifinfomsg.at.flags, true);
  const change = r.body.getUint32(N.Ifinfomsg.at.change, true);
  if ((change & IFF_UP) !== 0 || change === 0) {
    if (change !== 0 || flags !== 0) r.lo.isUp = (flags & IFF_UP) !== 0;
  }
  return 0;
}

/** The addresses of lo are there since it was up for the first time; others cannot be had. */
function addAddress(r: RouteRequest): number {
  if (r.body.byteLength < N.Ifaddrmsg.size) return -EINVAL;
  const index = r.body.getUint32(N.Ifaddrmsg.at.index, true);
  if (index !== r.lo.index) return -ENODEV;
  const from = N.Ifaddrmsg.size;
  const local = attributeBytes(r.body, from, N.IFA_LOCAL) ||
    attributeBytes(r.body, from, N.IFA_ADDRESS);
  const isOwn = local === LOOPBACK4.substring(12) || local === LOOPBACK6;
  if (!isOwn) return -EOPNOTSUPP;
  if (r.lo.hasAddresses) return -EEXIST;
  r.lo.hasAddresses = true;
  return 0;
}
