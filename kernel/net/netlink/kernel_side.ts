/**
 * The kernel's side of netlink (netlink(7)): replies to each message of a send, by the protocol of
 * the socket: route.ts (through the transport), sock_diag.ts, generic.ts, proc_connector.ts.
 */

import { EBUSY, ENOBUFS, EOPNOTSUPP } from "../../../ffi/abi/errno.ts";
import * as N from "../../../ffi/abi/netlink.ts";
import type { Credentials } from "../../cred/credentials.ts";
import type { SocketCaller } from "../message.ts";
import type { Dump } from "./dump.ts";
import { answerGeneric } from "./generic.ts";
import type { NetlinkSocket } from "./netlink_socket.ts";
import { RouteRequest } from "./request.ts";
import { answerSockDiag } from "./sock_diag.ts";
import { NetlinkRequest, NetlinkWriter } from "./writer.ts";

const HEADER = N.Nlmsghdr.size;
/** Bytes of one datagram of a dump on Linux (NLMSG_GOODSIZE); glibc has room for a page. */
const DATAGRAM_BYTES = 3776;
const writer = new NetlinkWriter();

/** Whether the kernel replies to the socket's protocol. */
export function hasKernelSide({ net, protocol }: NetlinkSocket): boolean {
  if (protocol === N.NETLINK_CONNECTOR) return net.connector !== null;
  return protocol !== N.NETLINK_USERSOCK;
}

/** The sender of a message. */
export interface NetlinkAsker {
  readonly caller: SocketCaller | null;
  /** Credentials of the task that made the socket; null: not checked. */
  readonly opener: Credentials | null;
}

/** Reply to every message of one send; `u8` has at least `length` bytes. */
export function answerAll(
  socket: NetlinkSocket,
  u8: Uint8Array<ArrayBuffer>,
  length: number,
  asker: NetlinkAsker,
): void {
  const dv = new DataView(u8.buffer);
  if (socket.protocol === N.NETLINK_CONNECTOR) {
    return socket.net.connector?.receive(socket, asker.caller, dv, length);
  }
  // Events of devices that programs send have no receiver in the kernel.
  if (socket.protocol === N.NETLINK_KOBJECT_UEVENT) return;
  for (let at = 0; at + HEADER <= length;) {
    const size = dv.getUint32(at + N.Nlmsghdr.at.len, true);
    if (size < HEADER || at + size > length) return;
    answerOne(socket, asker, u8.subarray(at, at + size));
    at += (size + 3) & ~3;
  }
}

function answerOne(
  socket: NetlinkSocket,
  { caller, opener }: NetlinkAsker,
  message: Uint8Array<ArrayBuffer>,
): void {
  const dv = new DataView(message.buffer, message.byteOffset, message.length), { at } = N.Nlmsghdr;
  const request = new NetlinkRequest();
  request.type = dv.getUint16(at.type, true);
  request.flags = dv.getUint16(at.flags, true);
  request.seq = dv.getUint32(at.seq, true);
  request.pid = socket.portId;
  writer.reset();
  writer.reader = socket;
  const isRequest = (request.flags & N.NLM_F_REQUEST) !== 0 && request.type >= N.NLMSG_MIN_TYPE;
  const body = new DataView(dv.buffer, dv.byteOffset + HEADER, message.length - HEADER);
  const mayDump = socket.protocol !== N.NETLINK_ROUTE || isQuestion(request.type);
  const isStrict = socket.isOn(N.NETLINK_GET_STRICT_CHK);
  const r = new RouteRequest(socket.net, caller, opener, request, body, mayDump, isStrict);
  const isBusy = isRequest && r.isDump && socket.dump !== null;
  let error = isBusy ? -EBUSY : isRequest ? answer(socket, r) : 0;
  if (error >= 0 && r.dump !== null) return socket.startDump(r.dump);
  if (writer.isOverfull) error = -ENOBUFS;
  const isAsked = (request.flags & N.NLM_F_ACK) !== 0;
  if (error < 0) writer.reset();
  if (error >= 0 && isRequest && r.isDump) writer.done(request);
  else if (error < 0 || isAsked) {
    const why = socket.isOn(N.NETLINK_EXT_ACK) ? r.why : "";
    writer.error(request, message, error, socket.isOn(N.NETLINK_CAP_ACK), why);
  }
  deliver(socket, writer);
  writer.reader = null;
}

function answer({ net, protocol }: NetlinkSocket, r: RouteRequest): number {
  switch (protocol) {
    case N.NETLINK_ROUTE:
      return net.transport.answerRoute(r, writer);
    case N.NETLINK_SOCK_DIAG:
      return answerSockDiag(net, r, writer);
    case N.NETLINK_GENERIC:
      return answerGeneric(net, r, writer);
    default:
      return -EOPNOTSUPP;
  }
}

/** Sends the next part of a dump. False: it was the last, with NLMSG_DONE at its end. */
export function sendPart(socket: NetlinkSocket, dump: Dump, hasChanged: boolean): boolean {
  writer.reset();
  writer.mark = hasChanged ? N.NLM_F_DUMP_INTR : 0;
  const hasMore = dump.step(writer);
  if (!hasMore) writer.done(dump.request);
  deliver(socket, writer);
  return hasMore;
}

/** Queues the writer's messages in datagrams that fit the small buffers of programs. */
export function deliver(socket: NetlinkSocket, writer: NetlinkWriter): void {
  const { u8, dv, length } = writer;
  for (let from = 0, at = 0; at < length;) {
    const next = at + ((dv.getUint32(at + N.Nlmsghdr.at.len, true) + 3) & ~3);
    const isFull = next < length &&
      next + dv.getUint32(next + N.Nlmsghdr.at.len, true) - from > DATAGRAM_BYTES;
    if (next >= length || isFull) {
      socket.queueAnswer(u8.subarray(from, next));
      from = next;
    }
    at = next;
  }
}

/** Whether the type is RTM_GET*: rtnetlink's types come in fours, NEW, DEL, GET, SET. */
function isQuestion(type: number): boolean {
  return (type & 3) === 2;
}
