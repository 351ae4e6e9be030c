/** SOCK_STREAM of unix(7). DIFFERS: no out-of-band bytes (MSG_OOB). */

import { EAGAIN, EINVAL, EISCONN, EOPNOTSUPP } from "../../../ffi/abi/errno.ts";
import { MSG_OOB, SOCK_STREAM } from "../../../ffi/abi/socket.ts";
import type { IoCursor } from "../../mm/io_cursor.ts";
import type { Message } from "../message.ts";
import type { Inode } from "../../vfs/inode.ts";
import type { NetNamespace } from "../net_namespace.ts";
import { ConnectionSocket } from "./connection.ts";
import { HostEnd } from "./host_end.ts";
import { StreamQueue } from "./stream_queue.ts";
import { type AbstractNames, putName } from "./unix_names.ts";

export class UnixStream extends ConnectionSocket {
  private readonly incoming: StreamQueue;

  constructor(net: NetNamespace, names: AbstractNames) {
    super(net, names, SOCK_STREAM);
    this.incoming = new StreamQueue(net.frames, this);
  }

  protected override connectOutside(inode: Inode, name: string): number {
    const fd = inode.connectHost();
    if (fd < 0) return fd;
    if (this.peer !== null || this.isListening) {
      this.net.host.close(fd);
      return this.peer !== null ? -EISCONN : -EINVAL;
    }
    new HostEnd(this.net, this.names, fd, name).meet(this);
    return 0;
  }

  protected override newSocket(): ConnectionSocket {
    return new UnixStream(this.net, this.names);
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
    return this.incoming.length >= this.options.receiveLowWater;
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
    const done = this.incoming.put(io, Math.min(io.remaining, room), credentials, message.rights);
    if (done > 0) message.rights = null;
    return done;
  }

  override receive(io: IoCursor, message: Message): number {
    if ((message.flags & MSG_OOB) !== 0) return -EOPNOTSUPP;
    const { peer, incoming } = this, before = incoming.length;
    if (peer === null) return -EINVAL;
    if (before <= message.skipped) return this.nothing();
    if (message.caller !== null && peer.name !== "") putName(peer.name, message.name);
    const n = incoming.pull(io, message, this.options.passCredentials);
    if (incoming.length !== before) peer.onPeerRead(before, incoming.length);
    return n;
  }
}
