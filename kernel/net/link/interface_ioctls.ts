/**
 * Interface ioctls (netdevice(7)), which every socket takes. The same through rtnetlink:
 * netlink/links.ts and netlink/addresses.ts.
 */

import { CAP_NET_ADMIN } from "../../../ffi/abi/capability.ts";
import {
  EADDRNOTAVAIL,
  EFAULT,
  EINVAL,
  ENODEV,
  ENOTTY,
  EOPNOTSUPP,
  EPERM,
} from "../../../ffi/abi/errno.ts";
import * as I from "../../../ffi/abi/inet.ts";
import { IFAPROT_UNSPEC } from "../../../ffi/abi/netlink.ts";
import { AF_INET } from "../../../ffi/abi/socket.ts";
import { bytesToString } from "../../core/bytes.ts";
import type { UserMemory } from "../../mm/user_memory.ts";
import { isV4, MAPPED, v4Number } from "../inet/address.ts";
import type { Link, LinkAddress } from "./link.ts";
import type { LinkTable } from "./link_table.ts";
import { broadcastOf } from "./prefix.ts";
import type { SocketCaller } from "../message.ts";
import { Notices } from "../netlink/notices.ts";
import type { NetNamespace } from "../net_namespace.ts";

const NAME_BYTES = I.IFNAMSIZ, DATA_AT = I.Ifreq.at.data, IFREQ_BYTES = I.Ifreq.size;

const buffer = new Uint8Array(128);
const view = new DataView(buffer.buffer);

/** Carries out an interface ioctl: its result, or -ENOTTY for other requests. */
export function interfaceIoctl(
  net: NetNamespace,
  request: number,
  arg: number,
  user: UserMemory,
  caller: SocketCaller | null,
): number {
  if (request === I.SIOCGIFCONF) return configuration(net.links, arg, user);
  if (request < I.SIOCADDRT || request > I.SIOCETHTOOL) return -ENOTTY;
  if (user.copyIn(buffer, 0, arg, IFREQ_BYTES) < 0) return -EFAULT;
  if (request === I.SIOCGIFNAME) {
    const named = net.links.byIndex(view.getInt32(DATA_AT, true));
    if (named === null) return -ENODEV;
    putName(named);
    return user.copyOut(arg, buffer, 0, IFREQ_BYTES);
  }
  const link = net.links.byName(givenName());
  if (link === null) return -ENODEV;
  const isChange = CHANGES.includes(request);
  if (isChange && (caller === null || !net.isCapable(caller.cred, CAP_NET_ADMIN))) return -EPERM;
  const notices = isChange ? Notices.before(net, null) : null;
  const r = isChange ? change(link, request) : ask(link, request);
  notices?.tell();
  return r < 0 ? r : user.copyOut(arg, buffer, 0, IFREQ_BYTES);
}

/** The name in the request; an alias (lo:1) means its interface. */
function givenName(): string {
  let name = "";
  for (let i = 0; i < NAME_BYTES && buffer[i] !== 0; i++) name += String.fromCharCode(buffer[i]!);
  return name.replace(/:.*$/, "");
}

function putName(link: Link): void {
  buffer.fill(0, 0, NAME_BYTES);
  for (let i = 0; i < link.name.length; i++) buffer[i] = link.name.charCodeAt(i);
}

/** The first IPv4 address, the only one that these requests show. */
function firstAddress(link: Link): LinkAddress | null {
  return link.addresses.find(({ address }) => isV4(address)) ?? null;
}

const CHANGES: readonly number[] = [
  I.SIOCSIFFLAGS,
  I.SIOCSIFMTU,
  I.SIOCSIFADDR,
  I.SIOCSIFNETMASK,
];

/** Answers a request about a link in `buffer`. */
function ask(link: Link, request: number): number {
  const first = firstAddress(link);
  switch (request) {
    case I.SIOCGIFFLAGS:
      view.setInt16(DATA_AT, link.flags, true);
      return 0;
    case I.SIOCGIFADDR:
      return first === null ? -EADDRNOTAVAIL : putV4(v4Number(first.address));
    case I.SIOCGIFDSTADDR:
      return first === null ? -EADDRNOTAVAIL : putV4(v4Number(first.peer));
    case I.SIOCGIFNETMASK:
      return first === null ? -EADDRNOTAVAIL : putV4(maskOf(first.prefix));
    case I.SIOCGIFBRDADDR:
      return putV4(first?.broadcast == null ? 0 : v4Number(first.broadcast));
    case I.SIOCGIFMETRIC:
      return putInt(0);
    case I.SIOCGIFMTU:
      return putInt(link.mtu);
    case I.SIOCGIFHWADDR:
      buffer.fill(0, DATA_AT, DATA_AT + 16);
      view.setUint16(DATA_AT, link.type, true);
      for (let i = 0; i < 6; i++) buffer[DATA_AT + 2 + i] = link.mac.charCodeAt(i);
      return 0;
    case I.SIOCGIFINDEX:
      return putInt(link.index);
    case I.SIOCGIFTXQLEN:
      return putInt(link.txQueueLength);
    case I.SIOCETHTOOL:
    case I.SIOCADDRT:
    case I.SIOCDELRT:
      return -EOPNOTSUPP;
    default:
      return -ENOTTY;
  }
}

function maskOf(bits: number): number {
  return bits === 0 ? 0 : (-1 << (32 - bits)) >>> 0;
}

function change(link: Link, request: number): number {
  const { table } = link;
  switch (request) {
    case I.SIOCSIFFLAGS:
      table.setUp(link, (view.getInt16(DATA_AT, true) & I.IFF_UP) !== 0);
      return 0;
    case I.SIOCSIFMTU:
      return link.setMtu(view.getInt32(DATA_AT, true)) ? 0 : -EINVAL;
    default:
      // DIFFERS: the addresses of lo cannot be changed.
      return link === table.lo ? -EADDRNOTAVAIL : changeAddress(link, request);
  }
}

/** SIOCSIFADDR and SIOCSIFNETMASK, as ifconfig(8) uses them. */
function changeAddress(link: Link, request: number): number {
  if (view.getUint16(DATA_AT, true) !== AF_INET) return -EINVAL;
  const given = view.getUint32(DATA_AT + I.SockaddrIn.at.addr), first = firstAddress(link);
  if (request === I.SIOCSIFNETMASK) {
    const bits = 32 - Math.log2(2 ** 32 - given);
    if (first === null) return -EADDRNOTAVAIL;
    if (!Number.isInteger(bits)) return -EINVAL;
    return replace(link, first, { ...first, prefix: bits });
  }
  const address = MAPPED + bytesToString(buffer, DATA_AT + 4, DATA_AT + 8);
  const prefix = given >>> 31 === 0 ? 8 : given >>> 30 === 2 ? 16 : 24;
  const label = link.name, broadcast = broadcastOf(address, prefix);
  const next = {
    address,
    prefix,
    scope: 0,
    peer: address,
    broadcast,
    label,
    origin: IFAPROT_UNSPEC,
  };
  const r = replace(link, first, next);
  if (r === 0) link.table.setUp(link, true);
  return r;
}

function replace(link: Link, old: LinkAddress | null, next: LinkAddress): number {
  if (old !== null) link.table.removeAddress(link, old.address, old.prefix);
  return link.table.addAddress(link, next);
}

function putInt(value: number): number {
  view.setInt32(DATA_AT, value, true);
  return 0;
}

/** Puts a sockaddr_in into the union of struct ifreq. */
function putV4(address: number): number {
  buffer.fill(0, DATA_AT, DATA_AT + 16);
  view.setUint16(DATA_AT, AF_INET, true);
  view.setUint32(DATA_AT + I.SockaddrIn.at.addr, address);
  return 0;
}

/** SIOCGIFCONF: fill the buffer of a struct ifconf; without a buffer, report the bytes needed. */
function configuration(links: LinkTable, arg: number, user: UserMemory): number {
  const room = user.load32(arg + I.Ifconf.at.len), to = user.load64(arg + I.Ifconf.at.buf);
  if (room < 0 || to < 0) return -EFAULT;
  const shown = links.links.filter((link) => firstAddress(link) !== null);
  let length = shown.length * IFREQ_BYTES;
  if (to !== 0) {
    const fit = Math.min(shown.length, Math.max(0, Math.floor((room | 0) / IFREQ_BYTES)));
    length = fit * IFREQ_BYTES;
    for (let i = 0; i < fit; i++) {
      const link = shown[i]!;
      buffer.fill(0);
      putName(link);
      putV4(v4Number(firstAddress(link)!.address));
      if (user.copyOut(to + i * IFREQ_BYTES, buffer, 0, IFREQ_BYTES) < 0) return -EFAULT;
    }
  }
  return user.store32(arg + I.Ifconf.at.len, length);
}
