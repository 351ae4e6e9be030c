/** Options at IPPROTO_UDP (udp(7)), and what they keep: a datagram that is put together, and how large ones are cut. */

import { EINVAL, EMSGSIZE, ENOPROTOOPT } from "../../../../ffi/abi/errno.ts";
import * as I from "../../../../ffi/abi/inet.ts";
import type { OptionValue } from "../../socket_options.ts";
import type { Endpoint } from "../address.ts";

/** Largest size of a segment, and how many there are in one send. */
const SEGMENT_MAX = 65535;
export const SEGMENTS_MAX = 128;

export class UdpOptions {
  /** UDP_CORK: what is sent waits. */
  isCorked: boolean = false;
  noCheckSend: boolean = false;
  noCheckReceive: boolean = false;
  /** UDP_SEGMENT: bytes of a segment; 0: nothing is cut. */
  segment: number = 0;
  /** UDP_GRO: it takes segments in one piece. */
  joins: boolean = false;
  /** The parts of a datagram that waits, and where it goes; null: there is none. */
  private parts: Uint8Array<ArrayBuffer>[] = [];
  private length: number = 0;
  pendingTo: Endpoint | null = null;

  /** One part more: its whole length so far, or -EMSGSIZE. */
  append(bytes: Uint8Array<ArrayBuffer>, to: Endpoint, most: number): number {
    if (this.length + bytes.length > most) return -EMSGSIZE;
    this.pendingTo ??= to;
    this.parts.push(bytes);
    return this.length += bytes.length;
  }

  /** All parts, which are none any more. */
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
