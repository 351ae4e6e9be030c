/** UNIX, packet and netlink sockets for sock_diag(7). */

import { EINVAL, ENOENT, EOPNOTSUPP } from "../../../ffi/abi/errno.ts";
import { TCP_CLOSE, TCP_ESTABLISHED, TCP_LISTEN } from "../../../ffi/abi/inet.ts";
import { NLM_F_MULTI } from "../../../ffi/abi/netlink.ts";
import * as D from "../../../ffi/abi/sock_diag.ts";
import { AF_NETLINK, AF_PACKET, AF_UNIX } from "../../../ffi/abi/socket.ts";
import type { UserNamespace } from "../../cred/user_namespace.ts";
import { PacketSocket } from "../packet/packet_socket.ts";
import type { Socket } from "../socket.ts";
import { UnixSocket } from "../unix/unix_socket.ts";
import { putMemory } from "./diag_memory.ts";
import type { NetlinkSocket } from "./netlink_socket.ts";
import { SocketDump } from "./dump.ts";
import type { RouteRequest } from "./request.ts";
import type { NetlinkRequest, NetlinkWriter } from "./writer.ts";

/** A request for sockets, and the attributes that its answer shows. */
interface Shown {
  readonly request: NetlinkRequest;
  /** Bits of UDIAG_SHOW_* and the like. */
  readonly show: number;
  /** The user namespace of the reader, into which ids are translated; null: none. */
  readonly userNs: UserNamespace | null;
}

/** SOCK_DIAG_BY_FAMILY of AF_UNIX: 0 or -errno. */
export function listUnix(r: RouteRequest, out: NetlinkWriter): number {
  const { body } = r, REQUEST = D.UnixDiagReq.at;
  if (body.byteLength < D.UnixDiagReq.size) return -EINVAL;
  const show = body.getUint32(REQUEST.show, true), userNs = r.caller?.cred.userNs ?? null;
  const shown = { request: r.request, show, userNs };
  const states = body.getUint32(REQUEST.states, true);
  if (r.isDump) return r.answerBy(new UnixDump(r, shown, states));
  const ino = body.getUint32(REQUEST.ino, true);
  if (ino === 0) return -EINVAL;
  const one = r.net.sockets.byNumber(ino);
  if (!(one instanceof UnixSocket)) return -ENOENT;
  putUnix(shown, one, stateOf(one), out, 0);
  return 0;
}

export class UnixDump extends SocketDump {
  private readonly shown: Shown;
  private readonly states: number;

  constructor(r: RouteRequest, shown: Shown, states: number) {
    super(r.request, r.net.sockets);
    this.shown = shown;
    this.states = states;
  }

  protected override put(out: NetlinkWriter, socket: Socket): boolean {
    if (!(socket instanceof UnixSocket)) return false;
    const state = stateOf(socket);
    if ((this.states & (1 << state)) === 0) return false;
    putUnix(this.shown, socket, state, out, NLM_F_MULTI);
    return true;
  }
}

function stateOf(socket: UnixSocket): number {
  if (socket.isListening) return TCP_LISTEN;
  return socket.peerSocket === null ? TCP_CLOSE : TCP_ESTABLISHED;
}

function putUnix(
  { request, show, userNs }: Shown,
  socket: UnixSocket,
  state: number,
  out: NetlinkWriter,
  flags: number,
): void {
  const body = out.begin(request, D.SOCK_DIAG_BY_FAMILY, flags, D.UnixDiagMsg.size);
  const { at } = D.UnixDiagMsg, { name, peerSocket, pendingBytes } = socket;
  out.u8[body + at.family] = AF_UNIX;
  out.u8[body + at.type] = socket.type;
  out.u8[body + at.state] = state;
  out.dv.setUint32(body + at.ino, socket.inode.ino, true);
  out.dv.setUint32(body + at.cookie, socket.inode.ino, true);
  if (name !== "" && (show & D.UDIAG_SHOW_NAME) !== 0) out.bytes(D.UNIX_DIAG_NAME, name);
  if (peerSocket !== null && (show & D.UDIAG_SHOW_PEER) !== 0) {
    out.u32(D.UNIX_DIAG_PEER, peerSocket.inode.ino);
  }
  const received = socket.isListening ? 0 : pendingBytes;
  if ((show & D.UDIAG_SHOW_RQLEN) !== 0) {
    const queue = out.attribute(D.UNIX_DIAG_RQLEN, 8);
    out.dv.setUint32(queue, received, true);
    out.dv.setUint32(queue + 4, socket.unsentBytes, true);
  }
  if ((show & D.UDIAG_SHOW_MEMINFO) !== 0) {
    putMemory(out, D.UNIX_DIAG_MEMINFO, socket, received, socket.unsentBytes);
  }
  out.u8Value(D.UNIX_DIAG_SHUTDOWN, +socket.isReadShut | +socket.isWriteShut << 1);
  if ((show & D.UDIAG_SHOW_UID) !== 0) {
    const { uid } = socket.inode;
    out.u32(D.UNIX_DIAG_UID, userNs?.shownUid(uid) ?? uid);
  }
  out.end();
}

/** SOCK_DIAG_BY_FAMILY of AF_PACKET: 0 or -errno. */
export function listPackets(r: RouteRequest): number {
  if (r.body.byteLength < D.OtherDiagReq.size) return -EINVAL;
  if (!r.isDump) return -EOPNOTSUPP;
  // Linux reserves the field: it must be 0.
  if (r.body.getUint8(D.OtherDiagReq.at.protocol) !== 0) return -EINVAL;
  return r.answerBy(new PacketDump(r, r.body.getUint32(D.OtherDiagReq.at.show, true)));
}

export class PacketDump extends SocketDump {
  private readonly show: number;

  constructor(r: RouteRequest, show: number) {
    super(r.request, r.net.sockets);
    this.show = show;
  }

  protected override put(out: NetlinkWriter, socket: Socket): boolean {
    if (!(socket instanceof PacketSocket)) return false;
    const { request, show } = this, { at } = D.PacketDiagMsg;
    const body = out.begin(request, D.SOCK_DIAG_BY_FAMILY, NLM_F_MULTI, D.PacketDiagMsg.size);
    out.u8[body + at.family] = AF_PACKET;
    out.u8[body + at.type] = socket.type;
    out.dv.setUint16(body + at.num, socket.heardProtocol, true);
    out.dv.setUint32(body + at.ino, socket.inode.ino, true);
    out.dv.setUint32(body + at.cookie, socket.inode.ino, true);
    if ((show & D.PACKET_SHOW_INFO) !== 0) {
      // struct packet_diag_info: the link; the flags stay 0.
      const to = out.attribute(D.PACKET_DIAG_INFO, 24);
      out.dv.setUint32(to, socket.linkIndex, true);
      out.u32(D.PACKET_DIAG_UID, socket.uid);
    }
    if ((show & D.PACKET_SHOW_MEMINFO) !== 0) {
      putMemory(out, D.PACKET_DIAG_MEMINFO, socket, socket.queuedBytes, 0);
    }
    out.end();
    return true;
  }
}

/** NETLINK_CONNECTED and NETLINK_UNCONNECTED of Linux. */
const CONNECTED = 1, UNCONNECTED = 0;

/** DIFFERS: the kernel's own netlink sockets are not listed. */
export function listNetlink(r: RouteRequest): number {
  if (r.body.byteLength < D.OtherDiagReq.size) return -EINVAL;
  if (!r.isDump) return -EOPNOTSUPP;
  const show = r.body.getUint32(D.OtherDiagReq.at.show, true);
  return r.answerBy(new NetlinkDump(r, show, r.body.getUint8(D.OtherDiagReq.at.protocol)));
}

export class NetlinkDump extends SocketDump {
  private readonly show: number;
  private readonly protocol: number;

  constructor(r: RouteRequest, show: number, protocol: number) {
    super(r.request, r.net.sockets);
    this.show = show;
    this.protocol = protocol;
  }

  protected override put(out: NetlinkWriter, socket: Socket): boolean {
    if (socket.family !== AF_NETLINK) return false;
    if (this.protocol !== D.NDIAG_PROTO_ALL && this.protocol !== socket.protocol) return false;
    putNetlink(this.request, out, socket as NetlinkSocket, this.show);
    return true;
  }
}

function putNetlink(
  request: NetlinkRequest,
  out: NetlinkWriter,
  socket: NetlinkSocket,
  show: number,
): void {
  const { at } = D.NetlinkDiagMsg;
  const body = out.begin(request, D.SOCK_DIAG_BY_FAMILY, NLM_F_MULTI, D.NetlinkDiagMsg.size);
  out.u8[body + at.family] = AF_NETLINK;
  out.u8[body + at.type] = socket.type;
  out.u8[body + at.protocol] = socket.protocol;
  out.u8[body + at.state] = socket.isConnected ? CONNECTED : UNCONNECTED;
  out.dv.setUint32(body + at.portid, socket.portId, true);
  out.dv.setUint32(body + at.ino, socket.inode.ino, true);
  out.dv.setUint32(body + at.cookie, socket.inode.ino, true);
  if ((show & D.NDIAG_SHOW_GROUPS) !== 0) {
    const to = out.attribute(D.NETLINK_DIAG_GROUPS, 8);
    out.dv.setUint32(to, socket.groupMask, true);
  }
  if ((show & D.NDIAG_SHOW_MEMINFO) !== 0) {
    putMemory(out, D.NETLINK_DIAG_MEMINFO, socket, socket.queuedBytes, 0);
  }
  out.end();
}
