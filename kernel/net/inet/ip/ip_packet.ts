/** IP packets as bytes: headers of IPv4 and IPv6, and the internet checksum (RFC 791, RFC 1071). */

import { isV4, MAPPED, v4Number } from "../address.ts";

export const IP_HEADER = 20;
export const IP6_HEADER = 40;
export const UDP_HEADER = 8;

/** A packet of IPv4 or IPv6. */
export interface IpPacket {
  readonly protocol: number;
  readonly source: string;
  readonly destination: string;
  readonly payload: Uint8Array<ArrayBuffer>;
  readonly hops: number;
  readonly trafficClass: number;
  /** Options of the IPv4 header, in whole words. */
  readonly options?: Uint8Array<ArrayBuffer> | null;
  /**
   * The whole IPv4 packet, if a program made the header (IP_HDRINCL); null: `buildPacket4` makes
   * it.
   */
  readonly whole: Uint8Array<ArrayBuffer> | null;
}

/** The complement of the folded sum of big-endian 16-bit words (RFC 1071); `start` is added. */
export function checksum(bytes: Uint8Array, from: number, to: number, start: number): number {
  let sum = start;
  for (let i = from; i < to; i += 2) sum += (bytes[i]! << 8) + (i + 1 < to ? bytes[i + 1]! : 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return ~sum & 0xffff;
}

/** The sum of the pseudo header, which checksums of UDP, ICMPv6 and TCP cover too. */
export function pseudoHeader(
  length: number,
  protocol: number,
  source: string,
  destination: string,
): number {
  let sum = length + protocol;
  // The first twelve bytes of a mapped IPv4 address are no part of the header.
  const from = isV4(source) ? 12 : 0;
  for (const address of [source, destination]) {
    for (let i = from; i < 16; i += 2) {
      sum += (address.charCodeAt(i) << 8) + address.charCodeAt(i + 1);
    }
  }
  return sum;
}

/** The IPv4 packet with its header, as raw sockets receive it. */
export function buildPacket4(p: IpPacket): Uint8Array<ArrayBuffer> {
  if (p.whole !== null) return p.whole;
  const header = IP_HEADER + (p.options?.length ?? 0);
  const packet = new Uint8Array(header + p.payload.length), dv = new DataView(packet.buffer);
  packet[0] = 0x40 | header >> 2;
  packet[1] = p.trafficClass;
  packet[8] = p.hops;
  packet[9] = p.protocol;
  dv.setUint32(12, v4Number(p.source));
  dv.setUint32(16, v4Number(p.destination));
  if (p.options) packet.set(p.options, IP_HEADER);
  packet.set(p.payload, header);
  finishHeader(packet, header);
  return packet;
}

/** The IPv6 packet with its header, as packet sockets receive it. */
export function buildPacket6(p: IpPacket): Uint8Array<ArrayBuffer> {
  const packet = new Uint8Array(IP6_HEADER + p.payload.length), dv = new DataView(packet.buffer);
  packet[0] = 0x60 | p.trafficClass >> 4;
  packet[1] = (p.trafficClass & 15) << 4;
  dv.setUint16(4, p.payload.length & 0xffff);
  packet[6] = p.protocol;
  packet[7] = p.hops;
  for (let i = 0; i < 16; i++) {
    packet[8 + i] = p.source.charCodeAt(i);
    packet[24 + i] = p.destination.charCodeAt(i);
  }
  packet.set(p.payload, IP6_HEADER);
  return packet;
}

function finishHeader(packet: Uint8Array<ArrayBuffer>, length: number): void {
  const dv = new DataView(packet.buffer, packet.byteOffset);
  dv.setUint16(2, packet.length);
  dv.setUint16(10, 0);
  dv.setUint16(10, checksum(packet, 0, length, 0));
}

function addressAt(packet: Uint8Array, at: number, length: number): string {
  return String.fromCharCode(...packet.subarray(at, at + length));
}

/**
 * Reads an IPv4 packet whose header a program made (IP_HDRINCL of ip(7)): length and checksum are
 * filled in, and the source if it is 0. Undefined: the header is longer than the packet; null: no
 * receiver would take it.
 */
export function readPacket4(
  packet: Uint8Array<ArrayBuffer>,
  ownSource: string,
): IpPacket | null | undefined {
  const headerBytes = (packet[0]! & 15) * 4;
  if (packet.length < IP_HEADER || headerBytes > packet.length) return undefined;
  if (headerBytes < IP_HEADER) return null;
  const dv = new DataView(packet.buffer, packet.byteOffset);
  if (dv.getUint32(12) === 0) dv.setUint32(12, v4Number(ownSource));
  finishHeader(packet, headerBytes);
  if (packet[0]! >> 4 !== 4) return null;
  return {
    protocol: packet[9]!,
    source: MAPPED + addressAt(packet, 12, 4),
    destination: MAPPED + addressAt(packet, 16, 4),
    payload: packet.slice(headerBytes),
    hops: packet[8]!,
    trafficClass: packet[1]!,
    whole: packet,
  };
}

/** Reads an IPv6 packet whose header a program made; receivers never see that header. */
export function readPacket6(packet: Uint8Array<ArrayBuffer>): IpPacket | null | undefined {
  if (packet.length < IP6_HEADER) return undefined;
  if (packet[0]! >> 4 !== 6) return null;
  return {
    protocol: packet[6]!,
    source: addressAt(packet, 8, 16),
    destination: addressAt(packet, 24, 16),
    payload: packet.slice(IP6_HEADER),
    hops: packet[7]!,
    trafficClass: (packet[0]! & 15) << 4 | packet[1]! >> 4,
    whole: null,
  };
}

/** Parses an IPv4 packet that arrived; null: damaged, or a fragment. */
export function parse4(packet: Uint8Array<ArrayBuffer>): IpPacket | null {
  if (packet.length < IP_HEADER || packet[0]! >> 4 !== 4) return null;
  const header = (packet[0]! & 15) * 4, length = packet[2]! << 8 | packet[3]!;
  if (header < IP_HEADER || length < header || length > packet.length) return null;
  if (checksum(packet, 0, header, 0) !== 0) return null;
  // More fragments follow, or the offset is not 0.
  if ((packet[6]! & 0x3f) !== 0 || packet[7] !== 0) return null;
  return {
    protocol: packet[9]!,
    source: MAPPED + addressAt(packet, 12, 4),
    destination: MAPPED + addressAt(packet, 16, 4),
    payload: packet.slice(header, length),
    hops: packet[8]!,
    trafficClass: packet[1]!,
    whole: packet.slice(0, length),
  };
}

/** Parses an IPv6 packet that arrived; null: damaged. Extension headers are not read. */
export function parse6(packet: Uint8Array<ArrayBuffer>): IpPacket | null {
  if (packet.length < IP6_HEADER) return null;
  const length = packet[4]! << 8 | packet[5]!;
  if (IP6_HEADER + length > packet.length) return null;
  return readPacket6(packet.slice(0, IP6_HEADER + length)) ?? null;
}
