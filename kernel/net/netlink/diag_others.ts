/** UNIX, packet and netlink sockets for sock_diag(7). */

import { EINVAL, ENOENT, EOPNOTSUPP } from "../../../ffi/abi/errno.ts";
import { TCP_CLOSE, TCP_ESTABLISHED, TCP_LISTEN } from "../../../ffi/abi/inet.ts";
import { NLM_F_MULTI } from "../../../ffi/abi/netlink.ts";
import * as D from "../../../ffi/abi/sock_diag.ts";
import { AF_NETLINK, AF_PACKET, AF_UNIX } from "../../../ffi/abi/socket.ts";
import { PacketSocket } from "../packet/packet_socket.ts";
import type { Socket } from "../socket.ts";
import { UnixSocket } from "../unix/unix_socket.ts";
import { putMemory } from "./diag_memory.ts";
import type { NetlinkSocket } from "./netlink_socket.ts";
import type { RouteRequest } from "./request.ts";
import type { NetlinkWriter } from "./writer.ts";

export function listUnix(r: RouteRequest, sockets: readonly Socket[], out: NetlinkWriter): number {
  const { body } = r, REQUEST = D.UnixDiagReq.at;
  if (body.byteLength < D.UnixDiagReq.size) return -EINVAL;
  const ino = body.getUint32(REQUEST.ino, true), states = body.getUint32(REQUEST.states, true);
  if (!r.isDump) {
    if (ino === 0) return -EINVAL;
    const one = sockets.find((s) => s instanceof UnixSocket && s.inode.ino === ino);
    if (!(one instanceof UnixSocket)) return -ENOENT;
    putUnix(r, one, stateOf(one), out, 0);
    return 0;
  }
  for (const socket of sockets) {
    if (!(socket instanceof UnixSocket)) continue;
    const state = stateOf(socket);
    if ((states & (1 << state)) !== 0) putUnix(r, socket, state, out, NLM_F_MULTI);
  }
  return 0;
}

function stateOf(socket: UnixSocket): number {
  if (socket.isListening) return TCP_LISTEN;
  return socket.peerSocket === null ? TCP_CLOSE : TCP_ESTABLISHED;
}

function putUnix(
  r: RouteRequest,
  socket: UnixSocket,
  state: number,
  out: NetlinkWriter,
  flags: number,
): void {
  const body = out.begin(r.request, D.SOCK_DIAG_BY_FAMILY, flags, D.UnixDiagMsg.size);
  const { at } = D.UnixDiagMsg, { name, peerSocket, pendingBytes } = socket;
  const show = r.body.getUint32(D.UnixDiagReq.at.show, true);
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
    out.u32(D.UNIX_DIAG_UID, r.caller?.cred.userNs.shownUid(uid) ?? uid);
  }
  out.end();
}

export function listPackets(
  r: RouteRequest,
  sockets: readonly Socket[],
  out: NetlinkWriter,
): number {
  if (r.body.byteLength < D.OtherDiagReq.size) return -EINVAL;
  if (!r.isDump) return -EOPNOTSUPP;
  // Made for others to come: it must be 0.
  if (r.body.getUint8(D.OtherDiagReq.at.protocol) !== 0) return -EINVAL;
  const show = r.body.getUint32(D.OtherDiagReq.at.show, true), { at } = D.PacketDiagMsg;
  for (const socket of sockets) {
    if (!(socket instanceof PacketSocket)) continue;
    const body = out.begin(r.request, D.SOCK_DIAG_BY_FAMILY, NLM_F_MULTI, D.PacketDiagMsg.size);
    out.u8[body + at.family] = AF_PACKET;
    out.u8[body + at.type] = socket.type;
    out.dv.setUint16(body + at.num, socket.heardProtocol, true);
    out.dv.setUint32(body + at.ino, socket.inode.ino, true);
    out.dv.setUint32(body + at.cookie, socket.inode.ino, true);
    if ((show & D.PACKET_SHOW_INFO) !== 0) {
      // struct packet_diag_info: the link, and options that are not told of.
      const to = out.attribute(D.PACKET_DIAG_INFO, 24);
      out.dv.setUint32(to, socket.linkIndex, true);
      out.u32(D.PACKET_DIAG_UID, socket.uid);
    }
    if ((show & D.PACKET_SHOW_MEMINFO) !== 0) {
      putMemory(out, D.PACKET_DIAG_MEMINFO, socket, socket.queuedBytes, 0);
    }
    out.end();
  }
  return 0;
}

/** NETLINK_CONNECTED and NETLINK_UNCONNECTED of Linux. */
const CONNECTED = 1, UNCONNECTED = 0;

/** DIFFERS: the kernel's own ends are no sockets here. */
export function listNetlink(r: RouteRequest, out: NetlinkWriter): number {
  if (r.body.byteLength < D.OtherDiagReq.size) return -EINVAL;
  if (!r.isDump) return -EOPNOTSUPP;
  const show = r.body.getUint32(D.OtherDiagReq.at.show, true);
  const protocol = r.body.getUint8(D.OtherDiagReq.at.protocol);
  for (const { number, sockets } of r.net.netlink.values()) {
    if (protocol !== D.NDIAG_PROTO_ALL && protocol !== number) continue;
    for (const socket of sockets) putNetlink(r, out, socket, show);
  }
  return 0;
}

function putNetlink(
  r: RouteRequest,
  out: NetlinkWriter,
  socket: NetlinkSocket,
  show: number,
): void {
  const { at } = D.NetlinkDiagMsg;
  const body = out.begin(r.request, D.SOCK_DIAG_BY_FAMILY, NLM_F_MULTI, D.NetlinkDiagMsg.size);
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
