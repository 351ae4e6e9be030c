/**
 * An internet socket that is one of the host, in the network namespace of this process. Its
 * descriptor is non-blocking: the kernel's tasks wait, and the host's edge events wake them. Bytes
 * are copied between the host socket and guest memory once.
 *
 * Not here: which sockets may be made (host_transport.ts), options (host_options.ts), control
 * messages (host_control.ts). DIFFERS: SO_LINGER with a time does not make close(2) wait. All users
 * are one user for the host: sockets of different users share SO_REUSEPORT.
 */

import {
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLOUT,
  POLLPRI,
  POLLRDHUP,
  POLLRDNORM,
  POLLWRNORM,
} from "../../../ffi/abi/poll.ts";
import type { Account } from "../../core/account.ts";
import {
  EACCES,
  EAFNOSUPPORT,
  EAGAIN,
  EALREADY,
  ECONNRESET,
  EFAULT,
  EINPROGRESS,
  EINVAL,
  EMFILE,
  EMSGSIZE,
  ENFILE,
  ENOTCONN,
} from "../../../ffi/abi/errno.ts";
import { CAP_NET_BIND_SERVICE } from "../../../ffi/abi/capability.ts";
import { EPOLLET } from "../../../ffi/abi/epoll.ts";
import { IPPROTO_TCP, SockaddrIn, SockaddrIn6, TCP_INFO, TCP_INQ } from "../../../ffi/abi/inet.ts";
import { FIONREAD } from "../../../ffi/abi/ioctl.ts";
import * as S from "../../../ffi/abi/socket.ts";
import type { HostDescriptors } from "../../core/host_descriptors.ts";
import type { HostNetwork } from "../../core/host_network.ts";
import { Waiter } from "../../core/wait.ts";
import { hasCap } from "../../cred/credentials.ts";
import type { IoCursor } from "../../mm/io_cursor.ts";
import type { ControlWriter } from "../control_writer.ts";
import type { Message, SocketAddress, SocketCaller } from "../message.ts";
import type { NetNamespace } from "../net_namespace.ts";
import { Socket } from "../socket.ts";
import type { OptionValue } from "../socket_options.ts";
import * as A from "./message_area.ts";
import { addControl, deliverControl, findTime } from "./host_control.ts";
import {
  getHostOption,
  getHostSocketOption,
  setHostOption,
  setHostSocketOption,
} from "./option_calls.ts";

/** The most bytes that one call moves, so that other guests do not wait long. */
const MAX_SENT = 1 << 20, MAX_RECEIVED = 1 << 18;
const POLL_BITS = POLLIN | POLLPRI | POLLOUT | POLLRDNORM | POLLWRNORM | POLLRDHUP;
/** Those of a connection that was reset, besides those of a socket without one. */
const ENDED = POLLIN | POLLRDNORM | POLLRDHUP;
/** Flags of the guest that are passed to the host. */
const SEND_FLAGS = S.MSG_OOB | S.MSG_DONTROUTE | S.MSG_EOR | S.MSG_CONFIRM | S.MSG_MORE |
  S.MSG_FASTOPEN;
const RECEIVE_FLAGS = S.MSG_OOB | S.MSG_PEEK | S.MSG_TRUNC | S.MSG_ERRQUEUE;
const OUT_FLAGS = S.MSG_TRUNC | S.MSG_CTRUNC | S.MSG_EOR | S.MSG_OOB | S.MSG_ERRQUEUE;
/** Offset of tcpi_bytes_received in struct tcp_info. */
const RECEIVED_AT = 128;
/** LIMIT: /proc/sys/net/core/somaxconn. */
const MAX_BACKLOG = 4096;

/** An option of a host socket. */
interface HostOption {
  readonly level: number;
  readonly name: number;
  readonly value: Uint8Array<ArrayBuffer>;
}

export class HostSocket extends Socket {
  readonly host: HostNetwork;
  private readonly descriptors: HostDescriptors;
  /** Changed by `reopen` only. */
  fd: number;
  /** uid of the creator. */
  readonly uid: number;
  private isAccepting: boolean = false;
  /** Control messages may come with a stream's bytes. */
  private hasControl: boolean = false;
  private isWatched: boolean = false;
  /** The limit of waiting connections, of a socket that listens. */
  backlog: number = 0;
  /** What the guest has set with setsockopt(2), each option once. */
  readonly hostOptions: HostOption[] = [];
  /** A restore has ended its connection. */
  private wasReset: boolean = false;

  constructor(
    account: Account,
    net: NetNamespace,
    host: HostNetwork,
    descriptors: HostDescriptors,
    fd: number,
    family: number,
    type: number,
    protocol: number,
    uid: number,
  ) {
    super(account, net, family, type, protocol);
    this.host = host;
    this.descriptors = descriptors;
    descriptors.add(account);
    this.fd = fd;
    this.uid = uid;
  }

  override get writesAll(): boolean {
    return this.type === S.SOCK_STREAM;
  }
  override get isListening(): boolean {
    return this.isAccepting;
  }

  /**
   * Works with another socket of the host from now on (a restore).
   *
   * @param isEnded it has neither a connection nor a name any more: a stream is like one that its
   * peer has reset
   */
  reopen(fd: number, isEnded: boolean): void {
    this.fd = fd;
    if (isEnded) this.isAccepting = false;
    this.wasReset = isEnded && this.writesAll;
    if (this.wasReset) this.error = ECONNRESET;
    if (!this.isWatched) return;
    this.isWatched = false;
    this.watch();
  }

  /** Records an option that the host's socket has. */
  noteOption(level: number, name: number, value: Uint8Array<ArrayBuffer>): void {
    const at = this.hostOptions.findIndex((set) => set.level === level && set.name === name);
    if (at >= 0) this.hostOptions.splice(at, 1);
    this.hostOptions.push({ level, name, value });
  }

  /**
   * Watch the descriptor: the host reports every change, and at once what is ready already. 0 or
   * -errno.
   */
  private watch(): number {
    if (this.isWatched) return 0;
    const r = this.net.host.watch(this.fd, POLL_BITS + EPOLLET, new HostSocketWatch(this));
    this.isWatched = r === 0;
    return r;
  }

  /** The host would block: -EAGAIN, or the error of watching the descriptor. */
  private wait(): number {
    const r = this.watch();
    if (r < 0) return r;
    this.blockedOn = this.queue;
    return -EAGAIN;
  }

  /** Copies a guest's address for the host to NAME_AT: its length, or -errno. */
  private putName(from: SocketAddress): number {
    const { length, family } = from;
    if (length < 2) return -EINVAL;
    let wanted: number;
    if (family === S.AF_INET || family === S.AF_UNSPEC) wanted = SockaddrIn.size;
    else if (family === S.AF_INET6) wanted = SockaddrIn6.size;
    else return length < SockaddrIn.size ? -EINVAL : -EAFNOSUPPORT;
    const n = Math.min(length, wanted), { u8 } = this.host.area;
    u8.set(from.u8.subarray(0, n), A.NAME_AT);
    return n;
  }

  private takeName(out: SocketAddress, length: number): void {
    const n = Math.max(0, Math.min(length, out.u8.length)), { u8 } = this.host.area;
    out.u8.set(u8.subarray(A.NAME_AT, A.NAME_AT + n));
    out.length = n;
  }

  override bind(caller: SocketCaller, address: SocketAddress): number {
    const n = this.putName(address);
    if (n < 0) return n;
    const port = n >= 4 ? address.dv.getUint16(SockaddrIn.at.port) : 0;
    const isPrivileged = port > 0 && port < this.net.firstUnprivilegedPort &&
      this.type !== S.SOCK_RAW;
    if (isPrivileged && !hasCap(caller.cred, CAP_NET_BIND_SERVICE)) return -EACCES;
    return this.host.bind(this.fd, this.host.area.address + A.NAME_AT, n);
  }

  override connect(_caller: SocketCaller, address: SocketAddress, nonblocking: boolean): number {
    const n = this.putName(address);
    if (n < 0) return n;
    const at = this.host.area.address + A.NAME_AT;
    this.wasReset = false;
    let r = this.host.connect(this.fd, at, n);
    // A connection to a peer on this machine is often complete when the host's call returns.
    if (r === -EINPROGRESS && !nonblocking) r = this.host.connect(this.fd, at, n);
    if (r !== -EINPROGRESS && r !== -EALREADY) return r;
    // The blocked caller repeats the call, which returns the result.
    const waited = this.wait();
    return nonblocking ? r : waited;
  }

  override listen(_caller: SocketCaller, backlog: number): number {
    const limit = backlog < 0 || backlog > MAX_BACKLOG ? MAX_BACKLOG : backlog;
    const r = this.host.listen(this.fd, limit);
    if (r !== 0) return r;
    this.isAccepting = true;
    this.backlog = limit;
    this.net.listens.wake(0);
    return r;
  }

  override accept(account: Account): Socket | number {
    if (!this.descriptors.hasRoom(account)) return -ENFILE;
    const fd = this.host.accept(this.fd, 0, 0);
    if (fd === -EAGAIN) return this.wait();
    if (fd < 0) return fd === -EMFILE ? -ENFILE : fd;
    const { net, host, descriptors, family, type, protocol, uid } = this;
    const socket = new HostSocket(account, net, host, descriptors, fd, family, type, protocol, uid);
    socket.options.inherit(this.options);
    socket.hasControl = this.hasControl;
    return socket;
  }

  override shutdown(how: number): number {
    const r = this.host.shutdown(this.fd, how);
    if (r < 0) return r;
    if (this.isAccepting && how !== S.SHUT_WR) this.isAccepting = false;
    this.queue.wake(0);
    return r;
  }

  override localName(out: SocketAddress): number {
    return this.nameOf(out, this.host.getsockname(this.fd, ...this.nameArguments()));
  }
  override peerName(out: SocketAddress): number {
    return this.nameOf(out, this.host.getpeername(this.fd, ...this.nameArguments()));
  }
  private nameArguments(): [address: number, length: number] {
    const { area } = this.host;
    A.expectName(area);
    return [area.address + A.NAME_AT, area.address + A.LENGTH_AT];
  }
  private nameOf(out: SocketAddress, result: number): number {
    if (result === 0) this.takeName(out, this.host.area.dv.getInt32(A.LENGTH_AT, true));
    return result;
  }

  override send(io: IoCursor, message: Message): number { // HOT
    if (this.error !== 0) return this.takeError();
    const { area } = this.host, isStream = this.writesAll, wanted = io.remaining;
    let segments = 0, isCopied = false;
    if (wanted > 0) {
      segments = io.hostSegments(false, area.address + A.IOV_AT, A.MAX_SEGMENTS, MAX_SENT);
      if (segments < 0) return segments;
      if (!isStream && A.coveredBytes(area, segments) < wanted) {
        const n = this.gather(io, wanted, segments);
        if (n < 0) return n;
        segments = 1;
        isCopied = true;
      }
    }
    let nameLength = 0;
    if (message.name.length > 0) {
      nameLength = this.putName(message.name);
      if (nameLength < 0) return nameLength;
    }
    const controls = message.control.length;
    if (controls > 0) area.u8.set(message.control.u8.subarray(0, controls), A.CONTROL_AT);
    A.prepareMessage(area, segments, nameLength, controls);
    const flags = (message.flags & SEND_FLAGS) | S.MSG_DONTWAIT | S.MSG_NOSIGNAL;
    const n = this.host.sendmsg(this.fd, area.address + A.MSG_AT, flags);
    if (n > 0 && !isCopied) io.advance(n);
    return n === -EAGAIN ? this.wait() : n;
  }

  /** Joins a datagram with more segments than the host takes. 0 or -errno. */
  private gather(io: IoCursor, wanted: number, segments: number): number {
    const { area } = this.host;
    // There was room for more segments, so the memory ended early.
    if (segments < A.MAX_SEGMENTS && wanted <= MAX_SENT) return -EFAULT;
    if (wanted > A.BOUNCE_BYTES) return -EMSGSIZE;
    if (io.takeHost(area.address + A.BOUNCE_AT, wanted) < wanted) return -EFAULT;
    A.prepareSegment(area, A.BOUNCE_AT, wanted);
    return 0;
  }

  override receive(io: IoCursor, message: Message): number { // HOT
    if (this.error !== 0) return this.takeError();
    if (message.skipped > 0) return this.peekBehind(io, message);
    const { area } = this.host, isStream = this.writesAll;
    let segments = 0;
    if (io.remaining > 0) {
      segments = io.hostSegments(true, area.address + A.IOV_AT, A.MAX_SEGMENTS, MAX_RECEIVED);
      if (segments < 0) return segments;
    }
    const n = this.receiveHost(message, segments, !isStream, !isStream || this.hasControl);
    if (n === -EAGAIN) return this.wait();
    if (n === -ENOTCONN && this.wasReset) return 0;
    if (n <= 0) return n;
    io.advance(Math.min(n, io.remaining));
    if (isStream && io.remaining > 0) message.isWhole = this.endsEarly(message.flags);
    return n;
  }

  /** Whether a stream that gave fewer bytes than asked for has no more now. */
  private endsEarly(flags: number): boolean {
    if ((flags & S.MSG_OOB) !== 0) return true;
    const goesOn = (flags & S.MSG_WAITALL) !== 0 || this.options.receiveLowWater > 1;
    return goesOn && this.atMark > 0;
  }

  /** Calls recvmsg(2) of the host into the iovec array: its result. */
  private receiveHost(
    message: Message,
    segments: number,
    wantsName: boolean,
    wantsControl: boolean,
  ): number {
    const { area } = this.host, at = S.Msghdr.at;
    const nameRoom = wantsName ? S.SOCKADDR_STORAGE_SIZE : 0;
    A.prepareMessage(area, segments, nameRoom, wantsControl ? A.CONTROL_BYTES : 0);
    const flags = (message.flags & RECEIVE_FLAGS) | S.MSG_DONTWAIT;
    const n = this.host.recvmsg(this.fd, area.address + A.MSG_AT, flags);
    if (n < 0) return n;
    message.outFlags |= area.dv.getInt32(A.MSG_AT + at.flags, true) & OUT_FLAGS;
    if (wantsName) {
      this.takeName(message.name, area.dv.getUint32(A.MSG_AT + at.namelen, true));
    }
    if (!wantsControl) return n;
    const bytes = Math.min(area.dv.getUint32(A.MSG_AT + at.controllen, true), A.CONTROL_BYTES);
    message.control.length = bytes;
    if (bytes === 0) return n;
    message.control.u8.set(area.u8.subarray(A.CONTROL_AT, A.CONTROL_AT + bytes));
    findTime(message);
    return n;
  }

  /** recv(2) with MSG_ERRQUEUE: an error and the packet it is about. */
  override receiveError(io: IoCursor, message: Message): number {
    const { area } = this.host;
    let segments = 0;
    if (io.remaining > 0) {
      segments = io.hostSegments(true, area.address + A.IOV_AT, A.MAX_SEGMENTS, MAX_RECEIVED);
      if (segments < 0) return segments;
    }
    const n = this.receiveHost(message, segments, true, true);
    if (n > 0) io.advance(Math.min(n, io.remaining));
    return n;
  }

  /**
   * MSG_PEEK with MSG_WAITALL or SO_RCVLOWAT, run again: peek at all bytes again and copy those
   * that are new. LIMIT: up to BOUNCE_BYTES; the call does not wait for bytes behind them.
   */
  private peekBehind(io: IoCursor, message: Message): number {
    const { area } = this.host, { skipped } = message;
    const wanted = Math.min(skipped + io.remaining, A.BOUNCE_BYTES);
    message.isWhole = wanted <= skipped;
    if (message.isWhole) return 0;
    A.prepareSegment(area, A.BOUNCE_AT, wanted);
    const n = this.receiveHost(message, 1, false, false);
    if (n < 0 && n !== -EAGAIN) return n;
    if (n === skipped && (this.pollHost(POLLRDHUP | POLLHUP) & (POLLRDHUP | POLLHUP)) !== 0) {
      message.isWhole = true;
      return 0;
    }
    if (n <= skipped) return this.wait();
    return io.putHost(area.address + A.BOUNCE_AT + skipped, n - skipped);
  }

  override describeMessage(message: Message, out: ControlWriter): void {
    deliverControl(message, out);
  }
  override takeControl(
    message: Message,
    level: number,
    type: number,
    dv: DataView,
    at: number,
    length: number,
  ): number {
    return addControl(message.control, this.family, level, type, dv, at, length);
  }

  override setSocketOption(caller: SocketCaller, name: number, value: OptionValue): number {
    const r = setHostSocketOption(this, caller, name, value);
    if (r === 0 && this.options.timestamp !== 0) this.hasControl = true;
    return r;
  }
  override getSocketOption(name: number, value: OptionValue): number {
    return getHostSocketOption(this, name, value);
  }
  override setProtocolOption(level: number, name: number, value: OptionValue): number {
    const r = setHostOption(this, level, name, value);
    if (r === 0 && (level !== IPPROTO_TCP || name === TCP_INQ)) this.hasControl = true;
    return r;
  }
  override getProtocolOption(level: number, name: number, value: OptionValue): number {
    return getHostOption(this, level, name, value);
  }

  /** The host's poll bits; an -errno of the host becomes the socket's error. */
  private pollHost(bits: number): number {
    const now = this.net.host.pollNow(this.fd, bits);
    return now < 0 ? POLLERR : now;
  }
  override poll(): number {
    this.watch();
    const bits = this.pollHost(POLL_BITS) | (this.wasReset ? ENDED : 0);
    return this.error === 0 ? bits : bits | POLLERR;
  }

  override get pendingBytes(): number {
    return this.ask(FIONREAD);
  }
  override get unsentBytes(): number {
    return this.ask(S.SIOCOUTQ);
  }
  override get atMark(): number {
    if (this.type !== S.SOCK_STREAM) return super.atMark;
    return this.ask(S.SIOCATMARK) !== 0 ? 1 : 0;
  }
  /** An ioctl that returns an int; 0 if the host refuses. */
  private ask(request: number): number {
    const { area } = this.host;
    area.dv.setInt32(A.VALUE_AT, 0, true);
    const r = this.net.host.ioctl(this.fd, request, area.address + A.VALUE_AT);
    return r < 0 ? 0 : area.dv.getInt32(A.VALUE_AT, true);
  }

  /** Low half of the number of bytes that a stream received in all. */
  get receivedBytes(): number {
    const { area } = this.host, { address } = area;
    area.dv.setInt32(A.LENGTH_AT, A.VALUE_BYTES, true);
    const value = address + A.VALUE_AT, length = address + A.LENGTH_AT;
    const r = this.host.getsockopt(this.fd, IPPROTO_TCP, TCP_INFO, value, length);
    return r < 0 ? 0 : area.dv.getUint32(A.VALUE_AT + RECEIVED_AT, true);
  }

  protected override release(): void {
    this.descriptors.give(this.account);
    // No other process has the descriptor: closing it ends the watch.
    this.net.host.close(this.fd);
  }
}

export class HostSocketWatch extends Waiter {
  private readonly socket: HostSocket;
  /** `receivedBytes` when the host last reported an urgent byte; -1: none. */
  private urgentBytes: number = -1;

  constructor(socket: HostSocket) {
    super();
    this.socket = socket;
  }

  override onWake(events: number): void {
    const { socket, urgentBytes } = this;
    this.urgentBytes = (events & POLLPRI) !== 0 ? socket.receivedBytes : -1;
    socket.queue.wake(events);
    // DIFFERS: bytes that arrive while an urgent one is unread may count as urgent ones.
    const isNew = this.urgentBytes >= 0 && this.urgentBytes !== urgentBytes;
    if (isNew) socket.net.shared.urgent?.onUrgent(socket);
  }
}
