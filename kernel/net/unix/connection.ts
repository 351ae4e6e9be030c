/**
 * Connections of unix(7), for SOCK_STREAM and SOCK_SEQPACKET: listen, connect, accept, shutdown,
 * close. Two connected sockets know each other. Each has the queue that it receives from; the
 * sender's SO_SNDBUF bounds what it may put into the peer's queue.
 */

import {
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLOUT,
  POLLPRI,
  POLLRDHUP,
  POLLRDNORM,
  POLLWRBAND,
  POLLWRNORM,
} from "../../../ffi/abi/poll.ts";
import type { Account } from "../../core/account.ts";
import {
  EAGAIN,
  ECONNREFUSED,
  ECONNRESET,
  EINVAL,
  EISCONN,
  ENOTCONN,
  EPERM,
  EPIPE,
  EPROTOTYPE,
} from "../../../ffi/abi/errno.ts";
import type { IoCursor } from "../../mm/io_cursor.ts";
import { Backlog } from "../backlog.ts";
import { releaseFilter } from "../filter_options.ts";
import type { Message, SocketAddress, SocketCaller } from "../message.ts";
import type { Socket } from "../socket.ts";
import { Inode } from "../../vfs/inode.ts";
import { findSocket, isOutOfScope } from "./find_socket.ts";
import { nameOf } from "./unix_names.ts";
import { callerCredentials, shutsReading, shutsWriting, UnixSocket } from "./unix_socket.ts";

export const WRITABLE: number = POLLOUT | POLLWRNORM | POLLWRBAND;
export const READABLE: number = POLLIN | POLLRDNORM;

export abstract class ConnectionSocket extends UnixSocket {
  /** The peer; kept after the peer is closed. */
  peer: ConnectionSocket | null = null;
  /** Connections that wait for accept(2); null: not listening. */
  private backlog: Backlog<ConnectionSocket> | null = null;

  /** The server's end of a new connection, of the same kind; null: the host's end has none. */
  protected abstract newSocket(_account: Account): ConnectionSocket | null;
  /** Connects to a socket of the host at `inode`: 0 or -errno. */
  protected connectOutside(_inode: Inode, _name: string): number {
    return -ECONNREFUSED;
  }
  /** Bytes to receive. */
  abstract get incomingBytes(): number;
  /** Whether there are bytes or messages to receive. */
  protected abstract get hasIncoming(): boolean;
  /** Whether closing now loses data, which resets the peer. */
  protected get hasUnread(): boolean {
    return this.hasIncoming;
  }
  /** Whether an urgent byte waits. */
  protected get hasUrgent(): boolean {
    return false;
  }
  protected abstract freeIncoming(): void;
  /** Queues what `from` sends, at most `room` bytes: bytes taken, or -errno. */
  protected abstract deliver(
    from: ConnectionSocket,
    io: IoCursor,
    room: number,
    message: Message,
  ): number;

  override get peerSocket(): UnixSocket | null {
    return this.peer;
  }
  override get isListening(): boolean {
    return this.backlog !== null;
  }

  /** Connects two new sockets (socketpair(2)). */
  pairWith(other: ConnectionSocket, caller: SocketCaller): void {
    this.peer = other;
    other.peer = this;
    this.peerCredentials = other.peerCredentials = callerCredentials(caller);
  }

  override listen(caller: SocketCaller, backlog: number): number {
    if (this.name === "" || this.peer !== null) return -EINVAL;
    if (this.backlog === null) this.backlog = new Backlog();
    this.backlog.limit = backlog;
    this.peerCredentials = callerCredentials(caller);
    this.queue.wake(WRITABLE);
    return 0;
  }

  override connect(caller: SocketCaller, address: SocketAddress, _nonblocking: boolean): number {
    const name = nameOf(address);
    if (typeof name === "number") return name;
    if (name === "") return -EINVAL;
    if (this.options.wantsSender) {
      const r = this.autobind();
      if (r < 0) return r;
    }
    const other = findSocket(caller, this.names, name);
    if (typeof other === "number") return other;
    if (other instanceof Inode) return this.meetOutside(other, name);
    if (!(other instanceof ConnectionSocket) || other.type !== this.type) return -EPROTOTYPE;
    if (other.backlog === null || other.isReadShut) return -ECONNREFUSED;
    if (other.backlog.isFull) {
      this.blockedOn = other.queue;
      return -EAGAIN;
    }
    if (this.peer !== null) return -EISCONN;
    if (this.backlog !== null) return -EINVAL;
    if (isOutOfScope(caller, other)) return -EPERM;
    const server = this.newSocket(caller.account);
    if (server === null) return -ECONNREFUSED;
    server.name = other.name;
    server.options.inheritSender(other.options);
    server.peer = this;
    server.peerCredentials = callerCredentials(caller);
    this.peer = server;
    this.peerCredentials = other.peerCredentials;
    this.blockedOn = this.queue;
    other.backlog.push(server);
    other.queue.wake(READABLE);
    this.queue.wake(WRITABLE);
    return 0;
  }

  /** Whether the backlog has room. */
  protected get hasRoom(): boolean {
    return this.backlog !== null && !this.backlog.isFull;
  }

  /** Queues `server`, to which a program of the host is connected, for accept(2). */
  protected queueUp(server: ConnectionSocket): void {
    this.backlog?.push(server);
    this.queue.wake(READABLE);
  }

  private meetOutside(inode: Inode, name: string): number {
    const r = this.connectOutside(inode, name);
    if (r === 0) this.queue.wake(WRITABLE);
    return r;
  }

  override accept(account: Account): Socket | number {
    if (this.backlog === null || this.isReadShut) return -EINVAL;
    const server = this.backlog.shift();
    if (server === null) return -EAGAIN;
    server.chargeTo(account);
    this.queue.wake(WRITABLE);
    return server;
  }

  override send(io: IoCursor, message: Message): number {
    const { peer } = this;
    if (peer === null) return -ENOTCONN;
    if (this.isWriteShut || peer.isReadShut) return -EPIPE;
    const done = peer.deliver(this, io, this.options.sendBytes - peer.incomingBytes, message);
    if (done >= 0) peer.queue.wake(peer.hasUrgent ? READABLE | POLLPRI : READABLE);
    return done;
  }

  /** A receive from an empty queue: the pending error, 0 at the end, or -EAGAIN. */
  protected readEmptyQueue(): number {
    const error = this.takeError();
    if (error !== 0) return error;
    return this.isReadShut ? 0 : -EAGAIN;
  }

  /** The peer read bytes that this socket sent. */
  onPeerRead(before: number, after: number): void {
    const half = this.options.sendBytes / 2;
    if (before > half && after <= half) this.queue.wake(WRITABLE);
  }

  private get isWritable(): boolean {
    return this.peer === null || this.peer.incomingBytes * 2 <= this.options.sendBytes;
  }

  override onBufferSize(): void {
    this.queue.wake(WRITABLE);
  }

  override poll(): number {
    if (this.backlog !== null) return this.backlog.isEmpty ? 0 : READABLE;
    let bits = 0;
    if (this.error !== 0) bits |= POLLERR;
    if (this.isReadShut && this.isWriteShut) bits |= POLLHUP;
    if (this.isReadShut) bits |= POLLRDHUP | READABLE;
    if (this.hasIncoming) bits |= READABLE;
    if (this.hasUrgent) bits |= POLLPRI;
    if (this.peer === null) bits |= POLLHUP;
    if (this.isWritable) bits |= WRITABLE;
    return bits;
  }

  override shutdown(how: number): number {
    const { peer } = this;
    this.close(shutsReading(how), shutsWriting(how));
    if (peer !== null) peer.close(shutsWriting(how), shutsReading(how));
    return 0;
  }

  /** Called when the peer is closed. */
  hangUp(): void {
    this.close(true, true);
  }

  protected close(reading: boolean, writing: boolean): void {
    if (reading) this.isReadShut = true;
    if (writing) this.isWriteShut = true;
    let bits = 0;
    if (this.isReadShut) bits |= READABLE | POLLRDHUP;
    if (this.isWriteShut) bits |= WRITABLE;
    if (this.isReadShut && this.isWriteShut) bits |= POLLHUP;
    this.queue.wake(bits);
  }

  override get unsentBytes(): number {
    return this.peer === null ? 0 : this.peer.incomingBytes;
  }

  /** Close: the peer reads what is left and then the end; unread bytes here reset it. */
  protected override release(): void {
    this.unbind();
    releaseFilter(this);
    const { peer, backlog } = this;
    this.isReadShut = this.isWriteShut = true;
    if (peer !== null) {
      if (this.hasUnread) peer.error = ECONNRESET;
      peer.close(true, true);
    }
    this.freeIncoming();
    this.queue.wake(POLLHUP | READABLE | WRITABLE);
    let server = backlog === null ? null : backlog.shift();
    for (; server !== null; server = backlog!.shift()) {
      if (server.peer !== null) server.peer.error = ECONNRESET;
      server.drop();
    }
    this.net.shared.rights.collect();
  }
}
