/**
 * Internet addresses as byte strings of 16 bytes, IPv4 ones mapped (::ffff:a.b.c.d), with ports in
 * host order; conversion from and to socket addresses of AF_INET and AF_INET6.
 */

import { EAFNOSUPPORT, EINVAL } from "../../../ffi/abi/errno.ts";
import { SockaddrIn, SockaddrIn6 } from "../../../ffi/abi/inet.ts";
import { AF_INET, AF_INET6, AF_UNSPEC } from "../../../ffi/abi/socket.ts";
import { bytesToString } from "../../core/bytes.ts";
import type { SocketAddress } from "../message.ts";

export const MAPPED = "\0\0\0\0\0\0\0\0\0\0\xff\xff";
export const ANY6 = "\0".repeat(16);
export const LOOPBACK6: string = "\0".repeat(15) + "\x01";
export const ANY4: string = MAPPED + "\0\0\0\0";
export const BROADCAST4: string = MAPPED + "\xff".repeat(4);
export const LOOPBACK4: string = MAPPED + "\x7f\0\0\x01";
/** Length of the shortest sockaddr_in6 (RFC 2133: without a scope id). */
const MIN_IN6_BYTES = 24;

/** An address and a port; immutable. */
export class Endpoint {
  readonly address: string;
  readonly port: number;
  /** Index of the link of a link-local address; 0: none was given. */
  readonly scope: number;

  constructor(address: string, port: number, scope: number = 0) {
    this.address = address;
    this.port = port;
    this.scope = scope;
  }

  /** The same endpoint with link `index` as its scope, if its address needs one. */
  on(index: number): Endpoint {
    return needsScope(this.address) ? new Endpoint(this.address, this.port, index) : this;
  }

  isSame(other: Endpoint): boolean {
    return this.port === other.port && this.address === other.address;
  }
}

/** Whether the address is a mapped IPv4 address. */
export function isV4(address: string): boolean {
  return address.startsWith(MAPPED);
}

/** IPv4 address as a number; `address` must be one. */
export function v4Number(address: string): number {
  return address.charCodeAt(12) * 0x1000000 + (address.charCodeAt(13) << 16) +
    (address.charCodeAt(14) << 8) + address.charCodeAt(15);
}

/** 0.0.0.0 or ::. */
export function isAny(address: string): boolean {
  return address === ANY4 || address === ANY6;
}

/** 127.0.0.0/8 or ::1. */
export function isLoopback(address: string): boolean {
  return isV4(address) ? address.charCodeAt(12) === 127 : address === LOOPBACK6;
}

/** 224.0.0.0/4 or ff00::/8. */
export function isMulticast(address: string): boolean {
  return isV4(address) ? (address.charCodeAt(12) & 0xf0) === 0xe0 : address.charCodeAt(0) === 0xff;
}

/** fe80::/10, ff01::/16, ff02::/16 and the like: the address needs the index of a link. */
export function needsScope(address: string): boolean {
  const first = address.charCodeAt(0), second = address.charCodeAt(1);
  if (first === 0xfe) return (second & 0xc0) === 0x80;
  return first === 0xff && ((second & 15) === 1 || (second & 15) === 2);
}

/** The address that packets to `address` go to: the unspecified address means this machine. */
export function destinationOf(address: string): string {
  return address === ANY4 ? LOOPBACK4 : address === ANY6 ? LOOPBACK6 : address;
}

/**
 * The endpoint in a socket address for a socket of `family`. -EINVAL: the socket address is too
 * short; -EAFNOSUPPORT: it has another family; null: it is AF_UNSPEC and `mayBeUnspecified`. A
 * socket of AF_INET6 takes AF_INET addresses if `mayBeV4`.
 */
export function endpointOf(
  from: SocketAddress,
  family: number,
  mayBeUnspecified: boolean,
  mayBeV4: boolean,
): Endpoint | number | null {
  if (from.length < 2) return -EINVAL;
  const given = from.family;
  if (given === AF_UNSPEC && mayBeUnspecified) return null;
  if (given === AF_INET && (family === AF_INET || mayBeV4)) {
    if (from.length < SockaddrIn.size) return -EINVAL;
    return new Endpoint(MAPPED + bytesToString(from.u8, 4, 8), from.dv.getUint16(2));
  }
  if (family === AF_INET) return from.length < SockaddrIn.size ? -EINVAL : -EAFNOSUPPORT;
  if (from.length < MIN_IN6_BYTES) return -EINVAL;
  if (given !== AF_INET6) return -EAFNOSUPPORT;
  const address = bytesToString(from.u8, 8, 24), port = from.dv.getUint16(2);
  const hasScope = from.length >= SockaddrIn6.size && needsScope(address);
  const scope = hasScope ? from.dv.getUint32(SockaddrIn6.at.scopeId, true) : 0;
  return new Endpoint(address, port, scope);
}

/** Writes the endpoint to `out` as getsockname(2) of a socket of `family` shows it. */
export function putEndpoint(endpoint: Endpoint, family: number, out: SocketAddress): void {
  if (family === AF_INET) {
    out.start(AF_INET, SockaddrIn.size);
    out.dv.setUint16(SockaddrIn.at.port, endpoint.port);
    for (let i = 0; i < 4; i++) out.u8[4 + i] = endpoint.address.charCodeAt(12 + i);
    return;
  }
  out.start(AF_INET6, SockaddrIn6.size);
  out.dv.setUint16(SockaddrIn6.at.port, endpoint.port);
  for (let i = 0; i < 16; i++) out.u8[8 + i] = endpoint.address.charCodeAt(i);
  out.dv.setUint32(SockaddrIn6.at.scopeId, endpoint.scope, true);
}

/** The address as text: 127.0.0.1, or ::1 in full; never ::ffff:127.0.0.1. */
export function describeAddress(address: string): string {
  if (isV4(address)) {
    return [12, 13, 14, 15].map((i) => address.charCodeAt(i)).join(".");
  }
  const words: string[] = [];
  for (let i = 0; i < 16; i += 2) {
    words.push((address.charCodeAt(i) * 256 + address.charCodeAt(i + 1)).toString(16));
  }
  return words.join(":").replace(/(^|:)(0:)+0?(?=$|[1-9a-f])/, "::");
}
