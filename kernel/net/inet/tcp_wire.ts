/**
 * Segments of TCP for those who watch (packet/): connections here have none (tcp.ts), but what would travel is known, so
 * it is made up for who looks: handshake, data with its acknowledgement, ends and resets.
 */

import { IPPROTO_TCP } from "../../../ffi/abi/inet.ts";
import { BytesCursor } from "../bytes_cursor.ts";
import type { NetNamespace } from "../net_namespace.ts";
import { isWatched } from "../packet/taps.ts";
import type { Endpoint } from "./address.ts";
import { checksum, pseudoHeader } from "./ip_packet.ts";
import { pass } from "./overhear.ts";
import type { TcpSocket } from "./tcp.ts";

const FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16;
const HEADER = 20, MSS_OPTION = 4;
/** Data of one segment, as large as a sender that leaves the cutting to its card makes them. */
const SEGMENT_BYTES = 65483;
const WINDOW = 512;
const cursor = new BytesCursor();

/** What has been sent in one direction; the first number is 0 but for a part that tells connections apart. */
export class TcpSequence {
  /** Bytes of data, and 1 when the end is behind them. */
  sent: number = 0;
  readonly first: number;

  constructor(first: number) {
    this.first = first;
  }

  /** Number of the byte that comes next, behind the SYN. */
  get next(): number {
    return (this.first + 1 + this.sent) >>> 0;
  }
}

/** Both ends are connected now. */
export function showHandshake(client: TcpSocket, server: TcpSocket): void {
  if (!isWatched()) return;
  const from = client.sequence.first >>> 0, to = server.sequence.first >>> 0;
  show(client, server, SYN, from, 0, NOTHING);
  show(server, client, SYN | ACK, to, from + 1, NOTHING);
  show(client, server, ACK, from + 1, to + 1, NOTHING);
}

/** Nobody listens: the attempt and its refusal. */
export function showRefusal(client: TcpSocket): void {
  const { local, remote, net, sequence: { first } } = client;
  if (!isWatched() || remote === null) return;
  const there = client.arrivalOf(local.address, remote.address)?.net;
  if (there === undefined) return;
  segment(net, there, local, remote, SYN, first >>> 0, 0, NOTHING);
  segment(there, net, remote, local, RST | ACK, 0, first + 1, NOTHING);
}

/** `count` bytes went into the peer's queue, whose last they are. */
export function showData(from: TcpSocket, to: TcpSocket, count: number): void {
  const { sequence } = from, queue = to.incoming;
  if (isWatched()) {
    for (let done = 0; done < count;) {
      const n = Math.min(count - done, SEGMENT_BYTES), bytes = new Uint8Array(n);
      queue.peek(cursor.set(bytes, n), queue.length - count + done, n);
      done += n;
      const flags = done === count ? PSH | ACK : ACK;
      show(from, to, flags, sequence.next + done - n, to.sequence.next, bytes);
    }
    show(to, from, ACK, to.sequence.next, sequence.next + count, NOTHING);
  }
  sequence.sent += count;
}

export function showEnd(from: TcpSocket, to: TcpSocket): void {
  if (isWatched()) {
    show(from, to, FIN | ACK, from.sequence.next, to.sequence.next, NOTHING);
    show(to, from, ACK, to.sequence.next, from.sequence.next + 1, NOTHING);
  }
  from.sequence.sent++;
}

export function showReset(from: TcpSocket, to: TcpSocket): void {
  if (!isWatched()) return;
  show(from, to, RST | ACK, from.sequence.next, to.sequence.next, NOTHING);
}

const NOTHING = new Uint8Array(0);

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
  segment(from.net, to.net, local, remote, flags, sequence, acknowledged, data);
}

function segment(
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
  const length = HEADER + ((flags & SYN) !== 0 ? MSS_OPTION : 0);
  const payload = new Uint8Array(length + data.length), dv = new DataView(payload.buffer);
  dv.setUint16(0, local.port);
  dv.setUint16(2, remote.port);
  dv.setUint32(4, sequence >>> 0);
  dv.setUint32(8, (flags & ACK) === 0 ? 0 : acknowledged >>> 0);
  payload[12] = length << 2;
  payload[13] = flags;
  dv.setUint16(14, WINDOW);
  if ((flags & SYN) !== 0) dv.setUint32(HEADER, 0x02040000 | SEGMENT_BYTES);
  payload.set(data, length);
  const source = local.address, destination = remote.address, protocol = IPPROTO_TCP;
  const start = pseudoHeader(payload.length, protocol, source, destination);
  dv.setUint16(16, checksum(payload, 0, payload.length, start));
  const around = { protocol, source, destination, hops: 64, trafficClass: 0, whole: null };
  pass(from, to.inet, { ...around, payload });
}
