/**
 * Internet sockets for sock_diag(7): lists, one socket by its identity, and SOCK_DESTROY. Filters:
 * diag_filter.ts.
 */

import { ECONNABORTED, EINVAL, ENOENT, EOPNOTSUPP } from "../../../ffi/abi/errno.ts";
import { CAP_NET_ADMIN } from "../../../ffi/abi/capability.ts";
import {
  IPPROTO_RAW,
  IPPROTO_TCP,
  TCP_CLOSE,
  TCP_CONGESTION,
  TCP_INFO,
  TCP_LISTEN,
} from "../../../ffi/abi/inet.ts";
import { NLM_F_MULTI } from "../../../ffi/abi/netlink.ts";
import * as D from "../../../ffi/abi/sock_diag.ts";
import { AF_INET, AF_INET6, SOCK_RAW } from "../../../ffi/abi/socket.ts";
import { type Endpoint, isV4 } from "../inet/address.ts";
import { InetSocket } from "../inet/inet_socket.ts";
import { type InetView, viewInet, viewRaw } from "../inet/inet_view.ts";
import type { Socket } from "../socket.ts";
import { OptionValue } from "../socket_options.ts";
import { readAttributes, u32Of } from "./attributes.ts";
import { DiagFilter } from "./diag_filter.ts";
import { putMemory } from "./diag_memory.ts";
import { LOOKS, SocketDump } from "./dump.ts";
import type { RouteRequest } from "./request.ts";
import type { NetlinkRequest, NetlinkWriter } from "./writer.ts";

const { at } = D.InetDiagMsg, REQUEST = D.InetDiagReq.at;
/** Offsets in the identity of a request: ports, addresses, link, cookie. */
const ID_SPORT = 0, ID_DPORT = 2, ID_SRC = 4, ID_DST = 20, ID_COOKIE = 40;
const NO_COOKIE = 0xffffffff;
/** LIMIT: operations of filters that one part of a dump runs. */
const FILTER_STEPS = 32768;
const value = new OptionValue();

/** A request for sockets, and the attributes that its answer shows. */
interface Shown {
  readonly request: NetlinkRequest;
  /** Extensions asked for: bits of INET_DIAG_*. */
  readonly ext: number;
  readonly isAdmin: boolean;
}

/** The protocol that a request names, or -EINVAL. */
function protocolOf(r: RouteRequest): number {
  if (r.body.byteLength < D.InetDiagReq.size) return -EINVAL;
  const given = readAttributes(r.body, D.InetDiagReq.size).get(D.INET_DIAG_REQ_PROTOCOL);
  return u32Of(given) ?? r.body.getUint8(REQUEST.protocol);
}

function viewOf(socket: Socket, family: number, protocol: number): InetView | null {
  const isRaw = socket.type === SOCK_RAW;
  if (socket.family !== family || (!isRaw && socket.protocol !== protocol)) return null;
  if (isRaw !== (protocol === IPPROTO_RAW)) return null;
  return isRaw ? viewRaw(socket) : viewInet(socket);
}

function shownTo(r: RouteRequest): Shown {
  const ext = r.body.getUint8(REQUEST.ext), isAdmin = r.isCapableOver(r.net, CAP_NET_ADMIN);
  return { request: r.request, ext, isAdmin };
}

/** SOCK_DIAG_BY_FAMILY of AF_INET and AF_INET6: 0 or -errno. */
export function answerInet(r: RouteRequest, out: NetlinkWriter): number {
  const protocol = protocolOf(r);
  if (protocol < 0) return protocol;
  if (!r.isDump) {
    const found = findNamed(r, protocol);
    if (found === null) return -ENOENT;
    putInet(shownTo(r), found, out, 0);
    return 0;
  }
  const code = readAttributes(r.body, D.InetDiagReq.size).get(D.INET_DIAG_REQ_BYTECODE);
  const filter = code === undefined ? null : DiagFilter.parse(code);
  if (code !== undefined && filter === null) return -EINVAL;
  return r.answerBy(new InetDump(r, protocol, filter));
}

export class InetDump extends SocketDump {
  private readonly shown: Shown;
  private readonly family: number;
  private readonly protocol: number;
  private readonly states: number;
  private readonly filter: DiagFilter | null;

  constructor(r: RouteRequest, protocol: number, filter: DiagFilter | null) {
    super(r.request, r.net.sockets);
    this.shown = shownTo(r);
    this.family = r.family;
    this.protocol = protocol;
    this.states = r.body.getUint32(REQUEST.states, true);
    this.filter = filter;
  }

  /** A long filter takes long for each socket, so a part looks at fewer. */
  protected override get looks(): number {
    const { filter } = this;
    return filter === null ? LOOKS : Math.max(1, Math.min(LOOKS, FILTER_STEPS / filter.steps | 0));
  }
  protected override put(out: NetlinkWriter, socket: Socket): boolean {
    const view = viewOf(socket, this.family, this.protocol);
    if (view === null || (this.states & (1 << view.state)) === 0) return false;
    if (this.filter !== null && !this.filter.accepts(view)) return false;
    putInet(this.shown, view, out, NLM_F_MULTI);
    return true;
  }
}

function findNamed(r: RouteRequest, protocol: number): InetView | null {
  const { sockets } = r.net, port = r.body.getUint16(REQUEST.id + ID_SPORT);
  for (let place = 0; place < sockets.length; place++) {
    const socket = sockets.at(place);
    if (socket === null || socket.cred === null) continue;
    // Most sockets have another port and need no view.
    if (socket instanceof InetSocket && socket.type !== SOCK_RAW && socket.local.port !== port) {
      continue;
    }
    const view = viewOf(socket, r.family, protocol);
    if (view !== null && isNamed(r, view)) return view;
  }
  return null;
}

/**
 * Whether the request names this socket: a connection by both ends, others by their own address and
 * port.
 */
function isNamed(
  { body, family }: RouteRequest,
  { socket, local, remote, state }: InetView,
): boolean {
  const id = REQUEST.id, cookie = body.getUint32(id + ID_COOKIE, true);
  if (cookie !== NO_COOKIE && cookie !== socket.inode.ino) return false;
  if (body.getUint16(id + ID_SPORT) !== local.port) return false;
  const isAlone = state === TCP_LISTEN || state === TCP_CLOSE;
  const isOwn = isAddress(body, id + ID_SRC, family, local) ||
    (isAlone && isAnyAt(body, id + ID_SRC));
  if (!isOwn) return false;
  if (isAlone) return true;
  return body.getUint16(id + ID_DPORT) === remote.port &&
    isAddress(body, id + ID_DST, family, remote);
}

function isAnyAt(body: DataView, from: number): boolean {
  for (let i = 0; i < 16; i++) if (body.getUint8(from + i) !== 0) return false;
  return true;
}
function isAddress(body: DataView, from: number, family: number, { address }: Endpoint): boolean {
  if (family === AF_INET && !isV4(address)) return false;
  const first = family === AF_INET ? 12 : 0;
  for (let i = first; i < 16; i++) {
    if (body.getUint8(from + i - first) !== address.charCodeAt(i)) return false;
  }
  return true;
}

/** SOCK_DESTROY: the next call on the socket fails with ECONNABORTED. */
export function destroyInet(r: RouteRequest): number {
  const protocol = protocolOf(r);
  if (protocol < 0) return protocol;
  const found = findNamed(r, protocol);
  if (found === null) return -ENOENT;
  const { socket } = found;
  // DIFFERS: sockets of the host are not destroyed.
  if (!(socket instanceof InetSocket)) return -EOPNOTSUPP;
  socket.abort(ECONNABORTED);
  return 0;
}

function putInet(shown: Shown, view: InetView, out: NetlinkWriter, flags: number): void {
  const { socket, local, remote } = view;
  const body = out.begin(shown.request, D.SOCK_DIAG_BY_FAMILY, flags, D.InetDiagMsg.size);
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
  putExtensions(shown, view, out);
  out.end();
}

/** Adds the extensions that the request asks for. */
function putExtensions({ ext, isAdmin }: Shown, view: InetView, out: NetlinkWriter): void {
  const { socket } = view, { options } = socket;
  const wants = (what: number) => (ext & (1 << (what - 1))) !== 0;
  out.u8Value(D.INET_DIAG_SHUTDOWN, +socket.isReadShut | +socket.isWriteShut << 1);
  const ip = socket instanceof InetSocket ? socket.ip : null;
  if (wants(D.INET_DIAG_TOS)) out.u8Value(D.INET_DIAG_TOS, ip?.tos ?? 0);
  if (socket.family === AF_INET6) {
    if (wants(D.INET_DIAG_TCLASS)) out.u8Value(D.INET_DIAG_TCLASS, ip?.trafficClass ?? 0);
    if (view.state === TCP_LISTEN || view.state === TCP_CLOSE) {
      out.u8Value(D.INET_DIAG_SKV6ONLY, +(ip?.v6Only ?? false));
    }
  }
  if (isAdmin) out.u32(D.INET_DIAG_MARK, options.mark);
  if (wants(D.INET_DIAG_TCLASS)) out.u32(D.INET_DIAG_CLASS_ID, options.priority);
  const flags = out.attribute(D.INET_DIAG_SOCKOPT, 2);
  out.u8[flags] = +(options.broadcast) << 5 | +(ip?.freeBind ?? false) << 2;
  const isListening = view.state === TCP_LISTEN;
  const received = isListening ? 0 : view.received, unsent = isListening ? 0 : view.unsent;
  if (wants(D.INET_DIAG_MEMINFO)) {
    const to = out.attribute(D.INET_DIAG_MEMINFO, 16);
    out.dv.setUint32(to, received, true);
    out.dv.setUint32(to + 4, unsent, true);
    out.dv.setUint32(to + 12, unsent, true);
  }
  if (wants(D.INET_DIAG_SKMEMINFO)) {
    putMemory(out, D.INET_DIAG_SKMEMINFO, socket, received, unsent);
  }
  if (socket.protocol !== IPPROTO_TCP || socket.type === SOCK_RAW) return;
  if (wants(D.INET_DIAG_INFO)) putOption(out, socket, TCP_INFO, D.INET_DIAG_INFO);
  if (wants(D.INET_DIAG_CONG)) putOption(out, socket, TCP_CONGESTION, D.INET_DIAG_CONG);
}

/** Adds the value of a TCP option as an attribute; a text ends at its NUL. */
function putOption(out: NetlinkWriter, socket: Socket, name: number, type: number): void {
  value.length = 256;
  if (socket.getProtocolOption(IPPROTO_TCP, name, value) !== 0) return;
  const isText = name === TCP_CONGESTION, end = value.u8.indexOf(0);
  const length = isText ? end + 1 : value.length, to = out.attribute(type, length);
  out.u8.set(value.u8.subarray(0, length), to);
}

function putAddress(u8: Uint8Array, to: number, endpoint: Endpoint, family: number): void {
  const from = family === AF_INET ? 12 : 0;
  for (let i = from; i < 16; i++) u8[to + i - from] = endpoint.address.charCodeAt(i);
}
