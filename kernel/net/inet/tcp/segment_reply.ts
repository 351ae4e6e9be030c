/**
 * Replies of TCP to segments that raw and packet sockets make by hand (RFC 9293, 3.10.7): SYN and
 * ACK of a listener, RST of a port without one. No connection is made: the sender has no socket for
 * it, so its kernel replies to the SYN and ACK with RST.
 *
 * DIFFERS: segments of connections, and handshakes that are completed by hand, are dropped. Caller:
 * ../ip/packet_delivery.ts.
 */

import { IPPROTO_TCP } from "../../../../ffi/abi/inet.ts";
import { comesByDevice } from "../../bound_device.ts";
import { Endpoint, isV4 } from "../address.ts";
import { DEFAULT_TTL } from "../ip/ip_options.ts";
import { checksum, type IpPacket, pseudoHeader } from "../ip/ip_packet.ts";
import { mtuTo } from "../ip/path_options.ts";
import { accepts, type InetPorts } from "../ports.ts";
import {
  ACK,
  buildSegment,
  FIN,
  mssOption,
  NO_BYTES,
  RST,
  SYN,
  TCP_HEADER,
} from "./tcp_segment.ts";

/** Bytes of the headers of IP and TCP, the longest IPv4 packet, and the largest first window. */
const HEADERS_4 = 40, HEADERS_6 = 60, PACKET_MAX_4 = 65535, WINDOW_MAX = 65535;

/** The reply to a segment; null: none. */
export function replyToSegment(to: InetPorts, packet: IpPacket): IpPacket | null {
  const { payload, source, destination } = packet;
  if (payload.length < TCP_HEADER) return null;
  const start = pseudoHeader(payload.length, IPPROTO_TCP, source, destination);
  if (checksum(payload, 0, payload.length, start) !== 0) return null;
  const dv = new DataView(payload.buffer, payload.byteOffset),
    headerBytes = dv.getUint8(12) >> 4 << 2;
  const flags = dv.getUint8(13), sequence = dv.getUint32(4), acknowledged = dv.getUint32(8);
  if (headerBytes < TCP_HEADER || headerBytes > payload.length || (flags & RST) !== 0) return null;
  const from = new Endpoint(source, dv.getUint16(0));
  const own = new Endpoint(destination, dv.getUint16(2)), found = receiverOf(to, from, own);
  if (found === "connection") return null;
  if ((flags & ACK) !== 0) return buildReply(own, from, RST, acknowledged, 0, 0);
  const ends = (flags & SYN ? 1 : 0) + (flags & FIN ? 1 : 0);
  if (found === "none") {
    const next = sequence + payload.length - headerBytes + ends;
    return buildReply(own, from, RST | ACK, 0, next, 0);
  }
  if ((flags & (SYN | FIN)) !== SYN) return null;
  const mtu = mtuTo(to.net, source);
  const most = isV4(source) ? Math.min(mtu, PACKET_MAX_4) - HEADERS_4 : mtu - HEADERS_6;
  return buildReply(own, from, SYN | ACK, to.tcp.below(2 ** 32), sequence + 1, most);
}

function receiverOf(
  ports: InetPorts,
  from: Endpoint,
  to: Endpoint,
): "listener" | "connection" | "none" {
  let hasListener = false;
  for (const socket of ports.tcp.at(to.port)) {
    if (!accepts(socket, to.address)) continue;
    if (socket.remote !== null && socket.remote.isSame(from)) return "connection";
    hasListener ||= socket.isListening && comesByDevice(socket, from.address, to.address);
  }
  return hasListener ? "listener" : "none";
}

/** The packet from `source` back to `destination`; `mss` is the option of a SYN, 0 of others. */
function buildReply(
  source: Endpoint,
  destination: Endpoint,
  flags: number,
  sequence: number,
  acknowledged: number,
  mss: number,
): IpPacket {
  const payload = buildSegment(source, destination, {
    flags,
    sequence,
    acknowledged,
    // A multiple of the segment size.
    window: mss === 0 ? 0 : Math.floor(WINDOW_MAX / mss) * mss,
    options: (flags & SYN) !== 0 ? mssOption(mss) : NO_BYTES,
    data: NO_BYTES,
  });
  return {
    protocol: IPPROTO_TCP,
    source: source.address,
    destination: destination.address,
    payload,
    hops: DEFAULT_TTL,
    trafficClass: 0,
    whole: null,
  };
}
