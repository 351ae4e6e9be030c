/** SOCK_STREAM of unix(7), with urgent bytes (MSG_OOB, SO_OOBINLINE, SIOCATMARK). */

import type { Account } from "../../core/account.ts";
import { EAGAIN, EINVAL, EISCONN, EOPNOTSUPP } from "../../../ffi/abi/errno.ts";
import { MSG_OOB, SOCK_STREAM } from "../../../ffi/abi/socket.ts";
import type { IoCursor } from "../../mm/io_cursor.ts";
import type { Message, SocketCaller } from "../message.ts";
import type { Inode } from "../../vfs/inode.ts";
import type { NetNamespace } from "../net_namespace.ts";
import { ConnectionSocket } from "./connection.ts";
import type { Socket } from "../socket.ts";
import { type HostAcceptor, HostListener } from "./host_listener.ts";
import { HostEnd } from "./host_end.ts";
import { StreamQueue } from "./stream_queue.ts";
import { type AbstractNames, putName } from "./unix_names.ts";

export class UnixStream extends ConnectionSocket implements HostAcceptor {
  private readonly incoming: StreamQueue;
  /** The listener for programs of the host; null: they cannot connect. */
  private outside: HostListener | null = null;

  constructor(account: Account, net: NetNamespace, names: AbstractNames) {
    super(account, net, names, SOCK_STREAM);
    this.incoming = new StreamQueue(net.frames, this);
  }

  protected override connectOutside(inode: Inode, name: string): number {
    const fd = inode.connectHost();
    if (fd < 0) return fd;
    if (this.peer !== null || this.isListening) {
      this.net.host.close(fd);
      return this.peer !== null ? -EISCONN : -EINVAL;
    }
    new HostEnd(this.account, this.net, this.names, fd, name).connectTo(this);
    return 0;
  }

  protected override get mayListen(): boolean {
    return true;
  }

  protected override onBound(inode: Inode): void {
    const fd = inode.takeListener();
    if (fd >= 0) this.outside = new HostListener(this.net.host, fd, this);
  }

  override listen(caller: SocketCaller, backlog: number): number {
    const r = super.listen(caller, backlog);
    if (r === 0) this.onHostConnection();
    return r;
  }

  override accept(account: Account): Socket | number {
    const r = super.accept(account);
    // The backlog may have been full before.
    if (typeof r !== "number") this.onHostConnection();
    return r;
  }

  onHostConnection(): void {
    const { outside } = this;
    if (outside === null) return;
    while (this.hasRoom) {
      const fd = outside.accept();
      if (fd < 0) {
        outside.await();
        return;
      }
      const server = new UnixStream(this.account, this.net, this.names);
      server.name = this.name;
      server.options.inheritSender(this.options);
      new HostEnd(this.account, this.net, this.names, fd, "").connectTo(server);
      this.queueUp(server);
    }
  }

  protected override release(): void {
    this.outside?.close();
    this.outside = null;
    super.release();
  }

  override chargeTo(account: Account): void {
    super.chargeTo(account);
    this.incoming.chargeTo(account);
  }
  protected override newSocket(account: Account): ConnectionSocket {
    return new UnixStream(account, this.net, this.names);
  }
  override get writesAll(): boolean {
    return true;
  }
  override get incomingBytes(): number {
    return this.incoming.length;
  }
  override get pendingBytes(): number {
    return this.incoming.length;
  }
  protected override get hasIncoming(): boolean {
    return !this.incoming.isEmpty;
  }
  protected override get hasUnread(): boolean {
    return this.incoming.isUnread;
  }
  protected override get hasUrgent(): boolean {
    return this.incoming.hasUrgent;
  }
  override get urgentReceiver(): UnixStream | null {
    const { peer } = this;
    return peer instanceof UnixStream && peer.incoming.endsUrgent ? peer : null;
  }
  override get atMark(): number {
    return this.incoming.isAtMark ? 1 : 0;
  }
  protected override freeIncoming(): void {
    this.incoming.free();
  }

  protected override deliver(
    from: ConnectionSocket,
    io: IoCursor,
    room: number,
    message: Message,
  ): number {
    if (io.remaining === 0) return 0;
    if (room <= 0) return -EAGAIN;
    const credentials = from.credentialsFor(message, this);
    // The last byte is urgent and is sent apart.
    const ordinary = io.remaining - ((message.flags & MSG_OOB) !== 0 ? 1 : 0);
    const done = ordinary > 0
      ? this.incoming.put(io, Math.min(ordinary, room), credentials, message)
      : this.incoming.putUrgent(io, credentials, message);
    if (done > 0) message.rights = null;
    return done;
  }

  override send(io: IoCursor, message: Message): number {
    if ((message.flags & MSG_OOB) !== 0 && io.remaining === 0) return -EOPNOTSUPP;
    if (message.name.length > 0) return this.peer === null ? -EOPNOTSUPP : -EISCONN;
    return super.send(io, message);
  }

  override receive(io: IoCursor, message: Message): number {
    const { peer, incoming, options } = this, before = incoming.length;
    if (peer === null) return -EINVAL;
    let n: number;
    if ((message.flags & MSG_OOB) === 0) {
      n = incoming.pull(io, message, options.wantsSender, options.outOfBandInline);
      if (n === -EAGAIN) return this.readEmptyQueue();
      if (message.caller !== null && peer.name !== "") putName(peer.name, message.name);
    } else n = options.outOfBandInline ? -EINVAL : incoming.pullUrgent(io, message);
    if (incoming.length !== before) peer.onPeerRead(before, incoming.length);
    return n;
  }
}
