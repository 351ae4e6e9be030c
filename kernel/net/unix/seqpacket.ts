/** SOCK_SEQPACKET of unix(7): connections with message boundaries. */

import type { Account } from "../../core/account.ts";
import { EAGAIN, EMSGSIZE, ENOTCONN, EOPNOTSUPP } from "../../../ffi/abi/errno.ts";
import { MSG_OOB, SOCK_SEQPACKET } from "../../../ffi/abi/socket.ts";
import type { IoCursor } from "../../mm/io_cursor.ts";
import { Datagram, DatagramQueue } from "../datagram_queue.ts";
import type { Message } from "../message.ts";
import type { NetNamespace } from "../net_namespace.ts";
import { ConnectionSocket } from "./connection.ts";
import { type AbstractNames, nameBytes } from "./unix_names.ts";

/** The largest message is this much shorter than SO_SNDBUF. */
export const MESSAGE_OVERHEAD = 32;

export class UnixSeqpacket extends ConnectionSocket {
  private readonly incoming: DatagramQueue;

  constructor(account: Account, net: NetNamespace, names: AbstractNames) {
    super(account, net, names, SOCK_SEQPACKET);
    this.incoming = new DatagramQueue(net.frames, this.account);
  }

  override chargeTo(account: Account): void {
    super.chargeTo(account);
    this.incoming.chargeTo(account);
  }
  protected override newSocket(account: Account): ConnectionSocket {
    return new UnixSeqpacket(account, this.net, this.names);
  }
  override get incomingBytes(): number {
    return this.incoming.charge;
  }
  override get pendingBytes(): number {
    return this.incoming.bytes;
  }
  protected override get hasIncoming(): boolean {
    return this.incoming.count > 0;
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
    if ((message.flags & MSG_OOB) !== 0) return -EOPNOTSUPP;
    const length = io.remaining;
    if (length > from.options.sendBytes - MESSAGE_OVERHEAD) return -EMSGSIZE;
    const kept = this.passFilter(io);
    if (kept === null) return length;
    if (typeof kept === "number") return kept;
    if (room < length || room <= 0) return -EAGAIN;
    if (from.options.wantsSender) from.autobind();
    const datagram = new Datagram(kept.remaining, nameBytes(from.name));
    datagram.credentials = from.credentialsFor(message, this);
    const r = this.incoming.push(kept, datagram);
    if (r < 0) return r;
    datagram.rights = this.net.shared.rights.send(message, this);
    message.rights = null;
    return length;
  }

  override receive(io: IoCursor, message: Message): number {
    const { peer, incoming } = this, before = incoming.charge;
    if (peer === null) return -ENOTCONN;
    if ((message.flags & MSG_OOB) !== 0) return -EOPNOTSUPP;
    if (this.error !== 0) return this.takeError();
    if (incoming.count === 0) return this.readEmptyQueue();
    const { firstLength } = incoming, n = incoming.pull(io, message);
    if (incoming.charge === before) return n;
    peer.onPeerRead(before, incoming.charge);
    // The whole message is gone, even if it did not fit.
    if (n >= 0) this.movePeekOffset(false, firstLength - n);
    return n;
  }
}
