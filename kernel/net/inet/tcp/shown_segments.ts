/**
 * Segments of TCP for packet sockets. Connections of this kernel have no segments (tcp_socket.ts);
 * while packet sockets watch, the segments that a connection would send are built for them:
 * handshake, data with its acknowledgement, FIN and RST. Counters of /proc/net/snmp and TCP_INFO
 * are kept here too.
 */

import { IPPROTO_TCP } from "../../../../ffi/abi/inet.ts";
import { ETH_HLEN, ETH_P_IP, ETH_P_IPV6 } from "../../../../ffi/abi/packet.ts";
import { BytesCursor } from "../../bytes_cursor.ts";
import { NO_MAC } from "../../link/link.ts";
import { PacketHeader } from "../../message.ts";
import type { NetNamespace } from "../../net_namespace.ts";
import { putHeader } from "../../packet/ethernet.ts";
import { countSegments } from "../../traffic/count_packets.ts";
import { type Endpoint, isV4 } from "../address.ts";
import { buildPacket4, buildPacket6 } from "../ip/ip_packet.ts";
import { showToObservers } from "../raw/raw_receivers.ts";
import {
  ACK,
  buildSegment,
  FIN,
  mssOption,
  NO_BYTES,
  PSH,
  RST,
  SYN,
  TCP_HEADER,
} from "./tcp_segment.ts";
import type { TcpSocket } from "./tcp_socket.ts";

/** Bytes of a header with a timestamp, and of a SYN with all options. */
const STAMPED = 32, SYN_BYTES = 40;
/** Data of one segment, as with segmentation offload. */
const SEGMENT_BYTES = 65483;
const WINDOW = 512;
/** Bytes of the options of a SYN, and its window, which on a loopback is one segment. */
const SYN_OPTIONS = 20, WINDOW_4 = 65495, WINDOW_6 = 65476;
const NO_HEADER = new PacketHeader();
const cursor = new BytesCursor();

/** The sequence numbers of one direction. */
export class TcpSequence {
  /** Bytes of data, and one more after the FIN. */
  sent: number = 0;
  /** The part of `sent` that is the FIN. */
  ends: number = 0;
  readonly first: number;

  constructor(first: number) {
    this.first = first;
  }

  /** The sequence number of the next byte. */
  get next(): number {
    return (this.first + 1 + this.sent) >>> 0;
  }
}

/** The connection is established. */
export function showHandshake(client: TcpSocket, server: TcpSocket): void {
  const now = client.net.host.monotonicNs();
  server.tally.begin(false, now);
  client.tally.begin(true, now);
  count(client, server, 2, SYN_BYTES - STAMPED);
  count(server, client, 1, SYN_BYTES - STAMPED);
  server.net.traffic.tcp.accepted++;
  if (client.net.shared.watchers === 0) return;
  const from = client.sequence.first >>> 0, to = server.sequence.first >>> 0;
  show(client, server, SYN, from, 0, NO_BYTES);
  show(server, client, SYN | ACK, to, from + 1, NO_BYTES);
  show(client, server, ACK, from + 1, to + 1, NO_BYTES);
}

/** No socket listens: show the SYN and the RST. */
export function showRefusal(client: TcpSocket): void {
  const { local, remote, net, sequence: { first } } = client;
  net.traffic.tcp.failed++;
  if (remote === null) return;
  const there = client.arrivalOf(local.address, remote.address)?.net;
  if (there === undefined) return;
  countSegments(net, there, remote.address, 1, SYN_BYTES);
  countSegments(there, net, local.address, 1, TCP_HEADER);
  there.traffic.tcp.resetsOut++;
  if (client.net.shared.watchers === 0) return;
  showSegment(net, there, local, remote, SYN, first >>> 0, 0, NO_BYTES);
  showSegment(there, net, remote, local, RST | ACK, 0, first + 1, NO_BYTES);
}

/** `length` bytes were appended to the peer's queue. */
export function showData(from: TcpSocket, to: TcpSocket, length: number): void {
  const { sequence } = from, queue = to.incoming;
  if (from.net.shared.watchers > 0) {
    for (let done = 0; done < length;) {
      const n = Math.min(length - done, SEGMENT_BYTES), bytes = new Uint8Array(n);
      queue.peek(cursor.set(bytes, n), queue.length - length + done, n);
      done += n;
      const flags = done === length ? PSH | ACK : ACK;
      show(from, to, flags, sequence.next + done - n, to.sequence.next, bytes);
    }
    show(to, from, ACK, to.sequence.next, sequence.next + length, NO_BYTES);
  }
  sequence.sent += length;
  const segments = Math.ceil(length / SEGMENT_BYTES), now = from.net.host.monotonicNs();
  from.tally.send(segments, now);
  to.tally.receive(segments, length, now);
  count(from, to, segments, length);
  count(to, from, 1, 0);
  from.net.traffic.tcp.dataOut += segments;
  from.net.traffic.tcp.acksIn++;
}

/** `from` sends FIN. */
export function showEnd(from: TcpSocket, to: TcpSocket): void {
  if (from.net.shared.watchers > 0) {
    show(from, to, FIN | ACK, from.sequence.next, to.sequence.next, NO_BYTES);
    show(to, from, ACK, to.sequence.next, from.sequence.next + 1, NO_BYTES);
  }
  count(from, to, 1, 0);
  count(to, from, 1, 0);
  from.sequence.sent++;
  from.sequence.ends++;
  from.tally.sendEnd(from.net.host.monotonicNs());
  to.tally.receiveEnd();
}

/** `from` sends RST. */
export function showReset(from: TcpSocket, to: TcpSocket): void {
  count(from, to, 1, 0);
  from.net.traffic.tcp.resetsOut++;
  if (from.net.shared.watchers === 0) return;
  show(from, to, RST | ACK, from.sequence.next, to.sequence.next, NO_BYTES);
}

/** The headers of the SYN of `client` (TCP_SAVED_SYN); `withFrame`: with the Ethernet header. */
export function synOf(client: TcpSocket, withFrame: boolean): Uint8Array<ArrayBuffer> {
  const { local, remote, sequence, net } = client, isFour = isV4(local.address);
  const source = local.address, destination = remote!.address, protocol = IPPROTO_TCP;
  const window = isFour ? WINDOW_4 : WINDOW_6;
  const payload = buildSegment(local, remote!, {
    flags: SYN,
    sequence: sequence.first,
    acknowledged: 0,
    window,
    options: synOptions(window, Math.floor(net.host.monotonicNs() / 1e6)),
    data: NO_BYTES,
  });
  const around = { protocol, source, destination, payload, whole: null };
  const packet = {
    ...around,
    hops: client.ip.hopsOf(destination, NO_HEADER),
    trafficClass: client.ip.classOf(destination, NO_HEADER),
  };
  const body = isFour ? buildPacket4(packet) : buildPacket6(packet);
  if (!withFrame) return body;
  const frame = new Uint8Array(ETH_HLEN + body.length);
  frame.set(body, ETH_HLEN);
  putHeader(frame, NO_MAC, NO_MAC, isFour ? ETH_P_IP : ETH_P_IPV6);
  return frame;
}

/** The options MSS, SACK permitted, timestamps and window scale. */
function synOptions(mss: number, timeMs: number): Uint8Array<ArrayBuffer> {
  const options = new Uint8Array(SYN_OPTIONS), dv = new DataView(options.buffer);
  dv.setUint32(0, 0x02040000 | mss);
  dv.setUint32(4, 0x0402080a);
  dv.setUint32(8, timeMs >>> 0);
  dv.setUint32(16, 0x01030307);
  return options;
}

/** Count segments with timestamps and `bytes` of data in all. */
function count(from: TcpSocket, to: TcpSocket, segments: number, bytes: number): void { // HOT
  const { remote } = from;
  if (remote === null) return;
  countSegments(from.net, to.net, remote.address, segments, bytes + segments * STAMPED);
}

function show(
  from: TcpSocket,
  to: TcpSocket,
  flags: number,
  sequence: number,
  acknowledged: number,
  data: Uint8Array,
): void {
  const { local, remote } = from;
  if (remote === null) return;
  showSegment(from.net, to.net, local, remote, flags, sequence, acknowledged, data);
}

function showSegment(
  from: NetNamespace,
  to: NetNamespace,
  local: Endpoint,
  remote: Endpoint,
  flags: number,
  sequence: number,
  acknowledged: number,
  data: Uint8Array,
): void {
  if (to.inet === null) return;
  const payload = buildSegment(local, remote, {
    flags,
    sequence,
    acknowledged: (flags & ACK) === 0 ? 0 : acknowledged,
    window: WINDOW,
    options: (flags & SYN) !== 0 ? mssOption(SEGMENT_BYTES) : NO_BYTES,
    data,
  });
  const source = local.address, destination = remote.address, protocol = IPPROTO_TCP;
  const around = { protocol, source, destination, hops: 64, trafficClass: 0, whole: null };
  showToObservers(from, to.inet, { ...around, payload });
}
