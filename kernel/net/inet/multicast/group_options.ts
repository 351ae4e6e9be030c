/**
 * Multicast options of ip(7), ipv6(7) and RFC 3678: join and leave groups, filter their sources,
 * choose the link for sending. Options with plain numbers: ../ip/ip_options.ts.
 */

import {
  EADDRINUSE,
  EADDRNOTAVAIL,
  EFAULT,
  EINVAL,
  ENOBUFS,
  ENODEV,
  EPROTO,
} from "../../../../ffi/abi/errno.ts";
import * as I from "../../../../ffi/abi/inet.ts";
import {
  AF_INET,
  AF_INET6,
  SOCK_RAW,
  SOCK_STREAM,
  SOCKADDR_STORAGE_SIZE,
} from "../../../../ffi/abi/socket.ts";
import { bytesToString, stringToBytes } from "../../../core/bytes.ts";
import type { Membership } from "../../link/link_groups.ts";
import type { Link } from "../../link/link.ts";
import type { OptionValue } from "../../socket_options.ts";
import { ANY4, ANY6, isAny, isMulticast, isV4, MAPPED } from "../address.ts";
import { groupLink6Of } from "./group_route.ts";
import type { InetSocket } from "../inet_socket.ts";
import { SocketGroups } from "./socket_groups.ts";

/** struct ip_mreq. */
const MREQ_BYTES = 8;

/** A group on one link, as an option names it. */
interface Named {
  readonly group: string;
  /** The address (IPv4) and the index that name the link; 0: none. */
  readonly address: string;
  readonly index: number;
}

/** Sets a group option: 0 or -errno; null: `name` is no such option. */
export function setGroupOption(
  socket: InetSocket,
  level: number,
  name: number,
  value: OptionValue,
): number | null {
  if (level === I.IPPROTO_IP) {
    if (socket.family === AF_INET6 && socket.type === SOCK_RAW) return null;
    return setV4(socket, name, value);
  }
  const isV6 = level === I.IPPROTO_IPV6 && socket.family === AF_INET6;
  return isV6 ? setV6(socket, name, value) : null;
}

function setV4(socket: InetSocket, name: number, value: OptionValue): number | null {
  const isTcp = socket.type === SOCK_STREAM, { length } = value;
  switch (name) {
    case I.IP_MULTICAST_IF:
      return isTcp ? -EINVAL : setLink(socket, value);
    case I.IP_ADD_MEMBERSHIP:
    case I.IP_DROP_MEMBERSHIP: {
      if (isTcp) return -EPROTO;
      if (length < MREQ_BYTES) return -EINVAL;
      const index = length < I.IpMreqn.size ? 0 : value.dv.getInt32(I.IpMreqn.at.ifindex, true);
      const named = { group: v4At(value, 0), address: v4At(value, 4), index };
      return name === I.IP_ADD_MEMBERSHIP ? join(socket, named, false) : leave(socket, named);
    }
    case I.IP_ADD_SOURCE_MEMBERSHIP:
    case I.IP_DROP_SOURCE_MEMBERSHIP:
    case I.IP_BLOCK_SOURCE:
    case I.IP_UNBLOCK_SOURCE: {
      if (length !== I.IpMreqSource.size) return -EINVAL;
      const named = { group: v4At(value, 0), address: v4At(value, 4), index: 0 };
      const source = v4At(value, I.IpMreqSource.at.sourceaddr);
      const isInclude = name === I.IP_ADD_SOURCE_MEMBERSHIP || name === I.IP_DROP_SOURCE_MEMBERSHIP;
      const isAdded = name === I.IP_ADD_SOURCE_MEMBERSHIP || name === I.IP_BLOCK_SOURCE;
      return changeSource(socket, named, source, isInclude, isAdded);
    }
    case I.IP_MSFILTER: {
      const { at } = I.IpMsfilter, size = at.slist;
      const named = { group: v4At(value, 0), address: v4At(value, at.interface), index: 0 };
      return setFilter(socket, named, value, size, at.fmode, (i) => v4At(value, size + 4 * i), 4);
    }
  }
  return setAny(socket, name, value, AF_INET);
}

function setV6(socket: InetSocket, name: number, value: OptionValue): number | null {
  if (name !== I.IPV6_ADD_MEMBERSHIP && name !== I.IPV6_DROP_MEMBERSHIP) {
    return setAny(socket, name, value, AF_INET6);
  }
  if (value.length < I.Ipv6Mreq.size) return -EINVAL;
  if (socket.type === SOCK_STREAM) return -EPROTO;
  const index = value.dv.getInt32(I.Ipv6Mreq.at.interface, true);
  const named = { group: v6GroupAt(value, 0), address: ANY4, index };
  return name === I.IPV6_ADD_MEMBERSHIP ? join(socket, named, false) : leave(socket, named);
}

/** The MCAST_* options, which both families have. */
function setAny(
  socket: InetSocket,
  name: number,
  value: OptionValue,
  family: number,
): number | null {
  const { length } = value, isFour = family === AF_INET;
  switch (name) {
    case I.MCAST_JOIN_GROUP:
    case I.MCAST_LEAVE_GROUP: {
      if (length < I.GroupReq.size) return -EINVAL;
      const named = namedAt(value, family);
      if (named === null) return isFour ? -EINVAL : -EADDRNOTAVAIL;
      return name === I.MCAST_JOIN_GROUP ? join(socket, named, false) : leave(socket, named);
    }
    case I.MCAST_JOIN_SOURCE_GROUP:
    case I.MCAST_LEAVE_SOURCE_GROUP:
    case I.MCAST_BLOCK_SOURCE:
    case I.MCAST_UNBLOCK_SOURCE: {
      const { size, at } = I.GroupSourceReq;
      if (isFour ? length !== size : length < size) return -EINVAL;
      const named = namedAt(value, family), source = addressAt(value, at.source, family);
      if (named === null || source === null) return -EADDRNOTAVAIL;
      const isInclude = name === I.MCAST_JOIN_SOURCE_GROUP || name === I.MCAST_LEAVE_SOURCE_GROUP;
      const isAdded = name === I.MCAST_JOIN_SOURCE_GROUP || name === I.MCAST_BLOCK_SOURCE;
      return changeSource(socket, named, source, isInclude, isAdded);
    }
    case I.MCAST_MSFILTER: {
      const { at } = I.GroupFilter, size = at.slist, step = SOCKADDR_STORAGE_SIZE;
      // As Linux: the family of a source is not checked for IPv6.
      const source = (i: number) =>
        isFour ? addressAt(value, size + step * i, family) : v6At(value, size + step * i);
      const named = namedAt(value, family) ?? (isFour ? -EADDRNOTAVAIL : -EINVAL);
      return setFilter(socket, named, value, size, at.fmode, source, step);
    }
    default:
      return null;
  }
}

/** The link that the option names, or null. */
function linkOf({ net: { links } }: InetSocket, { group, address, index }: Named): Link | null {
  if (index !== 0) return links.byIndex(index);
  if (!isV4(group)) return groupLink6Of(links);
  return isAny(address) ? links.routeTo(group)?.link ?? null : links.linkOf(address);
}

/** The membership that the option names. `isExact`: index 0 of IPv6 does not match every link. */
function memberOf(
  socket: InetSocket,
  named: Named,
  link: Link,
  isExact: boolean,
): Membership | null {
  const { group, index } = named, isLoose = !isV4(group) && !isExact && index === 0;
  const wanted = isV4(group) ? link.index : index;
  const is = (one: Membership) => one.group === group && (isLoose || one.index === wanted);
  return socket.groups?.find(is) ?? null;
}

function join(socket: InetSocket, named: Named, isInclude: boolean): number {
  if (!isMulticast(named.group)) return -EINVAL;
  const { group, address, index } = named, link = linkOf(socket, named);
  const isAgain = !isV4(group) && index === 0 && socket.groups !== null &&
    socket.groups.find((one) => one.group === group) !== null;
  if (isAgain) return -EADDRINUSE;
  if (link === null) return -ENODEV;
  return (socket.groups ??= new SocketGroups(socket.net, socket.account)).join(
    link,
    group,
    address,
    isInclude,
  );
}

function leave(socket: InetSocket, named: Named): number {
  const { group, address } = named, isFour = isV4(group);
  if (!isFour && !isMulticast(group)) return -EINVAL;
  const link = isFour ? linkOf(socket, named) : null, index = link?.index ?? named.index;
  if (isFour && index === 0 && isAny(address)) return -ENODEV;
  const one = socket.groups?.find((m) =>
    m.group === group &&
    (index !== 0 ? m.index === index : isAny(address) || m.address === address)
  );
  if (!one) return -EADDRNOTAVAIL;
  socket.groups?.leave(one);
  return 0;
}

function changeSource(
  socket: InetSocket,
  named: Named,
  source: string,
  isInclude: boolean,
  isAdded: boolean,
): number {
  if (isInclude && isAdded) {
    const r = join(socket, named, true);
    if (r < 0 && r !== -EADDRINUSE) return r;
  }
  if (!isMulticast(named.group)) return -EINVAL;
  const link = linkOf(socket, named);
  if (link === null) return -ENODEV;
  const one = memberOf(socket, named, link, false);
  return one === null || socket.groups === null
    ? -EINVAL
    : socket.groups.changeSource(one, source, isInclude, isAdded);
}

/** Sets a source filter: its mode and, behind `size` bytes, its sources of `step` bytes each. */
function setFilter(
  socket: InetSocket,
  named: Named | number,
  value: OptionValue,
  size: number,
  modeAt: number,
  source: (i: number) => string | null,
  step: number,
): number {
  if (value.length < size) return -EINVAL;
  const mode = value.dv.getUint32(modeAt, true), count = value.dv.getUint32(modeAt + 4, true);
  const groups = socket.groups ??= new SocketGroups(socket.net, socket.account);
  if (typeof named !== "number" && count > groups.sourcesMax(named.group)) return -ENOBUFS;
  if (size + step * count > value.length) return -EINVAL;
  if (typeof named === "number") return named;
  const sources: string[] = [];
  for (let i = 0; i < count; i++) {
    const one = source(i);
    if (one === null) return -EADDRNOTAVAIL;
    sources.push(one);
  }
  if (!isMulticast(named.group)) return -EINVAL;
  if (mode !== I.MCAST_INCLUDE && mode !== I.MCAST_EXCLUDE) return -EINVAL;
  const link = linkOf(socket, named);
  if (link === null) return -ENODEV;
  if (mode === I.MCAST_INCLUDE && count === 0) return leave(socket, named);
  const one = memberOf(socket, named, link, true);
  return one === null ? -EINVAL : groups.setSources(one, sources, mode === I.MCAST_INCLUDE);
}

/** IPV6_MULTICAST_IF. */
export function setGroupLink6(socket: InetSocket, n: number): number {
  const { ip, net: { links }, options: { deviceIndex } } = socket;
  const link = links.byIndex(n);
  if (n !== 0 && link === null) return -ENODEV;
  if (deviceIndex !== 0 && link !== null && link.index !== deviceIndex) return -EINVAL;
  ip.groupLink6 = n;
  return 0;
}

/** IP_MULTICAST_IF: by address, struct ip_mreq or struct ip_mreqn. */
function setLink(socket: InetSocket, value: OptionValue): number {
  const { ip, net: { links }, options: { deviceIndex } } = socket, { length } = value;
  if (length < 4) return -EINVAL;
  const address = v4At(value, length < MREQ_BYTES ? 0 : 4);
  let index = length < I.IpMreqn.size ? 0 : value.dv.getInt32(I.IpMreqn.at.ifindex, true);
  if (index !== 0 || !isAny(address)) {
    const link = index === 0 ? links.linkOf(address) : links.byIndex(index);
    if (link === null) return -EADDRNOTAVAIL;
    if (deviceIndex !== 0 && deviceIndex !== link.index) return -EINVAL;
    index = link.index;
  }
  ip.groupLink4 = index;
  ip.groupAddress4 = address;
  return 0;
}

/** Gets a group option; results as of `setGroupOption`. */
export function getGroupOption(
  socket: InetSocket,
  level: number,
  name: number,
  value: OptionValue,
): number | null {
  if (value.length < 0) return null;
  if (level === I.IPPROTO_IP) {
    if (socket.family === AF_INET6 && socket.type === SOCK_RAW) return null;
    if (name === I.IP_MULTICAST_IF) {
      putV4(value, 0, socket.ip.groupAddress4);
      value.length = 4;
      return 0;
    }
    if (name === I.IP_MSFILTER) return getFilter4(socket, value);
    if (name === I.MCAST_MSFILTER) return getFilter(socket, value, AF_INET);
    return null;
  }
  const isV6 = level === I.IPPROTO_IPV6 && socket.family === AF_INET6;
  return isV6 && name === I.MCAST_MSFILTER ? getFilter(socket, value, AF_INET6) : null;
}

function getFilter4(socket: InetSocket, value: OptionValue): number {
  const { at } = I.IpMsfilter, size = at.slist;
  if (value.length < size) return -EINVAL;
  if (!value.takeAsked(size)) return -EFAULT;
  const named = { group: v4At(value, 0), address: v4At(value, at.interface), index: 0 };
  const one = asked(socket, named);
  if (typeof one === "number") return one;
  return putFilter(one, value, size, at.fmode, 4, (to, source) => putV4(value, to, source));
}

function getFilter(socket: InetSocket, value: OptionValue, family: number): number {
  const { at } = I.GroupFilter, size = at.slist;
  if (value.length < size) return -EINVAL;
  if (!value.takeAsked(size)) return -EFAULT;
  const named = namedAt(value, family), one = named === null ? -EINVAL : asked(socket, named);
  if (typeof one === "number") return one;
  const step = SOCKADDR_STORAGE_SIZE;
  return putFilter(one, value, size, at.fmode, step, (to, source) => {
    value.u8.fill(0, to, to + step);
    value.dv.setUint16(to, family, true);
    if (family === AF_INET) putV4(value, to + I.SockaddrIn.at.addr, source);
    else value.u8.set(stringToBytes(source), to + I.SockaddrIn6.at.addr);
  });
}

/** The membership that getsockopt(2) names, or -errno. */
function asked(socket: InetSocket, named: Named): Membership | number {
  if (!isMulticast(named.group)) return -EINVAL;
  const isFour = isV4(named.group), link = linkOf(socket, named);
  if (isFour && link === null) return -ENODEV;
  return (link === null ? null : memberOf(socket, named, link, true)) ?? -EADDRNOTAVAIL;
}

/** Stores the mode, the number of sources, and as many sources as there is room for. */
function putFilter(
  one: Membership,
  value: OptionValue,
  size: number,
  modeAt: number,
  step: number,
  put: (at: number, source: string) => void,
): number {
  const sources = one.sources ?? [], room = Math.floor((value.length - size) / step);
  const shown = Math.min(sources.length, room, value.dv.getUint32(modeAt + 4, true));
  value.dv.setUint32(modeAt, one.isInclude ? I.MCAST_INCLUDE : I.MCAST_EXCLUDE, true);
  value.dv.setUint32(modeAt + 4, sources.length, true);
  for (let i = 0; i < shown; i++) put(size + step * i, sources[i]!);
  value.length = size + step * shown;
  return 0;
}

/** Reads the front of struct group_req and the like; null: another family. */
function namedAt(value: OptionValue, family: number): Named | null {
  const at = I.GroupReq.at.group, index = value.dv.getUint32(0, true);
  const group = addressAt(value, at, family);
  if (group === null) return null;
  const isSix = family === AF_INET6;
  return {
    group: isSix ? v6GroupAt(value, at + I.SockaddrIn6.at.addr) : group,
    address: ANY4,
    index,
  };
}

/** The IPv6 group at `at`; a mapped IPv4 group is none. */
function v6GroupAt(value: OptionValue, at: number): string {
  const group = bytesToString(value.u8, at, at + 16);
  return isV4(group) ? ANY6 : group;
}

function addressAt(value: OptionValue, at: number, family: number): string | null {
  if (value.dv.getUint16(at, true) !== family) return null;
  if (family === AF_INET) return v4At(value, at + I.SockaddrIn.at.addr);
  return v6At(value, at);
}
function v6At(value: OptionValue, at: number): string {
  const from = at + I.SockaddrIn6.at.addr;
  return bytesToString(value.u8, from, from + 16);
}

function v4At(value: OptionValue, at: number): string {
  return MAPPED + bytesToString(value.u8, at, at + 4);
}
function putV4(value: OptionValue, at: number, address: string): void {
  for (let i = 0; i < 4; i++) value.u8[at + i] = address.charCodeAt(12 + i);
}
