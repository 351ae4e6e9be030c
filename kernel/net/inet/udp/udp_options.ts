/**
 * Options at IPPROTO_UDP (udp(7)), and their state: the parts of a corked datagram, and the size of
 * segments.
 */

import { EINVAL, EMSGSIZE, ENOPROTOOPT } from "../../../../ffi/abi/errno.ts";
import * as I from "../../../../ffi/abi/inet.ts";
import type { OptionValue } from "../../socket_options.ts";
import type { Endpoint } from "../address.ts";

/** The largest segment, and the most segments of one send. */
const SEGMENT_MAX = 65535;
export const SEGMENTS_MAX = 128;

export class UdpOptions {
  /** UDP_CORK: sends are collected. */
  isCorked: boolean = false;
  noCheckSend: boolean = false;
  noCheckReceive: boolean = false;
  /** UDP_SEGMENT: bytes of a segment; 0: no segmentation. */
  segment: number = 0;
  /** UDP_GRO: the socket receives segments as one datagram. */
  joins: boolean = false;
  /** The parts of a corked datagram and its destination; null: there is none. */
  private parts: Uint8Array<ArrayBuffer>[] = [];
  private length: number = 0;
  pendingTo: Endpoint | null = null;

  /** Adds a part: the length so far, or -EMSGSIZE. */
  append(bytes: Uint8Array<ArrayBuffer>, to: Endpoint, most: number): number {
    if (this.length + bytes.length > most) return -EMSGSIZE;
    this.pendingTo ??= to;
    this.parts.push(bytes);
    return this.length += bytes.length;
  }

  /** The whole datagram; the parts are cleared. */
  take(): Uint8Array<ArrayBuffer> {
    const whole = new Uint8Array(this.length);
    let at = 0;
    for (const part of this.parts) {
      whole.set(part, at);
      at += part.length;
    }
    this.forget();
    return whole;
  }

  forget(): void {
    this.parts = [];
    this.length = 0;
    this.pendingTo = null;
  }
}

/** Sets an option at IPPROTO_UDP: 0 or -errno. */
export function setUdpOption(options: UdpOptions, name: number, value: OptionValue): number {
  if (!value.isInt) return -EINVAL;
  const n = value.int, on = n !== 0;
  switch (name) {
    case I.UDP_CORK:
      options.isCorked = on;
      return 0;
    case I.UDP_NO_CHECK6_TX:
      options.noCheckSend = on;
      return 0;
    case I.UDP_NO_CHECK6_RX:
      options.noCheckReceive = on;
      return 0;
    case I.UDP_SEGMENT:
      if (n < 0 || n > SEGMENT_MAX) return -EINVAL;
      options.segment = n;
      return 0;
    case I.UDP_GRO:
      options.joins = on;
      return 0;
    case I.UDP_ENCAP:
      // DIFFERS: no encapsulation.
      return on ? -ENOPROTOOPT : 0;
    default:
      return -ENOPROTOOPT;
  }
}

/** Gets an option at IPPROTO_UDP: 0 or -errno. */
export function getUdpOption(options: UdpOptions, name: number, value: OptionValue): number {
  if (value.length < 0) return -EINVAL;
  switch (name) {
    case I.UDP_ENCAP:
    case I.UDPLITE_SEND_CSCOV:
    case I.UDPLITE_RECV_CSCOV:
      return value.setInt(0);
    case I.UDP_CORK:
      return value.setBool(options.isCorked);
    case I.UDP_NO_CHECK6_TX:
      return value.setBool(options.noCheckSend);
    case I.UDP_NO_CHECK6_RX:
      return value.setBool(options.noCheckReceive);
    case I.UDP_SEGMENT:
      return value.setInt(options.segment);
    case I.UDP_GRO:
      return value.setBool(options.joins);
    default:
      return -ENOPROTOOPT;
  }
}

/** UDP and UDP-Lite have their options at both levels. */
export function isOwnLevel(level: number): boolean {
  return level === I.IPPROTO_UDP || level === I.IPPROTO_UDPLITE;
}
