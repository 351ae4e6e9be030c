/**
 * Base class of ping sockets and raw sockets (icmp(7), raw(7)): sendmsg(2) of one message, and a
 * queue of received ones. Subclasses: icmp/ping_socket.ts, raw_socket.ts.
 */

import { POLLIN, POLLOUT, POLLRDNORM, POLLWRBAND, POLLWRNORM } from "../../../../ffi/abi/poll.ts";
import type { Account } from "../../../core/account.ts";
import {
  EAGAIN,
  EDESTADDRREQ,
  EFAULT,
  EMSGSIZE,
  ENOTCONN,
  EOPNOTSUPP,
} from "../../../../ffi/abi/errno.ts";
import { MSG_OOB, SHUT_RD, SHUT_WR } from "../../../../ffi/abi/socket.ts";
import { stringToBytes } from "../../../core/bytes.ts";
import type { IoCursor } from "../../../mm/io_cursor.ts";
import { BytesCursor } from "../../bytes_cursor.ts";
import { Datagram, DatagramQueue } from "../../datagram_queue.ts";
import { keptBytes, PacketView } from "../../filter.ts";
import { releaseFilter } from "../../filter_options.ts";
import type { Link } from "../../link/link.ts";
import { type Message, SocketAddress, type SocketCaller } from "../../message.ts";
import type { NetNamespace } from "../../net_namespace.ts";
import { Endpoint, endpointOf, putEndpoint } from "../address.ts";
import type { HeaderOptions } from "../ip/header_options.ts";
import { InetSocket } from "../inet_socket.ts";
import type { PortTable } from "../ports.ts";

/** Largest packet, and largest message in one. */
const MAX_PACKET = 65535, MAX_MESSAGE = MAX_PACKET - 20;
const cursor = new BytesCursor();
const view = new PacketView();
const scratch = new SocketAddress();

export abstract class MessageSocket extends InetSocket {
  private readonly incoming: DatagramQueue;

  constructor(
    account: Account,
    net: NetNamespace,
    ports: PortTable,
    family: number,
    type: number,
    protocol: number,
    uid: number,
  ) {
    super(account, net, ports, family, type, protocol, uid);
    this.incoming = new DatagramQueue(net.frames, this.account);
  }

  /** Whether messages of the guest begin with an IP header. */
  get includesHeader(): boolean {
    return false;
  }

  override get takesFilters(): boolean {
    return true;
  }

  override conflictsWith(_other: InetSocket): boolean {
    return true;
  }

  /** Sends a message from `source` to `to`: 0 or -errno. */
  protected abstract sendMessage(
    bytes: Uint8Array<ArrayBuffer>,
    source: string,
    to: Endpoint,
    message: Message,
  ): number;

  override connect(_caller: SocketCaller, address: SocketAddress, _nonblocking: boolean): number {
    const to = endpointOf(address, this.family, true, false);
    return typeof to === "number" ? to : this.associate(to, false);
  }

  override send(io: IoCursor, message: Message): number {
    const length = io.remaining;
    if (length > (this.includesHeader ? MAX_PACKET : MAX_MESSAGE)) return -EMSGSIZE;
    if ((message.flags & MSG_OOB) !== 0) return -EOPNOTSUPP;
    let to = this.remote;
    if (message.name.length > 0) {
      const given = endpointOf(message.name, this.family, false, false);
      if (!(given instanceof Endpoint)) return given ?? -EDESTADDRREQ;
      const route = this.routeDatagram(given, message.header);
      if (typeof route === "number") return route;
      to = route;
    }
    if (to === null) return -EDESTADDRREQ;
    message.header.link ||= to.scope;
    const bytes = new Uint8Array(Math.max(length, 128)).subarray(0, length);
    if (length > 0 && io.takeBytes(bytes, 0, length) < length) return -EFAULT;
    const r = this.sendMessage(bytes, this.sourceAddress(to.address, message.header), to, message);
    return r < 0 ? r : length;
  }

  /** Queues a received message; `hops` and `trafficClass` are those of its packet. */
  deliver(
    bytes: Uint8Array<ArrayBuffer>,
    from: string,
    to: string,
    hops: number,
    trafficClass: number,
    link: Link | null = null,
    headerOptions: HeaderOptions = null,
  ): void {
    const { incoming, options } = this;
    if (options.filter !== null) {
      bytes = bytes.subarray(0, keptBytes(options.filter, view.plain(this.net.host, bytes)));
      if (bytes.length === 0) return;
    }
    if (incoming.count > 0 && incoming.charge + bytes.length > options.receiveBytes) return;
    const index = link?.index ?? 0;
    putEndpoint(new Endpoint(from, 0).on(index), this.family, scratch);
    const datagram = new Datagram(bytes.length, scratch.u8.slice(0, scratch.length));
    datagram.to = stringToBytes(to);
    datagram.link = index;
    datagram.hops = hops;
    datagram.trafficClass = trafficClass;
    datagram.options = headerOptions;
    this.stamp(datagram);
    const r = incoming.push(cursor.set(bytes, bytes.length), datagram);
    if (r === 0) this.queue.wake(POLLIN | POLLRDNORM);
  }

  override receive(io: IoCursor, message: Message): number {
    if ((message.flags & MSG_OOB) !== 0) return -EOPNOTSUPP;
    if (this.error !== 0) return this.takeError();
    if (this.incoming.count === 0) return this.isReadShut ? 0 : -EAGAIN;
    return this.incoming.pull(io, message);
  }

  override poll(): number {
    let bits = POLLOUT | POLLWRNORM | POLLWRBAND | this.errorBits;
    if (this.incoming.count > 0 || this.isReadShut) bits |= POLLIN | POLLRDNORM;
    return bits;
  }

  override shutdown(how: number): number {
    if (how !== SHUT_WR) this.isReadShut = true;
    if (how !== SHUT_RD) this.isWriteShut = true;
    this.queue.wake(0);
    return this.remote === null ? -ENOTCONN : 0;
  }

  override get pendingBytes(): number {
    return this.incoming.firstLength;
  }

  protected override release(): void {
    this.incoming.free();
    this.errors?.free();
    this.unanswered?.forget();
    this.groups?.leaveAll();
    releaseFilter(this);
    this.releasePort();
  }
}
