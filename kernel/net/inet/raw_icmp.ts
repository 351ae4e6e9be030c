/**
 * Raw sockets of ICMP and ICMPv6 (raw(7), ipv6(7)): each receives every message on the interface, of IPv4 with the
 * header of its packet. DIFFERS: there are no raw sockets of other protocols on the loopback transport, and no
 * IP_HDRINCL.
 */

import { EADDRNOTAVAIL, EINVAL } from "../../../ffi/abi/errno.ts";
import * as I from "../../../ffi/abi/inet.ts";
import { AF_INET, SOCK_RAW, SOL_RAW } from "../../../ffi/abi/socket.ts";
import type { Message, SocketCaller } from "../message.ts";
import type { NetNamespace } from "../net_namespace.ts";
import type { OptionValue } from "../socket_options.ts";
import { Endpoint, isAny, isV4 } from "./address.ts";
import { echoReply, ipv4Packet, isEchoRequest, seal } from "./icmp_packet.ts";
import { IcmpSocket } from "./icmp_socket.ts";
import type { PortTable } from "./ports.ts";

/** All there are in a namespace. */
export type RawSockets = Set<RawIcmpSocket>;

/** Bytes of ICMP_FILTER (types 0 to 31) and ICMPV6_FILTER (256 types): a bit set keeps that type out. */
const FILTER_4 = 4, FILTER_6 = 32;
const CHECKSUM_AT = 2;

export class RawIcmpSocket extends IcmpSocket {
  private readonly all: RawSockets;
  private readonly filter: Uint8Array<ArrayBuffer>;

  constructor(net: NetNamespace, ports: PortTable, all: RawSockets, family: number, uid: number) {
    const protocol = family === AF_INET ? I.IPPROTO_ICMP : I.IPPROTO_ICMPV6;
    super(net, ports, family, SOCK_RAW, protocol, uid);
    this.all = all;
    this.filter = new Uint8Array(family === AF_INET ? FILTER_4 : FILTER_6);
    all.add(this);
  }

  /** Whether it hears a message to `destination` from `source`. */
  hears(type: number, source: string, destination: string): boolean {
    if (isV4(destination) !== (this.family === AF_INET)) return false;
    const { local, remote } = this;
    if (!isAny(local.address) && local.address !== destination) return false;
    if (remote !== null && remote.address !== source) return false;
    const byte = type >> 3;
    return byte >= this.filter.length || (this.filter[byte]! & (1 << (type & 7))) === 0;
  }

  /** A port means nothing here. */
  protected override bindTo(_caller: SocketCaller, to: Endpoint): number {
    if (!this.mayBind(to.address)) return -EADDRNOTAVAIL;
    this.local = new Endpoint(to.address, 0);
    return 0;
  }

  protected override transmit(
    bytes: Uint8Array<ArrayBuffer>,
    source: string,
    to: Endpoint,
    message: Message,
  ): number {
    if (bytes.length === 0) return -EINVAL;
    if (this.family !== AF_INET && bytes.length >= 4) seal(bytes, source, to.address);
    const hops = this.ip.hopsOf(to.address, message.header);
    const trafficClass = this.ip.classOf(to.address, message.header);
    deliverRaw(this.all, bytes, source, to.address, hops, trafficClass);
    if (!isEchoRequest(bytes, to.address)) return 0;
    const reply = echoReply(bytes, to.address, source);
    deliverRaw(this.all, reply, to.address, source, hops, trafficClass);
    return 0;
  }

  override setProtocolOption(level: number, name: number, value: OptionValue): number {
    if (level === SOL_RAW && name === I.IPV6_CHECKSUM && this.family !== AF_INET) {
      // Where the checksum is: it is put there in any case.
      return value.isInt && value.int === CHECKSUM_AT ? 0 : -EINVAL;
    }
    if (!this.isFilter(level, name)) return super.setProtocolOption(level, name, value);
    const { filter } = this;
    if (value.length < filter.length) return -EINVAL;
    filter.set(value.u8.subarray(0, filter.length));
    return 0;
  }
  override getProtocolOption(level: number, name: number, value: OptionValue): number {
    if (!this.isFilter(level, name)) return super.getProtocolOption(level, name, value);
    value.u8.set(this.filter);
    value.length = this.filter.length;
    return 0;
  }
  private isFilter(level: number, name: number): boolean {
    return this.family === AF_INET
      ? level === SOL_RAW && name === I.ICMP_FILTER
      : level === I.IPPROTO_ICMPV6 && name === I.ICMPV6_FILTER;
  }

  protected override release(): void {
    this.all.delete(this);
    super.release();
  }
}

/** To all that want it; `bytes` is the ICMP message. */
export function deliverRaw(
  sockets: RawSockets,
  bytes: Uint8Array<ArrayBuffer>,
  from: string,
  to: string,
  hops: number,
  trafficClass: number,
): void {
  const type = bytes[0] ?? 0;
  let packet: Uint8Array<ArrayBuffer> | null = null;
  for (const socket of sockets) {
    if (!socket.hears(type, from, to)) continue;
    packet ??= isV4(to) ? ipv4Packet(bytes, from, to, hops, trafficClass) : bytes;
    socket.deliver(packet, from, to, hops, trafficClass);
  }
}
