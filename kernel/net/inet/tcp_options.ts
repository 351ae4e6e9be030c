/** Options at IPPROTO_TCP (tcp(7)): kept and shown; the loopback needs neither timers nor congestion control. */

import { EINVAL, ENOENT, ENOPROTOOPT, EPERM } from "../../../ffi/abi/errno.ts";
import * as I from "../../../ffi/abi/inet.ts";
import { bytesToString } from "../../core/bytes.ts";
import type { OptionValue } from "../socket_options.ts";
import { mtuOf } from "./ip_options.ts";
import type { TcpSocket } from "./tcp.ts";

type Kept = readonly [value: number, min: number, max: number];
const KEPT: ReadonlyMap<number, Kept> = new Map<number, Kept>([
  [I.TCP_NODELAY, [0, -0x80000000, 0x7fffffff]],
  [I.TCP_CORK, [0, -0x80000000, 0x7fffffff]],
  [I.TCP_MAXSEG, [65483, 88, 32767]],
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
]);
/** Options that are shown as 0 or 1. */
const BOOLEAN: ReadonlySet<number> = new Set([I.TCP_NODELAY, I.TCP_CORK, I.TCP_QUICKACK]);
/** Those of who takes a connection over from another machine (CAP_NET_ADMIN): nobody can. */
const REPAIR: ReadonlySet<number> = new Set([
  I.TCP_REPAIR_QUEUE,
  I.TCP_QUEUE_SEQ,
  I.TCP_REPAIR_OPTIONS,
  I.TCP_REPAIR_WINDOW,
]);
/** Seconds that TCP_LINGER2 has at most, and the least window of TCP_WINDOW_CLAMP. */
const LINGER2_MAX = 120, LINGER2 = 60, CLAMP_MIN = 1152;
/** TCP_DEFER_ACCEPT: tries, and seconds between two of them (TCP_RTO_MAX). */
const TRIES_MAX = 255, TRY_MAX = 120;
const ALGORITHMS: readonly string[] = ["cubic", "reno"];
/** struct tcp_info up to tcpi_total_retrans. */
const INFO_BYTES = 104;
const MSS = 65483;

export class TcpOptions {
  readonly kept: Map<number, number> = new Map();
  congestion: string = "cubic";

  inherit(from: TcpOptions): void {
    for (const [name, value] of from.kept) this.kept.set(name, value);
    this.congestion = from.congestion;
  }
}

export function setTcpOption(socket: TcpSocket, name: number, value: OptionValue): number {
  const { tcp } = socket;
  if (name === I.TCP_CONGESTION) {
    if (value.length < 1) return -EINVAL;
    const text = bytesToString(value.u8, 0, Math.min(value.length, 16)).replace(/\0[^]*$/, "");
    if (!ALGORITHMS.includes(text)) return -ENOENT;
    tcp.congestion = text;
    return 0;
  }
  if (!value.isInt) return -EINVAL;
  if (name === I.TCP_REPAIR) return -EPERM;
  if (REPAIR.has(name)) return name === I.TCP_REPAIR_OPTIONS ? -EINVAL : -EPERM;
  const bounds = KEPT.get(name);
  if (bounds === undefined) return -ENOPROTOOPT;
  let n = value.int;
  if (name === I.TCP_LINGER2) n = n < 0 ? -1 : n === 0 ? LINGER2 : Math.min(n, LINGER2_MAX);
  if (name === I.TCP_WINDOW_CLAMP && n !== 0) n = Math.max(n, CLAMP_MIN);
  if (name === I.TCP_DEFER_ACCEPT) n = roundedUp(n);
  if (BOOLEAN.has(name)) n = n !== 0 ? 1 : 0;
  if (n < bounds[1] || n > bounds[2]) return -EINVAL;
  tcp.kept.set(name, n);
  return 0;
}

/** Seconds as a number of tries to answer a SYN (of 1, 2, 4 ... up to 120 seconds), which is what is kept. */
function roundedUp(seconds: number): number {
  let sum = 0, tries = 0;
  for (let next = 1; sum < seconds && tries < TRIES_MAX; tries++) {
    sum += next;
    next = Math.min(2 * next, TRY_MAX);
  }
  return sum;
}

export function getTcpOption(socket: TcpSocket, name: number, value: OptionValue): number {
  const { tcp } = socket;
  switch (name) {
    case I.TCP_CONGESTION:
      value.u8.fill(0, 0, 16);
      for (let i = 0; i < tcp.congestion.length; i++) value.u8[i] = tcp.congestion.charCodeAt(i);
      value.length = 16;
      return 0;
    case I.TCP_INFO:
      return info(socket, value);
    case I.TCP_REPAIR:
      return value.setInt(0);
    case I.TCP_REPAIR_QUEUE:
    case I.TCP_QUEUE_SEQ:
    case I.TCP_REPAIR_WINDOW:
      return -EINVAL;
    case I.TCP_FASTOPEN:
    case I.TCP_FASTOPEN_CONNECT:
      return value.setInt(0);
    default: {
      const bounds = KEPT.get(name);
      return bounds === undefined ? -ENOPROTOOPT : value.setInt(tcp.kept.get(name) ?? bounds[0]);
    }
  }
}

/** struct tcp_info: the state, sizes of segments and windows, and what a loopback has of the rest. */
function info(socket: TcpSocket, value: OptionValue): number {
  value.u8.fill(0, 0, INFO_BYTES);
  value.u8[0] = socket.state;
  const put = (at: number, n: number) => value.dv.setUint32(at, n, true);
  put(8, 200_000); // tcpi_rto, us
  put(12, 40_000); // tcpi_ato, us
  put(16, MSS); // tcpi_snd_mss
  put(20, 536); // tcpi_rcv_mss
  put(24, socket.isListening ? socket.waitingCount : 0); // tcpi_unacked
  put(28, socket.isListening ? socket.backlogLimit : 0); // tcpi_sacked
  put(60, mtuOf(socket)); // tcpi_pmtu
  put(64, 65483); // tcpi_rcv_ssthresh
  put(68, 20); // tcpi_rtt, us
  put(72, 10); // tcpi_rttvar, us
  put(76, 0x7fffffff); // tcpi_snd_ssthresh
  put(80, 10); // tcpi_snd_cwnd
  put(84, MSS); // tcpi_advmss
  put(88, 3); // tcpi_reordering
  put(96, 65483); // tcpi_rcv_space
  value.length = INFO_BYTES;
  return 0;
}
