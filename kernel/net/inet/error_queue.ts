/**
 * The error queue of an internet socket (IP_RECVERR of ip(7), IPV6_RECVERR of ipv6(7)): ICMP errors
 * about packets that the socket sent, messages that were too long to send, and times at which
 * packets left (timestamping.ts). recv(2) with MSG_ERRQUEUE reads it.
 */

import { POLLERR, POLLIN, POLLOUT } from "../../../ffi/abi/poll.ts";
import { EAGAIN, ECONNREFUSED, EHOSTUNREACH, ENOPROTOOPT } from "../../../ffi/abi/errno.ts";
import * as E from "../../../ffi/abi/errqueue.ts";
import * as I from "../../../ffi/abi/inet.ts";
import { AF_INET, MSG_ERRQUEUE, MSG_PEEK, MSG_TRUNC } from "../../../ffi/abi/socket.ts";
import { stringToBytes } from "../../core/bytes.ts";
import type { IoCursor } from "../../mm/io_cursor.ts";
import { BytesCursor } from "../bytes_cursor.ts";
import { Datagram, DatagramQueue, ExtendedError } from "../datagram_queue.ts";
import { type Message, SocketAddress } from "../message.ts";
import { Endpoint, isV4, putEndpoint } from "./address.ts";
import { DEFAULT_TTL } from "./ip/ip_options.ts";
import { mtuTo } from "./ip/path_options.ts";
import type { InetSocket } from "./inet_socket.ts";

/** Bytes of the offending packet that an ICMP error quotes (RFC 1812, RFC 4443). */
export const QUOTE_4 = 548, QUOTE_6 = 1232;
/** Linux reports no longer MTU of IPv4. */
const MAX_MTU_4 = 65535;
const HEADERS_4 = 28, HEADERS_6 = 48;
/** Type of service of ICMP errors (Internetwork Control). */
const ICMP_CLASS = 0xc0;
const NOTHING = new Uint8Array(0);
const cursor = new BytesCursor();
const scratch = new SocketAddress();

/** Makes a struct sock_extended_err. `source`: the address of the reporting node; null: none. */
export function extendedError(
  socket: InetSocket,
  errno: number,
  [origin, type, code]: readonly [number, number, number],
  info: number,
  data: number,
  source: string | null,
): ExtendedError {
  const { size, at } = E.SockExtendedErr;
  putEndpoint(new Endpoint(source ?? socket.local.address, 0), socket.family, scratch);
  const bytes = new Uint8Array(size + scratch.length), dv = new DataView(bytes.buffer);
  if (source !== null) bytes.set(scratch.u8.subarray(0, scratch.length), size);
  dv.setUint32(at.errno, errno, true);
  bytes[at.origin] = origin;
  bytes[at.type] = type;
  bytes[at.code] = code;
  dv.setUint32(at.info, info, true);
  dv.setUint32(at.data, data, true);
  const isIcmp = origin === E.SO_EE_ORIGIN_ICMP || origin === E.SO_EE_ORIGIN_ICMP6;
  return new ExtendedError(bytes, errno, isIcmp);
}

/**
 * Appends an error to the queue, whose length SO_RCVBUF bounds. `name`: the destination of the
 * packet; null: unknown.
 */
export function queueError(
  socket: InetSocket,
  error: ExtendedError,
  quote: Uint8Array<ArrayBuffer>,
  name: Endpoint | null,
  source: string | null,
): void {
  const errors = socket.errors ??= new DatagramQueue(socket.net.frames, socket.account);
  if (errors.charge + quote.length > socket.options.receiveBytes) return;
  scratch.length = 0;
  if (name !== null) putEndpoint(name, socket.family, scratch);
  const datagram = new Datagram(quote.length, scratch.u8.slice(0, scratch.length));
  datagram.error = error;
  if (source !== null) {
    datagram.to = stringToBytes(source);
    datagram.hops = DEFAULT_TTL;
    datagram.trafficClass = isV4(source) ? ICMP_CLASS : 0;
  }
  socket.stamp(datagram);
  errors.push(cursor.set(quote, quote.length), datagram);
  socket.queue.wake(POLLERR);
}

function wantsErrors({ ip }: InetSocket, address: string): boolean {
  const kept = isV4(address) ? ip.kept4.get(I.IP_RECVERR) : ip.kept6.get(I.IPV6_RECVERR);
  return (kept ?? 0) !== 0;
}

/** ICMP's code for a port without a socket, in the family of `address`. */
export function portUnreachable(address: string): number {
  return isV4(address) ? I.ICMP_PORT_UNREACH : I.ICMPV6_PORT_UNREACH;
}

/** An ICMP error arrived for a packet from `source` to `to`, which began with `bytes`. */
export function reportUnreachable(
  socket: InetSocket,
  bytes: Uint8Array<ArrayBuffer>,
  source: string,
  to: Endpoint,
  code: number = portUnreachable(to.address),
): void {
  const isProtocol = isV4(to.address) && code === I.ICMP_PROT_UNREACH;
  const errno = isProtocol ? ENOPROTOOPT : ECONNREFUSED;
  if (wantsErrors(socket, to.address)) {
    queueUnreachable(socket, errno, code, bytes, source, to, to.address);
  } else if (socket.remote === null) return;
  socket.error = errno;
  socket.queue.wake(POLLERR | POLLIN | POLLOUT);
}

/** The neighbour did not answer for `to`. Only sockets that asked for errors get this one. */
export function reportUnanswered(
  socket: InetSocket,
  bytes: Uint8Array<ArrayBuffer>,
  source: string,
  to: Endpoint,
): void {
  if (!wantsErrors(socket, to.address)) return;
  const code = isV4(to.address) ? I.ICMP_HOST_UNREACH : I.ICMPV6_ADDR_UNREACH;
  queueUnreachable(socket, EHOSTUNREACH, code, bytes, source, to, source);
  socket.error = EHOSTUNREACH;
  socket.queue.wake(POLLERR | POLLIN | POLLOUT);
}

/** `by`: the address of the node that sent the ICMP message. */
function queueUnreachable(
  socket: InetSocket,
  errno: number,
  code: number,
  bytes: Uint8Array<ArrayBuffer>,
  source: string,
  to: Endpoint,
  by: string,
): void {
  const isFour = isV4(to.address);
  const origin = isFour ? E.SO_EE_ORIGIN_ICMP : E.SO_EE_ORIGIN_ICMP6;
  const type = isFour ? I.ICMP_DEST_UNREACH : I.ICMPV6_DEST_UNREACH;
  const quote = bytes.subarray(0, isFour ? QUOTE_4 - HEADERS_4 : QUOTE_6 - HEADERS_6);
  const error = extendedError(socket, errno, [origin, type, code], 0, 0, by);
  queueError(socket, error, quote, to, source);
}

/** A message to `to` was refused with `errno` because it is longer than a packet can be. */
export function reportTooLong(socket: InetSocket, errno: number, to: Endpoint): void {
  if (!wantsErrors(socket, to.address)) return;
  const mtu = mtuTo(socket.net, to.address), isFour = isV4(to.address);
  const info = isFour ? Math.min(mtu, MAX_MTU_4) : mtu;
  const error = extendedError(socket, errno, [E.SO_EE_ORIGIN_LOCAL, 0, 0], info, 0, null);
  const port = isFour ? socket.remote?.port ?? 0 : 0;
  queueError(socket, error, NOTHING, new Endpoint(to.address, port), null);
}

/**
 * Report that a send(2) with MSG_ZEROCOPY is complete; its bytes were copied, as on every loopback.
 * Consecutive reports that were not received yet become one range
 * (Documentation/networking/msg_zerocopy.rst).
 */
export function reportZerocopy(socket: InetSocket): void {
  const number = socket.zerocopyCount++ >>> 0, last = socket.errors?.last?.error ?? null;
  const { origin, data } = E.SockExtendedErr.at;
  if (last !== null && last.bytes[origin] === E.SO_EE_ORIGIN_ZEROCOPY) {
    new DataView(last.bytes.buffer).setUint32(data, number, true);
    return;
  }
  const kind = [E.SO_EE_ORIGIN_ZEROCOPY, 0, E.SO_EE_CODE_ZEROCOPY_COPIED] as const;
  const error = extendedError(socket, 0, kind, number, number, null);
  queueError(socket, error, NOTHING, null, null);
}

/** recv(2) with MSG_ERRQUEUE. The pending error of the socket becomes that of the next entry. */
export function receiveError(socket: InetSocket, io: IoCursor, message: Message): number {
  const { errors } = socket, error = errors?.first?.error ?? null;
  if (errors === null || error === null) return -EAGAIN;
  message.flags &= ~(MSG_PEEK | MSG_TRUNC);
  const n = errors.pull(io, message);
  message.outFlags |= MSG_ERRQUEUE;
  const next = errors.first?.error ?? null;
  if (next?.isIcmp) socket.error = next.errno;
  else if (error.isIcmp) socket.error = 0;
  return n;
}

/** Level and type of the control message that carries an error. */
export function errorLevel(family: number): readonly [level: number, type: number] {
  return family === AF_INET ? [I.IPPROTO_IP, I.IP_RECVERR] : [I.IPPROTO_IPV6, I.IPV6_RECVERR];
}
