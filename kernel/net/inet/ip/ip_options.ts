/**
 * Options at IPPROTO_IP and IPPROTO_IPV6 (ip(7), ipv6(7)). Groups: ../multicast/group_options.ts;
 * control messages: ip_control.ts.
 */

import { CAP_NET_ADMIN, CAP_NET_RAW } from "../../../../ffi/abi/capability.ts";
import {
  EADDRNOTAVAIL,
  EINVAL,
  ENOPROTOOPT,
  ENOTCONN,
  EOPNOTSUPP,
  EPERM,
} from "../../../../ffi/abi/errno.ts";
import * as I from "../../../../ffi/abi/inet.ts";
import { AF_INET, AF_INET6, SOCK_RAW, SOCK_STREAM } from "../../../../ffi/abi/socket.ts";
import type { PacketHeader } from "../../message.ts";
import type { NetNamespace } from "../../net_namespace.ts";
import type { OptionValue } from "../../socket_options.ts";
import { ANY4, isMulticast, isV4 } from "../address.ts";
import { setGroupLink6 } from "../multicast/group_options.ts";
import { getHeaderOptions, type HeaderOptions, setHeaderOptions } from "./header_options.ts";
import type { InetSocket } from "../inet_socket.ts";
import { getPacketOptions } from "./ip_control.ts";
import {
  getPathMtu,
  mtu4Of,
  mtuOf,
  mtuTo,
  PREFERENCES_AT_FIRST,
  setPortRange,
  setPreferences,
} from "./path_options.ts";

export const DEFAULT_TTL = 64;
/** Options that are kept and shown and have no effect here: default, least, greatest value. */
type Kept = readonly [value: number, min: number, max: number];
const BIT: Readonly<Kept> = [0, 0, 1];
const IP_KEPT: ReadonlyMap<number, Kept> = new Map<number, Kept>([
  [I.IP_MTU_DISCOVER, [I.IP_PMTUDISC_WANT, 0, 5]],
  [I.IP_RECVERR, BIT],
  [I.IP_RECVERR_RFC4884, [0, 0, 1]],
  [I.IP_RECVOPTS, BIT],
  [I.IP_RETOPTS, BIT],
  [I.IP_MINTTL, [0, 0, 255]],
  [I.IP_BIND_ADDRESS_NO_PORT, BIT],
  [I.IP_MULTICAST_TTL, [1, -1, 255]],
  [I.IP_MULTICAST_LOOP, [1, 0, 1]],
  [I.IP_MULTICAST_ALL, [1, 0, 1]],
  [I.IP_PASSSEC, BIT],
  [I.IP_RECVFRAGSIZE, BIT],
  [I.IP_NODEFRAG, BIT],
  // No link here has a card that checks sums of whole packets.
  [I.IP_CHECKSUM, BIT],
]);
const IPV6_KEPT: ReadonlyMap<number, Kept> = new Map<number, Kept>([
  [I.IPV6_MULTICAST_HOPS, [1, -1, 255]],
  [I.IPV6_MULTICAST_LOOP, [1, 0, 1]],
  [I.IPV6_MTU_DISCOVER, [I.IP_PMTUDISC_WANT, 0, 5]],
  [I.IPV6_RECVERR, BIT],
  [I.IPV6_RECVERR_RFC4884, [0, 0, 1]],
  [I.IPV6_TCLASS, [0, -1, 255]],
  [I.IPV6_2292HOPOPTS, BIT],
  [I.IPV6_2292DSTOPTS, BIT],
  [I.IPV6_2292RTHDR, BIT],
  [I.IPV6_FLOWINFO, BIT],
  [I.IPV6_FLOWINFO_SEND, BIT],
  [I.IPV6_MULTICAST_ALL, [1, 0, 1]],
  [I.IPV6_ROUTER_ALERT_ISOLATE, BIT],
  [I.IPV6_RECVHOPOPTS, BIT],
  [I.IPV6_RECVRTHDR, BIT],
  [I.IPV6_RECVDSTOPTS, BIT],
  [I.IPV6_RECVPATHMTU, BIT],
  [I.IPV6_AUTOFLOWLABEL, [1, 0, 1]],
  [I.IPV6_DONTFRAG, BIT],
  [I.IPV6_MINHOPCOUNT, [0, 0, 255]],
  [I.IPV6_RECVFRAGSIZE, BIT],
]);
/** Options of ip(7) that need a byte of value, and options of ipv6(7) that take any length. */
const IP_NEEDS_BYTE: ReadonlySet<number> = new Set([
  I.IP_MINTTL,
  I.IP_MULTICAST_TTL,
  I.IP_MULTICAST_LOOP,
  I.IP_MULTICAST_ALL,
]);
const IPV6_ANY_LENGTH: ReadonlySet<number> = new Set([
  I.IPV6_DONTFRAG,
  I.IPV6_AUTOFLOWLABEL,
  I.IPV6_RECVFRAGSIZE,
]);
/** Options for which every number but 0 means on. */
const ON_OFF: ReadonlySet<number> = new Set([I.IP_MULTICAST_LOOP]);
const ON_OFF6: ReadonlySet<number> = new Set([I.IPV6_MULTICAST_ALL, I.IPV6_AUTOFLOWLABEL]);
/** Bits of IP_TOS that TCP sets itself (INET_ECN_MASK). */
const ECN = 3;

/** Options of ipv6(7) that have fields, and options that only datagram sockets have. */
const OTHERS6: ReadonlySet<number> = new Set([
  I.IPV6_V6ONLY,
  I.IPV6_UNICAST_HOPS,
  I.IPV6_RECVPKTINFO,
  I.IPV6_RECVHOPLIMIT,
  I.IPV6_RECVTCLASS,
  I.IPV6_FREEBIND,
  I.IPV6_MULTICAST_IF,
  I.IPV6_TRANSPARENT,
  I.IPV6_RECVORIGDSTADDR,
  I.IPV6_UNICAST_IF,
  I.IPV6_2292PKTINFO,
  I.IPV6_2292HOPLIMIT,
  I.IPV6_MTU,
  I.IPV6_ADDR_PREFERENCES,
]);
const OF_DATAGRAMS: ReadonlySet<number> = new Set([I.IPV6_MULTICAST_IF, I.IPV6_MULTICAST_HOPS]);
/** Bytes of the headers of IP and UDP. */
const HEADERS_4 = 28, HEADERS_6 = 48;
const MTU_MIN_6 = 1280;

/** TTL of packets of sockets that did not set one. */
export function defaultTtl(net: NetNamespace): number {
  return net.number("net/ipv4/ip_default_ttl", DEFAULT_TTL);
}
/** Hop limit of such packets. DIFFERS: that of all links, whichever link the packet leaves by. */
export function defaultHopLimit(net: NetNamespace): number {
  return net.links.settings.ipv6.all.get("hop_limit");
}

export class IpOptions {
  ttl: number = DEFAULT_TTL;
  hopLimit: number = DEFAULT_TTL;
  v6Only: boolean = false;
  freeBind: boolean = false;
  /** IP_TRANSPARENT: the socket may bind to any address. */
  transparent: boolean = false;
  /** IP_ORIGDSTADDR: deliver the destination of each datagram. */
  originalDestination: boolean = false;
  /** IP_PKTINFO: deliver link and destination of each datagram. */
  packetInfo: boolean = false;
  packetInfo6: boolean = false;
  /** Packet information and hop limits by their options of RFC 2292. */
  oldPacketInfo6: boolean = false;
  oldHopLimit: boolean = false;
  /** IPV6_MTU: the longest packet the socket sends; 0: that of the route. */
  packetBytes6: number = 0;
  /** IPV6_ADDR_PREFERENCES: kept and shown, as links have no temporary addresses. */
  preferences6: number = PREFERENCES_AT_FIRST;
  /** IP_LOCAL_PORT_RANGE; 0: the range of the setting. */
  firstPort: number = 0;
  lastPort: number = 0;
  /** IP_OPTIONS; null: none. */
  headerOptions: HeaderOptions = null;
  receiveTtl: boolean = false;
  receiveTos: boolean = false;
  receiveHopLimit: boolean = false;
  receiveClass: boolean = false;
  /** IP_MULTICAST_IF: the index of the link, 0: none, and its address; IPV6_MULTICAST_IF. */
  groupLink4: number = 0;
  groupAddress4: string = ANY4;
  groupLink6: number = 0;
  /** Of an accepted socket: type of service of the first segment, and the index of its link. */
  firstTos: number = 0;
  firstLink: number = 0;
  /** Values of IP_KEPT and IPV6_KEPT that setsockopt(2) set. */
  readonly kept4: Map<number, number> = new Map();
  readonly kept6: Map<number, number> = new Map();

  get tos(): number {
    return this.kept4.get(I.IP_TOS) ?? 0;
  }
  get trafficClass(): number {
    return this.kept6.get(I.IPV6_TCLASS) ?? 0;
  }

  /** TTL or hop limit of a packet to `destination`. */
  hopsOf(destination: string, header: PacketHeader): number {
    const isGroup = isMulticast(destination);
    if (isV4(destination)) {
      if (header.ttl >= 0) return header.ttl;
      return isGroup ? this.kept4.get(I.IP_MULTICAST_TTL) ?? 1 : this.ttl;
    }
    if (header.hopLimit >= 0) return header.hopLimit;
    return isGroup ? this.kept6.get(I.IPV6_MULTICAST_HOPS) ?? 1 : this.hopLimit;
  }

  /** Type of service or traffic class of a packet to `destination`. */
  classOf(destination: string, header: PacketHeader): number {
    if (isV4(destination)) return header.tos < 0 ? this.kept4.get(I.IP_TOS) ?? 0 : header.tos;
    return header.trafficClass < 0 ? this.kept6.get(I.IPV6_TCLASS) ?? 0 : header.trafficClass;
  }

  /** Whether sockets of this namespace get what the socket sends to a group (IP_MULTICAST_LOOP). */
  loops(group: string): boolean {
    const isOn = isV4(group)
      ? this.kept4.get(I.IP_MULTICAST_LOOP)
      : this.kept6.get(I.IPV6_MULTICAST_LOOP);
    return isOn !== 0;
  }
  /** Whether the socket gets packets of groups it did not join (IP_MULTICAST_ALL). */
  takesAllGroups(group: string): boolean {
    const isOn = isV4(group)
      ? this.kept4.get(I.IP_MULTICAST_ALL)
      : this.kept6.get(I.IPV6_MULTICAST_ALL);
    return isOn !== 0;
  }

  /** Whether a datagram of `bytes` exceeds the MTU and must not be fragmented (IP_MTU_DISCOVER). */
  isTooLong(destination: string, bytes: number, net: NetNamespace): boolean {
    const isFour = isV4(destination);
    const discover = isFour
      ? this.kept4.get(I.IP_MTU_DISCOVER) ?? I.IP_PMTUDISC_WANT
      : this.kept6.get(I.IPV6_MTU_DISCOVER) ?? I.IP_PMTUDISC_WANT;
    const isCut = discover < I.IP_PMTUDISC_DO || discover === I.IP_PMTUDISC_OMIT;
    if (isCut && (isFour || (this.kept6.get(I.IPV6_DONTFRAG) ?? 0) === 0)) return false;
    const mtu = mtuTo(net, destination), most = isFour ? 0 : this.packetBytes6;
    const headers = isFour ? HEADERS_4 + (this.headerOptions?.length ?? 0) : HEADERS_6;
    return bytes + headers > (most === 0 ? mtu : Math.min(most, mtu));
  }

  inherit(from: IpOptions): void {
    const { kept4, kept6 } = this;
    Object.assign(this, from, { kept4, kept6, headerOptions: null });
    for (const [name, value] of from.kept4) kept4.set(name, value);
    for (const [name, value] of from.kept6) kept6.set(name, value);
  }
}

export function setIpOption(
  socket: InetSocket,
  level: number,
  name: number,
  value: OptionValue,
): number {
  const isFour = socket.family === AF_INET;
  if (level === I.IPPROTO_IP && (isFour || socket.type !== SOCK_RAW)) {
    return setV4(socket, name, value);
  }
  if (level !== I.IPPROTO_IPV6 || socket.family !== AF_INET6) return -ENOPROTOOPT;
  return setV6(socket, name, value);
}

/** The value; options of ip(7) may be given as one byte. */
function intOf(value: OptionValue): number {
  return value.isInt ? value.int : value.length >= 1 ? value.u8[0]! : 0;
}

function setV4(socket: InetSocket, name: number, value: OptionValue): number {
  const { ip } = socket, n = intOf(value), on = n !== 0, isTcp = socket.type === SOCK_STREAM;
  switch (name) {
    case I.IP_TOS:
      ip.kept4.set(name, isTcp ? n & 0xff & ~ECN : n & 0xff);
      return 0;
    case I.IP_TRANSPARENT:
      return setTransparent(socket, value, on);
    case I.IP_OPTIONS:
      return setHeaderOptions(socket, value);
    case I.IP_RECVORIGDSTADDR:
      ip.originalDestination = on;
      return 0;
    case I.IP_LOCAL_PORT_RANGE:
      return setPortRange(ip, value);
    case I.IP_ROUTER_ALERT:
      return socket.type === SOCK_RAW ? -ENOPROTOOPT : -EINVAL;
    case I.IP_NODEFRAG:
      if (socket.type !== SOCK_RAW) return -ENOPROTOOPT;
      break;
    case I.IP_MULTICAST_TTL:
      if (isTcp) return -EINVAL;
      if (n === -1 && value.length > 0) {
        ip.kept4.set(name, 1);
        return 0;
      }
      break;
    case I.IP_RECVFRAGSIZE:
      if (isTcp) return -EINVAL;
      break;
    case I.IP_UNICAST_IF:
      if (value.length !== 4) return -EINVAL;
      // DIFFERS: the link cannot be chosen.
      return on ? -EADDRNOTAVAIL : 0;
    case I.IP_TTL:
      if (value.length < 1 || (n !== -1 && (n < 1 || n > 255))) return -EINVAL;
      ip.ttl = n === -1 ? defaultTtl(socket.net) : n;
      return 0;
    case I.IP_PKTINFO:
      ip.packetInfo = on;
      return 0;
    case I.IP_RECVTTL:
      ip.receiveTtl = on;
      return 0;
    case I.IP_RECVTOS:
      ip.receiveTos = on;
      return 0;
    case I.IP_FREEBIND:
      if (value.length < 1) return -EINVAL;
      ip.freeBind = on;
      return 0;
  }
  if (name === I.IP_RECVERR && !on) socket.errors?.free();
  if (value.length < 1 && IP_NEEDS_BYTE.has(name)) return -EINVAL;
  return keep(IP_KEPT, ip.kept4, name, ON_OFF.has(name) ? +on : n);
}

/** IP_TRANSPARENT needs CAP_NET_RAW or CAP_NET_ADMIN. */
function setTransparent({ ip, net }: InetSocket, value: OptionValue, on: boolean): number {
  const cred = value.asker?.cred;
  const mayDo = cred !== undefined &&
    (net.isCapable(cred, CAP_NET_RAW) || net.isCapable(cred, CAP_NET_ADMIN));
  if (on && !mayDo) return -EPERM;
  if (value.length < 1) return -EINVAL;
  ip.transparent = on;
  return 0;
}

function setV6(socket: InetSocket, name: number, value: OptionValue): number {
  const { ip } = socket, n = value.int, on = n !== 0;
  if (socket.type === SOCK_STREAM && OF_DATAGRAMS.has(name)) return -ENOPROTOOPT;
  if (!OTHERS6.has(name) && !IPV6_KEPT.has(name)) return -ENOPROTOOPT;
  if (!value.isInt && !IPV6_ANY_LENGTH.has(name)) return -EINVAL;
  switch (name) {
    case I.IPV6_TRANSPARENT:
      return setTransparent(socket, value, on);
    case I.IPV6_RECVORIGDSTADDR:
      ip.originalDestination = on;
      return 0;
    case I.IPV6_UNICAST_IF:
      if (value.length !== 4) return -EINVAL;
      return on ? -EADDRNOTAVAIL : 0;
    case I.IPV6_MTU:
      if (n !== 0 && n < MTU_MIN_6) return -EINVAL;
      ip.packetBytes6 = n;
      return 0;
    case I.IPV6_ADDR_PREFERENCES:
      return setPreferences(ip, n);
    case I.IPV6_2292PKTINFO:
      ip.oldPacketInfo6 = on;
      return 0;
    case I.IPV6_2292HOPLIMIT:
      ip.oldHopLimit = on;
      return 0;
    case I.IPV6_TCLASS:
      if (n < -1 || n > 255) return -EINVAL;
      ip.kept6.set(name, n === -1 ? 0 : socket.type === SOCK_STREAM ? n & ~ECN : n);
      return 0;
    case I.IPV6_V6ONLY:
      if (socket.isBound || socket.type === SOCK_RAW) return -EINVAL;
      ip.v6Only = on;
      return 0;
    case I.IPV6_UNICAST_HOPS:
      if (n < -1 || n > 255) return -EINVAL;
      ip.hopLimit = n === -1 ? defaultHopLimit(socket.net) : n;
      return 0;
    case I.IPV6_RECVPKTINFO:
      ip.packetInfo6 = on;
      return 0;
    case I.IPV6_RECVHOPLIMIT:
      ip.receiveHopLimit = on;
      return 0;
    case I.IPV6_RECVTCLASS:
      ip.receiveClass = on;
      return 0;
    case I.IPV6_FREEBIND:
      ip.freeBind = on;
      return 0;
    case I.IPV6_MULTICAST_IF:
      return setGroupLink6(socket, n);
    case I.IPV6_MULTICAST_HOPS:
      if (n === -1) {
        ip.kept6.set(name, 1);
        return 0;
      }
  }
  if (name === I.IPV6_RECVERR && !on) socket.errors?.free();
  const number = value.isInt ? n : 0;
  return keep(IPV6_KEPT, ip.kept6, name, ON_OFF6.has(name) ? +(number !== 0) : number);
}

function keep(
  known: ReadonlyMap<number, Kept>,
  kept: Map<number, number>,
  name: number,
  value: number,
): number {
  const bounds = known.get(name);
  if (bounds === undefined) return -ENOPROTOOPT;
  if (bounds === BIT) value = value !== 0 ? 1 : 0;
  if (value < bounds[1] || value > bounds[2]) return -EINVAL;
  kept.set(name, value);
  return 0;
}

export function getIpOption(
  socket: InetSocket,
  level: number,
  name: number,
  value: OptionValue,
): number {
  const isFour = socket.family === AF_INET, room = value.length;
  if (level === I.IPPROTO_IP && (isFour || socket.type !== SOCK_RAW)) {
    if (room < 0) return -EINVAL;
    const r = getV4(socket, name, value);
    // As on old Linux: a caller with room for less than an int gets one byte.
    const isByte = room > 0 && room < 4 && value.length === 4 && value.int >= 0 && value.int <= 255;
    if (r === 0 && isByte && name !== I.IP_OPTIONS) value.length = 1;
    return r;
  }
  if (isFour) return -EOPNOTSUPP;
  return level === I.IPPROTO_IPV6 ? getV6(socket, name, value) : -ENOPROTOOPT;
}

function getV4(socket: InetSocket, name: number, value: OptionValue): number {
  const { ip } = socket;
  switch (name) {
    case I.IP_TTL:
      return value.setInt(ip.ttl);
    case I.IP_PKTINFO:
      return value.setBool(ip.packetInfo);
    case I.IP_RECVTTL:
      return value.setBool(ip.receiveTtl);
    case I.IP_RECVTOS:
      return value.setBool(ip.receiveTos);
    case I.IP_FREEBIND:
      return value.setBool(ip.freeBind);
    case I.IP_TOS:
      return value.setInt(ip.tos);
    case I.IP_TRANSPARENT:
      return value.setBool(ip.transparent);
    case I.IP_RECVORIGDSTADDR:
      return value.setBool(ip.originalDestination);
    case I.IP_UNICAST_IF:
      return value.setInt(0);
    case I.IP_OPTIONS:
      return getHeaderOptions(ip, value);
    case I.IP_HDRINCL:
    case I.IP_ROUTER_ALERT:
      return value.setInt(0);
    case I.IP_PROTOCOL:
      // Sockets without ports show their protocol.
      return value.setInt(socket.type === SOCK_RAW ? socket.protocol : socket.local.port);
    case I.IP_LOCAL_PORT_RANGE:
      return value.setInt(ip.firstPort | ip.lastPort << 16);
    case I.IP_MTU:
      return socket.remote === null ? -ENOTCONN : value.setInt(mtu4Of(socket));
    case I.IP_PKTOPTIONS:
      return getPacketOptions(socket, value);
    default:
      return shown(IP_KEPT, ip.kept4, name, value);
  }
}

function getV6(socket: InetSocket, name: number, value: OptionValue): number {
  const { ip } = socket;
  switch (name) {
    case I.IPV6_V6ONLY:
      return value.setBool(ip.v6Only);
    case I.IPV6_UNICAST_HOPS:
      return value.setInt(ip.hopLimit);
    case I.IPV6_RECVPKTINFO:
      return value.setBool(ip.packetInfo6);
    case I.IPV6_RECVHOPLIMIT:
      return value.setBool(ip.receiveHopLimit);
    case I.IPV6_RECVTCLASS:
      return value.setBool(ip.receiveClass);
    case I.IPV6_FREEBIND:
      return value.setBool(ip.freeBind);
    case I.IPV6_TRANSPARENT:
      return value.setBool(ip.transparent);
    case I.IPV6_RECVORIGDSTADDR:
      return value.setBool(ip.originalDestination);
    case I.IPV6_UNICAST_IF:
    case I.IPV6_ROUTER_ALERT:
      return value.setInt(0);
    case I.IPV6_2292PKTINFO:
      return value.setBool(ip.oldPacketInfo6);
    case I.IPV6_2292HOPLIMIT:
      return value.setBool(ip.oldHopLimit);
    case I.IPV6_MULTICAST_IF:
      return value.setInt(ip.groupLink6);
    case I.IPV6_ADDR_PREFERENCES:
      return value.setInt(ip.preferences6);
    case I.IPV6_PATHMTU:
      return getPathMtu(socket, value);
    case I.IPV6_MTU:
      return socket.remote === null ? -ENOTCONN : value.setInt(mtuOf(socket));
    default:
      return shown(IPV6_KEPT, ip.kept6, name, value);
  }
}

function shown(
  known: ReadonlyMap<number, Kept>,
  kept: Map<number, number>,
  name: number,
  value: OptionValue,
): number {
  const bounds = known.get(name);
  return bounds === undefined ? -ENOPROTOOPT : value.setInt(kept.get(name) ?? bounds[0]);
}
