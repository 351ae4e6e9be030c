/** Ethernet headers: destination, source and protocol. */

import * as P from "../../../ffi/abi/packet.ts";

/** Writes a header in front of a packet. */
export function putHeader(bytes: Uint8Array, to: string, from: string, protocol: number): void {
  for (let i = 0; i < P.ETH_ALEN; i++) {
    bytes[i] = to.charCodeAt(i);
    bytes[P.ETH_ALEN + i] = from.charCodeAt(i);
  }
  bytes[12] = protocol >> 8;
  bytes[13] = protocol & 0xff;
}

/** PACKET_* of a frame for the station with address `own`. */
export function typeFor(bytes: Uint8Array, own: string): number {
  let isOwn = true, isAll = true;
  for (let i = 0; i < P.ETH_ALEN; i++) {
    isOwn &&= bytes[i] === own.charCodeAt(i);
    isAll &&= bytes[i] === 0xff;
  }
  if (isOwn) return P.PACKET_HOST;
  if (isAll) return P.PACKET_BROADCAST;
  return (bytes[0]! & 1) !== 0 ? P.PACKET_MULTICAST : P.PACKET_OTHERHOST;
}
