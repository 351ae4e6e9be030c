/** ICMP and ICMPv6 messages as bytes: echo requests and replies, checksums, the IPv4 header in front of them. */

import * as I from "../../../ffi/abi/inet.ts";
import { isV4, v4Number } from "./address.ts";

/** Type, code, checksum, identifier, sequence number. */
export const ICMP_HEADER = 8;
export const IP_HEADER = 20;

/** Sum of big endian 16-bit words, folded, complemented (RFC 1071). */
export function checksum(bytes: Uint8Array, from: number, to: number, start: number): number {
  let sum = start;
  for (let i = from; i < to; i += 2) sum += (bytes[i]! << 8) + (i + 1 < to ? bytes[i + 1]! : 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return ~sum & 0xffff;
}

/** A message is an echo request of the family of `address`. */
export function isEchoRequest(message: Uint8Array, address: string): boolean {
  const type = isV4(address) ? I.ICMP_ECHO : I.ICMPV6_ECHO_REQUEST;
  return message.length >= ICMP_HEADER && message[0] === type && message[1] === 0;
}

/** The answer to an echo request, from `source` to `destination`. */
export function echoReply(
  request: Uint8Array,
  source: string,
  destination: string,
): Uint8Array<ArrayBuffer> {
  const reply = new Uint8Array(request);
  reply[0] = isV4(source) ? I.ICMP_ECHOREPLY : I.ICMPV6_ECHO_REPLY;
  seal(reply, source, destination);
  return reply;
}

/** Put the checksum in: of ICMPv6 it covers the addresses too. */
export function seal(message: Uint8Array, source: string, destination: string): void {
  message[2] = message[3] = 0;
  const sum = checksum(message, 0, message.length, pseudoHeader(message, source, destination));
  message[2] = sum >> 8;
  message[3] = sum & 0xff;
}

function pseudoHeader(message: Uint8Array, source: string, destination: string): number {
  if (isV4(source)) return 0;
  let sum = message.length + I.IPPROTO_ICMPV6;
  for (const address of [source, destination]) {
    for (let i = 0; i < 16; i += 2) {
      sum += (address.charCodeAt(i) << 8) + address.charCodeAt(i + 1);
    }
  }
  return sum;
}

/** An IPv4 packet of an ICMP message, as raw sockets receive it. */
export function ipv4Packet(
  message: Uint8Array,
  source: string,
  destination: string,
  ttl: number,
  tos: number,
): Uint8Array<ArrayBuffer> {
  const packet = new Uint8Array(IP_HEADER + message.length), dv = new DataView(packet.buffer);
  packet[0] = 0x45;
  packet[1] = tos;
  dv.setUint16(2, packet.length);
  packet[8] = ttl;
  packet[9] = I.IPPROTO_ICMP;
  dv.setUint32(12, v4Number(source));
  dv.setUint32(16, v4Number(destination));
  dv.setUint16(10, checksum(packet, 0, IP_HEADER, 0));
  packet.set(message, IP_HEADER);
  return packet;
}
