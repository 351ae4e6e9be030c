/**
 * A TCP socket (tcp(7)). Two connected sockets know each other and move bytes straight into the
 * peer's queue; states, half-close, resets and errors are those of TCP. Segments do not exist;
 * bytes of the queue beyond the receiver's window count as not sent (`heldBytes`).
 *
 * DIFFERS: no TIME_WAIT. Subclass: loopback_tcp.ts. Set-up: tcp_connect.ts; timeouts: tcp_timer.ts;
 * urgent data: urgent_mark.ts.
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
} from "../../../../ffi/abi/poll.ts";
import type { Account } from "../../../core/account.ts";
import {
  EAGAIN,
  ECONNRESET,
  EFAULT,
  EINVAL,
  ENOTCONN,
  EPIPE,
  ETIMEDOUT,
} from "../../../../ffi/abi/errno.ts";
import * as I from "../../../../ffi/abi/inet.ts";
import {
  MSG_OOB,
  MSG_PEEK,
  MSG_TRUNC,
  SHUT_RD,
  SHUT_WR,
  SOCK_STREAM,
} from "../../../../ffi/abi/socket.ts";
import { ByteRing } from "../../../ipc/byte_ring.ts";
import type { IoCursor } from "../../../mm/io_cursor.ts";
import type { Backlog } from "../../backlog.ts";
import type { Message, SocketAddress } from "../../message.ts";
import type { NetNamespace } from "../../net_namespace.ts";
import type { OptionValue } from "../../socket_options.ts";
import { InetSocket } from "../inet_socket.ts";
import type { InetPorts, PortTable } from "../ports.ts";
import { getTcpOption, setTcpOption, TcpOptions } from "./tcp_options.ts";
import type { Deferral } from "./tcp_defer.ts";
import { FastOpen } from "./tcp_fastopen.ts";
import { isEstablished, resetsPeer, TcpTally } from "./tcp_info.ts";
import { TcpTimer } from "./tcp_timer.ts";
import { showData, showEnd, showReset, TcpSequence } from "./shown_segments.ts";
import { UrgentMark } from "./urgent_mark.ts";

const WRITABLE = POLLOUT | POLLWRNORM, READABLE = POLLIN | POLLRDNORM;
/** Defaults of SO_RCVBUF and SO_SNDBUF, and the capacity of a queue while they are unset. */
const RECEIVE_BYTES = 131072, SEND_BYTES = 16384, AUTOMATIC_BYTES = 524288;
/** Spreads the inode numbers, which are the first sequence numbers. */
const SPREAD = 0x9e3779b1;
/** At a fault of the guest's buffer only whole pieces of this size are moved, Linux's segments. */
const FAULT_BYTES = 32768;
/** LIMIT: bytes of one queue. */
const MAX_BYTES = 64 << 20;

export abstract class TcpSocket extends InetSocket {
  /** TCP_ESTABLISHED and the like. */
  state: number = I.TCP_CLOSE;
  peer: TcpSocket | null = null;
  readonly incoming: ByteRing;
  /** The urgent byte in `incoming`. */
  private readonly urgent: UrgentMark = new UrgentMark();
  readonly tcp: TcpOptions = new TcpOptions();
  /** Sequence numbers of the bytes it has sent. */
  readonly sequence: TcpSequence;
  /** Counts of segments and bytes for TCP_INFO. */
  readonly tally: TcpTally = new TcpTally();
  /** The timeout of connecting or of unacknowledged data; null: never armed. */
  timer: TcpTimer | null = null;
  /** Of a connection that TCP_DEFER_ACCEPT keeps from the backlog; null: it is not deferred. */
  deferral: Deferral | null = null;
  /** Of a listener: its deferred connections. */
  readonly deferred: Set<TcpSocket> = new Set();
  /** The headers of the client's SYN, if the listener has TCP_SAVE_SYN, until they are read. */
  savedSyn: Uint8Array<ArrayBuffer> | null = null;
  readonly fastOpen: FastOpen = new FastOpen();
  /** TCP_FASTOPEN_CONNECT: connect(2) returned 0, and the first send connects. */
  isConnectDeferred: boolean = false;
  /** Connections that wait for accept(2); null: not listening. */
  backlog: Backlog<TcpSocket> | null = null;
  /** Clients in SYN_SENT because the backlog is full. */
  waiting: TcpSocket[] = [];
  /** In SYN_SENT: the listener whose backlog is full. */
  connectingTo: TcpSocket | null = null;
  /** connect(2) was called and has not reported success yet. */
  isConnecting: boolean = false;
  /** The peer has sent FIN. */
  private gotFin: boolean = false;
  /** All descriptors are closed. */
  private isGone: boolean = false;
  /** It timed out without a reset: the peer learns of it when it sends or reads. */
  private hasVanished: boolean = false;

  constructor(account: Account, net: NetNamespace, ports: PortTable, family: number, uid: number) {
    super(account, net, ports, family, SOCK_STREAM, I.IPPROTO_TCP, uid);
    this.incoming = new ByteRing(net.frames, MAX_BYTES);
    this.options.receiveBytes = RECEIVE_BYTES;
    this.options.sendBytes = SEND_BYTES;
    this.sequence = new TcpSequence(Math.imul(this.inode.ino, SPREAD));
  }

  override get writesAll(): boolean {
    return true;
  }
  override get isListening(): boolean {
    return this.state === I.TCP_LISTEN;
  }
  get waitingCount(): number {
    return this.backlog?.count ?? 0;
  }
  get backlogLimit(): number {
    return this.backlog?.limit ?? 0;
  }

  /** Not if neither listens and both have SO_REUSEADDR, or with SO_REUSEPORT on both. */
  override conflictsWith(other: InetSocket): boolean {
    if (this.sharesPort(other)) return false;
    if (!(other instanceof TcpSocket)) return true;
    if (this.isListening && other.isListening) return true;
    return !this.options.reuseAddress || !other.options.reuseAddress || other.isListening;
  }

  /** Makes the connection that connect(2) put off (TCP_FASTOPEN_CONNECT). */
  abstract connectNow(nonblocking: boolean): number;
  /** A socket with the options of this listener, for the server's end of a new connection. */
  abstract newServer(account: Account): TcpSocket;
  /** The listener is closed: reset the connections in its backlog. */
  protected abstract stopListening(): void;

  /** The port tables of the namespace where packets to `destination` arrive. */
  arrivalOf(source: string, destination: string): InetPorts | null {
    return this.arrival(source, destination);
  }

  /** Called when the connection is established. */
  establish(peer: TcpSocket): void {
    this.peer = peer;
    this.state = I.TCP_ESTABLISHED;
    this.connectingTo = null;
    this.isConnectDeferred = false;
    this.timer?.stop();
    this.gotFin = this.isReadShut = this.isWriteShut = false;
    this.queue.wake(WRITABLE);
  }

  /** No process can read what arrives: data gets a reset (RFC 1122, 4.2.2.13). */
  private get rejectsData(): boolean {
    return this.isGone || this.hasVanished || (this.state === I.TCP_FIN_WAIT2 && this.isReadShut);
  }

  /** The bytes of this socket that the peer's queue can hold. */
  private get capacity(): number {
    const { peer, options } = this;
    if (peer === null) return 0;
    const isFixed = options.isSendFixed || peer.options.isReceiveFixed;
    if (isFixed) return options.sendBytes + peer.options.receiveBytes;
    return Math.max(AUTOMATIC_BYTES, 2 * peer.options.receiveLowWater);
  }

  /** The receive window in bytes when the queue is empty. */
  private get window(): number {
    const { options, tcp } = this;
    const bytes = options.isReceiveFixed ? options.receiveBytes : RECEIVE_BYTES;
    return Math.min(bytes, tcp.windowClamp);
  }

  /** The bytes left in the receive window. */
  get windowLeft(): number {
    return Math.max(0, this.window - this.incoming.length);
  }

  /** The bytes it sent that lie beyond the peer's window. */
  get heldBytes(): number {
    const { peer } = this;
    return peer === null ? 0 : Math.max(0, peer.incoming.length - peer.window);
  }

  /** send(2) of a connected socket. */
  sendData(io: IoCursor, message: Message): number {
    if (this.state === I.TCP_SYN_SENT) return -EAGAIN;
    const { peer } = this;
    if (this.error !== 0) return this.takeError();
    if (peer === null || this.isWriteShut || this.state === I.TCP_CLOSE) return -EPIPE;
    if (io.remaining === 0) return 0;
    if (peer.rejectsData) {
      // The bytes that fit are sent, and a reset comes back.
      const n = Math.min(io.remaining, this.capacity);
      io.advance(n);
      if (!peer.isGone && !peer.hasVanished) peer.fail(ECONNRESET);
      this.reset();
      return n;
    }
    const most = Math.min(this.capacity, peer.window + this.tcp.notSentLow);
    const room = most - peer.incoming.length;
    if (room <= 0) return -EAGAIN;
    const done = peer.incoming.put(io, Math.min(io.remaining, room), FAULT_BYTES);
    if (done <= 0) return done;
    showData(this, peer, done);
    if (this.tcp.userTimeoutMs > 0) this.timeData(false);
    if (peer.deferral !== null) peer.deferral.end();
    const isUrgent = (message.flags & MSG_OOB) !== 0;
    if (isUrgent) peer.markUrgent();
    peer.queue.wake(isUrgent ? READABLE | POLLPRI : READABLE);
    return done;
  }

  /** Marks the last byte of the queue as urgent. An earlier urgent byte at the front is dropped. */
  private markUrgent(): void {
    const { urgent, incoming } = this;
    if (urgent.at === 0 && !this.options.outOfBandInline) incoming.skip(1);
    urgent.set(incoming.length - 1);
  }

  override get urgentReceiver(): TcpSocket | null {
    return this.peer;
  }
  override get atMark(): number {
    return this.urgent.at === 0 ? 1 : 0;
  }

  override receive(io: IoCursor, message: Message): number {
    const { flags } = message, { incoming, urgent } = this;
    if (this.state === I.TCP_LISTEN) return -ENOTCONN;
    if ((flags & MSG_OOB) !== 0) return this.receiveUrgent(io, message);
    const before = incoming.length, isPeek = (flags & MSG_PEEK) !== 0;
    let from = message.skipped, n = before - from;
    if (urgent.isSet) {
      if (urgent.at > from) {
        // A read stops at the mark.
        n = urgent.at - from;
        message.isWhole = n <= io.remaining;
      } else if (urgent.at === from && !this.options.outOfBandInline) {
        // The next read starts behind the urgent byte.
        from++;
        n--;
        if (!isPeek) this.consume(1);
      }
    }
    if (n <= 0) return this.readEmptyQueue();
    n = Math.min(n, io.remaining);
    if (isPeek) return n === 0 ? 0 : incoming.peek(io, from, n);
    if ((flags & MSG_TRUNC) !== 0) {
      // MSG_TRUNC: discard instead of copying.
      this.consume(n);
      io.advance(n);
    } else {
      n = incoming.take(io, n, FAULT_BYTES);
      if (n > 0) urgent.pass(n);
    }
    if (this.peer !== null && incoming.length !== before) this.peer.onPeerRead(before);
    return n;
  }

  private consume(n: number): void {
    this.incoming.skip(n);
    this.urgent.pass(n);
  }

  /** recv(2) with MSG_OOB: the urgent byte, once, wherever in the queue it is. */
  private receiveUrgent(io: IoCursor, message: Message): number {
    const { urgent } = this;
    if (!urgent.isFresh || this.options.outOfBandInline) return -EINVAL;
    if ((message.flags & MSG_PEEK) === 0) urgent.isRead = true;
    message.outFlags |= MSG_OOB;
    message.isWhole = true;
    if (io.remaining === 0) {
      message.outFlags |= MSG_TRUNC;
      return 0;
    }
    if ((message.flags & MSG_TRUNC) !== 0) return 1;
    return this.incoming.peek(io, urgent.at, 1) === 1 ? 1 : -EFAULT;
  }

  /** A receive from an empty queue: 0 at the end, the pending error, or -EAGAIN. */
  private readEmptyQueue(): number {
    if (this.gotFin) return 0;
    if (this.error !== 0) return this.takeError();
    if (this.isReadShut) return 0;
    return this.state === I.TCP_CLOSE ? -ENOTCONN : -EAGAIN;
  }

  /** The peer's queue was longer (`before`) until it read. */
  private onPeerRead(before: number): void {
    const { peer } = this;
    // A disconnected socket has no peer; its old peer may still read.
    if (peer === null) return;
    if (this.hasVanished) {
      peer.reset();
      return;
    }
    if (this.timer !== null) this.timer.watch(true);
    const { length } = peer.incoming;
    if (!this.isWritableAt(peer, before) && this.isWritableAt(peer, length)) {
      this.queue.wake(WRITABLE);
    }
  }

  /** Starts TCP_USER_TIMEOUT for the data that waits now. */
  timeData(isProgress: boolean): void {
    this.timer ??= new TcpTimer(this);
    if (this.state !== I.TCP_SYN_SENT) this.timer.watch(isProgress);
  }

  /** The peer never answered. */
  giveUpConnecting(error: number): void {
    this.leaveWaiting();
    this.fail(error);
  }

  /** TCP_USER_TIMEOUT: bytes beyond the window are lost, and the peer gets no reset. */
  giveUp(): void {
    const { peer } = this;
    peer?.incoming.unput(this.heldBytes);
    peer?.urgent.cut(peer.incoming.length);
    this.hasVanished = true;
    this.fail(ETIMEDOUT);
  }

  override onBufferSize(): void {
    this.queue.wake(WRITABLE);
  }

  override poll(): number {
    if (this.state === I.TCP_LISTEN) {
      return this.backlog !== null && !this.backlog.isEmpty ? READABLE : 0;
    }
    let bits = this.errorBits;
    const isClosed = this.state === I.TCP_CLOSE;
    if (isClosed || (this.isReadShut && this.isWriteShut)) bits |= POLLHUP;
    if (this.isReadShut) bits |= READABLE | POLLRDHUP;
    if (this.state === I.TCP_SYN_SENT) return this.isConnectDeferred ? bits | WRITABLE : bits;
    const beside = this.urgent.at === 0 && !this.options.outOfBandInline ? 1 : 0;
    if (this.incoming.length >= this.options.receiveLowWater + beside) bits |= READABLE;
    if (this.urgent.isFresh) bits |= POLLPRI;
    const { peer } = this, isFree = peer === null || this.isWritableAt(peer, peer.incoming.length);
    if (this.isWriteShut || isFree) bits |= WRITABLE;
    return bits;
  }

  /** Whether the socket is writable while the peer's queue has `length` bytes. */
  private isWritableAt(peer: TcpSocket, length: number): boolean {
    return length * 2 <= this.capacity && (length - peer.window) * 2 < this.tcp.notSentLow;
  }

  override shutdown(how: number): number {
    if (this.state === I.TCP_CLOSE) return -ENOTCONN;
    if (this.state === I.TCP_LISTEN) {
      if (how !== SHUT_WR) this.stopListening();
      return 0;
    }
    if (this.state === I.TCP_SYN_SENT) {
      this.fail(ECONNRESET);
      return 0;
    }
    if (how !== SHUT_WR) this.isReadShut = true;
    if (how !== SHUT_RD) this.sendFin();
    this.tellShutdown();
    return 0;
  }

  private sendFin(): void {
    if (this.isWriteShut) return;
    this.isWriteShut = true;
    this.state = this.gotFin ? I.TCP_LAST_ACK : I.TCP_FIN_WAIT2;
    const { peer } = this;
    if (peer !== null && (this.gotFin || peer.state !== I.TCP_CLOSE)) showEnd(this, peer);
    if (peer === null || peer.state === I.TCP_CLOSE) return;
    peer.gotFin = peer.isReadShut = true;
    if (peer.deferral !== null) peer.deferral.end();
    if (peer.isWriteShut) {
      // Both directions are closed: the connection ends.
      peer.state = this.state = I.TCP_CLOSE;
    } else {
      peer.state = I.TCP_CLOSE_WAIT;
    }
    peer.tellShutdown();
  }

  private tellShutdown(): void {
    let bits = this.isReadShut ? READABLE | POLLRDHUP : 0;
    if (this.isWriteShut) bits |= WRITABLE;
    if (this.isReadShut && this.isWriteShut) bits |= POLLHUP;
    this.queue.wake(bits);
  }

  /** A reset arrived: data received before it stays readable. */
  reset(): void {
    if (this.state === I.TCP_CLOSE) return;
    if (this.peer !== null) showReset(this.peer, this);
    this.fail(this.state === I.TCP_CLOSE_WAIT ? EPIPE : ECONNRESET);
  }

  override abort(error: number): void {
    if (this.state === I.TCP_LISTEN) this.stopListening();
    this.peer?.reset();
    this.fail(error);
  }

  /** Ends the connection now; with data or a FIN outstanding that is a reset. */
  private close(): void {
    if (isEstablished(this.state)) this.net.traffic.tcp.reset++;
    this.state = I.TCP_CLOSE;
  }

  /** The connection, or the attempt, fails with an error. */
  fail(error: number): void {
    if (this.state === I.TCP_SYN_SENT) this.net.traffic.tcp.failed++;
    this.error = error;
    this.close();
    this.isReadShut = this.isWriteShut = true;
    this.isConnectDeferred = false;
    this.timer?.stop();
    this.queue.wake(POLLERR | POLLHUP | POLLRDHUP | READABLE | WRITABLE);
    this.deferral?.abandon();
  }

  /** connect(2) with AF_UNSPEC: reset the peer, and become unconnected. */
  disconnect(): void {
    if (this.peer !== null) this.peer.reset();
    this.peer = null;
    if (resetsPeer(this.state)) this.error = ECONNRESET;
    this.leaveWaiting();
    this.close();
    this.gotFin =
      this.hasVanished =
      this.isReadShut =
      this.isWriteShut =
      this.isConnectDeferred =
      this.isConnecting =
        false;
    this.incoming.free();
    this.urgent.clear();
    this.forgetRemote();
    this.queue.wake(POLLHUP | WRITABLE);
  }

  /** Leaves the queue of a listener whose backlog is full. */
  private leaveWaiting(): void {
    this.timer?.stop();
    if (this.connectingTo === null) return;
    const { waiting } = this.connectingTo;
    waiting.splice(waiting.indexOf(this), 1);
    this.connectingTo = null;
  }

  override peerName(out: SocketAddress): number {
    const isThere = this.state !== I.TCP_CLOSE && this.state !== I.TCP_SYN_SENT;
    return isThere ? super.peerName(out) : -ENOTCONN;
  }

  override setProtocolOption(level: number, name: number, value: OptionValue): number {
    if (level === I.IPPROTO_TCP) return setTcpOption(this, name, value);
    return super.setProtocolOption(level, name, value);
  }
  override getProtocolOption(level: number, name: number, value: OptionValue): number {
    if (level === I.IPPROTO_TCP) return getTcpOption(this, name, value);
    return super.getProtocolOption(level, name, value);
  }

  /** Bytes up to the urgent mark, if there is one. */
  override get pendingBytes(): number {
    const stops = this.urgent.isSet && !this.options.outOfBandInline;
    return stops ? this.urgent.at : this.incoming.length;
  }
  override get unsentBytes(): number {
    return this.heldBytes;
  }

  /** Close: FIN, or a reset if data is unread or SO_LINGER asks for it. */
  protected override release(): void {
    this.isGone = true;
    if (this.state === I.TCP_LISTEN) {
      this.stopListening();
    } else if (this.connectingTo !== null) {
      this.leaveWaiting();
    } else if (this.peer !== null && this.state !== I.TCP_CLOSE) {
      const isAborted = this.incoming.length > 0 ||
        (this.options.lingerOn && this.options.lingerSeconds === 0);
      if (isAborted) this.peer.reset();
      else this.sendFin();
    }
    this.close();
    this.timer?.stop();
    this.incoming.free();
    this.errors?.free();
    this.releasePort();
  }
}
