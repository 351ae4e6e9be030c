/**
 * AF_NETLINK sockets (netlink(7)): a request to the kernel is answered at once, into the socket's own queue. Protocols:
 * NETLINK_ROUTE (the transport answers), NETLINK_SOCK_DIAG (sock_diag.ts), and NETLINK_KOBJECT_UEVENT, on which nothing
 * ever happens.
 */

import {
  EADDRINUSE,
  EAGAIN,
  ECONNREFUSED,
  EINVAL,
  EMSGSIZE,
  ENOBUFS,
  ENOPROTOOPT,
  EOPNOTSUPP,
} from "../../../ffi/abi/errno.ts";
import * as N from "../../../ffi/abi/netlink.ts";
import { AF_NETLINK, AF_UNSPEC, MSG_OOB, SOL_NETLINK } from "../../../ffi/abi/socket.ts";
import type { IoCursor } from "../../mm/io_cursor.ts";
import { POLLERR, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM } from "../../vfs/open_file.ts";
import { BytesCursor } from "../bytes_cursor.ts";
import { Datagram, DatagramQueue } from "../datagram_queue.ts";
import type { Message, SocketCaller } from "../message.ts";
import { SocketAddress } from "../message.ts";
import type { NetNamespace } from "../net_namespace.ts";
import { Socket } from "../socket.ts";
import type { OptionValue } from "../socket_options.ts";
import type { PortIds } from "./port_ids.ts";
import { RouteRequest } from "./request.ts";
import { answerSockDiag } from "./sock_diag.ts";
import { NetlinkRequest, NetlinkWriter } from "./writer.ts";

/** LIMIT: bytes of one send. */
const MAX_REQUEST = 65536;
const HEADER = N.Nlmsghdr.size;
/** LIMIT: bytes of answers that nobody reads. */
const MAX_UNREAD = 8 << 20;
/** What Linux puts into one datagram of a dump (NLMSG_GOODSIZE); glibc has room for a page. */
const DATAGRAM_BYTES = 3776;
const cursor = new BytesCursor();
const writer = new NetlinkWriter();
const request = new NetlinkRequest();

export class NetlinkSocket extends Socket {
  private readonly ids: PortIds;
  /** Port id (nl_pid); 0: not bound. */
  portId: number = 0;
  private groups: number = 0;
  /** Options of SOL_NETLINK that are on, by number. */
  private readonly switches: Set<number> = new Set();
  private readonly incoming: DatagramQueue;

  constructor(net: NetNamespace, ids: PortIds, type: number, protocol: number) {
    super(net, AF_NETLINK, type, protocol);
    this.ids = ids;
    this.incoming = new DatagramQueue(net.frames);
  }

  override bind(caller: SocketCaller, address: SocketAddress): number {
    if (address.length < N.SockaddrNl.size || address.family !== AF_NETLINK) return -EINVAL;
    const pid = address.dv.getUint32(N.SockaddrNl.at.pid, true);
    this.groups = address.dv.getUint32(N.SockaddrNl.at.groups, true);
    if (this.portId !== 0) return pid === 0 || pid === this.portId ? 0 : -EINVAL;
    return this.takeId(pid === 0 ? this.ids.choose(caller.pid) : pid);
  }

  private takeId(id: number): number {
    if (!this.ids.take(id, this)) return -EADDRINUSE;
    this.portId = id;
    return 0;
  }

  override connect(caller: SocketCaller, address: SocketAddress): number {
    if (address.family === AF_UNSPEC) return 0;
    if (address.length < N.SockaddrNl.size || address.family !== AF_NETLINK) return -EINVAL;
    // Only the kernel can be talked to.
    if (address.dv.getUint32(N.SockaddrNl.at.pid, true) !== 0) return -ECONNREFUSED;
    return this.portId === 0 ? this.takeId(this.ids.choose(caller.pid)) : 0;
  }

  override localName(out: SocketAddress): number {
    this.putName(out, this.portId, this.groups);
    return 0;
  }
  override peerName(out: SocketAddress): number {
    this.putName(out, 0, 0);
    return 0;
  }
  private putName(out: SocketAddress, pid: number, groups: number): void {
    out.start(AF_NETLINK, N.SockaddrNl.size);
    out.dv.setUint32(N.SockaddrNl.at.pid, pid, true);
    out.dv.setUint32(N.SockaddrNl.at.groups, groups, true);
  }

  override send(io: IoCursor, message: Message): number {
    if ((message.flags & MSG_OOB) !== 0) return -EOPNOTSUPP;
    const { name, caller } = message, length = io.remaining;
    if (name.length > 0) {
      if (name.length < N.SockaddrNl.size || name.family !== AF_NETLINK) return -EINVAL;
      if (name.dv.getUint32(N.SockaddrNl.at.pid, true) !== 0) return -ECONNREFUSED;
    }
    if (length > Math.min(MAX_REQUEST, this.options.sendBytes - 32)) return -EMSGSIZE;
    if (this.portId === 0) {
      const r = this.takeId(this.ids.choose(caller?.pid ?? 1));
      if (r < 0) return r;
    }
    const u8 = new Uint8Array(Math.max(length, 128));
    const n = length === 0 ? 0 : io.takeBytes(u8, 0, length);
    if (n < 0) return n;
    if (this.protocol !== N.NETLINK_KOBJECT_UEVENT) this.answerAll(u8, n, caller);
    return length;
  }

  /** Every message of one send. */
  private answerAll(
    u8: Uint8Array<ArrayBuffer>,
    length: number,
    caller: SocketCaller | null,
  ): void {
    const dv = new DataView(u8.buffer);
    for (let at = 0; at + HEADER <= length;) {
      const size = dv.getUint32(at + N.Nlmsghdr.at.len, true);
      if (size < HEADER || at + size > length) return;
      request.type = dv.getUint16(at + N.Nlmsghdr.at.type, true);
      request.flags = dv.getUint16(at + N.Nlmsghdr.at.flags, true);
      request.seq = dv.getUint32(at + N.Nlmsghdr.at.seq, true);
      request.pid = this.portId;
      const isRequest = (request.flags & N.NLM_F_REQUEST) !== 0;
      if (isRequest && request.type >= N.NLMSG_MIN_TYPE) {
        const body = new DataView(u8.buffer, at + HEADER, size - HEADER);
        const mayDump = this.protocol !== N.NETLINK_ROUTE || isQuestion(request.type);
        this.answer(new RouteRequest(this.net, caller, request, body, mayDump), u8.subarray(at));
      } else if ((request.flags & N.NLM_F_ACK) !== 0) {
        writer.reset();
        writer.error(request, u8.subarray(at), 0);
        this.deliver();
      }
      at += (size + 3) & ~3;
    }
  }

  private answer(r: RouteRequest, header: Uint8Array<ArrayBuffer>): void {
    writer.reset();
    const { net } = this;
    const error = this.protocol === N.NETLINK_ROUTE
      ? net.transport.answerRoute(r, writer)
      : answerSockDiag(net, r, writer);
    if (error < 0) {
      writer.reset();
      writer.error(request, header, error);
    } else if (r.isDump) {
      writer.done(request);
    } else if ((request.flags & N.NLM_F_ACK) !== 0) {
      writer.error(request, header, 0);
    }
    this.deliver();
  }

  /** What the writer has, in datagrams that the small buffers of programs have room for. */
  private deliver(): void {
    const { u8, dv, length } = writer;
    for (let from = 0, at = 0; at < length;) {
      const next = at + ((dv.getUint32(at + N.Nlmsghdr.at.len, true) + 3) & ~3);
      const isFull = next < length &&
        next + dv.getUint32(next + N.Nlmsghdr.at.len, true) - from > DATAGRAM_BYTES;
      if (next >= length || isFull) {
        this.queueAnswer(u8.subarray(from, next), next - from);
        from = next;
      }
      at = next;
    }
  }

  /** One datagram from the kernel that nobody asked for. */
  tell(bytes: Uint8Array<ArrayBuffer>): void {
    this.queueFromKernel(bytes, bytes.length);
  }

  private queueFromKernel(bytes: Uint8Array<ArrayBuffer>, length: number): void {
    if (this.incoming.count > 0 && this.incoming.charge > this.options.receiveBytes) {
      this.error = ENOBUFS;
      this.queue.wake(POLLERR);
      return;
    }
    this.queueAnswer(bytes, length);
  }

  /** What was asked for may be more than SO_RCVBUF. */
  private queueAnswer(bytes: Uint8Array<ArrayBuffer>, length: number): void {
    if (this.incoming.bytes > MAX_UNREAD) {
      this.error = ENOBUFS;
      return;
    }
    this.putName(from, 0, 0);
    const datagram = new Datagram(length, from.u8.slice(0, from.length));
    this.incoming.push(cursor.set(bytes, length), datagram);
    this.queue.wake(POLLIN | POLLRDNORM);
  }

  override receive(io: IoCursor, message: Message): number {
    if ((message.flags & MSG_OOB) !== 0) return -EOPNOTSUPP;
    if (this.error !== 0) return this.takeError();
    return this.incoming.count === 0 ? -EAGAIN : this.incoming.pull(io, message);
  }

  override poll(): number {
    let bits = POLLOUT | POLLWRNORM;
    if (this.incoming.count > 0) bits |= POLLIN | POLLRDNORM;
    if (this.error !== 0) bits |= POLLERR;
    return bits;
  }

  override shutdown(_how: number): number {
    return -EOPNOTSUPP;
  }

  override setProtocolOption(level: number, name: number, value: OptionValue): number {
    if (level !== SOL_NETLINK) return -ENOPROTOOPT;
    if (!value.isInt) return -EINVAL;
    switch (name) {
      case N.NETLINK_ADD_MEMBERSHIP:
      case N.NETLINK_DROP_MEMBERSHIP: {
        const group = value.int;
        if (group < 1 || group > 32) return -EINVAL;
        const bit = 1 << (group - 1);
        this.groups = name === N.NETLINK_ADD_MEMBERSHIP ? this.groups | bit : this.groups & ~bit;
        return 0;
      }
      case N.NETLINK_PKTINFO:
      case N.NETLINK_BROADCAST_ERROR:
      case N.NETLINK_NO_ENOBUFS:
      case N.NETLINK_CAP_ACK:
      case N.NETLINK_EXT_ACK:
      case N.NETLINK_GET_STRICT_CHK:
        if (value.int !== 0) this.switches.add(name);
        else this.switches.delete(name);
        return 0;
      default:
        return -ENOPROTOOPT;
    }
  }

  override getProtocolOption(level: number, name: number, value: OptionValue): number {
    if (level !== SOL_NETLINK) return -ENOPROTOOPT;
    if (name === N.NETLINK_LIST_MEMBERSHIPS) return value.setInt(this.groups);
    const isKnown = name === N.NETLINK_PKTINFO || name === N.NETLINK_BROADCAST_ERROR ||
      name === N.NETLINK_NO_ENOBUFS || name === N.NETLINK_CAP_ACK || name === N.NETLINK_EXT_ACK ||
      name === N.NETLINK_GET_STRICT_CHK;
    return isKnown ? value.setBool(this.switches.has(name)) : -ENOPROTOOPT;
  }

  override get pendingBytes(): number {
    return this.incoming.firstLength;
  }

  protected override release(): void {
    this.incoming.free();
    if (this.portId !== 0) this.ids.release(this.portId);
  }
}

const from = new SocketAddress();

/** Of rtnetlink's types, which come in fours: NEW, DEL, GET, SET. */
function isQuestion(type: number): boolean {
  return (type & 3) === 2;
}
