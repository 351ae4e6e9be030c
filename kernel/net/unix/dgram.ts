/**
 * SOCK_DGRAM of unix(7): reliable and in order. Senders wait while the receiver's queue is full. A
 * socket that is connected to the receiver is woken on its own queue when there is room again.
 */

import { POLLERR, POLLHUP, POLLRDHUP } from "../../../ffi/abi/poll.ts";
import type { Account } from "../../core/account.ts";
import {
  EAGAIN,
  ECONNREFUSED,
  EMSGSIZE,
  ENOTCONN,
  EOPNOTSUPP,
  EPERM,
  EPIPE,
  EPROTOTYPE,
} from "../../../ffi/abi/errno.ts";
import { AF_UNSPEC, MSG_OOB, SOCK_DGRAM } from "../../../ffi/abi/socket.ts";
import type { IoCursor } from "../../mm/io_cursor.ts";
import { Datagram, DatagramQueue } from "../datagram_queue.ts";
import { releaseFilter } from "../filter_options.ts";
import type { Message, SocketAddress, SocketCaller } from "../message.ts";
import type { NetNamespace } from "../net_namespace.ts";
import { READABLE, WRITABLE } from "./connection.ts";
import { Inode } from "../../vfs/inode.ts";
import { findSocket, isOutOfScope } from "./find_socket.ts";
import { MESSAGE_OVERHEAD } from "./seqpacket.ts";
import { type AbstractNames, nameBytes, nameOf } from "./unix_names.ts";
import { callerCredentials, shutsReading, shutsWriting, UnixSocket } from "./unix_socket.ts";

/** net.unix.max_dgram_qlen where there are no settings. */
const MAX_MESSAGES = 10;

export class UnixDgram extends UnixSocket {
  /** The destination of messages without an address, and the only accepted sender. */
  private peer: UnixDgram | null = null;
  private isClosed: boolean = false;
  /** Sockets that are connected to this one. */
  private readonly senders: Set<UnixDgram> = new Set();
  private readonly incoming: DatagramQueue;
  /** The most messages in the queue; the setting as it was when the socket was made. */
  private readonly maxMessages: number;

  constructor(account: Account, net: NetNamespace, names: AbstractNames) {
    super(account, net, names, SOCK_DGRAM);
    this.incoming = new DatagramQueue(net.frames, this.account);
    this.maxMessages = net.number("net/unix/max_dgram_qlen", MAX_MESSAGES);
  }

  override get peerSocket(): UnixSocket | null {
    return this.peer;
  }

  pairWith(other: UnixDgram, caller: SocketCaller): void {
    this.setPeer(other);
    other.setPeer(this);
    this.peerCredentials = other.peerCredentials = callerCredentials(caller);
  }

  private setPeer(peer: UnixDgram | null): void {
    if (this.peer !== null) this.peer.senders.delete(this);
    this.peer = peer;
    if (peer !== null) peer.senders.add(this);
  }

  /** Sets the peer; AF_UNSPEC removes it. */
  override connect(caller: SocketCaller, address: SocketAddress, _nonblocking: boolean): number {
    if (address.family === AF_UNSPEC) {
      this.setPeer(null);
      this.queue.wake(WRITABLE);
      return 0;
    }
    const other = this.find(caller, address);
    if (typeof other === "number") return other;
    if (this.options.wantsSender) {
      const r = this.autobind();
      if (r < 0) return r;
    }
    if (other.peer !== null && other.peer !== this) return -EPERM;
    this.setPeer(other);
    this.queue.wake(WRITABLE);
    return 0;
  }

  private find(caller: SocketCaller, address: SocketAddress): UnixDgram | number {
    const name = nameOf(address);
    if (typeof name === "number") return name;
    if (name === "") return -ECONNREFUSED;
    const other = findSocket(caller, this.names, name);
    if (typeof other === "number") return other;
    if (other instanceof Inode) return -ECONNREFUSED;
    if (!(other instanceof UnixDgram)) return -EPROTOTYPE;
    return other !== this.peer && isOutOfScope(caller, other) ? -EPERM : other;
  }

  override send(io: IoCursor, message: Message): number {
    if ((message.flags & MSG_OOB) !== 0) return -EOPNOTSUPP;
    if (message.name.length === 0 && this.peer === null) return -ENOTCONN;
    const length = io.remaining;
    if (length > this.options.sendBytes - MESSAGE_OVERHEAD) return -EMSGSIZE;
    if (this.isWriteShut) return -EPIPE;
    const to = this.destination(message);
    if (typeof to === "number") return to;
    if (this.options.wantsSender) this.autobind();
    const kept = to.passFilter(io);
    if (kept === null) return length;
    if (typeof kept === "number") return kept;
    if (to.isReadShut) return -EPIPE;
    if (to.incoming.count > to.maxMessages || to.isOverfull(length, this)) {
      this.blockedOn = to.queue;
      return -EAGAIN;
    }
    const datagram = new Datagram(kept.remaining, nameBytes(this.name));
    datagram.credentials = this.credentialsFor(message, to);
    const r = to.incoming.push(kept, datagram);
    if (r < 0) return r;
    datagram.rights = this.net.shared.rights.send(message, to);
    message.rights = null;
    to.queue.wake(READABLE);
    return length;
  }

  private isOverfull(length: number, sender: UnixDgram): boolean {
    return this.incoming.count > 0 && this.incoming.charge + length > sender.options.sendBytes;
  }

  /**
   * The addressed socket, or the peer. -ENOTCONN, -ECONNREFUSED; -EPERM: it is connected to another
   * socket.
   */
  private destination(message: Message): UnixDgram | number {
    let to = this.peer;
    if (message.name.length > 0) {
      if (message.caller === null) return -ENOTCONN;
      const other = this.find(message.caller, message.name);
      if (typeof other === "number") return other;
      to = other;
    }
    if (to === null) return -ENOTCONN;
    if (to.isClosed) {
      if (to === this.peer) this.setPeer(null);
      return -ECONNREFUSED;
    }
    return to.peer !== null && to.peer !== this ? -EPERM : to;
  }

  override receive(io: IoCursor, message: Message): number {
    if ((message.flags & MSG_OOB) !== 0) return -EOPNOTSUPP;
    const { incoming } = this;
    if (incoming.count === 0) {
      const error = this.takeError();
      if (error !== 0) return error;
      return this.isReadShut ? 0 : -EAGAIN;
    }
    const { count, firstLength } = incoming;
    const n = incoming.pull(io, message);
    if (incoming.count !== count) {
      this.wakeSenders();
      // The whole message is gone, even if it did not fit.
      if (n >= 0) this.movePeekOffset(false, firstLength - n);
    }
    return n;
  }

  private wakeSenders(): void {
    this.queue.wake(WRITABLE);
    for (const sender of this.senders) if (sender !== this) sender.queue.wake(WRITABLE);
  }

  private get isPeerFull(): boolean {
    const { peer } = this;
    return peer !== null && !peer.isClosed && peer.incoming.count > peer.maxMessages;
  }

  override poll(): number {
    let bits = 0;
    if (this.error !== 0) bits |= POLLERR;
    if (this.isReadShut) bits |= POLLRDHUP | READABLE;
    if (this.isReadShut && this.isWriteShut) bits |= POLLHUP;
    if (this.incoming.count > 0) bits |= READABLE;
    if (!this.isPeerFull) bits |= WRITABLE;
    return bits;
  }

  override shutdown(how: number): number {
    if (shutsReading(how)) this.isReadShut = true;
    if (shutsWriting(how)) this.isWriteShut = true;
    this.queue.wake(0);
    this.wakeSenders();
    return 0;
  }

  override get pendingBytes(): number {
    return this.incoming.firstLength;
  }

  protected override release(): void {
    this.unbind();
    releaseFilter(this);
    this.isClosed = true;
    this.incoming.free();
    for (const sender of this.senders) sender.queue.wake(WRITABLE);
    this.setPeer(null);
    this.queue.wake(WRITABLE);
    this.net.shared.rights.collect();
  }
}
