/**
 * The far end of a connection to a UNIX socket of the host (--host-uds). Bytes that the guest's
 * socket sends go to a connected host descriptor, and bytes from there are delivered to it. For the
 * guest's socket it is a peer like any other; it is in no descriptor table.
 *
 * DIFFERS: descriptors and urgent bytes cannot be sent (EOPNOTSUPP), and SO_PEERCRED has no
 * process.
 */

import { POLLIN, POLLOUT, POLLRDHUP } from "../../../ffi/abi/poll.ts";
import { PAGE_SIZE } from "../../../ffi/abi/mman.ts";
import type { Account } from "../../core/account.ts";
import { EAGAIN, ECONNRESET, EINVAL, EOPNOTSUPP } from "../../../ffi/abi/errno.ts";
import { EPOLLET } from "../../../ffi/abi/epoll.ts";
import { MSG_OOB, SHUT_WR, SOCK_STREAM } from "../../../ffi/abi/socket.ts";
import { Waiter } from "../../core/wait.ts";
import { ByteRing } from "../../ipc/byte_ring.ts";
import { KernelCursor } from "../../mm/cursor.ts";
import type { IoCursor } from "../../mm/io_cursor.ts";
import { Message, PeerCredentials } from "../message.ts";
import type { NetNamespace } from "../net_namespace.ts";
import { ConnectionSocket } from "./connection.ts";
import type { AbstractNames } from "./unix_names.ts";

/** LIMIT: bytes queued for the host, and bytes of one read from it. */
const MAX_BYTES = 1 << 20, READ_PAGES = 16;
const EVENTS = POLLIN | POLLOUT | POLLRDHUP;
/** The overflow ids: a process of the host has no number in the sandbox. */
const UNKNOWN_PEER = new PeerCredentials(0, 65534, 65534, []);

const cursor = new KernelCursor();
const plain = new Message();

export class HostEnd extends ConnectionSocket {
  private readonly fd: number;
  private readonly outgoing: ByteRing;
  /** The host has more bytes, and the guest's socket has no room. */
  private isHeldUp: boolean = false;
  /** The host's socket was shut down for writing. */
  private isShutDown: boolean = false;
  private isClosed: boolean = false;

  /** Takes over `fd`, which is connected and non-blocking. */
  constructor(account: Account, net: NetNamespace, names: AbstractNames, fd: number, name: string) {
    super(account, net, names, SOCK_STREAM);
    this.fd = fd;
    this.name = name;
    this.outgoing = new ByteRing(net.frames, MAX_BYTES);
  }

  /** Its program of the host is there, or was when it was last asked. */
  get isConnected(): boolean {
    return !this.isClosed;
  }
  /** The file of the connection, for texts. */
  get fileName(): string {
    return this.name === "" ? this.peer?.name ?? "" : this.name;
  }

  /** The program of the host is not connected to this copy. */
  breakOff(): void {
    this.isClosed = true;
    this.fail(-ECONNRESET);
    this.drop();
  }

  /** Becomes the peer of a socket that has none. */
  connectTo(guest: ConnectionSocket): void {
    this.peer = guest;
    guest.peer = this;
    guest.peerCredentials = UNKNOWN_PEER;
    this.net.host.watch(this.fd, EVENTS + EPOLLET, new HostEndWatch(this));
    this.fetch();
  }

  protected override newSocket(): ConnectionSocket | null {
    return null;
  }
  override get incomingBytes(): number {
    return this.outgoing.length;
  }
  protected override get hasIncoming(): boolean {
    return false;
  }
  protected override freeIncoming(): void {
    this.outgoing.free();
  }
  override receive(_io: IoCursor, _message: Message): number {
    return -EINVAL;
  }

  /** The guest sends: queue the bytes for the host. */
  protected override deliver(
    _from: ConnectionSocket,
    io: IoCursor,
    room: number,
    message: Message,
  ): number {
    if (message.rights !== null || (message.flags & MSG_OOB) !== 0) return -EOPNOTSUPP;
    if (io.remaining === 0) return 0;
    const fits = Math.min(io.remaining, room, this.outgoing.room);
    if (fits <= 0) return -EAGAIN;
    const done = this.outgoing.put(io, fits);
    if (done > 0) this.flush();
    return done;
  }

  /** The host reports events of the descriptor. */
  onHostEvents(): void {
    this.flush();
    this.fetch();
  }

  /** Writes queued bytes until the host takes no more. */
  private flush(): void {
    if (this.isClosed) return;
    const { outgoing, peer } = this, { host } = this.net;
    const before = outgoing.length;
    while (outgoing.length > 0) {
      const n = host.write(this.fd, outgoing.frontAddress, outgoing.frontRun);
      if (n === -EAGAIN) break;
      if (n <= 0) {
        this.fail(n);
        return;
      }
      outgoing.skip(n);
    }
    if (outgoing.length < before) peer?.onPeerRead(before, outgoing.length);
    if (outgoing.length === 0) this.conclude();
  }

  /** Read from the host until the guest's socket has no room. */
  private fetch(): void {
    const { peer } = this, { host, frames } = this.net;
    if (peer === null || this.isClosed || this.isWriteShut) return;
    const frame = frames.alloc(READ_PAGES);
    if (frame < 0) return;
    const address = frames.arena.base + frame;
    this.isHeldUp = false;
    for (;;) {
      const room = this.options.sendBytes - peer.incomingBytes;
      if (room <= 0) {
        this.isHeldUp = true;
        break;
      }
      const n = host.read(this.fd, address, Math.min(room, READ_PAGES * PAGE_SIZE));
      if (n === -EAGAIN) break;
      if (n <= 0) {
        if (n < 0) this.fail(n);
        else this.shutdown(SHUT_WR);
        break;
      }
      plain.reset(0);
      if (this.send(cursor.set(address, n), plain) < 0) break;
    }
    frames.release(frame, READ_PAGES);
  }

  override onPeerRead(before: number, after: number): void {
    super.onPeerRead(before, after);
    if (this.isHeldUp) this.fetch();
  }

  private fail(error: number): void {
    if (this.peer !== null) this.peer.error = error === 0 ? ECONNRESET : -error;
    this.outgoing.free();
    this.close(true, true);
    this.peer?.hangUp();
  }

  /**
   * The guest shuts down or closes its socket: the host's socket is shut down once the queue is
   * empty.
   */
  protected override close(reading: boolean, writing: boolean): void {
    super.close(reading, writing);
    if (this.outgoing.length === 0) this.conclude();
  }

  private conclude(): void {
    const { host } = this.net;
    if (this.isClosed) return;
    if (this.isReadShut && this.isWriteShut) {
      this.isClosed = true;
      host.unwatch(this.fd);
      host.close(this.fd);
      this.drop();
    } else if (this.isReadShut && !this.isShutDown) {
      this.isShutDown = true;
      host.shutdown?.(this.fd, SHUT_WR);
    }
  }
}

export class HostEndWatch extends Waiter {
  private readonly end: HostEnd;

  constructor(end: HostEnd) {
    super();
    this.end = end;
  }

  override onWake(_events: number): void {
    this.end.onHostEvents();
  }
}
