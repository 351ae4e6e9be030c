/**
 * UDP on the loopback interface (udp(7)). A datagram is put straight into the receiver's queue, or dropped when that is
 * full; to a port where nobody is, a connected sender hears ECONNREFUSED at its next call.
 *
 * DIFFERS: no multicast and no broadcast, no segmentation offload (UDP_SEGMENT, UDP_GRO).
 */

import {
  EAGAIN,
  ECONNREFUSED,
  EDESTADDRREQ,
  EFAULT,
  EINVAL,
  EMSGSIZE,
  ENOTCONN,
  EOPNOTSUPP,
  EPIPE,
} from "../../../ffi/abi/errno.ts";
import { ETH_P_IP, ETH_P_IPV6 } from "../../../ffi/abi/packet.ts";
import { IPPROTO_UDP } from "../../../ffi/abi/inet.ts";
import { MSG_OOB, SHUT_RD, SHUT_WR, SOCK_DGRAM } from "../../../ffi/abi/socket.ts";
import { stringToBytes } from "../../core/bytes.ts";
import type { IoCursor } from "../../mm/io_cursor.ts";
import {
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLOUT,
  POLLRDHUP,
  POLLRDNORM,
  POLLWRNORM,
} from "../../vfs/open_file.ts";
import { BytesCursor } from "../bytes_cursor.ts";
import { Datagram, DatagramQueue } from "../datagram_queue.ts";
import { keptBytes, PacketView } from "../filter.ts";
import { releaseFilter } from "../filter_options.ts";
import { UDP_HEADER } from "./ip_packet.ts";
import { type Message, type PacketHeader, SocketAddress, type SocketCaller } from "../message.ts";
import type { NetNamespace } from "../net_namespace.ts";
import { Endpoint, endpointOf, isV4, putEndpoint } from "./address.ts";
import type { InetPorts } from "./create.ts";
import { isWatched } from "../packet/taps.ts";
import { InetSocket } from "./inet_socket.ts";
import { datagramPacket, pass } from "./overhear.ts";
import { accepts, type PortTable } from "./ports.ts";

/** Largest payloads: 65535 less the headers that count. */
const MAX_PAYLOAD_4 = 65507, MAX_PAYLOAD_6 = 65527;
const READABLE = POLLIN | POLLRDNORM, WRITABLE = POLLOUT | POLLWRNORM;
const scratch = new SocketAddress();
const cursor = new BytesCursor();
const view = new PacketView();

export class UdpSocket extends InetSocket {
  private readonly incoming: DatagramQueue;
  /** The sender's address of the last message that came from `lastFrom`. */
  private lastFrom: Endpoint | null = null;
  private lastBytes: Uint8Array<ArrayBuffer> = new Uint8Array(0);

  /** `protocol`: IPPROTO_UDP, or what is like it. */
  constructor(
    net: NetNamespace,
    ports: PortTable,
    family: number,
    uid: number,
    protocol: number = IPPROTO_UDP,
  ) {
    super(net, ports, family, SOCK_DGRAM, protocol, uid);
    this.incoming = new DatagramQueue(net.frames);
  }

  override conflictsWith(other: InetSocket): boolean {
    if (this.options.reuseAddress && other.options.reuseAddress) return false;
    return !this.sharesPort(other);
  }

  /** Which datagrams come changes; AF_UNSPEC dissolves the association. */
  override connect(_caller: SocketCaller, address: SocketAddress, _nonblocking: boolean): number {
    const to = endpointOf(address, this.family, true, true);
    return typeof to === "number" ? to : this.associate(to, true);
  }

  override send(io: IoCursor, message: Message): number {
    const length = io.remaining;
    if (length > MAX_PAYLOAD_6) return -EMSGSIZE;
    if ((message.flags & MSG_OOB) !== 0) return -EOPNOTSUPP;
    let to = this.remote;
    if (message.name.length > 0) {
      const given = endpointOf(message.name, this.family, true, true);
      if (typeof given === "number") return given;
      if (given !== null) {
        if (given.port === 0) return -EINVAL;
        const route = this.routeDatagram(given);
        if (typeof route === "number") return route;
        to = route;
      }
    }
    if (to === null) return -EDESTADDRREQ;
    if (this.isWriteShut) return -EPIPE;
    if (isV4(to.address) && length > MAX_PAYLOAD_4) return -EMSGSIZE;
    if (this.error !== 0) return this.takeError();
    if (!this.isBound && this.takePort(0) < 0) return -EAGAIN;
    const from = this.local.address === this.sourceAddress(to.address)
      ? this.local
      : new Endpoint(this.sourceAddress(to.address), this.local.port);
    const arrival = this.arrival(from.address, to.address);
    if (arrival === null) return length;
    if (arrival.raw.size > 0 || isWatched()) {
      const bytes = this.overheard(io, from, to, message.header, arrival);
      if (bytes === null) return -EFAULT;
      io = cursor.set(bytes, length);
    }
    const receiver = receiverAt(this.portsIn(arrival), from, to);
    if (receiver !== null) {
      const r = receiver.deliver(io, from, to, this, message.header);
      if (r < 0) return r;
    } else {
      if (this.remote !== null && this.remote.isSame(to)) this.refuse();
    }
    return length;
  }

  /** The ports of its protocol among all. */
  protected portsIn(all: InetPorts): PortTable {
    return all.udp;
  }

  /** Raw sockets hear what is sent. @returns its bytes, or null at a fault */
  private overheard(
    io: IoCursor,
    from: Endpoint,
    to: Endpoint,
    header: PacketHeader,
    arrival: InetPorts,
  ): Uint8Array<ArrayBuffer> | null {
    const bytes = new Uint8Array(io.remaining);
    if (bytes.length > 0 && io.takeBytes(bytes, 0, bytes.length) < bytes.length) return null;
    const hops = this.ip.hopsOf(to.address, header);
    const trafficClass = this.ip.classOf(to.address, header), { protocol } = this;
    pass(this.net, arrival, datagramPacket(bytes, from, to, { protocol, hops, trafficClass }));
    return bytes;
  }

  /** ICMP said that nobody is at the port. */
  private refuse(): void {
    this.error = ECONNREFUSED;
    this.queue.wake(POLLERR | READABLE | WRITABLE);
  }

  private deliver(
    io: IoCursor,
    from: Endpoint,
    to: Endpoint,
    sender: UdpSocket,
    header: PacketHeader,
  ): number {
    if (!this.takesFrom(sender, io.remaining)) return 0;
    if (!this.wantsPacketInfo) return this.enqueue(io, from, null, 0, 0);
    const hops = sender.ip.hopsOf(to.address, header);
    return this.enqueue(io, from, to, hops, sender.ip.classOf(to.address, header));
  }

  /** `to`: null when nobody asks what the packet was like. */
  enqueue(
    io: IoCursor,
    from: Endpoint,
    to: Endpoint | null,
    hops: number,
    trafficClass: number,
  ): number {
    let length = io.remaining;
    if (this.incoming.count > 0 && this.incoming.charge + length > this.options.receiveBytes) {
      return 0;
    }
    if (this.options.filter !== null) {
      const bytes = this.filtered(io, from);
      if (typeof bytes === "number") return bytes;
      length = bytes.length;
      io = cursor.set(bytes, length);
    }
    const datagram = new Datagram(length, this.addressBytes(from));
    if (to !== null) {
      datagram.to = stringToBytes(to.address);
      datagram.hops = hops;
      datagram.trafficClass = trafficClass;
    }
    if (this.options.timestamp !== 0) {
      datagram.timeSec = this.net.host.realtimeSec();
      datagram.timeNsec = this.net.host.realtimeNsec();
    }
    const r = this.incoming.push(io, datagram);
    if (r === 0) this.queue.wake(READABLE);
    return r;
  }

  /** Whether a datagram is good enough for this socket. */
  protected takesFrom(_sender: UdpSocket, _length: number): boolean {
    return true;
  }

  /** What SO_ATTACH_FILTER leaves of a datagram, 0 if nothing: the program sees its header too. */
  private filtered(io: IoCursor, from: Endpoint): Uint8Array<ArrayBuffer> | number {
    const bytes = new Uint8Array(io.remaining);
    if (bytes.length > 0 && io.takeBytes(bytes, 0, bytes.length) < bytes.length) return -EFAULT;
    const around = { protocol: this.protocol, hops: 0, trafficClass: 0 };
    const { payload } = datagramPacket(bytes, from, this.local, around);
    const kept = keptBytes(this.options.filter, view.plain(payload, protocolOf(from)));
    return kept === 0 ? 0 : bytes.subarray(0, Math.max(0, kept - UDP_HEADER));
  }
  override get takesFilters(): boolean {
    return true;
  }

  private get wantsPacketInfo(): boolean {
    const { ip } = this;
    return ip.packetInfo || ip.packetInfo6 || ip.receiveTtl || ip.receiveTos ||
      ip.receiveHopLimit || ip.receiveClass;
  }

  /** The sender's address as this socket shows it; kept, as most datagrams come from the same place. */
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
    if (this.incoming.count === 0) return this.isReadShut ? 0 : -EAGAIN;
    return this.incoming.pull(io, message);
  }

  override poll(): number {
    let bits = WRITABLE;
    if (this.error !== 0) bits |= POLLERR;
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

  override get pendingBytes(): number {
    return this.incoming.firstLength;
  }

  protected override release(): void {
    this.incoming.free();
    releaseFilter(this);
    this.releasePort();
  }
}

function protocolOf({ address }: Endpoint): number {
  return isV4(address) ? ETH_P_IP : ETH_P_IPV6;
}

/** Who gets a datagram: a socket connected to the sender before others, an exact address before a wildcard. */
function receiverAt(ports: PortTable, from: Endpoint, to: Endpoint): UdpSocket | null {
  let best: UdpSocket | null = null, bestScore = -1;
  for (const s of ports.at(to.port)) {
    if (!(s instanceof UdpSocket) || !accepts(s, to.address)) continue;
    if (s.remote !== null && !s.remote.isSame(from)) continue;
    const score = (s.remote !== null ? 4 : 0) + (s.local.address === to.address ? 2 : 0);
    // Of equal ones the last that was bound gets it, as on Linux without SO_REUSEPORT.
    if (score >= bestScore) {
      best = s;
      bestScore = score;
    }
  }
  return best;
}

/** A datagram that a raw socket made: to whoever is at its port. */
export function injectDatagram(
  ports: PortTable,
  bytes: Uint8Array<ArrayBuffer>,
  from: Endpoint,
  to: Endpoint,
  { hops, trafficClass }: { readonly hops: number; readonly trafficClass: number },
): void {
  const receiver = receiverAt(ports, from, to);
  receiver?.enqueue(cursor.set(bytes, bytes.length), from, to, hops, trafficClass);
}
