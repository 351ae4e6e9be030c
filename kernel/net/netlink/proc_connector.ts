/**
 * Process events (linux/cn_proc.h), the only part of NETLINK_CONNECTOR. A socket sends
 * PROC_CN_MCAST_LISTEN, and each event goes to the members of group CN_IDX_PROC whose filter
 * matches. Events come from task/process_events.ts.
 *
 * As on Linux, numbers are those of the first PID namespace, and only senders in it and in the
 * first user namespace are served.
 */

import { EINVAL } from "../../../ffi/abi/errno.ts";
import * as C from "../../../ffi/abi/connector.ts";
import { NETLINK_CONNECTOR, NLMSG_DONE, Nlmsghdr } from "../../../ffi/abi/netlink.ts";
import { INITIAL_USER_NAMESPACE } from "../../cred/user_namespace.ts";
import type { SocketCaller } from "../message.ts";
import type { NetNamespace } from "../net_namespace.ts";
import type { NetlinkSocket } from "./netlink_socket.ts";

/** The last filter that a socket sent. */
export interface ProcFilter {
  readonly operation: number;
  readonly events: number;
}

const BODY = Nlmsghdr.size + C.CnMsg.size, DATA = BODY + C.ProcEvent.size;
const BYTES = DATA + C.PROC_EVENT_DATA;
const EVENTS = C.PROC_EVENT_ALL;

export class ProcConnector {
  private readonly net: NetNamespace;
  /** Sockets that listen; as on Linux, those that have left the group count too. */
  private readonly listeners: Set<NetlinkSocket> = new Set();
  private serial: number = 0;
  private readonly u8: Uint8Array<ArrayBuffer> = new Uint8Array(BYTES);
  /** The event under construction: its words are at `DATA`. */
  private readonly dv: DataView = new DataView(this.u8.buffer);

  constructor(net: NetNamespace) {
    this.net = net;
  }

  /** Whether any socket listens for events. */
  get hasListeners(): boolean {
    return this.listeners.size > 0;
  }

  forget(socket: NetlinkSocket): void {
    this.listeners.delete(socket);
  }

  /** Takes a message of a socket: malformed messages, and those for other parts, get no reply. */
  receive(
    socket: NetlinkSocket,
    caller: SocketCaller | null,
    dv: DataView,
    length: number,
  ): void {
    if (length < BODY) return;
    const size = dv.getUint32(Nlmsghdr.at.len, true) - Nlmsghdr.size, { at } = C.CnMsg;
    if (size < C.CnMsg.size || size + Nlmsghdr.size > length) return;
    if (size > C.CONNECTOR_MAX_MSG_SIZE) return;
    const word = (at: number) => dv.getUint32(Nlmsghdr.size + at, true);
    if (word(at.idx) !== C.CN_IDX_PROC || word(at.val) !== C.CN_VAL_PROC) return;
    const bytes = dv.getUint16(Nlmsghdr.size + at.len, true);
    if (C.CnMsg.size + bytes > size || (bytes !== 4 && bytes !== 8) || !isFirst(caller)) return;
    const operation = dv.getUint32(BODY, true);
    const wanted = bytes === 8 ? (dv.getUint32(BODY + 4, true) & EVENTS) >>> 0 : 0;
    const error = this.listen(socket, operation, wanted === 0 ? EVENTS : wanted);
    this.acknowledge(error, word(at.ack));
  }

  private listen(socket: NetlinkSocket, operation: number, events: number): number {
    socket.processes = { operation, events };
    if (operation === C.PROC_CN_MCAST_LISTEN) this.listeners.add(socket);
    else if (operation === C.PROC_CN_MCAST_IGNORE) this.listeners.delete(socket);
    else return EINVAL;
    return 0;
  }

  private acknowledge(error: number, ack: number): void {
    if (this.hasListeners) this.send(C.PROC_EVENT_NONE, 0, (ack + 1) >>> 0, [error]);
  }

  /**
   * Sends an event to the sockets that want it: `words` are its data, `exitCode` is for
   * PROC_EVENT_NONZERO_EXIT.
   */
  tell(what: number, words: readonly number[], exitCode: number = 0): void {
    this.send(what, exitCode, 0, words);
  }

  private send(what: number, exitCode: number, ack: number, words: readonly number[]): void {
    const { dv, u8 } = this, serial = this.serial++ >>> 0, message = Nlmsghdr.size;
    u8.fill(0);
    dv.setUint32(Nlmsghdr.at.len, BYTES, true);
    dv.setUint16(Nlmsghdr.at.type, NLMSG_DONE, true);
    dv.setUint32(Nlmsghdr.at.seq, serial, true);
    dv.setUint32(message + C.CnMsg.at.idx, C.CN_IDX_PROC, true);
    dv.setUint32(message + C.CnMsg.at.val, C.CN_VAL_PROC, true);
    dv.setUint32(message + C.CnMsg.at.seq, serial, true);
    dv.setUint32(message + C.CnMsg.at.ack, ack, true);
    dv.setUint16(message + C.CnMsg.at.len, C.ProcEvent.size + C.PROC_EVENT_DATA, true);
    dv.setUint32(BODY + C.ProcEvent.at.what, what, true);
    dv.setBigUint64(BODY + C.ProcEvent.at.timestamp, BigInt(this.net.host.monotonicNs()), true);
    words.forEach((word, i) => dv.setUint32(DATA + 4 * i, word, true));
    this.net.netlink.get(NETLINK_CONNECTOR)?.broadcast(
      C.CN_IDX_PROC,
      u8,
      null,
      ({ processes }) => processes === null || wants(processes, what, exitCode),
    );
  }
}

/**
 * As cn_filter of Linux: a socket without a filter gets every event that any socket listens for.
 */
function wants({ operation, events }: ProcFilter, what: number, exitCode: number): boolean {
  if (operation === C.PROC_CN_MCAST_IGNORE) return false;
  if (events === EVENTS) return true;
  const isFailure = what === C.PROC_EVENT_EXIT && exitCode !== 0;
  return (isFailure && (events & C.PROC_EVENT_NONZERO_EXIT) !== 0) || (events & what) !== 0;
}

function isFirst(caller: SocketCaller | null): boolean {
  return caller !== null && caller.cred.userNs === INITIAL_USER_NAMESPACE &&
    caller.processId?.space.level === 0;
}
