/**
 * Segments of TCP as bytes (RFC 9293, 3.1). No connection of this kernel needs them: packet sockets
 * see them (shown_segments.ts), and raw sockets get them as replies (segment_reply.ts).
 */

import { IPPROTO_TCP } from "../../../../ffi/abi/inet.ts";
import type { Endpoint } from "../address.ts";
import { checksum, pseudoHeader } from "../ip/ip_packet.ts";

export const FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16;
/** Bytes of a header without options. */
export const TCP_HEADER = 20;
export const NO_BYTES: Uint8Array<ArrayBuffer> = new Uint8Array(0);
const MSS_OPTION = 4, CHECKSUM_AT = 16;

/** The parts of a segment besides ports and checksum. */
interface SegmentFields {
  readonly flags: number;
  readonly sequence: number;
  readonly acknowledged: number;
  readonly window: number;
  /** Whole words behind the header. */
  readonly options: Uint8Array;
  readonly data: Uint8Array;
}

/** The segment from one endpoint to another, with its checksum: the payload of an IP packet. */
export function buildSegment(
  from: Endpoint,
  to: Endpoint,
  { flags, sequence, acknowledged, window, options, data }: SegmentFields,
): Uint8Array<ArrayBuffer> {
  const headerBytes = TCP_HEADER + options.length;
  const segment = new Uint8Array(headerBytes + data.length), dv = new DataView(segment.buffer);
  dv.setUint16(0, from.port);
  dv.setUint16(2, to.port);
  dv.setUint32(4, sequence >>> 0);
  dv.setUint32(8, acknowledged >>> 0);
  segment[12] = headerBytes << 2;
  segment[13] = flags;
  dv.setUint16(14, window);
  segment.set(options, TCP_HEADER);
  segment.set(data, headerBytes);
  const start = pseudoHeader(segment.length, IPPROTO_TCP, from.address, to.address);
  dv.setUint16(CHECKSUM_AT, checksum(segment, 0, segment.length, start));
  return segment;
}

/** The option of a SYN that says the largest segment its sender takes. */
export function mssOption(bytes: number): Uint8Array<ArrayBuffer> {
  const option = new Uint8Array(MSS_OPTION);
  new DataView(option.buffer).setUint32(0, 0x02040000 | bytes);
  return option;
}
