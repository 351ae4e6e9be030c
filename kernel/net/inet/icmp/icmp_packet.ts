/** ICMP and ICMPv6 messages as bytes: echo requests and replies. IP headers: ip/ip_packet.ts. */

import * as I from "../../../../ffi/abi/inet.ts";
import { isV4 } from "../address.ts";
import { checksum, pseudoHeader } from "../ip/ip_packet.ts";

/** Bytes of type, code, checksum, identifier and sequence number. */
export const ICMP_HEADER = 8;

/** Whether the message is an echo request of the family of `address`. */
export function isEchoRequest(message: Uint8Array, address: string): boolean {
  const type = isV4(address) ? I.ICMP_ECHO : I.ICMPV6_ECHO_REQUEST;
  return message.length >= ICMP_HEADER && message[0] === type;
}

/** The reply to an echo request, from `source` to `destination`. */
export function echoReply(
  request: Uint8Array,
  source: string,
  destination: string,
): Uint8Array<ArrayBuffer> {
  const reply = new Uint8Array(request);
  reply[0] = isV4(source) ? I.ICMP_ECHOREPLY : I.ICMPV6_ECHO_REPLY;
  putIcmpChecksum(reply, source, destination);
  return reply;
}

/** Writes the checksum, which for ICMPv6 covers the addresses too. */
export function putIcmpChecksum(message: Uint8Array, source: string, destination: string): void {
  message[2] = message[3] = 0;
  const start = isV4(source)
    ? 0
    : pseudoHeader(message.length, I.IPPROTO_ICMPV6, source, destination);
  const sum = checksum(message, 0, message.length, start);
  message[2] = sum >> 8;
  message[3] = sum & 0xff;
}
