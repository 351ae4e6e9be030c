/**
 * Control messages of ip(7) and ipv6(7): those of received datagrams, and those given to
 * sendmsg(2).
 */

import { EINVAL, ENOPROTOOPT } from "../../../../ffi/abi/errno.ts";
import * as I from "../../../../ffi/abi/inet.ts";
import { AF_INET, AF_INET6, SOCK_STREAM } from "../../../../ffi/abi/socket.ts";
import { bytesToString, stringToBytes } from "../../../core/bytes.ts";
import { ControlWriter } from "../../control_writer.ts";
import { type Message, type PacketHeader, SocketAddress } from "../../message.ts";
import type { OptionValue } from "../../socket_options.ts";
import { Endpoint, endpointOf, isAny, isV4, MAPPED, putEndpoint } from "../address.ts";
import { isMultiDestination } from "../multicast/group_route.ts";
import { putHeaderOptions, wantsHeaderOptions } from "./header_options.ts";
import type { InetSocket } from "../inet_socket.ts";
import type { IpOptions } from "./ip_options.ts";

/** struct in6_pktinfo. */
const PKTINFO6_BYTES = 20;
const scratch = new SocketAddress(), answer = new ControlWriter();

/** IP_ORIGDSTADDR and IPV6_ORIGDSTADDR: a socket address. */
function putDestination(socket: InetSocket, to: string, out: ControlWriter): void {
  const isFour = isV4(to), family = isFour ? AF_INET : AF_INET6;
  putEndpoint(new Endpoint(to, socket.local.port), family, scratch);
  if (out.room >= scratch.length) out.u8.set(scratch.u8.subarray(0, scratch.length), out.data);
  const level = isFour ? I.IPPROTO_IP : I.IPPROTO_IPV6;
  out.put(level, isFour ? I.IP_RECVORIGDSTADDR : I.IPV6_ORIGDSTADDR, scratch.length);
}

function putPacketInfo6(to: Uint8Array, link: number, type: number, out: ControlWriter): void {
  const at = out.data;
  if (out.room >= PKTINFO6_BYTES) {
    out.u8.set(to, at);
    out.dv.setUint32(at + 16, link, true);
  }
  out.put(I.IPPROTO_IPV6, type, PKTINFO6_BYTES);
}

function senderOf({ family }: InetSocket, { name }: Message): string | null {
  const from = endpointOf(name, family, false, true);
  return from instanceof Endpoint ? from.address : null;
}

/** Whether the receiver asks for any control message about packets. */
export function wantsPacketInfo(ip: IpOptions): boolean {
  return ip.originalDestination || ip.packetInfo || ip.packetInfo6 || ip.receiveTtl ||
    ip.receiveTos || ip.receiveHopLimit || ip.receiveClass || ip.oldPacketInfo6 ||
    ip.oldHopLimit || wantsHeaderOptions(ip);
}

/** Adds the control messages of a received datagram. */
export function putPacketControl(socket: InetSocket, message: Message, out: ControlWriter): void {
  const { ip } = socket, info = message.packetInfo;
  if (!info.isValid) return;
  const to = String.fromCharCode(...info.to), { links } = socket.net;
  const link = links.byIndex(info.interfaceIndex) ?? links.linkOf(to) ?? links.lo;
  const { index } = link;
  if (ip.packetInfo && isV4(to)) {
    const at = out.data;
    out.dv.setInt32(at + I.InPktinfo.at.ifindex, index, true);
    // An error was routed by no link.
    const own = isMultiDestination(links, to)
      ? links.sourceFor(senderOf(socket, message) ?? to)
      : to;
    if (message.error === null) {
      out.u8.set(stringToBytes(own.slice(12)), at + I.InPktinfo.at.specDst);
    }
    out.u8.set(info.to.subarray(12), at + I.InPktinfo.at.addr);
    out.put(I.IPPROTO_IP, I.IP_PKTINFO, I.InPktinfo.size);
  }
  if (ip.receiveTtl && isV4(to)) out.putInt(I.IPPROTO_IP, I.IP_TTL, info.hops);
  if (ip.receiveTos && isV4(to)) {
    out.u8[out.data] = info.trafficClass;
    out.put(I.IPPROTO_IP, I.IP_TOS, 1);
  }
  putHeaderOptions(ip, info.options, out);
  if (socket.family === AF_INET6) {
    if (ip.packetInfo6) putPacketInfo6(info.to, index, I.IPV6_PKTINFO, out);
    if (ip.oldPacketInfo6) putPacketInfo6(info.to, index, I.IPV6_2292PKTINFO, out);
  }
  if (ip.originalDestination) putDestination(socket, to, out);
  if (isV4(to)) return;
  if (ip.oldHopLimit) out.putInt(I.IPPROTO_IPV6, I.IPV6_2292HOPLIMIT, info.hops);
  if (ip.receiveHopLimit) out.putInt(I.IPPROTO_IPV6, I.IPV6_HOPLIMIT, info.hops);
  if (ip.receiveClass) out.putInt(I.IPPROTO_IPV6, I.IPV6_TCLASS, info.trafficClass);
}

/**
 * Keeps TTL and type of service of the client's first segment: IP_PKTOPTIONS and IP_MULTICAST_TTL
 * of the accepted socket show them.
 */
export function noteFirstSegment(server: InetSocket, client: InetSocket): void {
  const { address } = server.remote!, { links } = server.net;
  if (!isV4(address)) return;
  const route = links.linkOf(address) === null ? links.routeTo(address) : null;
  server.ip.firstLink = (route?.link ?? links.lo).index;
  server.ip.firstTos = client.ip.tos;
  server.ip.kept4.set(I.IP_MULTICAST_TTL, client.ip.ttl);
}

/** IP_PKTOPTIONS: the control messages that the bytes of a stream come without. */
export function getPacketOptions(socket: InetSocket, value: OptionValue): number {
  if (socket.type !== SOCK_STREAM) return -ENOPROTOOPT;
  const { ip } = socket, out = answer;
  out.start(value.length);
  if (ip.packetInfo) {
    const at = out.data, own = stringToBytes(socket.local.address.slice(12));
    out.dv.setInt32(at + I.InPktinfo.at.ifindex, ip.firstLink, true);
    out.u8.set(own, at + I.InPktinfo.at.specDst);
    out.u8.set(own, at + I.InPktinfo.at.addr);
    out.put(I.IPPROTO_IP, I.IP_PKTINFO, I.InPktinfo.size);
  }
  if (ip.receiveTtl) out.putInt(I.IPPROTO_IP, I.IP_TTL, ip.kept4.get(I.IP_MULTICAST_TTL) ?? 1);
  if (ip.receiveTos) out.putInt(I.IPPROTO_IP, I.IP_TOS, ip.firstTos);
  value.u8.set(out.u8.subarray(0, out.length));
  value.length = out.length;
  return 0;
}

/**
 * Takes a control message given to sendmsg(2). DIFFERS: link and source address count for multicast
 * and broadcast only. Messages of other protocols are ignored.
 */
export function takeIpControl(
  socket: InetSocket,
  header: PacketHeader,
  level: number,
  type: number,
  dv: DataView,
  at: number,
  length: number,
): number {
  if (level === I.IPPROTO_IP) return takeV4(header, type, dv, at, length);
  const isV6 = level === I.IPPROTO_IPV6 && socket.family === AF_INET6;
  return isV6 ? takeV6(header, type, dv, at, length) : 0;
}

function takeV4(
  header: PacketHeader,
  type: number,
  dv: DataView,
  at: number,
  length: number,
): number {
  if (type === I.IP_PKTINFO) {
    if (length !== I.InPktinfo.size) return -EINVAL;
    header.link = dv.getInt32(at + I.InPktinfo.at.ifindex, true);
    header.source = sourceAt(dv, at + I.InPktinfo.at.specDst, 4);
    return 0;
  }
  if (type === I.IP_TTL) {
    const ttl = length === 4 ? dv.getInt32(at, true) : -1;
    if (ttl < 1 || ttl > 255) return -EINVAL;
    header.ttl = ttl;
    return 0;
  }
  if (type !== I.IP_TOS) return -EINVAL;
  const tos = length === 4 ? dv.getInt32(at, true) : length === 1 ? dv.getUint8(at) : -1;
  if (tos < 0 || tos > 255) return -EINVAL;
  header.tos = tos;
  return 0;
}

/** The source address that the program chose; "": none. */
function sourceAt(dv: DataView, at: number, bytes: number): string {
  const address = bytesToString(new Uint8Array(dv.buffer, dv.byteOffset + at, bytes), 0, bytes);
  const whole = bytes === 4 ? MAPPED + address : address;
  return isAny(whole) ? "" : whole;
}

function takeV6(
  header: PacketHeader,
  type: number,
  dv: DataView,
  at: number,
  length: number,
): number {
  if (type === I.IPV6_PKTINFO) {
    if (length < 20) return -EINVAL;
    header.link = dv.getInt32(at + 16, true);
    header.source = sourceAt(dv, at, 16);
    return 0;
  }
  if ((type !== I.IPV6_HOPLIMIT && type !== I.IPV6_TCLASS) || length !== 4) return -EINVAL;
  const value = dv.getInt32(at, true);
  if (value < -1 || value > 255) return -EINVAL;
  if (type === I.IPV6_HOPLIMIT) header.hopLimit = value;
  else header.trafficClass = value;
  return 0;
}
