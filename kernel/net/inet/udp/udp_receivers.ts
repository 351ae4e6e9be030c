/**
 * Which sockets get a datagram (udp(7)), and delivery of datagrams that arrive as packets.
 * Neighbour: udp_socket.ts.
 */

import { AF_INET } from "../../../../ffi/abi/socket.ts";
import { comesByDevice } from "../../bound_device.ts";
import { BytesCursor } from "../../bytes_cursor.ts";
import type { Link } from "../../link/link.ts";
import { Endpoint, isV4 } from "../address.ts";
import { reportUnreachable } from "../error_queue.ts";
import { optionsOf } from "../ip/header_options.ts";
import { checksum, type IpPacket, pseudoHeader, UDP_HEADER } from "../ip/ip_packet.ts";
import { accepts, type PortTable } from "../ports.ts";
import type { UdpSocket } from "./udp_socket.ts";

export type UdpPorts = PortTable<UdpSocket>;

const cursor = new BytesCursor();

/**
 * The receiver of a datagram: a socket connected to the sender before others, an exact address
 * before a wildcard, AF_INET before AF_INET6. Among equals it is the last that was bound, or with
 * SO_REUSEPORT one chosen by the sender's endpoint.
 */
export function receiverAt(ports: UdpPorts, from: Endpoint, to: Endpoint): UdpSocket | null {
  let best: UdpSocket | null = null, bestScore = -1;
  for (const s of ports.at(to.port)) {
    const score = scoreOf(s, from, to);
    if (score < bestScore || score < 0) continue;
    best = s;
    bestScore = score;
  }
  if (best === null || best.reuse === null || best.remote !== null) return best;
  const chosen = best.reuse.byHash(spread(from));
  return ports.at(to.port).find((s) => s === chosen) ?? best;
}

/** The socket that the group's program selects in place of `receiver`, if there is one. */
export function pickByProgram(
  ports: UdpPorts,
  receiver: UdpSocket,
  packet: IpPacket,
): UdpSocket {
  const chosen = receiver.reuse?.byProgram(packet, UDP_HEADER) ?? null;
  return ports.at(receiver.local.port).find((s) => s === chosen) ?? receiver;
}

/** -1: the socket does not match. */
function scoreOf(s: UdpSocket, from: Endpoint, to: Endpoint): number {
  if (!accepts(s, to.address)) return -1;
  if (s.remote !== null && !s.remote.isSame(from)) return -1;
  if (!comesByDevice(s, from.address, to.address)) return -1;
  return (s.local.address === to.address ? 8 : 0) + (s.remote !== null ? 4 : 0) +
    (s.options.deviceIndex !== 0 ? 2 : 0) + (s.family === AF_INET ? 1 : 0);
}

function spread({ address, port }: Endpoint): number {
  let hash = Math.imul(port, 0x9e3779b1);
  for (let i = 12; i < 16; i++) hash = Math.imul(hash ^ address.charCodeAt(i), 0x01000193);
  return (hash ^ hash >>> 15) >>> 0;
}

/** A parsed datagram. */
interface Arrived {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly from: Endpoint;
  readonly to: Endpoint;
}

/** The datagram in a packet; null: damaged. */
function datagramIn({ payload, source, destination, protocol }: IpPacket): Arrived | null {
  if (payload.length < UDP_HEADER) return null;
  const dv = new DataView(payload.buffer, payload.byteOffset), length = dv.getUint16(4);
  if (length < UDP_HEADER || length > payload.length) return null;
  const start = pseudoHeader(length, protocol, source, destination);
  const isSealed = dv.getUint16(6) !== 0;
  if (isSealed && checksum(payload, 0, length, start) !== 0) return null;
  if (!isSealed && !isV4(destination)) return null;
  const from = new Endpoint(source, dv.getUint16(0)),
    to = new Endpoint(destination, dv.getUint16(2));
  return { bytes: payload.slice(UDP_HEADER, length), from, to };
}

/**
 * Delivers to the socket at the port, or reports the error to the sending socket. False: no socket
 * has the port.
 */
export function deliverDatagram(
  sender: UdpPorts | null,
  ports: UdpPorts,
  packet: IpPacket,
): boolean {
  const arrived = datagramIn(packet);
  if (arrived === null) return true;
  const { bytes, from, to } = arrived, receiver = receiverAt(ports, from, to);
  if (receiver !== null) {
    const { hops, trafficClass } = packet, options = optionsOf(packet);
    pickByProgram(ports, receiver, packet)
      .enqueue(cursor.set(bytes, bytes.length), from, to, hops, trafficClass, 0, 0, options);
    return true;
  }
  const origin = sender === null ? null : receiverAt(sender, to, from);
  if (origin !== null) reportUnreachable(origin, bytes, from.address, to);
  return false;
}

/** Delivers a multicast or broadcast datagram to all sockets that take it. */
export function deliverToMembers(ports: UdpPorts, link: Link, packet: IpPacket): void {
  const arrived = datagramIn(packet);
  if (arrived === null) return;
  const { bytes, to } = arrived, { hops, trafficClass } = packet;
  const from = arrived.from.on(link.index), options = optionsOf(packet);
  for (const socket of [...ports.at(to.port)]) {
    if (!accepts(socket, to.address) || !socket.takesMulticast(link, from.address, to.address)) {
      continue;
    }
    if (socket.remote !== null && !socket.remote.isSame(from)) continue;
    const io = cursor.set(bytes, bytes.length);
    socket.enqueue(io, from, to, hops, trafficClass, 0, link.index, options);
  }
}

/** The packet that carries a datagram, for raw and packet sockets and filters. */
export function datagramPacket(
  bytes: Uint8Array<ArrayBuffer>,
  from: Endpoint,
  to: Endpoint,
  around: Pick<IpPacket, "protocol" | "hops" | "trafficClass" | "options">,
): IpPacket {
  const payload = new Uint8Array(UDP_HEADER + bytes.length), dv = new DataView(payload.buffer);
  dv.setUint16(0, from.port);
  dv.setUint16(2, to.port);
  dv.setUint16(4, payload.length);
  payload.set(bytes, UDP_HEADER);
  const source = from.address, destination = to.address;
  const start = pseudoHeader(payload.length, around.protocol, source, destination);
  dv.setUint16(6, checksum(payload, 0, payload.length, start) || 0xffff);
  return { ...around, source, destination, payload, whole: null };
}
