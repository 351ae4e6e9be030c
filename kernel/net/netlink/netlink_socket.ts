/**
 * AF_NETLINK sockets (netlink(7)). The kernel replies to a request within the send, into the
 * socket's own queue. Replies: kernel_side.ts; multicast groups: protocol.ts.
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
  EADDRINUSE,
  EAGAIN,
  ECONNREFUSED,
  EINVAL,
  EMSGSIZE,
  ENOBUFS,
  ENODATA,
  ENOPROTOOPT,
  ENOTTY,
  EOPNOTSUPP,
  EPERM,
} from "../../../ffi/abi/errno.ts";
import { CAP_NET_ADMIN } from "../../../ffi/abi/capability.ts";
import { FIONREAD } from "../../../ffi/abi/ioctl.ts";
import * as N from "../../../ffi/abi/netlink.ts";
import { AF_NETLINK, AF_UNSPEC, MSG_OOB, SIOCOUTQ, SOL_NETLINK } from "../../../ffi/abi/socket.ts";
import type { IoCursor } from "../../mm/io_cursor.ts";
import type { UserMemory } from "../../mm/user_memory.ts";
import { BytesCursor } from "../bytes_cursor.ts";
import type { ControlWriter } from "../control_writer.ts";
import { Datagram, DatagramQueue } from "../datagram_queue.ts";
import { keptBytes, PacketView } from "../filter.ts";
import { releaseFilter } from "../filter_options.ts";
import { type Message, PeerCredentials, SocketAddress, type SocketCaller } from "../message.ts";
import type { NetNamespace } from "../net_namespace.ts";
import { Socket } from "../socket.ts";
import type { OptionValue } from "../socket_options.ts";
import { answerAll, deliver, hasKernelSide, type NetlinkAsker, sendPart } from "./kernel_side.ts";
import type { Dump } from "./dump.ts";
import type { NetlinkWriter } from "./writer.ts";
import type { ProcFilter } from "./proc_connector.ts";
import type { NetlinkProtocol } from "./protocol.ts";

/** LIMIT: bytes of one send. */
const MAX_REQUEST = 65536;
/** LIMIT: bytes of unread replies. */
const MAX_UNREAD = 8 << 20;
const cursor = new BytesCursor();
const from = new SocketAddress();
const view = new PacketView();
/** The kernel's credentials as a sender. */
const KERNEL = new PeerCredentials(0, 0, 0, []);
/** Options that are on or off. */
const SWITCHES: ReadonlySet<number> = new Set([
  N.NETLINK_PKTINFO,
  N.NETLINK_BROADCAST_ERROR,
  N.NETLINK_NO_ENOBUFS,
  N.NETLINK_CAP_ACK,
  N.NETLINK_EXT_ACK,
  N.NETLINK_GET_STRICT_CHK,
]);

export class NetlinkSocket extends Socket {
  readonly bus: NetlinkProtocol;
  /** The port id (nl_pid); 0: not bound. */
  portId: number = 0;
  /** The destination of messages without an address: a port id, and a group or 0. */
  private peerId: number = 0;
  private peerGroup: number = 0;
  readonly groups: Set<number> = new Set();
  /** The options of SOL_NETLINK that are on. */
  private readonly switches: Set<number> = new Set();
  private readonly incoming: DatagramQueue;
  /** connect(2) was called. */
  isConnected: boolean = false;
  /** The dump that is being received; null: none. */
  dump: Dump | null = null;
  /** The dump's version at its last message. */
  private dumpVersion: number = 0;
  /** The process events it wants; null: never set. */
  processes: ProcFilter | null = null;

  constructor(account: Account, net: NetNamespace, bus: NetlinkProtocol, type: number) {
    super(account, net, AF_NETLINK, type, bus.number);
    this.bus = bus;
    this.incoming = new DatagramQueue(net.frames, this.account);
    bus.sockets.add(this);
  }

  /** The first 32 groups as a mask. */
  get groupMask(): number {
    let mask = 0;
    for (const group of this.groups) if (group <= 32) mask |= 1 << (group - 1);
    return mask >>> 0;
  }
  isOn(option: number): boolean {
    return this.switches.has(option);
  }

  override bind(caller: SocketCaller, address: SocketAddress): number {
    if (address.length < N.SockaddrNl.size || address.family !== AF_NETLINK) return -EINVAL;
    const pid = address.dv.getUint32(N.SockaddrNl.at.pid, true);
    const wanted = address.dv.getUint32(N.SockaddrNl.at.groups, true);
    if (wanted !== 0 && this.bus.isForUsers && !this.isAdmin(caller)) return -EPERM;
    if (this.portId !== 0 && pid !== this.portId) return -EINVAL;
    for (let group = 1; group <= 32; group++) {
      if ((wanted & (1 << (group - 1))) !== 0 && !this.mayJoin(caller, group)) return -EPERM;
    }
    if (this.portId === 0) {
      const r = this.takeId(pid === 0 ? this.bus.ids.choose(caller.pid) : pid);
      if (r < 0) return r;
    }
    for (let group = 1; group <= 32; group++) {
      this.setMember(group, (wanted & (1 << (group - 1))) !== 0);
    }
    return 0;
  }

  private isAdmin(caller: SocketCaller | null): boolean {
    return caller !== null && this.net.isCapable(caller.cred, CAP_NET_ADMIN);
  }

  /**
   * Whether the caller may join a group. Linux takes the number of a group for a mask of groups
   * here, so odd groups need no privilege.
   */
  private mayJoin(caller: SocketCaller | null, group: number): boolean {
    return this.protocol !== N.NETLINK_CONNECTOR || (group & 1) !== 0 || this.isAdmin(caller);
  }

  private setMember(group: number, isIn: boolean): void {
    if (this.groups.has(group) === isIn) return;
    if (isIn) {
      this.groups.add(group);
      this.bus.join(this, group);
    } else {
      this.groups.delete(group);
      this.bus.leave(this, group);
    }
  }

  private takeId(id: number): number {
    if (!this.bus.ids.take(id, this)) return -EADDRINUSE;
    this.portId = id;
    return 0;
  }

  override connect(caller: SocketCaller, address: SocketAddress): number {
    if (address.family === AF_UNSPEC) {
      this.peerId = this.peerGroup = 0;
      this.isConnected = false;
      return 0;
    }
    if (address.length < N.SockaddrNl.size || address.family !== AF_NETLINK) return -EINVAL;
    const id = address.dv.getUint32(N.SockaddrNl.at.pid, true), group = groupIn(address);
    if ((id !== 0 || group !== 0) && !this.bus.isForUsers && !this.isAdmin(caller)) return -EPERM;
    const r = this.portId === 0 ? this.takeId(this.bus.ids.choose(caller.pid)) : 0;
    if (r < 0) return r;
    this.peerId = id;
    this.peerGroup = group;
    this.isConnected = true;
    return 0;
  }

  override localName(out: SocketAddress): number {
    putName(out, this.portId, this.groupMask);
    return 0;
  }
  override peerName(out: SocketAddress): number {
    putName(out, this.peerId, maskOf(this.peerGroup));
    return 0;
  }

  /** FIONREAD and the like do not exist for netlink (netlink_ioctl of Linux). */
  override ioctl(request: number, arg: number, user: UserMemory): number {
    if (request === FIONREAD || request === SIOCOUTQ) return -ENOTTY;
    return super.ioctl(request, arg, user);
  }

  override send(io: IoCursor, message: Message): number {
    if ((message.flags & MSG_OOB) !== 0) return -EOPNOTSUPP;
    const { name, caller } = message, length = io.remaining;
    if (length === 0) return -ENODATA;
    let to = this.peerId, group = this.peerGroup;
    if (name.length > 0) {
      if (name.length < N.SockaddrNl.size || name.family !== AF_NETLINK) return -EINVAL;
      to = name.dv.getUint32(N.SockaddrNl.at.pid, true);
      group = groupIn(name);
      if ((to !== 0 || group !== 0) && !this.bus.isForUsers && !this.isAdmin(caller)) return -EPERM;
    }
    if (this.portId === 0) {
      const r = this.takeId(this.bus.ids.choose(caller?.pid ?? 1));
      if (r < 0) return r;
    }
    if (length > Math.min(MAX_REQUEST, this.options.sendBytes - 32)) return -EMSGSIZE;
    const receiver = to === 0 ? null : this.bus.ids.get(to);
    if (receiver?.isFull) {
      this.blockedOn = receiver.queue;
      return -EAGAIN;
    }
    const u8 = new Uint8Array(Math.max(length, 128));
    const n = io.takeBytes(u8, 0, length);
    if (n < 0) return n;
    // A message with an address was sent by the caller's intent; write(2) gives no address, so the
    // opener's privileges count too (NETLINK_SKB_DST of Linux).
    const opener = name.length > 0 ? null : this.cred;
    return this.sendTo(u8, length, receiver, group, { caller, opener }) ?? length;
  }

  /** Sends to a group and to one socket; `receiver` null: to the kernel. -errno, or undefined. */
  private sendTo(
    u8: Uint8Array<ArrayBuffer>,
    length: number,
    receiver: NetlinkSocket | null | undefined,
    group: number,
    asker: NetlinkAsker,
  ): number | undefined {
    const bytes = u8.subarray(0, length);
    if (group !== 0) this.bus.broadcast(group, bytes, this);
    if (receiver === undefined) return -ECONNREFUSED;
    if (receiver === null) {
      if (!hasKernelSide(this)) return -ECONNREFUSED;
      answerAll(this, u8, length, asker);
      return undefined;
    }
    const isForOther = receiver.peerId !== 0 && receiver.peerId !== this.portId;
    if (isForOther) return -ECONNREFUSED;
    receiver.queueMessage(bytes, this, 0, credentialsOf(asker.caller));
    return undefined;
  }

  private get isFull(): boolean {
    return this.incoming.count > 0 && this.incoming.charge > this.options.receiveBytes;
  }

  /** Queues a datagram of the kernel that is no reply. */
  queueEvent(bytes: Uint8Array<ArrayBuffer>): void {
    this.receiveMessage(bytes, 0, null);
  }

  /** Queues a message to a group, or an event; `sender`: null for the kernel. */
  receiveMessage(
    bytes: Uint8Array<ArrayBuffer>,
    group: number,
    sender: NetlinkSocket | null,
  ): void {
    if (this.isFull) this.overrun();
    else this.queueMessage(bytes, sender, group);
  }

  private overrun(): void {
    this.drops++;
    if (this.isOn(N.NETLINK_NO_ENOBUFS)) return;
    this.error = ENOBUFS;
    this.queue.wake(POLLERR);
  }

  takeAnswer(writer: NetlinkWriter): void {
    deliver(this, writer);
  }

  /** Queues a reply, which may exceed SO_RCVBUF. */
  queueAnswer(bytes: Uint8Array<ArrayBuffer>): void {
    this.queueMessage(bytes, null, 0);
  }

  private queueMessage(
    bytes: Uint8Array<ArrayBuffer>,
    sender: NetlinkSocket | null,
    group: number,
    as: PeerCredentials = KERNEL,
  ): void {
    if (this.incoming.bytes > MAX_UNREAD) return this.overrun();
    if (this.options.filter !== null) {
      bytes = bytes.subarray(0, keptBytes(this.options.filter, view.plain(this.net.host, bytes)));
      if (bytes.length === 0) return;
    }
    putName(from, sender?.portId ?? 0, maskOf(group));
    const datagram = new Datagram(bytes.length, from.u8.slice(0, from.length));
    datagram.credentials = as;
    this.incoming.push(cursor.set(bytes, bytes.length), datagram);
    this.queue.wake(POLLIN | POLLRDNORM);
  }

  override receive(io: IoCursor, message: Message): number {
    this.needsTurn = false;
    if ((message.flags & MSG_OOB) !== 0) return -EOPNOTSUPP;
    if (this.error !== 0) return this.takeError();
    if (this.incoming.count === 0) this.continueDump();
    if (this.incoming.count === 0) {
      // A part without messages: none of the objects it looked at was in the list.
      this.needsTurn = this.dump !== null;
      return -EAGAIN;
    }
    const n = this.incoming.pull(io, message);
    if (this.incoming.count === 0) this.continueDump();
    if (this.bus.isForUsers) this.queue.wake(POLLOUT);
    return n;
  }

  /**
   * Sends the first part of a dump now, and each further part after the receive of the one before.
   */
  startDump(dump: Dump): void {
    this.dump = dump;
    this.dumpVersion = dump.version;
    this.continueDump();
  }

  private continueDump(): void {
    const { dump } = this;
    if (dump === null) return;
    if (!sendPart(this, dump, dump.version !== this.dumpVersion)) this.dump = null;
    if (this.incoming.count > 0) this.dumpVersion = dump.version;
  }

  override describeMessage(message: Message, out: ControlWriter): void {
    if (this.isOn(N.NETLINK_PKTINFO)) {
      out.putInt(SOL_NETLINK, N.NETLINK_PKTINFO, groupIn(message.name));
    }
  }

  override get takesFilters(): boolean {
    return true;
  }

  override poll(): number {
    let bits = POLLOUT | POLLWRNORM | POLLWRBAND;
    if (this.incoming.count > 0 || this.dump !== null) bits |= POLLIN | POLLRDNORM;
    if (this.error !== 0) bits |= POLLERR;
    return bits;
  }

  override shutdown(_how: number): number {
    return -EOPNOTSUPP;
  }

  override setProtocolOption(level: number, name: number, value: OptionValue): number {
    if (level !== SOL_NETLINK) return -ENOPROTOOPT;
    // A value that is too short counts as 0.
    if (!value.isInt) value.setInt(0);
    if (name === N.NETLINK_ADD_MEMBERSHIP || name === N.NETLINK_DROP_MEMBERSHIP) {
      return this.changeMembership(value, name === N.NETLINK_ADD_MEMBERSHIP);
    }
    if (!SWITCHES.has(name)) return -ENOPROTOOPT;
    if (value.int !== 0) this.switches.add(name);
    else this.switches.delete(name);
    return 0;
  }

  private changeMembership({ asker, int: group }: OptionValue, isIn: boolean): number {
    if (this.bus.isForUsers && !this.isAdmin(asker)) return -EPERM;
    if (group < 1 || group > this.bus.groupCount) return -EINVAL;
    if (isIn && !this.mayJoin(asker, group)) return -EPERM;
    this.setMember(group, isIn);
    return 0;
  }

  override getProtocolOption(level: number, name: number, value: OptionValue): number {
    if (level !== SOL_NETLINK) return -ENOPROTOOPT;
    if (value.length < 0) return -EINVAL;
    if (name === N.NETLINK_LIST_MEMBERSHIPS) return this.listGroups(value);
    if (!SWITCHES.has(name)) return -ENOPROTOOPT;
    return value.isInt ? value.setBool(this.switches.has(name)) : -EINVAL;
  }

  /** Stores the groups as 32-bit words; the length is that of all words, whatever the room. */
  private listGroups(value: OptionValue): number {
    const bytes = ((this.bus.groupCount + 31) >> 5) * 4;
    value.u8.fill(0, 0, bytes);
    for (const group of this.groups) value.u8[(group - 1) >> 3]! |= 1 << ((group - 1) & 7);
    value.length = bytes;
    return 0;
  }

  override get pendingBytes(): number {
    return this.incoming.firstLength;
  }
  /** Memory of unread messages. */
  get queuedBytes(): number {
    return this.incoming.charge;
  }

  protected override release(): void {
    this.incoming.free();
    this.dump = null;
    releaseFilter(this);
    if (this.portId !== 0) this.bus.ids.release(this.portId);
    for (const group of this.groups) this.bus.leave(this, group);
    this.groups.clear();
    this.bus.sockets.delete(this);
    this.net.connector?.forget(this);
  }
}

function putName(out: SocketAddress, pid: number, groups: number): void {
  out.start(AF_NETLINK, N.SockaddrNl.size);
  out.dv.setUint32(N.SockaddrNl.at.pid, pid, true);
  out.dv.setUint32(N.SockaddrNl.at.groups, groups, true);
}

function credentialsOf(caller: SocketCaller | null): PeerCredentials {
  if (caller === null) return KERNEL;
  const { cred, pid, processId } = caller;
  return new PeerCredentials(pid, cred.uid, cred.gid, [], processId);
}

/** The mask of a group, as in nl_groups. */
function maskOf(group: number): number {
  return group === 0 || group > 32 ? 0 : (1 << (group - 1)) >>> 0;
}

/** The first group in the mask of an address; 0: none. */
function groupIn(address: SocketAddress): number {
  const mask = address.dv.getUint32(N.SockaddrNl.at.groups, true);
  return mask === 0 ? 0 : 32 - Math.clz32(mask & -mask);
}
