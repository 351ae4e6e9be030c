/**
 * SIOCGARP of arp(7): the hardware address of a neighbour that rtnetlink has set
 * (netlink/neighbours.ts). SIOCSARP and SIOCDARP are ENOTTY.
 */

import { EFAULT, EINVAL, ENODEV, ENXIO, EPFNOSUPPORT } from "../../../ffi/abi/errno.ts";
import * as I from "../../../ffi/abi/inet.ts";
import * as N from "../../../ffi/abi/netlink.ts";
import { ETH_ALEN } from "../../../ffi/abi/packet.ts";
import { AF_INET } from "../../../ffi/abi/socket.ts";
import { bytesToString } from "../../core/bytes.ts";
import type { UserMemory } from "../../mm/user_memory.ts";
import type { LinkTable } from "./link_table.ts";
import { MAPPED } from "../inet/address.ts";

const { at, size } = I.Arpreq;
/** Offset of the address in a `struct sockaddr`. */
const ADDRESS_AT = 2;
/** States in which the hardware address is known (NUD_VALID). */
const KNOWN = N.NUD_REACHABLE | N.NUD_STALE | N.NUD_DELAY | N.NUD_PROBE | N.NUD_PERMANENT;
const IP_AT = I.SockaddrIn.at.addr;

const buffer = new Uint8Array(size);
const view = new DataView(buffer.buffer);

/** SIOCGARP: 0 or -errno. */
export function findHardwareAddress(links: LinkTable, arg: number, user: UserMemory): number {
  if (user.copyIn(buffer, 0, arg, size) < 0) return -EFAULT;
  if (view.getUint16(at.pa, true) !== AF_INET) return -EPFNOSUPPORT;
  const flags = view.getInt32(at.flags, true);
  const isPublished = (flags & I.ATF_PUBL) !== 0;
  if (!isPublished && (flags & (I.ATF_NETMASK | I.ATF_DONTPUB)) !== 0) return -EINVAL;
  if ((flags & I.ATF_NETMASK) === 0) buffer.fill(0xff, at.netmask + IP_AT, at.netmask + IP_AT + 4);
  const name = bytesToString(buffer, at.dev, size - 1), end = name.indexOf("\0");
  const link = links.byName(end < 0 ? name : name.substring(0, end));
  if (link === null) return -ENODEV;
  const given = view.getUint16(at.ha, true);
  if ((flags & I.ATF_COM) !== 0 && given !== 0 && given !== link.type) return -EINVAL;
  const ip = at.pa + IP_AT;
  const found = link.neighbours.get(MAPPED + bytesToString(buffer, ip, ip + 4));
  if (found === undefined || (found.state & N.NUD_NOARP) !== 0) return -ENXIO;
  view.setUint16(at.ha, link.type, true);
  const mac = at.ha + ADDRESS_AT;
  for (let i = 0; i < ETH_ALEN; i++) buffer[mac + i] = found.mac.charCodeAt(i);
  view.setInt32(at.flags, flagsOf(found.state), true);
  return user.copyOut(arg, buffer, 0, size);
}

function flagsOf(state: number): number {
  const known = (state & KNOWN) === 0 ? 0 : I.ATF_COM;
  return (state & N.NUD_PERMANENT) === 0 ? known : known | I.ATF_PERM;
}
