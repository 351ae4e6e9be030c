/**
 * ICMP destination-unreachable messages: built, counted, and delivered to raw sockets and to error
 * queues (../error_queue.ts).
 */

import * as I from "../../../../ffi/abi/inet.ts";
import type { NetNamespace } from "../../net_namespace.ts";
import { countMessage, countPacket, countPackets } from "../../traffic/count_packets.ts";
import { Endpoint, isV4 } from "../address.ts";
import type { InetPorts } from "../ports.ts";
import { portUnreachable, QUOTE_4, QUOTE_6, reportUnreachable } from "../error_queue.ts";
import { ICMP_HEADER, putIcmpChecksum } from "./icmp_packet.ts";
import {
  buildPacket4,
  buildPacket6,
  IP6_HEADER,
  IP_HEADER,
  type IpPacket,
} from "../ip/ip_packet.ts";
import { showToObservers } from "../raw/raw_receivers.ts";

const HOPS = 64, CLASS_4 = 0xc0;
/** An error that quotes fewer bytes of the payload reaches no socket but those of ICMP. */
const LEAST_QUOTED = 8;

/** Whether raw sockets or packet sockets of the namespace may see an ICMP message. */
export function hasObservers(to: InetPorts): boolean {
  return to.raw.size > 0 || to.net.shared.watchers > 0;
}

/** Namespace `by` sends the sender of `packet` an ICMP error: no socket at the port, or `code`. */
export function sendUnreachable(
  by: NetNamespace,
  to: InetPorts,
  packet: IpPacket,
  code: number = portUnreachable(packet.source),
): void {
  const { source, destination, protocol } = packet;
  const message = unreachable(packet, destination, code);
  countPacket(by, to.net, message);
  showToObservers(by, to, message);
  if (packet.payload.length < LEAST_QUOTED) return;
  const there = new Endpoint(destination, 0);
  for (const socket of to.raw) {
    if (!socket.sends(protocol, source, destination)) continue;
    const bytes = socket.includesHeader && isV4(source) ? buildPacket4(packet) : packet.payload;
    reportUnreachable(socket, bytes, source, there, code);
  }
}

/**
 * Count an ICMP error that no socket sees: `by` sends it to `to`, for a packet from `source` with
 * `bytes` bytes of payload.
 */
export function countUnreachable(
  by: NetNamespace,
  to: NetNamespace,
  source: string,
  bytes: number,
): void {
  const isFour = isV4(source);
  const quote = isFour
    ? Math.min(IP_HEADER + bytes, QUOTE_4)
    : Math.min(IP6_HEADER + bytes, QUOTE_6);
  countPackets(by, to, source, 1, ICMP_HEADER + quote);
  countMessage(by, to, source, isFour ? I.ICMP_DEST_UNREACH : I.ICMPV6_DEST_UNREACH);
}

/** The ICMP error that `by` sends to the source of `packet`. */
export function unreachable(packet: IpPacket, by: string, code: number): IpPacket {
  const isFour = isV4(packet.source);
  const quote = isFour
    ? buildPacket4(packet).subarray(0, QUOTE_4)
    : buildPacket6(packet).subarray(0, QUOTE_6);
  const payload = new Uint8Array(ICMP_HEADER + quote.length);
  payload[0] = isFour ? I.ICMP_DEST_UNREACH : I.ICMPV6_DEST_UNREACH;
  payload[1] = code;
  payload.set(quote, ICMP_HEADER);
  putIcmpChecksum(payload, by, packet.source);
  return {
    protocol: isFour ? I.IPPROTO_ICMP : I.IPPROTO_ICMPV6,
    source: by,
    destination: packet.source,
    payload,
    hops: HOPS,
    trafficClass: isFour ? CLASS_4 : 0,
    whole: null,
  };
}
