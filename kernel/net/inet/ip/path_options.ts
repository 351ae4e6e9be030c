/** Options about the source address and port of packets, and about the path MTU. */

import { EINVAL, ENOTCONN } from "../../../../ffi/abi/errno.ts";
import type { NetNamespace } from "../../net_namespace.ts";
import type { OptionValue } from "../../socket_options.ts";
import type { InetSocket } from "../inet_socket.ts";
import type { IpOptions } from "./ip_options.ts";

/** struct ip6_mtuinfo. */
const MTUINFO_BYTES = 32;
/** The longest packet of IPv4. */
const PACKET_MAX_4 = 65535;
/** IPV6_PREFER_SRC_*: at most one flag of each pair. */
const PREFER_TEMPORARY = 1, PREFER_PUBLIC = 2, PREFER_DEFAULT = 0x100;
const PREFER_CARE_OF = 4, PREFER_HOME = 0x400;
const PREFER_GENERATED = 8, PREFER_NOT_GENERATED = 0x800;
export const PREFERENCES_AT_FIRST: number = PREFER_DEFAULT | PREFER_HOME;

/** IPV6_ADDR_PREFERENCES. */
export function setPreferences(ip: IpOptions, n: number): number {
  const kind = n & (PREFER_TEMPORARY | PREFER_PUBLIC | PREFER_DEFAULT);
  const home = n & (PREFER_CARE_OF | PREFER_HOME);
  const made = n & (PREFER_GENERATED | PREFER_NOT_GENERATED);
  if ([kind, home, made].some((bits) => (bits & (bits - 1)) !== 0)) return -EINVAL;
  ip.preferences6 = (kind || PREFER_DEFAULT) | (home || PREFER_HOME);
  return 0;
}

/** IP_LOCAL_PORT_RANGE: lower and upper half of an int; 0: the bound of the setting. */
export function setPortRange(ip: IpOptions, value: OptionValue): number {
  if (value.length !== 4) return -EINVAL;
  const first = value.int & 0xffff, last = value.int >>> 16;
  if (first !== 0 && last !== 0 && first > last) return -EINVAL;
  ip.firstPort = first;
  ip.lastPort = last;
  return 0;
}

/** IPV6_PATHMTU: struct ip6_mtuinfo, whose address Linux leaves empty. */
export function getPathMtu(socket: InetSocket, value: OptionValue): number {
  const room = value.length;
  if (room >= 0 && room < MTUINFO_BYTES) return -EINVAL;
  if (socket.remote === null) return -ENOTCONN;
  value.u8.fill(0, 0, MTUINFO_BYTES);
  value.dv.setUint32(MTUINFO_BYTES - 4, mtuOf(socket), true);
  value.length = MTUINFO_BYTES;
  return 0;
}

/** The MTU of the link by which packets to the peer leave. */
export function mtuOf({ net, remote }: InetSocket): number {
  return remote === null ? net.links.lo.mtu : mtuTo(net, remote.address);
}

/** IP_MTU: at most the length that an IPv4 header can hold. */
export function mtu4Of(socket: InetSocket): number {
  return Math.min(mtuOf(socket), PACKET_MAX_4);
}

/** The MTU of the link by which packets to an address leave. */
export function mtuTo({ links }: NetNamespace, address: string): number {
  if (links.linkOf(address) !== null) return links.lo.mtu;
  return links.routeTo(address)?.link.mtu ?? links.lo.mtu;
}
