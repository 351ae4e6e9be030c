/**
 * Control messages (cmsg(3)) between a guest and a host socket. Only the types listed here pass, in
 * each direction; descriptors and credentials never do.
 */

import * as I from "../../../ffi/abi/inet.ts";
import {
  AF_INET,
  cmsgAlign,
  Cmsghdr,
  SO_RXQ_OVFL,
  SO_TIMESTAMPNS,
  SOL_SOCKET,
} from "../../../ffi/abi/socket.ts";
import { EINVAL } from "../../../ffi/abi/errno.ts";
import type { ControlWriter } from "../control_writer.ts";
import type { Message, RawControl } from "../message.ts";

const HEADER = Cmsghdr.size;
/** LIMIT: bytes of data of one control message. */
const MAX_DATA = 512;

type Types = ReadonlyMap<number, readonly number[]>;

/** Types that may be sent, by level; they count for one packet. */
const SENT: Types = new Map([
  [I.IPPROTO_IP, [I.IP_TOS, I.IP_TTL, I.IP_PKTINFO]],
  [I.IPPROTO_IPV6, [
    I.IPV6_2292PKTINFO,
    I.IPV6_PKTINFO,
    I.IPV6_2292HOPLIMIT,
    I.IPV6_HOPLIMIT,
    I.IPV6_TCLASS,
    I.IPV6_FLOWINFO,
    I.IPV6_DONTFRAG,
  ]],
  [I.IPPROTO_UDP, [I.UDP_SEGMENT]],
]);

/** Types that may be received, by level. */
const RECEIVED: Types = new Map([
  [SOL_SOCKET, [SO_RXQ_OVFL]],
  [I.IPPROTO_IP, [
    I.IP_TOS,
    I.IP_TTL,
    I.IP_PKTINFO,
    I.IP_RECVERR,
    I.IP_RECVOPTS,
    I.IP_RETOPTS,
    I.IP_RECVORIGDSTADDR,
  ]],
  [I.IPPROTO_IPV6, [
    I.IPV6_2292PKTINFO,
    I.IPV6_PKTINFO,
    I.IPV6_2292HOPLIMIT,
    I.IPV6_HOPLIMIT,
    I.IPV6_TCLASS,
    I.IPV6_FLOWINFO,
    I.IPV6_RECVERR,
    I.IPV6_PATHMTU,
    I.IPV6_ORIGDSTADDR,
    I.IPV6_HOPOPTS,
    I.IPV6_RTHDR,
    I.IPV6_DSTOPTS,
  ]],
  [I.IPPROTO_UDP, [I.UDP_GRO]],
  [I.IPPROTO_TCP, [I.TCP_INQ]],
]);

function has(types: Types, level: number, type: number): boolean {
  return types.get(level)?.includes(type) ?? false;
}

/**
 * Appends a control message that the guest sends on a socket of `family` to those in `to`: 0 or
 * -EINVAL. Messages of other protocols are ignored, as on Linux.
 */
export function addControl(
  to: RawControl,
  family: number,
  level: number,
  type: number,
  dv: DataView,
  at: number,
  length: number,
): number {
  const isV4 = family === AF_INET;
  if (!has(SENT, level, type)) {
    return level === (isV4 ? I.IPPROTO_IP : I.IPPROTO_IPV6) ? -EINVAL : 0;
  }
  if (isV4 && level === I.IPPROTO_IPV6) return 0;
  const next = to.length + HEADER + cmsgAlign(length);
  if (length > MAX_DATA || next > to.u8.length) return -EINVAL;
  to.u8.fill(0, to.length, next);
  to.dv.setUint32(to.length + Cmsghdr.at.len, HEADER + length, true);
  to.dv.setInt32(to.length + Cmsghdr.at.level, level, true);
  to.dv.setInt32(to.length + Cmsghdr.at.type, type, true);
  for (let i = 0; i < length; i++) to.u8[to.length + HEADER + i] = dv.getUint8(at + i);
  to.length = next;
  return 0;
}

/** Gives the guest what the host delivered. The time of arrival goes into the message itself. */
export function deliverControl(message: Message, out: ControlWriter): void {
  const { u8, dv, length } = message.control;
  for (let at = 0; at + HEADER <= length;) {
    const bytes = dv.getUint32(at + Cmsghdr.at.len, true);
    if (bytes < HEADER || at + bytes > length) return;
    const level = dv.getInt32(at + Cmsghdr.at.level, true);
    const type = dv.getInt32(at + Cmsghdr.at.type, true), size = bytes - HEADER;
    if (has(RECEIVED, level, type) && size <= MAX_DATA) {
      if (out.room >= 0) out.u8.set(u8.subarray(at + HEADER, at + bytes), out.data);
      out.put(level, type, size);
    }
    at += cmsgAlign(bytes);
  }
}

/** Takes the time of arrival from the host's SO_TIMESTAMPNS message, if there is one. */
export function findTime(message: Message): void {
  const { dv, length } = message.control;
  for (let at = 0; at + HEADER <= length;) {
    const bytes = dv.getUint32(at + Cmsghdr.at.len, true);
    if (bytes < HEADER || at + bytes > length) return;
    const isTime = dv.getInt32(at + Cmsghdr.at.level, true) === SOL_SOCKET &&
      dv.getInt32(at + Cmsghdr.at.type, true) === SO_TIMESTAMPNS;
    if (isTime && bytes >= HEADER + 16) {
      message.timeSec = dv.getUint32(at + HEADER, true);
      message.timeNsec = dv.getUint32(at + HEADER + 8, true);
    }
    at += cmsgAlign(bytes);
  }
}
