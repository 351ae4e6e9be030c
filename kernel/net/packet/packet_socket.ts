/**
 * Packet sockets (packet(7)): they receive frames that pass the links of the sandbox's own network
 * namespaces, and send frames. Received frames come from show_packets.ts; sent ones go to
 * send_frame.ts.
 *
 * DIFFERS: no ring for sending, no VLAN tags, no virtio headers.
 */

import {
  POLLERR,
  POLLIN,
  POLLOUT,
  POLLRDNORM,
  POLLWRBAND,
  POLLWRNORM,
} from "../../../ffi/abi/poll.ts";
import type { Account } from "../../core/account.ts";
import {
  EAGAIN,
  EBUSY,
  EINVAL,
  EMSGSIZE,
  ENETDOWN,
  ENODEV,
  ENOPROTOOPT,
  ENXIO,
  EOPNOTSUPP,
} from "../../../ffi/abi/errno.ts";
import * as P from "../../../ffi/abi/packet.ts";
import { AF_PACKET, MSG_OOB, SOCK_RAW, SOL_PACKET } from "../../../ffi/abi/socket.ts";
import type { Backing } from "../../mm/backing.ts";
import type { IoCursor } from "../../mm/io_cursor.ts";
import { BytesCursor } from "../bytes_cursor.ts";
import type { ControlWriter } from "../control_writer.ts";
import { Datagram, DatagramQueue } from "../datagram_queue.ts";
import { keptBytes, PacketView } from "../filter.ts";
import { releaseFilter } from "../filter_options.ts";
import type { Link } from "../link/link.ts";
import { type Message, SocketAddress, type SocketCaller } from "../message.ts";
import type { NetNamespace } from "../net_namespace.ts";
import { Socket } from "../socket.ts";
import type { OptionValue } from "../socket_options.ts";
import { putHeader } from "./ethernet.ts";
import { type Fanout, joinFanout, setFanoutData } from "./fanout.ts";
import { sendFrame } from "./send_frame.ts";
import { Memberships } from "./memberships.ts";
import { replaceRing } from "./packet_ring.ts";
import type { RingMemory } from "./ring_memory.ts";
import type { Frame } from "./taps.ts";

/** The part of the buffer that makes rollover skip a socket when less is free. */
const ROOM = 3 / 4;
const READABLE = POLLIN | POLLRDNORM;
const { at } = P.SockaddrLl;
const view = new PacketView();
const cursor = new BytesCursor();
/** Options with numbers that are kept and shown; options with effects have fields. */
const KEPT: ReadonlySet<number> = new Set([
  P.PACKET_COPY_THRESH,
  P.PACKET_AUXDATA,
  P.PACKET_ORIGDEV,
  P.PACKET_VERSION,
  P.PACKET_RESERVE,
  P.PACKET_LOSS,
  P.PACKET_TIMESTAMP,
  P.PACKET_QDISC_BYPASS,
  P.PACKET_IGNORE_OUTGOING,
]);
/** The kept options that are 0 or 1. */
const SWITCHES: ReadonlySet<number> = new Set([
  P.PACKET_AUXDATA,
  P.PACKET_ORIGDEV,
  P.PACKET_LOSS,
  P.PACKET_QDISC_BYPASS,
  P.PACKET_IGNORE_OUTGOING,
]);

export class PacketSocket extends Socket {
  /** The protocol it receives, ETH_P_*, 0: none; and the link, null: all. */
  private protocolNumber: number;
  private link: Link | null = null;
  /** uid of the creator. */
  readonly uid: number;
  private readonly incoming: DatagramQueue;
  private ring: RingMemory | null = null;
  private packets: number = 0;
  /** Counts since the last read of PACKET_STATISTICS. */
  private lost: number = 0;
  private readonly kept: Map<number, number> = new Map();
  /** The fanout group; null: none. */
  fanout: Fanout | null = null;
  /**
   * In a group with rollover: the place of its last search, frames that other members took, and
   * frames that no member had room for.
   */
  rollAt: number = 0;
  rolled: number = 0;
  rollsFailed: number = 0;
  private readonly memberships: Memberships = new Memberships();

  /** `protocol`: the argument of socket(2), in network order. */
  constructor(account: Account, net: NetNamespace, type: number, protocol: number, uid: number) {
    super(account, net, AF_PACKET, type, 0);
    this.uid = uid;
    this.protocolNumber = swap(protocol);
    this.incoming = new DatagramQueue(net.frames, this.account);
    net.taps.add(this);
  }

  override get takesFilters(): boolean {
    return true;
  }
  get heardProtocol(): number {
    return this.protocolNumber;
  }
  /** 0: all links. */
  get linkIndex(): number {
    return this.link?.index ?? 0;
  }
  get queuedBytes(): number {
    return this.incoming.charge;
  }
  private get isRaw(): boolean {
    return this.type === SOCK_RAW;
  }
  private option(name: number): number {
    return this.kept.get(name) ?? 0;
  }

  override bind(_caller: SocketCaller, address: SocketAddress): number {
    if (address.length < P.SockaddrLl.size || address.family !== AF_PACKET) return -EINVAL;
    if (this.fanout !== null) return -EINVAL;
    const index = address.dv.getInt32(at.ifindex, true);
    const link = index === 0 ? null : this.net.links.byIndex(index);
    if (index !== 0 && link === null) return -ENODEV;
    this.protocolNumber = address.dv.getUint16(at.protocol) || this.protocolNumber;
    this.link = link;
    if (link !== null && !link.isUp) this.error = ENETDOWN;
    return 0;
  }

  override connect(): number {
    return -EOPNOTSUPP;
  }
  override shutdown(): number {
    return -EOPNOTSUPP;
  }
  override peerName(): number {
    return -EOPNOTSUPP;
  }

  override localName(out: SocketAddress): number {
    const { link } = this, here = link !== null && link.table === this.net.links ? link : null;
    putName(out, this.protocolNumber, here, 0, here?.mac ?? "");
    if (here === null) out.length = at.addr;
    else out.length = at.addr + P.ETH_ALEN;
    return 0;
  }

  /** Whether the other socket receives the same frames. */
  receivesSame(other: PacketSocket): boolean {
    return this.protocolNumber === other.protocolNumber && this.link === other.link;
  }
  /** Whether many more frames like one of `length` bytes fit (of a ring: one more). */
  hasRoom(length: number): boolean {
    if (this.ring !== null) return this.ring.hasRoom;
    return this.incoming.charge + length <= this.options.receiveBytes * ROOM;
  }

  /** A frame passes a link. The first member of a group receives for all. */
  receiveFrame(link: Link, frame: Frame, type: number): void {
    const { fanout } = this;
    if (fanout !== null && fanout.members[0] !== this) return;
    if (this.protocolNumber !== P.ETH_P_ALL && this.protocolNumber !== frame.protocol) return;
    if (this.link !== null && this.link !== link) return;
    if (type === P.PACKET_OUTGOING) {
      const ignores = fanout === null
        ? this.option(P.PACKET_IGNORE_OUTGOING) !== 0
        : (fanout.flags & P.PACKET_FANOUT_FLAG_IGNORE_OUTGOING) !== 0;
      if (this.protocolNumber !== P.ETH_P_ALL || ignores) return;
    }
    this.show(link, frame, type);
    if (fanout === null) this.takeIn(link, frame, type);
    else fanout.pick(view).takeIn(link, frame, type);
  }

  /** Shows the frame to a program, from its Ethernet header on. */
  private show(link: Link, frame: Frame, type: number): void {
    view.plain(this.net.host, frame.bytes, frame.protocol);
    view.network = P.ETH_HLEN;
    view.hasLink = true;
    view.type = type;
    view.ifindex = link.index;
    view.hatype = link.type;
  }

  /** Filter and queue the frame in `view`. */
  private takeIn(link: Link, frame: Frame, type: number): void {
    const from = this.isRaw ? 0 : P.ETH_HLEN, { bytes } = frame;
    view.from = from;
    const kept = keptBytes(this.options.filter, view);
    if (kept === 0) return;
    const source = String.fromCharCode(...bytes.subarray(P.ETH_ALEN, 2 * P.ETH_ALEN));
    putName(name, frame.protocol, link, type, source);
    this.take(bytes.subarray(from), kept, this.isRaw ? P.ETH_HLEN : 0);
  }

  /** Puts a packet with the address `name` into the ring or the queue. */
  private take(bytes: Uint8Array<ArrayBuffer>, kept: number, network: number): void {
    const { host } = this.net, { ring } = this;
    const sec = host.realtimeSec(), nsec = host.realtimeNsec();
    const from = name.u8.slice(0, P.SockaddrLl.size);
    if (ring !== null) {
      const packet = { bytes, kept, network, from, sec, nsec };
      if (!ring.put(packet, this.isRaw, this.lost > 0)) this.countLoss();
      else {
        this.packets++;
        if (ring.isReadable) this.wakeReaders();
      }
      return;
    }
    const isFull = this.incoming.count > 0 &&
      this.incoming.charge + kept > this.options.receiveBytes;
    if (isFull) {
      this.countLoss();
      return;
    }
    const datagram = new Datagram(kept, from);
    datagram.aux = auxiliary(bytes.length, kept, network, this.lost > 0);
    if (this.options.timestamp !== 0) {
      datagram.timeSec = sec;
      datagram.timeNsec = nsec;
    }
    if (this.incoming.push(cursor.set(bytes, kept), datagram) !== 0) return;
    this.packets++;
    this.queue.wake(READABLE);
  }

  wakeReaders(): void {
    this.queue.wake(READABLE);
  }

  private countLoss(): void {
    this.lost++;
    this.drops++;
  }

  override receive(io: IoCursor, message: Message): number {
    if ((message.flags & MSG_OOB) !== 0) return -EINVAL;
    if (this.error !== 0) return this.takeError();
    return this.incoming.count === 0 ? -EAGAIN : this.incoming.pull(io, message);
  }

  override describeMessage(message: Message, out: ControlWriter): void {
    if (message.aux === null || this.option(P.PACKET_AUXDATA) === 0) return;
    if (out.room >= 0) out.u8.set(message.aux, out.data);
    out.put(SOL_PACKET, P.PACKET_AUXDATA, message.aux.length);
  }

  override send(io: IoCursor, message: Message): number {
    const { name: to } = message, length = io.remaining;
    let { link, protocolNumber: protocol } = this, target = "\0".repeat(P.ETH_ALEN);
    if (to.length > 0) {
      if (to.length < P.SockaddrLl.size || to.length < at.addr + to.u8[at.halen]!) return -EINVAL;
      protocol = to.dv.getUint16(at.protocol);
      link = this.net.links.byIndex(to.dv.getInt32(at.ifindex, true));
      target = String.fromCharCode(...to.u8.subarray(at.addr, at.addr + P.ETH_ALEN));
    } else if (link !== null && !this.isRaw) {
      // No destination was given.
      return -EINVAL;
    }
    if (link === null || link.table !== this.net.links) return -ENXIO;
    if (!link.isUp) return -ENETDOWN;
    const before = this.isRaw ? 0 : P.ETH_HLEN, most = link.mtu + P.ETH_HLEN;
    if (this.isRaw && length < P.ETH_HLEN) return -EINVAL;
    if (before + length > most + P.VLAN_HLEN) return -EMSGSIZE;
    const bytes = new Uint8Array(Math.max(before + length, 128)).subarray(0, before + length);
    const n = length === 0 ? 0 : io.takeBytes(bytes, before, length);
    if (n < 0) return n;
    if (this.isRaw) protocol = bytes[12]! << 8 | bytes[13]!;
    else putHeader(bytes, target, link.mac, protocol);
    if (before + length > most && protocol !== P.ETH_P_8021Q) return -EMSGSIZE;
    sendFrame(link, { bytes, protocol }, this);
    return length;
  }

  override poll(): number {
    let bits = POLLOUT | POLLWRNORM | POLLWRBAND;
    if (this.incoming.count > 0 || this.ring?.isReadable) bits |= READABLE;
    if (this.error !== 0) bits |= POLLERR;
    return bits;
  }

  override mmap(_writable: boolean, _shared: boolean): Backing | number {
    return this.ring ?? -EINVAL;
  }

  override setProtocolOption(level: number, name: number, value: OptionValue): number {
    if (level !== SOL_PACKET) return -ENOPROTOOPT;
    switch (name) {
      case P.PACKET_ADD_MEMBERSHIP:
      case P.PACKET_DROP_MEMBERSHIP:
        return this.memberships.change(this.net, value, name === P.PACKET_ADD_MEMBERSHIP);
      case P.PACKET_RX_RING:
        return this.setRing(value);
      case P.PACKET_TX_RING:
        return -EINVAL;
      case P.PACKET_FANOUT:
        return joinFanout(this, value);
      case P.PACKET_FANOUT_DATA:
        return setFanoutData(this, value);
    }
    if (!KEPT.has(name)) return -ENOPROTOOPT;
    if (!value.isInt) return -EINVAL;
    const n = SWITCHES.has(name) ? +(value.int !== 0) : value.int;
    const isLayout = name === P.PACKET_VERSION || name === P.PACKET_RESERVE;
    if (isLayout && this.ring !== null) return -EBUSY;
    if (name === P.PACKET_VERSION && (n < P.TPACKET_V1 || n > P.TPACKET_V3)) return -EINVAL;
    if (name === P.PACKET_RESERVE && (n < 0 || n > 0x7ffffff0)) return -EINVAL;
    this.kept.set(name, n);
    return 0;
  }

  private setRing(value: OptionValue): number {
    const version = this.option(P.PACKET_VERSION), reserve = this.option(P.PACKET_RESERVE);
    const { size } = version === P.TPACKET_V3 ? P.TpacketReq3 : P.TpacketReq;
    if (value.length < size) return -EINVAL;
    const ring = replaceRing(this.ring, this, value.dv, version, reserve);
    if (typeof ring === "number") return ring;
    this.ring = ring;
    return 0;
  }

  override getProtocolOption(level: number, name: number, value: OptionValue): number {
    if (level !== SOL_PACKET) return -ENOPROTOOPT;
    if (value.length < 0) return -EINVAL;
    if (name === P.PACKET_STATISTICS) {
      value.dv.setUint32(0, this.packets + this.lost, true);
      value.dv.setUint32(4, this.lost, true);
      value.length = 8;
      if (this.option(P.PACKET_VERSION) === P.TPACKET_V3) {
        value.dv.setUint32(8, this.ring?.takeFreezes() ?? 0, true);
        value.length = 12;
      }
      this.packets = this.lost = 0;
      return 0;
    }
    if (name === P.PACKET_FANOUT) return value.setInt(this.fanout?.word ?? 0);
    if (name === P.PACKET_ROLLOVER_STATS) return this.rolloverStats(value);
    if (name === P.PACKET_HDRLEN) {
      const version = value.isInt ? value.asked : -1;
      if (version === P.TPACKET_V3) return value.setInt(P.Tpacket3Hdr.size);
      const isKnown = version === P.TPACKET_V1 || version === P.TPACKET_V2;
      return isKnown ? value.setInt(P.TPACKET_HDR) : -EINVAL;
    }
    return KEPT.has(name) ? value.setInt(this.option(name)) : -ENOPROTOOPT;
  }

  /** struct tpacket_rollover_stats: all, huge, failed. */
  private rolloverStats(value: OptionValue): number {
    if (!this.fanout?.rollsOver) return -EINVAL;
    value.dv.setBigUint64(0, BigInt(this.rolled), true);
    value.dv.setBigUint64(8, 0n, true);
    value.dv.setBigUint64(16, BigInt(this.rollsFailed), true);
    value.length = 24;
    return 0;
  }

  override get pendingBytes(): number {
    return this.incoming.firstLength;
  }

  protected override release(): void {
    this.net.taps.remove(this);
    this.fanout?.leave(this);
    this.memberships.release();
    this.incoming.free();
    this.ring?.stop();
    this.ring?.drop();
    this.ring = null;
    releaseFilter(this);
  }
}

const name = new SocketAddress();

function swap(word: number): number {
  return (word & 0xff) << 8 | word >> 8 & 0xff;
}

function putName(
  out: SocketAddress,
  protocol: number,
  link: Link | null,
  type: number,
  address: string,
): void {
  out.start(AF_PACKET, P.SockaddrLl.size);
  out.dv.setUint16(at.protocol, protocol);
  if (link === null) return;
  out.dv.setInt32(at.ifindex, link.index, true);
  out.dv.setUint16(at.hatype, link.type, true);
  out.u8[at.pkttype] = type;
  out.u8[at.halen] = P.ETH_ALEN;
  for (let i = 0; i < address.length; i++) out.u8[at.addr + i] = address.charCodeAt(i);
}

function auxiliary(
  length: number,
  kept: number,
  network: number,
  isLosing: boolean,
): Uint8Array<ArrayBuffer> {
  const u8 = new Uint8Array(P.TpacketAuxdata.size), dv = new DataView(u8.buffer);
  const { at } = P.TpacketAuxdata;
  dv.setUint32(at.status, P.TP_STATUS_USER | (isLosing ? P.TP_STATUS_LOSING : 0), true);
  dv.setUint32(at.len, length, true);
  dv.setUint32(at.snaplen, kept, true);
  dv.setUint16(at.net, network, true);
  return u8;
}
