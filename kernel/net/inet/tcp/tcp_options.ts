/**
 * Options at IPPROTO_TCP (tcp(7)). Most are kept and shown without an effect: no segment is lost or
 * late here.
 */

import { EINVAL, ENOENT, ENOPROTOOPT, EOPNOTSUPP, EPERM } from "../../../../ffi/abi/errno.ts";
import * as I from "../../../../ffi/abi/inet.ts";
import { bytesToString } from "../../../core/bytes.ts";
import type { OptionValue } from "../../socket_options.ts";
import { MAX_BACKLOG } from "../../backlog.ts";
import type { TcpSocket } from "./tcp_socket.ts";
import { mayOpenFast } from "./tcp_fastopen.ts";
import { MSS, putInfo } from "./tcp_info.ts";

type Kept = readonly [value: number, min: number, max: number];
const KEPT: ReadonlyMap<number, Kept> = new Map<number, Kept>([
  [I.TCP_NODELAY, [0, -0x80000000, 0x7fffffff]],
  [I.TCP_CORK, [0, -0x80000000, 0x7fffffff]],
  [I.TCP_MAXSEG, [0, 88, 32767]],
  [I.TCP_KEEPIDLE, [7200, 1, 32767]],
  [I.TCP_KEEPINTVL, [75, 1, 32767]],
  [I.TCP_KEEPCNT, [9, 1, 127]],
  [I.TCP_SYNCNT, [6, 1, 127]],
  [I.TCP_LINGER2, [60, -0x80000000, 0x7fffffff]],
  [I.TCP_DEFER_ACCEPT, [0, 0, 0x7fffffff]],
  [I.TCP_WINDOW_CLAMP, [0, 0, 0x7fffffff]],
  [I.TCP_QUICKACK, [1, -0x80000000, 0x7fffffff]],
  [I.TCP_USER_TIMEOUT, [0, 0, 0x7fffffff]],
  [I.TCP_NOTSENT_LOWAT, [0, -0x80000000, 0x7fffffff]],
  [I.TCP_INQ, [0, 0, 1]],
  [I.TCP_THIN_LINEAR_TIMEOUTS, [0, 0, 1]],
  [I.TCP_SAVE_SYN, [0, 0, 2]],
  [I.TCP_TX_DELAY, [0, 0, 1 << 28]],
]);
/** Options that are shown as 0 or 1. */
const BOOLEAN: ReadonlySet<number> = new Set([I.TCP_NODELAY, I.TCP_CORK, I.TCP_QUICKACK]);
/** Options of TCP_REPAIR, which needs CAP_NET_ADMIN and is not supported. */
const REPAIR: ReadonlySet<number> = new Set([
  I.TCP_REPAIR_QUEUE,
  I.TCP_QUEUE_SEQ,
  I.TCP_REPAIR_OPTIONS,
  I.TCP_REPAIR_WINDOW,
]);
/** The largest TCP_LINGER2 and its default in seconds, and the smallest TCP_WINDOW_CLAMP. */
const LINGER2_MAX = 120, LINGER2 = 60, CLAMP_MIN = 1152;
/** TCP_DEFER_ACCEPT: the most tries, and the most seconds between two (TCP_RTO_MAX). */
const TRIES_MAX = 255, TRY_MAX = 120;
const ALGORITHMS: readonly string[] = ["cubic", "reno"];
const NAME_BYTES = 16;
/** A key of Fast Open; a second one may follow. */
const KEY_BYTES = 16;
const MSS_AT_FIRST = 536;

/** Settings of /proc/sys that give the defaults of options. */
const SETTINGS: ReadonlyMap<number, string> = new Map([
  [I.TCP_KEEPIDLE, "net/ipv4/tcp_keepalive_time"],
  [I.TCP_KEEPINTVL, "net/ipv4/tcp_keepalive_intvl"],
  [I.TCP_KEEPCNT, "net/ipv4/tcp_keepalive_probes"],
  [I.TCP_SYNCNT, "net/ipv4/tcp_syn_retries"],
  [I.TCP_LINGER2, "net/ipv4/tcp_fin_timeout"],
]);

function atFirst({ net }: TcpSocket, name: number, otherwise: number): number {
  const path = SETTINGS.get(name);
  return path === undefined ? otherwise : net.number(path, otherwise);
}

export class TcpOptions {
  readonly kept: Map<number, number> = new Map();
  congestion: string = "cubic";
  /** TCP_USER_TIMEOUT; 0: none. */
  userTimeoutMs: number = 0;
  /** TCP_NOTSENT_LOWAT, TCP_WINDOW_CLAMP. */
  notSentLow: number = Infinity;
  windowClamp: number = Infinity;
  /** TCP_FASTOPEN: the number of connections that may wait before their clients are proved. */
  fastOpenQueue: number = 0;
  /** TCP_FASTOPEN_CONNECT, TCP_FASTOPEN_NO_COOKIE, TCP_FASTOPEN_KEY. */
  opensFast: boolean = false;
  needsNoCookie: boolean = false;
  fastOpenKey: Uint8Array<ArrayBuffer> = new Uint8Array(0);

  inherit(from: TcpOptions): void {
    for (const [name, value] of from.kept) this.kept.set(name, value);
    this.kept.delete(I.TCP_DEFER_ACCEPT);
    const { congestion, userTimeoutMs, notSentLow, windowClamp, needsNoCookie } = from;
    Object.assign(this, { congestion, userTimeoutMs, notSentLow, windowClamp, needsNoCookie });
  }
}

export function setTcpOption(socket: TcpSocket, name: number, value: OptionValue): number {
  const { tcp } = socket;
  switch (name) {
    case I.TCP_CONGESTION: {
      if (value.length < 1) return -EINVAL;
      const length = Math.min(value.length, NAME_BYTES);
      const text = bytesToString(value.u8, 0, length).replace(/\0[^]*$/, "");
      if (!ALGORITHMS.includes(text)) return -ENOENT;
      tcp.congestion = text;
      return 0;
    }
    case I.TCP_ULP:
      // No ULP exists, as in a kernel without CONFIG_TLS.
      return value.length < 1 ? -EINVAL : -ENOENT;
    case I.TCP_FASTOPEN_KEY:
      if (value.length !== KEY_BYTES && value.length !== 2 * KEY_BYTES) return -EINVAL;
      tcp.fastOpenKey = value.u8.slice(0, value.length);
      return 0;
  }
  if (!value.isInt) return -EINVAL;
  if (name === I.TCP_REPAIR) return -EPERM;
  if (REPAIR.has(name)) return name === I.TCP_REPAIR_OPTIONS ? -EINVAL : -EPERM;
  const bounds = KEPT.get(name);
  if (bounds === undefined) return setStateOption(socket, name, value.int);
  let n = value.int;
  if (name === I.TCP_MAXSEG && n === 0) {
    tcp.kept.delete(name);
    return 0;
  }
  if (name === I.TCP_LINGER2) {
    n = n < 0 ? -1 : n === 0 ? atFirst(socket, name, LINGER2) : Math.min(n, LINGER2_MAX);
  }
  if (name === I.TCP_WINDOW_CLAMP && n !== 0) n = Math.max(n, CLAMP_MIN);
  if (name === I.TCP_DEFER_ACCEPT) n = roundedUp(n);
  if (BOOLEAN.has(name)) n = n !== 0 ? 1 : 0;
  if (n < bounds[1] || n > bounds[2]) return -EINVAL;
  tcp.kept.set(name, n);
  apply(socket, name, n);
  return 0;
}

/** The effects of a kept value. */
function apply(socket: TcpSocket, name: number, n: number): void {
  const { tcp } = socket;
  switch (name) {
    case I.TCP_USER_TIMEOUT:
      tcp.userTimeoutMs = n;
      socket.timeData(true);
      break;
    case I.TCP_NOTSENT_LOWAT:
      tcp.notSentLow = n > 0 ? n : Infinity;
      socket.onBufferSize();
      break;
    case I.TCP_WINDOW_CLAMP:
      tcp.windowClamp = n > 0 ? n : Infinity;
      break;
  }
}

/** Options that depend on the state of the socket, or that keep no value. */
function setStateOption(socket: TcpSocket, name: number, n: number): number {
  const { tcp, state, net } = socket, isBit = n === 0 || n === 1;
  const isClosed = state === I.TCP_CLOSE, isPassive = isClosed || state === I.TCP_LISTEN;
  switch (name) {
    case I.TCP_THIN_DUPACK:
      return isBit ? 0 : -EINVAL;
    case I.TCP_TIMESTAMP:
      return -EPERM;
    case I.TCP_FASTOPEN:
      if (n < 0 || !isPassive) return -EINVAL;
      tcp.fastOpenQueue = Math.min(n, MAX_BACKLOG);
      return 0;
    case I.TCP_FASTOPEN_CONNECT:
      if (!isBit) return -EINVAL;
      if (!mayOpenFast(net)) return -EOPNOTSUPP;
      if (!isClosed) return -EINVAL;
      tcp.opensFast = n === 1;
      return 0;
    case I.TCP_FASTOPEN_NO_COOKIE:
      if (!isBit || !isPassive) return -EINVAL;
      tcp.needsNoCookie = n === 1;
      return 0;
    default:
      return -ENOPROTOOPT;
  }
}

/** Seconds as a number of tries of a SYN and ACK, after 1, 2, 4 ... up to 120 seconds. */
function roundedUp(seconds: number): number {
  let sum = 0, tries = 0;
  for (let next = 1; sum < seconds && tries < TRIES_MAX; tries++) {
    sum += next;
    next = Math.min(2 * next, TRY_MAX);
  }
  return sum;
}

export function getTcpOption(socket: TcpSocket, name: number, value: OptionValue): number {
  const { tcp } = socket, room = value.length;
  if (room < 0) return -EINVAL;
  switch (name) {
    case I.TCP_CONGESTION:
      value.u8.fill(0, 0, NAME_BYTES);
      for (let i = 0; i < tcp.congestion.length; i++) value.u8[i] = tcp.congestion.charCodeAt(i);
      value.length = NAME_BYTES;
      return 0;
    case I.TCP_INFO:
      return putInfo(socket, value);
    case I.TCP_ULP:
    case I.TCP_CC_INFO:
      // Neither congestion control algorithm has information.
      value.length = 0;
      return 0;
    case I.TCP_SAVED_SYN: {
      const syn = socket.savedSyn;
      value.length = syn?.length ?? 0;
      if (syn === null) return 0;
      if (room < syn.length) return -EINVAL;
      value.u8.set(syn);
      socket.savedSyn = null;
      return 0;
    }
    case I.TCP_MAXSEG:
      if (socket.peer !== null) return value.setInt(MSS);
      return value.setInt(tcp.kept.get(name) ?? MSS_AT_FIRST);
    case I.TCP_TIMESTAMP:
      return value.setInt(Math.floor(socket.net.host.monotonicNs() / 1e6) | 0);
    case I.TCP_THIN_DUPACK:
    case I.TCP_IS_MPTCP:
      return value.setInt(0);
    case I.TCP_REPAIR:
      return value.setInt(0);
    case I.TCP_REPAIR_QUEUE:
    case I.TCP_QUEUE_SEQ:
    case I.TCP_REPAIR_WINDOW:
      return -EINVAL;
    case I.TCP_FASTOPEN:
      return value.setInt(tcp.fastOpenQueue);
    case I.TCP_FASTOPEN_CONNECT:
      return value.setBool(tcp.opensFast);
    case I.TCP_FASTOPEN_NO_COOKIE:
      return value.setBool(tcp.needsNoCookie);
    case I.TCP_FASTOPEN_KEY:
      value.u8.set(tcp.fastOpenKey);
      value.length = tcp.fastOpenKey.length;
      return 0;
    default: {
      const bounds = KEPT.get(name);
      if (bounds === undefined) return -ENOPROTOOPT;
      return value.setInt(tcp.kept.get(name) ?? atFirst(socket, name, bounds[0]));
    }
  }
}
