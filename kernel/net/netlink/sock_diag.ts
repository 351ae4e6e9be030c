/**
 * NETLINK_SOCK_DIAG (sock_diag(7)): lists of the sockets that are open, as ss(8) asks for them. DIFFERS: no filters in
 * byte code and no information beyond the basic; ss(8) then reads /proc/net.
 */

import { EINVAL, ENOENT, EOPNOTSUPP } from "../../../ffi/abi/errno.ts";
import { NLM_F_MULTI } from "../../../ffi/abi/netlink.ts";
import * as D from "../../../ffi/abi/sock_diag.ts";
import { AF_INET, AF_INET6, AF_UNIX } from "../../../ffi/abi/socket.ts";
import { TCP_CLOSE, TCP_ESTABLISHED, TCP_LISTEN } from "../../../ffi/abi/inet.ts";
import type { Endpoint } from "../inet/address.ts";
import { type InetView, viewInet } from "../inet_view.ts";
import type { NetNamespace } from "../net_namespace.ts";
import type { Socket } from "../socket.ts";
import { UnixSocket } from "../unix/unix_socket.ts";
import type { RouteRequest } from "./request.ts";
import type { NetlinkWriter } from "./writer.ts";

const INET = D.InetDiagMsg, UNIX = D.UnixDiagMsg;

/** Write the answers into `out`: 0 or -errno. */
export function answerSockDiag(net: NetNamespace, r: RouteRequest, out: NetlinkWriter): number {
  if (r.request.type !== D.SOCK_DIAG_BY_FAMILY) return -EINVAL;
  if (!r.isDump) return -EOPNOTSUPP;
  const sockets = net.lister?.sockets(net) ?? [];
  switch (r.family) {
    case AF_INET:
    case AF_INET6:
      return listInet(r, sockets, out);
    case AF_UNIX:
      return listUnix(r, sockets, out);
    default:
      return -ENOENT;
  }
}

function listInet(r: RouteRequest, sockets: readonly Socket[], out: NetlinkWriter): number {
  const { body, family } = r;
  if (body.byteLength < D.InetDiagReq.size) return -EINVAL;
  // A filter stands behind the request.
  if (body.byteLength > D.InetDiagReq.size) return -EOPNOTSUPP;
  const protocol = body.getUint8(D.InetDiagReq.at.protocol);
  const states = body.getUint32(D.InetDiagReq.at.states, true);
  for (const socket of sockets) {
    if (socket.family !== family || socket.protocol !== protocol) continue;
    const view = viewInet(socket);
    if (view !== null && (states & (1 << view.state)) !== 0) putInet(r, view, out);
  }
  return 0;
}

function putInet(r: RouteRequest, view: InetView, out: NetlinkWriter): void {
  const { socket, local, remote } = view, { at } = INET;
  const body = out.begin(r.request, D.SOCK_DIAG_BY_FAMILY, NLM_F_MULTI, INET.size);
  out.u8[body + at.family] = socket.family;
  out.u8[body + at.state] = view.state;
  out.dv.setUint16(body + at.sport, local.port);
  out.dv.setUint16(body + at.dport, remote.port);
  putAddress(out.u8, body + at.src, local, socket.family);
  putAddress(out.u8, body + at.dst, remote, socket.family);
  out.dv.setUint32(body + at.cookie, socket.inode.ino, true);
  out.dv.setUint32(body + at.rqueue, view.received, true);
  out.dv.setUint32(body + at.wqueue, view.unsent, true);
  out.dv.setUint32(body + at.uid, view.uid, true);
  out.dv.setUint32(body + at.inode, socket.inode.ino, true);
  out.end();
}

function putAddress(u8: Uint8Array, at: number, endpoint: Endpoint, family: number): void {
  const from = family === AF_INET ? 12 : 0;
  for (let i = from; i < 16; i++) u8[at + i - from] = endpoint.address.charCodeAt(i);
}

function listUnix(r: RouteRequest, sockets: readonly Socket[], out: NetlinkWriter): number {
  const { body } = r;
  if (body.byteLength < D.UnixDiagReq.size) return -EINVAL;
  const states = body.getUint32(D.UnixDiagReq.at.states, true);
  for (const socket of sockets) {
    if (!(socket instanceof UnixSocket)) continue;
    const state = stateOf(socket);
    if ((states & (1 << state)) !== 0) putUnix(r, socket, state, out);
  }
  return 0;
}

function stateOf(socket: UnixSocket): number {
  if (socket.isListening) return TCP_LISTEN;
  return socket.peerSocket === null ? TCP_CLOSE : TCP_ESTABLISHED;
}

function putUnix(r: RouteRequest, socket: UnixSocket, state: number, out: NetlinkWriter): void {
  const body = out.begin(r.request, D.SOCK_DIAG_BY_FAMILY, NLM_F_MULTI, UNIX.size);
  const { at } = UNIX, { name, peerSocket } = socket;
  out.u8[body + at.family] = AF_UNIX;
  out.u8[body + at.type] = socket.type;
  out.u8[body + at.state] = state;
  out.dv.setUint32(body + at.ino, socket.inode.ino, true);
  out.dv.setUint32(body + at.cookie, socket.inode.ino, true);
  if (name !== "") out.bytes(D.UNIX_DIAG_NAME, name);
  if (peerSocket !== null) out.u32(D.UNIX_DIAG_PEER, peerSocket.inode.ino);
  const queue = out.attribute(D.UNIX_DIAG_RQLEN, 8);
  out.dv.setUint32(queue, socket.isListening ? 0 : socket.pendingBytes, true);
  out.end();
}
