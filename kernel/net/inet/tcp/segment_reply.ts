/**
 * What TCP answers to a segment that a raw or packet socket made by hand (RFC 9293, 3.10.7): a listener says SYN and ACK, a
 * port where nobody is says RST. No connection comes of it: who sent the SYN has no socket, so its side says RST too.
 *
 * DIFFERS: segments of connections, and handshakes that are completed by hand, are dropped. Neighbour: net/inet/ip/packet_delivery.ts.
 */

import { IPPROTO_TCP } from "../../../../ffi/abi/inet.ts";
import { comesByDevice } from "../../bound_device.ts";
import { Endpoint, isV4 } from "../address.ts";
import type { InetPorts } from "../inet_ports.ts";
import { DEFAULT_TTL } from "../ip/ip_options.ts";
import { checksum, type IpPacket, pseudoHeader } from "../ip/ip_packet.ts";
import { mtuTo } from "../ip/path_options.ts";
import { accepts } from "../ports.ts";

const FIN = 1, SYN = 2, RST = 4, ACK = 16;
const HEADER = 20, MSS_OPTION = 4;
/** Bytes of the headers of IP and TCP, of the longest packet, and of the window of a first segment at most. */
const HEADERS_4 = 40, HEADERS_6 = 60, PACKET_MAX_4 = 65535, WINDOW_MAX = 65535;

/** The answer to a segment that came from another namespace or the same; null: there is none. */
export function answerSegment(to: InetPorts, packet: IpPacket): IpPacket | null {
  const { payload, source, destination } = packet;
  if (payload.length < HEADER) return null;
  const start = pseudoHeader(payload.length, IPPROTO_TCP, source, destination);
  if (checksum(payload, 0, payload.length, start) !== 0) return null;
  const dv = new DataView(payload.buffer, payload.byteOffset),
    headerBytes = dv.getUint8(12) >> 4 << 2;
  const flags = dv.getUint8(13), sequence = dv.getUint32(4), acknowledged = dv.getUint32(8);
  if (headerBytes < HEADER || headerBytes > payload.length || (flags & RST) !== 0) return null;
  const from = new Endpoint(source, dv.getUint16(0));
  const found = receiverOf(to, from, new Endpoint(destination, dv.getUint16(2)));
  if (found === "connection") return null;
  if ((flags & ACK) !== 0) return segment(packet, RST, acknowledged, 0, 0);
  const ends = (flags & SYN ? 1 : 0) + (flags & FIN ? 1 : 0);
  if (found === "nobody") {
    const next = sequence + payload.length - headerBytes + ends;
    return segment(packet, RST | ACK, 0, next, 0);
  }
  if ((flags & (SYN | FIN)) !== SYN) return null;
  const mtu = mtuTo(to.net, source);
  const most = isV4(source) ? Math.min(mtu, PACKET_MAX_4) - HEADERS_4 : mtu - HEADERS_6;
  return segment(packet, SYN | ACK, to.tcp.below(2 ** 32), sequence + 1, most);
}

function receiverOf(
  ports: InetPorts,
  from: Endpoint,
  to: Endpoint,
): "listener" | "connection" | "nobody" {
  let isHeard = false;
  for (const socket of ports.tcp.at(to.port)) {
    if (!accepts(socket, to.address)) continue;
    if (socket.remote !== null && socket.remote.isSame(from)) return "connection";
    isHeard ||= socket.isListening && comesByDevice(socket, from.address, to.address);
  }
  return isHeard ? "listener" : "nobody";
}

/** Back to where `packet` came from; `most` is the largest segment that is wanted, of a SYN. */
function segment(
  packet: IpPacket,
  flags: number,
  sequence: number,
  acknowledged: number,
  most: number,
): IpPacket {
  const length = HEADER + ((flags & SYN) !== 0 ? MSS_OPTION : 0);
  const payload = new Uint8Array(length), dv = new DataView(payload.buffer);
  payload.set(packet.payload.subarray(2, 4));
  payload.set(packet.payload.subarray(0, 2), 2);
  dv.setUint32(4, sequence >>> 0);
  dv.setUint32(8, acknowledged >>> 0);
  payload[12] = length << 2;
  payload[13] = flags;
  // Whole segments.
  dv.setUint16(14, most === 0 ? 0 : Math.floor(WINDOW_MAX / most) * most);
  if (length > HEADER) dv.setUint32(HEADER, 0x02040000 | most);
  const source = packet.destination, destination = packet.source, protocol = IPPROTO_TCP;
  const start = pseudoHeader(length, protocol, source, destination);
  dv.setUint16(16, checksum(payload, 0, length, start));
  const around = { protocol, source, destination, hops: DEFAULT_TTL, trafficClass: 0 };
  return { ...around, payload, whole: null };
}
