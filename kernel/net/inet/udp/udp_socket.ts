/**
 * A UDP socket (udp(7)). A datagram goes straight into the receiver's queue, or is dropped when the
 * queue is full. With no socket at the port, a connected sender gets ECONNREFUSED at its next call.
 *
 * Neighbours: udp_options.ts, udp_receivers.ts; ../multicast/multicast_packets.ts.
 */

import {
  POLLHUP,
  POLLIN,
  POLLOUT,
  POLLRDHUP,
  POLLRDNORM,
  POLLWRBAND,
  POLLWRNORM,
} from "../../../../ffi/abi/poll.ts";
import type { Account } from "../../../core/account.ts";
import {
  EAGAIN,
  EDESTADDRREQ,
  EFAULT,
  EINVAL,
  EMSGSIZE,
  ENOTCONN,
  EOPNOTSUPP,
  EPIPE,
} from "../../../../ffi/abi/errno.ts";
import { ETH_P_IP, ETH_P_IPV6 } from "../../../../ffi/abi/packet.ts";
import {
  IPPROTO_UDP,
  IPPROTO_UDPLITE,
  SockaddrIn6,
  UDP_GRO,
  UDP_SEGMENT,
} from "../../../../ffi/abi/inet.ts";
import {
  AF_INET,
  MSG_MORE,
  MSG_OOB,
  MSG_PEEK,
  SHUT_RD,
  SHUT_WR,
  SOCK_DGRAM,
} from "../../../../ffi/abi/socket.ts";
import { stringToBytes } from "../../../core/bytes.ts";
import type { IoCursor } from "../../../mm/io_cursor.ts";
import { BytesCursor } from "../../bytes_cursor.ts";
import { Datagram, DatagramQueue } from "../../datagram_queue.ts";
import { keptBytes, PacketView } from "../../filter.ts";
import { releaseFilter } from "../../filter_options.ts";
import { type IpPacket, UDP_HEADER } from "../ip/ip_packet.ts";
import { type Message, PacketHeader, SocketAddress, type SocketCaller } from "../../message.ts";
import type { NetNamespace } from "../../net_namespace.ts";
import { Endpoint, endpointOf, isV4, MAPPED, putEndpoint } from "../address.ts";
import type { IpCounters, UdpCounters } from "../../traffic/counters.ts";
import { countPackets } from "../../traffic/count_packets.ts";
import type { ControlWriter } from "../../control_writer.ts";
import type { OptionValue } from "../../socket_options.ts";
import { getUdpOption, isOwnLevel, SEGMENTS_MAX, setUdpOption, UdpOptions } from "./udp_options.ts";
import { reportTooLong, reportUnreachable } from "../error_queue.ts";
import { type HeaderOptions, optionsTo } from "../ip/header_options.ts";
import { InetSocket } from "../inet_socket.ts";
import { wantsPacketInfo } from "../ip/ip_control.ts";
import { stampSent, stampsSent } from "../timestamping.ts";
import { countUnreachable, hasObservers, sendUnreachable } from "../icmp/unreachable.ts";
import { showToObservers } from "../raw/raw_receivers.ts";
import type { InetPorts, PortTable } from "../ports.ts";
import {
  isMultiDestination,
  linkForMulticast,
  sourceForMulticast,
} from "../multicast/group_route.ts";
import { sendMulticastPacket } from "../multicast/multicast_packets.ts";
import { datagramPacket, pickByProgram, receiverAt, type UdpPorts } from "./udp_receivers.ts";

/** The largest payloads: 65535 less the headers in the length. */
const MAX_PAYLOAD_4 = 65507, MAX_PAYLOAD_6 = 65527;
/** Shorter datagrams fit the MTU of every link. */
const SHORT = 500;
/** Longer messages are refused before other checks. */
const MAX_LENGTH = 65535;
const READABLE = POLLIN | POLLRDNORM, WRITABLE = POLLOUT | POLLWRNORM | POLLWRBAND;
const scratch = new SocketAddress();
const cursor = new BytesCursor();
const view = new PacketView();
const NO_HEADER = new PacketHeader();

export class UdpSocket extends InetSocket {
  private readonly incoming: DatagramQueue;
  private readonly udp: UdpOptions = new UdpOptions();
  /** The socket address of `lastFrom`, kept because most datagrams have the same sender. */
  private lastFrom: Endpoint | null = null;
  private lastBytes: Uint8Array<ArrayBuffer> = new Uint8Array(0);

  /** `protocol`: IPPROTO_UDP or IPPROTO_UDPLITE. */
  constructor(
    account: Account,
    net: NetNamespace,
    ports: PortTable,
    family: number,
    uid: number,
    protocol: number = IPPROTO_UDP,
  ) {
    super(account, net, ports, family, SOCK_DGRAM, protocol, uid);
    this.incoming = new DatagramQueue(net.frames, this.account);
  }

  override conflictsWith(other: InetSocket): boolean {
    if (this.options.reuseAddress && other.options.reuseAddress) return false;
    return !this.sharesPort(other);
  }

  /** Sets the peer; AF_UNSPEC removes it. */
  override connect(_caller: SocketCaller, address: SocketAddress, _nonblocking: boolean): number {
    const to = endpointOf(address, this.family, true, true);
    return typeof to === "number" ? to : this.associate(to, true);
  }

  override send(io: IoCursor, message: Message): number {
    const length = io.remaining;
    if (length > MAX_LENGTH && this.family === AF_INET) return -EMSGSIZE;
    if ((message.flags & MSG_OOB) !== 0) return -EOPNOTSUPP;
    const to = this.udp.pendingTo ?? this.target(message);
    if (typeof to === "number") return to;
    if (this.isWriteShut) return -EPIPE;
    const most = isV4(to.address) ? MAX_PAYLOAD_4 : MAX_PAYLOAD_6;
    if (length > most || (length > SHORT && this.ip.isTooLong(to.address, length, this.net))) {
      reportTooLong(this, EMSGSIZE, to);
      return -EMSGSIZE;
    }
    if (this.error !== 0) return this.takeError();
    if (!this.isBound && this.takePort(0) < 0) return -EAGAIN;
    const waits = this.udp.isCorked || (message.flags & MSG_MORE) !== 0;
    if (!waits && this.udp.pendingTo === null) return this.sendDatagrams(io, to, message.header);
    const bytes = takeAll(io);
    if (bytes === null) return -EFAULT;
    const r = this.udp.append(bytes, to, most);
    if (r < 0) return r;
    return waits ? length : this.flush(message.header) ?? length;
  }

  /** Sends the corked datagram: -errno, or undefined. */
  private flush(header: PacketHeader): number | undefined {
    const to = this.udp.pendingTo;
    if (to === null) return undefined;
    const bytes = this.udp.take();
    const r = this.sendDatagrams(cursor.set(bytes, bytes.length), to, header);
    return r < 0 ? r : undefined;
  }

  /** The destination of a message, or -errno. */
  private target(message: Message): Endpoint | number {
    if (message.name.length > 0) {
      const given = endpointOf(message.name, this.family, true, true);
      if (typeof given === "number") return given;
      if (given !== null) {
        return given.port === 0 ? -EINVAL : this.routeDatagram(given, message.header);
      }
    }
    return this.remote ?? -EDESTADDRREQ;
  }

  /** Sends one datagram, or several segments (UDP_SEGMENT). */
  private sendDatagrams(io: IoCursor, to: Endpoint, header: PacketHeader): number {
    const length = io.remaining, segment = header.segment < 0 ? this.udp.segment : header.segment;
    const isCut = segment > 0 && length > segment;
    if (isCut && length > segment * SEGMENTS_MAX) return -EINVAL;
    if (isMultiDestination(this.net.links, to.address)) {
      return this.sendMulticast(io, to, header, isCut ? segment : Math.max(length, 1));
    }
    const from = this.local.address === this.sourceAddress(to.address)
      ? this.local
      : new Endpoint(this.sourceAddress(to.address), this.local.port);
    const arrival = this.arrival(from.address, to.address, false);
    if (arrival === null) {
      const bytes = takeAll(io);
      if (bytes === null) return -EFAULT;
      this.loseDatagram(bytes, to, this.packetOf(bytes, from, to, header));
      return length;
    }
    const ports = this.portsIn(arrival);
    let receiver = receiverAt(ports, from, to);
    if (receiver?.reuse?.hasProgram) {
      const bytes = takeAll(io);
      if (bytes === null) return -EFAULT;
      receiver = pickByProgram(ports, receiver, this.packetOf(bytes, from, to, header));
      io = cursor.set(bytes, length);
    }
    if (!isCut) return this.sendDatagram(io, from, to, header, arrival, receiver, 0);
    const bytes = takeAll(io);
    if (bytes === null) return -EFAULT;
    const step = receiver?.udp.joins ? length : segment;
    for (let at = 0; at < length; at += step) {
      const part = bytes.subarray(at, at + step);
      const io = cursor.set(part, part.length);
      const r = this.sendDatagram(io, from, to, header, arrival, receiver, segment);
      if (r < 0) return r;
    }
    return length;
  }

  /** Sends to a group or to all stations, in datagrams of `step` bytes. */
  private sendMulticast(
    io: IoCursor,
    to: Endpoint,
    header: PacketHeader,
    step: number,
  ): number {
    const link = linkForMulticast(this, to, header);
    if (typeof link === "number") return link;
    const bytes = takeAll(io);
    if (bytes === null) return -EFAULT;
    const from = new Endpoint(sourceForMulticast(this, link, to.address, header), this.local.port);
    for (let at = 0; at === 0 || at < bytes.length; at += step) {
      this.countersIn(this.net, to.address).sent++;
      sendMulticastPacket(
        this,
        link,
        this.packetOf(bytes.subarray(at, at + step), from, to, header),
      );
    }
    return bytes.length;
  }

  private sendDatagram(
    io: IoCursor,
    from: Endpoint,
    to: Endpoint,
    header: PacketHeader,
    arrival: InetPorts,
    receiver: UdpSocket | null,
    segment: number,
  ): number {
    const length = io.remaining, { net } = arrival;
    countPackets(this.net, net, to.address, 1, UDP_HEADER + length);
    this.countersIn(this.net, to.address).sent++;
    if (arrival.raw.size > 0 || net.shared.watchers > 0 || stampsSent(this)) {
      const bytes = this.showDatagram(io, from, to, header, arrival);
      if (bytes === null) return -EFAULT;
      io = cursor.set(bytes, length);
    }
    if (receiver === null) {
      const bytes = takeAll(io);
      if (bytes === null) return -EFAULT;
      this.countersIn(net, to.address).refused++;
      this.refuse(bytes, from, to, header, arrival);
      return length;
    }
    const r = receiver.deliver(io, from, to, this, header, segment);
    return r < 0 ? r : length;
  }

  /** The port table of the socket's protocol. */
  protected portsIn(all: InetPorts): UdpPorts {
    return all.udp;
  }

  /** The counters of the socket's protocol in a namespace. */
  private countersIn({ traffic }: NetNamespace, address: string): UdpCounters {
    return this.countersOf(traffic.of(address));
  }
  private countersOf({ udp, udpLite }: IpCounters): UdpCounters {
    return this.protocol === IPPROTO_UDPLITE ? udpLite : udp;
  }

  /** Shows the datagram to raw and packet sockets. @returns its bytes, or null at a fault */
  private showDatagram(
    io: IoCursor,
    from: Endpoint,
    to: Endpoint,
    header: PacketHeader,
    arrival: InetPorts,
  ): Uint8Array<ArrayBuffer> | null {
    const bytes = takeAll(io);
    if (bytes === null) return null;
    const packet = this.packetOf(bytes, from, to, header);
    stampSent(this, packet);
    showToObservers(this.net, arrival, packet);
    return bytes;
  }

  private packetOf(
    bytes: Uint8Array<ArrayBuffer>,
    from: Endpoint,
    to: Endpoint,
    header: PacketHeader,
  ): IpPacket {
    const hops = this.ip.hopsOf(to.address, header);
    const trafficClass = this.ip.classOf(to.address, header), { protocol } = this;
    const options = optionsTo(this.ip, to.address);
    return datagramPacket(bytes, from, to, { protocol, hops, trafficClass, options });
  }

  /** No socket is at the port: deliver the ICMP error. */
  private refuse(
    bytes: Uint8Array<ArrayBuffer>,
    from: Endpoint,
    to: Endpoint,
    header: PacketHeader,
    arrival: InetPorts,
  ): void {
    const { inet } = this.net;
    if (this.remote === null || this.remote.isSame(to)) {
      reportUnreachable(this, bytes, from.address, to);
    }
    if (inet === null) return;
    if (!hasObservers(inet)) {
      countUnreachable(arrival.net, this.net, from.address, UDP_HEADER + bytes.length);
      return;
    }
    sendUnreachable(arrival.net, inet, this.packetOf(bytes, from, to, header));
  }

  private deliver(
    io: IoCursor,
    from: Endpoint,
    to: Endpoint,
    sender: UdpSocket,
    header: PacketHeader,
    segment: number,
  ): number {
    if (!this.takesFrom(sender, io.remaining)) {
      this.countersIn(this.net, to.address).dropped++;
      return 0;
    }
    const joined = this.udp.joins && io.remaining > segment ? segment : 0;
    if (!wantsPacketInfo(this.ip)) return this.enqueue(io, from, null, 0, 0, joined);
    const hops = sender.ip.hopsOf(to.address, header);
    const trafficClass = sender.ip.classOf(to.address, header);
    const options = optionsTo(sender.ip, to.address);
    return this.enqueue(io, from, to, hops, trafficClass, joined, 0, options);
  }

  /**
   * Queues a datagram. `to`: null if no control message needs it. `segment`: bytes of its segments;
   * 0: not segmented. `link`: the index of the link it came by; 0: that of the destination.
   */
  enqueue(
    io: IoCursor,
    from: Endpoint,
    to: Endpoint | null,
    hops: number,
    trafficClass: number,
    segment: number = 0,
    link: number = 0,
    options: HeaderOptions = null,
  ): number {
    let length = io.remaining;
    if (this.incoming.count > 0 && this.incoming.charge + length > this.options.receiveBytes) {
      this.countersIn(this.net, from.address).overflows++;
      return 0;
    }
    if (this.options.filter !== null) {
      const bytes = this.filtered(io, from);
      if (bytes === 0) this.countersIn(this.net, from.address).dropped++;
      if (typeof bytes === "number") return bytes;
      length = bytes.length;
      io = cursor.set(bytes, length);
    }
    const datagram = new Datagram(length, this.addressBytes(from));
    datagram.segment = segment;
    if (to !== null) {
      datagram.to = stringToBytes(to.address);
      datagram.link = link;
      datagram.hops = hops;
      datagram.trafficClass = trafficClass;
      datagram.options = options;
    }
    this.stamp(datagram);
    const r = this.incoming.push(io, datagram);
    if (r === 0) this.queue.wake(READABLE);
    return r;
  }

  /** Whether the socket takes a datagram (UDP-Lite: its coverage). */
  protected takesFrom(_sender: UdpSocket, _length: number): boolean {
    return true;
  }

  /** The bytes that SO_ATTACH_FILTER leaves, or 0. The program sees the UDP header too. */
  private filtered(io: IoCursor, from: Endpoint): Uint8Array<ArrayBuffer> | number {
    const bytes = takeAll(io);
    if (bytes === null) return -EFAULT;
    const around = { protocol: this.protocol, hops: 0, trafficClass: 0 };
    const { payload } = datagramPacket(bytes, from, this.local, around);
    view.plain(this.net.host, payload, protocolOf(from));
    const kept = keptBytes(this.options.filter, view);
    return kept === 0 ? 0 : bytes.subarray(0, Math.max(0, kept - UDP_HEADER));
  }
  override get takesPeekOffset(): boolean {
    return true;
  }
  override get takesZerocopy(): boolean {
    return this.protocol === IPPROTO_UDP;
  }
  override get takesFilters(): boolean {
    return true;
  }

  /** The sender's address as this socket shows it; kept, as most datagrams have the same sender. */
  private addressBytes(from: Endpoint): Uint8Array<ArrayBuffer> {
    if (this.lastFrom === null || !this.lastFrom.isSame(from)) {
      putEndpoint(from, this.family, scratch);
      this.lastBytes = scratch.u8.slice(0, scratch.length);
      this.lastFrom = from;
    }
    return this.lastBytes;
  }

  override receive(io: IoCursor, message: Message): number {
    if ((message.flags & MSG_OOB) !== 0) return -EOPNOTSUPP;
    if (this.error !== 0) return this.takeError();
    const { incoming } = this, { first } = incoming;
    if (first === null) return this.isReadShut ? 0 : -EAGAIN;
    const r = incoming.pull(io, message);
    if (r >= 0 && (message.flags & MSG_PEEK) === 0) {
      const { v4, v6 } = this.net.traffic;
      this.countersOf(isFrom4(first.from) ? v4 : v6).received++;
    }
    return r;
  }

  override poll(): number {
    let bits = WRITABLE | this.errorBits;
    if (this.incoming.count > 0) bits |= READABLE;
    if (this.isReadShut) bits |= READABLE | POLLRDHUP;
    if (this.isReadShut && this.isWriteShut) bits |= POLLHUP;
    return bits;
  }

  override shutdown(how: number): number {
    const isConnected = this.remote !== null;
    if (how !== SHUT_WR) this.isReadShut = true;
    if (how !== SHUT_RD) this.isWriteShut = true;
    this.queue.wake(0);
    return isConnected ? 0 : -ENOTCONN;
  }

  override setProtocolOption(level: number, name: number, value: OptionValue): number {
    if (!isOwnLevel(level)) return super.setProtocolOption(level, name, value);
    const r = setUdpOption(this.udp, name, value);
    if (!this.udp.isCorked) this.flush(NO_HEADER);
    return r;
  }
  override getProtocolOption(level: number, name: number, value: OptionValue): number {
    if (!isOwnLevel(level)) return super.getProtocolOption(level, name, value);
    return getUdpOption(this.udp, name, value);
  }
  override describeMessage(message: Message, out: ControlWriter): void {
    super.describeMessage(message, out);
    if (message.segment > 0) out.putInt(IPPROTO_UDP, UDP_GRO, message.segment);
  }
  override takeControl(
    message: Message,
    level: number,
    type: number,
    dv: DataView,
    at: number,
    length: number,
  ): number {
    if (level !== IPPROTO_UDP) return super.takeControl(message, level, type, dv, at, length);
    if (type !== UDP_SEGMENT || length !== 2) return -EINVAL;
    message.header.segment = dv.getUint16(at, true);
    return 0;
  }

  override get pendingBytes(): number {
    return this.incoming.firstLength;
  }

  protected override release(): void {
    this.incoming.free();
    this.errors?.free();
    this.unanswered?.forget();
    this.groups?.leaveAll();
    releaseFilter(this);
    this.udp.forget();
    this.releasePort();
  }
}

function protocolOf({ address }: Endpoint): number {
  return isV4(address) ? ETH_P_IP : ETH_P_IPV6;
}

/** Whether a socket address of either family is an IPv4 one. */
function isFrom4(from: Uint8Array): boolean {
  if (from.length < SockaddrIn6.size) return true;
  for (let i = 0; i < MAPPED.length; i++) {
    if (from[SockaddrIn6.at.addr + i] !== MAPPED.charCodeAt(i)) return false;
  }
  return true;
}

/** The rest of the cursor's bytes; null at a fault. */
function takeAll(io: IoCursor): Uint8Array<ArrayBuffer> | null {
  const bytes = new Uint8Array(io.remaining);
  const isWhole = bytes.length === 0 || io.takeBytes(bytes, 0, bytes.length) === bytes.length;
  return isWhole ? bytes : null;
}
