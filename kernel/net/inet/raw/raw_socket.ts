/**
 * Raw sockets (raw(7), ipv6(7)): each receives every packet of its protocol, those of IPv4 with the
 * header, and sends packets of its protocol, with IP_HDRINCL complete ones. Their delivery:
 * ../ip/packet_delivery.ts.
 */

import { EADDRNOTAVAIL, EINVAL, ENOPROTOOPT, EOPNOTSUPP } from "../../../../ffi/abi/errno.ts";
import * as I from "../../../../ffi/abi/inet.ts";
import { AF_INET, SOCK_RAW, SOL_RAW } from "../../../../ffi/abi/socket.ts";
import type { Link } from "../../link/link.ts";
import { comesByDevice } from "../../bound_device.ts";
import type { Message, SocketAddress, SocketCaller } from "../../message.ts";
import type { NetNamespace } from "../../net_namespace.ts";
import type { OptionValue } from "../../socket_options.ts";
import { Endpoint, isAny, isV4, putEndpoint } from "../address.ts";
import type { InetPorts } from "../ports.ts";
import {
  checksum,
  type IpPacket,
  pseudoHeader,
  readPacket4,
  readPacket6,
} from "../ip/ip_packet.ts";
import { optionsTo } from "../ip/header_options.ts";
import { isMultiDestination } from "../multicast/group_route.ts";
import { deliverPacket } from "../ip/packet_delivery.ts";
import { showPacket } from "../../packet/show_packets.ts";
import { countPacket } from "../../traffic/count_packets.ts";
import { stampSent } from "../timestamping.ts";
import { routeMulticast } from "../multicast/multicast_packets.ts";
import type { Account } from "../../../core/account.ts";
import { MessageSocket } from "./message_socket.ts";

/**
 * Bytes of ICMP_FILTER (types 0 to 31) and ICMPV6_FILTER (256 types): a set bit blocks that type.
 */
const FILTER_4 = 4, FILTER_6 = 32;
/** Offset of the checksum in ICMPv6. */
const ICMP6_CHECKSUM = 2;

export class RawSocket extends MessageSocket {
  private readonly inet: InetPorts;
  /** The filter of ICMP types; empty for other protocols. */
  private readonly filter: Uint8Array<ArrayBuffer>;
  private hasHeader: boolean;
  /** IPV6_CHECKSUM: the offset where the kernel writes a checksum; -1: none. */
  private checksumAt: number = -1;

  constructor(
    account: Account,
    net: NetNamespace,
    inet: InetPorts,
    family: number,
    protocol: number,
    uid: number,
  ) {
    super(account, net, inet.ping, family, SOCK_RAW, protocol, uid);
    this.inet = inet;
    const isIcmp6 = family !== AF_INET && protocol === I.IPPROTO_ICMPV6;
    const isIcmp4 = family === AF_INET && protocol === I.IPPROTO_ICMP;
    this.filter = new Uint8Array(isIcmp6 ? FILTER_6 : isIcmp4 ? FILTER_4 : 0);
    this.options.reuseAddress = true;
    if (isIcmp6) this.checksumAt = ICMP6_CHECKSUM;
    this.hasHeader = protocol === I.IPPROTO_RAW;
    inet.raw.add(this);
    if (protocol === I.IPPROTO_TCP) net.shared.watchers++;
  }

  override get includesHeader(): boolean {
    return this.hasHeader;
  }

  /** Whether the socket takes a packet. */
  takesPacket({ protocol, source, destination, payload }: IpPacket, link: Link | null): boolean {
    if (protocol !== this.protocol || isV4(destination) !== (this.family === AF_INET)) return false;
    const { local, remote } = this;
    if (!isAny(local.address) && local.address !== destination) return false;
    if (remote !== null && remote.address !== source) return false;
    const comesByLink = link === null
      ? comesByDevice(this, source, destination)
      : this.takesMulticast(link, source, destination);
    if (!comesByLink) return false;
    const type = payload[0] ?? 0, byte = type >> 3;
    return byte >= this.filter.length || (this.filter[byte]! & (1 << (type & 7))) === 0;
  }

  /** Whether the socket may have sent a packet between these addresses. */
  sends(protocol: number, source: string, destination: string): boolean {
    if (protocol !== this.protocol || isV4(source) !== (this.family === AF_INET)) return false;
    const { local, remote } = this;
    return (isAny(local.address) || local.address === source) &&
      (remote === null || remote.address === destination);
  }

  /** Raw sockets have no ports. */
  protected override bindTo(_caller: SocketCaller, to: Endpoint): number {
    if (!this.mayBind(to.address)) return -EADDRNOTAVAIL;
    this.local = new Endpoint(to.address, 0);
    this.isBoundToMulticast = isMultiDestination(this.net.links, to.address);
    return 0;
  }

  /** The protocol stands in place of a port. */
  override localName(out: SocketAddress): number {
    putEndpoint(new Endpoint(this.local.address, this.protocol), this.family, out);
    return 0;
  }

  protected override sendMessage(
    bytes: Uint8Array<ArrayBuffer>,
    source: string,
    to: Endpoint,
    message: Message,
  ): number {
    const packet = this.hasHeader
      ? isV4(to.address) ? readPacket4(bytes, source) : readPacket6(bytes)
      : this.wrap(bytes, source, to, message);
    if (packet === undefined) return -EINVAL;
    if (packet === null) return 0;
    if (isMultiDestination(this.net.links, packet.destination)) {
      return routeMulticast(this, packet, message.header);
    }
    const arrival = this.arrival(packet.source, packet.destination, false);
    if (arrival === null) {
      this.loseDatagram(bytes, to, packet);
      return 0;
    }
    stampSent(this, packet);
    countPacket(this.net, arrival.net, packet);
    showPacket(this.net, packet);
    deliverPacket(this.inet, arrival, packet);
    return 0;
  }

  /** The packet around a message. Undefined: the message has no room for its checksum. */
  private wrap(
    payload: Uint8Array<ArrayBuffer>,
    source: string,
    to: Endpoint,
    message: Message,
  ): IpPacket | undefined {
    const { protocol, checksumAt: at } = this, destination = to.address;
    if (payload.length === 0 && this.filter.length > 0) return undefined;
    if (at >= 0) {
      if (at + 2 > payload.length) return undefined;
      payload[at] = payload[at + 1] = 0;
      const start = pseudoHeader(payload.length, protocol, source, destination);
      const sum = checksum(payload, 0, payload.length, start);
      payload[at] = sum >> 8;
      payload[at + 1] = sum & 0xff;
    }
    const hops = this.ip.hopsOf(destination, message.header);
    const trafficClass = this.ip.classOf(destination, message.header);
    const options = optionsTo(this.ip, destination);
    return { protocol, source, destination, payload, hops, trafficClass, options, whole: null };
  }

  override setProtocolOption(level: number, name: number, value: OptionValue): number {
    if (this.isHeaderOption(level, name)) {
      this.hasHeader = value.int !== 0;
      return 0;
    }
    if (this.isChecksumOption(level, name)) return this.setChecksum(level, value);
    if (level === SOL_RAW && !this.isFilter(level, name)) return this.noFilter(name);
    if (!this.isFilter(level, name)) return super.setProtocolOption(level, name, value);
    const { filter } = this;
    // A shorter value changes that many bytes.
    filter.set(value.u8.subarray(0, Math.min(value.length, filter.length)));
    return 0;
  }
  override getProtocolOption(level: number, name: number, value: OptionValue): number {
    if (this.isHeaderOption(level, name)) {
      const isShort = value.length > 0 && value.length < 4 && this.family === AF_INET;
      if (value.length < 0 && this.family === AF_INET) return -EINVAL;
      value.setInt(+this.hasHeader);
      if (isShort) value.length = 1;
      return 0;
    }
    if (this.isChecksumOption(level, name)) return value.setInt(this.checksumAt);
    if (level === SOL_RAW && !this.isFilter(level, name)) return this.noFilter(name);
    if (!this.isFilter(level, name)) return super.getProtocolOption(level, name, value);
    if (value.length < 0) return -EINVAL;
    value.u8.set(this.filter);
    value.length = this.filter.length;
    return 0;
  }

  /** The error for a filter option: only ICMP has a filter. */
  private noFilter(name: number): number {
    return this.family === AF_INET && name === I.ICMP_FILTER ? -EOPNOTSUPP : -ENOPROTOOPT;
  }

  private setChecksum(level: number, value: OptionValue): number {
    const isIcmp6 = this.protocol === I.IPPROTO_ICMPV6;
    if (!value.isInt || (isIcmp6 && level === I.IPPROTO_IPV6)) return -EINVAL;
    if (value.int > 0 && value.int % 2 !== 0) return -EINVAL;
    this.checksumAt = value.int < 0 ? -1 : value.int;
    return 0;
  }

  private isHeaderOption(level: number, name: number): boolean {
    return this.family === AF_INET
      ? level === I.IPPROTO_IP && name === I.IP_HDRINCL
      : level === I.IPPROTO_IPV6 && name === I.IPV6_HDRINCL;
  }
  private isChecksumOption(level: number, name: number): boolean {
    return this.family !== AF_INET && name === I.IPV6_CHECKSUM &&
      (level === SOL_RAW || level === I.IPPROTO_IPV6);
  }
  private isFilter(level: number, name: number): boolean {
    if (this.filter.length === 0) return false;
    return this.family === AF_INET
      ? level === SOL_RAW && name === I.ICMP_FILTER
      : level === I.IPPROTO_ICMPV6 && name === I.ICMPV6_FILTER;
  }

  protected override release(): void {
    this.inet.raw.delete(this);
    if (this.protocol === I.IPPROTO_TCP) this.net.shared.watchers--;
    super.release();
  }
}
