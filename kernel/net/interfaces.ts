/**
 * Network interfaces: `lo` and nothing else. Its state, and the ioctls that ask about interfaces (netdevice(7)), which
 * every socket answers. rtnetlink is in netlink/route.ts.
 */

import { CAP_NET_ADMIN } from "../../ffi/abi/capability.ts";
import {
  EADDRNOTAVAIL,
  EFAULT,
  EINVAL,
  ENODEV,
  ENOTTY,
  EOPNOTSUPP,
  EPERM,
} from "../../ffi/abi/errno.ts";
import * as I from "../../ffi/abi/inet.ts";
import { AF_INET } from "../../ffi/abi/socket.ts";
import { hasCapIn } from "../cred/credentials.ts";
import type { UserNamespace } from "../cred/user_namespace.ts";
import type { UserMemory } from "../mm/user_memory.ts";
import type { SocketCaller } from "./message.ts";

const NAME_BYTES = I.IFNAMSIZ, DATA_AT = I.Ifreq.at.data, IFREQ_BYTES = I.Ifreq.size;

export class Loopback {
  readonly name: string = "lo";
  readonly index: number = 1;
  mtu: number = 65536;
  /** Whose capabilities count. */
  readonly owner: UserNamespace;
  /** It has 127.0.0.1 and ::1: from the first time that it is up. */
  hasAddresses: boolean;
  private up: boolean;

  /** `isUp`: from the start, as in the first network namespace. */
  constructor(owner: UserNamespace, isUp: boolean) {
    this.owner = owner;
    this.up = isUp;
    this.hasAddresses = isUp;
  }

  get isUp(): boolean {
    return this.up;
  }
  set isUp(up: boolean) {
    this.up = up;
    if (up) this.hasAddresses = true;
  }

  isAdministrator(caller: SocketCaller | null): boolean {
    return caller !== null && hasCapIn(caller.cred, this.owner, CAP_NET_ADMIN);
  }

  get flags(): number {
    return I.IFF_LOOPBACK | (this.isUp ? I.IFF_UP | I.IFF_RUNNING : 0);
  }
}

const buffer = new Uint8Array(128);
const view = new DataView(buffer.buffer);

/** An interface ioctl: its result, or -ENOTTY when it is none. */
export function interfaceIoctl(
  lo: Loopback,
  request: number,
  arg: number,
  user: UserMemory,
  caller: SocketCaller | null,
): number {
  if (request === I.SIOCGIFCONF) return configuration(lo, arg, user);
  if (request < I.SIOCADDRT || request > I.SIOCETHTOOL) return -ENOTTY;
  if (user.copyIn(buffer, 0, arg, IFREQ_BYTES) < 0) return -EFAULT;
  if (request === I.SIOCGIFNAME) {
    if (view.getInt32(DATA_AT, true) !== lo.index) return -ENODEV;
    putName(lo);
    return user.copyOut(arg, buffer, 0, IFREQ_BYTES);
  }
  const r = isAbout(lo) ? ask(lo, request, caller) : -ENODEV;
  return r < 0 ? r : user.copyOut(arg, buffer, 0, IFREQ_BYTES);
}

function isAbout(lo: Loopback): boolean {
  const { name } = lo;
  for (let i = 0; i < name.length; i++) if (buffer[i] !== name.charCodeAt(i)) return false;
  // An alias (lo:1) is the same interface.
  return buffer[name.length] === 0 || buffer[name.length] === 0x3a;
}

function putName(lo: Loopback): void {
  buffer.fill(0, 0, NAME_BYTES);
  for (let i = 0; i < lo.name.length; i++) buffer[i] = lo.name.charCodeAt(i);
}

/** One request about `lo`, in `buffer` and out of it. */
function ask(lo: Loopback, request: number, caller: SocketCaller | null): number {
  switch (request) {
    case I.SIOCGIFFLAGS:
      view.setInt16(DATA_AT, lo.flags, true);
      return 0;
    case I.SIOCSIFFLAGS:
      if (!lo.isAdministrator(caller)) return -EPERM;
      lo.isUp = (view.getInt16(DATA_AT, true) & I.IFF_UP) !== 0;
      return 0;
    case I.SIOCGIFADDR:
    case I.SIOCGIFDSTADDR:
      return lo.hasAddresses ? putV4(0x7f000001) : -EADDRNOTAVAIL;
    case I.SIOCGIFNETMASK:
      return putV4(0xff000000);
    case I.SIOCGIFBRDADDR:
      return putV4(0);
    case I.SIOCGIFMETRIC:
      return putInt(0);
    case I.SIOCGIFMTU:
      return putInt(lo.mtu);
    case I.SIOCSIFMTU: {
      if (!lo.isAdministrator(caller)) return -EPERM;
      const mtu = view.getInt32(DATA_AT, true);
      if (mtu < 0) return -EINVAL;
      lo.mtu = mtu;
      return 0;
    }
    case I.SIOCGIFHWADDR:
      buffer.fill(0, DATA_AT, DATA_AT + 16);
      view.setUint16(DATA_AT, I.ARPHRD_LOOPBACK, true);
      return 0;
    case I.SIOCGIFINDEX:
      return putInt(lo.index);
    case I.SIOCGIFTXQLEN:
      return putInt(1000);
    case I.SIOCSIFADDR:
    case I.SIOCSIFNETMASK:
      if (!lo.isAdministrator(caller)) return -EPERM;
      // DIFFERS: the addresses of lo are what they are.
      return -EADDRNOTAVAIL;
    case I.SIOCETHTOOL:
    case I.SIOCADDRT:
    case I.SIOCDELRT:
      return -EOPNOTSUPP;
    default:
      return -ENOTTY;
  }
}

function putInt(value: number): number {
  view.setInt32(DATA_AT, value, true);
  return 0;
}

/** A sockaddr_in in the union of struct ifreq. */
function putV4(address: number): number {
  buffer.fill(0, DATA_AT, DATA_AT + 16);
  view.setUint16(DATA_AT, AF_INET, true);
  view.setUint32(DATA_AT + I.SockaddrIn.at.addr, address);
  return 0;
}

/** SIOCGIFCONF: a struct ifconf with the place for the answers; without one it asks how much is needed. */
function configuration(lo: Loopback, arg: number, user: UserMemory): number {
  const room = user.load32(arg + I.Ifconf.at.len), to = user.load64(arg + I.Ifconf.at.buf);
  if (room < 0 || to < 0) return -EFAULT;
  let length = IFREQ_BYTES;
  if (to !== 0) {
    buffer.fill(0);
    putName(lo);
    putV4(0x7f000001);
    length = (room | 0) < IFREQ_BYTES ? 0 : IFREQ_BYTES;
    if (length > 0 && user.copyOut(to, buffer, 0, length) < 0) return -EFAULT;
  }
  return user.store32(arg + I.Ifconf.at.len, length);
}
