/**
 * struct tcp_info (tcp(7)). Segments are counted as shown_segments.ts would build them. No segment
 * is lost or sent again, so those fields keep their first values.
 */

import * as I from "../../../../ffi/abi/inet.ts";
import type { OptionValue } from "../../socket_options.ts";
import { mtuOf } from "../ip/path_options.ts";
import type { TcpSocket } from "./tcp_socket.ts";

/** Bytes of struct tcp_info (tcpi_total_rto_time is its last field). */
const INFO_BYTES = 248;
export const MSS = 65483;
const WINDOW_SCALE = 7;
/** TCPI_OPT_*: timestamps, selective acknowledgements and window scale; data in the SYN. */
const OPTIONS = 7, SYN_DATA = 32;
/** Of a socket that never was connected: segment size, and times in microseconds. */
const MSS_AT_FIRST = 536, RTO_AT_FIRST = 1_000_000, VARIANCE_AT_FIRST = 250_000;
/** In microseconds. */
const RTO = 204_000, ATO = 40_000, RTT = 20, RTT_VARIANCE = 10;
const CONGESTION_WINDOW = 10, REORDERING = 3, THRESHOLD = 0x7fffffff;
const MTU_MAX = 65535;
const UINT_MAX = 0xffffffff;

/** Counts of one end of a connection. */
export class TcpTally {
  isConnected: boolean = false;
  /** The end called connect(2): its SYN counts as one acknowledged byte. */
  isClient: boolean = false;
  segmentsOut: number = 0;
  segmentsIn: number = 0;
  dataOut: number = 0;
  dataIn: number = 0;
  /** Bytes that the other end sent, and one more for its FIN. */
  received: number = 0;
  /** CLOCK_MONOTONIC in ns of the last data sent, data received, and acknowledgement. */
  sentNs: number = 0;
  receivedNs: number = 0;
  acknowledgedNs: number = 0;

  /** Called when the connection is established. */
  begin(isClient: boolean, nowNs: number): void {
    this.isConnected = true;
    this.isClient = isClient;
    this.segmentsOut = isClient ? 2 : 0;
    this.segmentsIn = isClient ? 1 : 2;
    this.dataOut = this.dataIn = this.received = 0;
    this.sentNs = this.receivedNs = this.acknowledgedNs = nowNs;
  }

  /** Data was sent in `segments` and acknowledged. */
  send(segments: number, nowNs: number): void {
    this.segmentsOut += segments;
    this.dataOut += segments;
    this.segmentsIn++;
    this.sentNs = this.acknowledgedNs = nowNs;
  }

  receive(segments: number, bytes: number, nowNs: number): void {
    this.segmentsIn += segments;
    this.dataIn += segments;
    this.segmentsOut++;
    this.received += bytes;
    this.receivedNs = nowNs;
  }

  /** Counts a FIN that was sent and acknowledged. */
  sendEnd(nowNs: number): void {
    this.segmentsOut++;
    this.segmentsIn++;
    this.acknowledgedNs = nowNs;
  }
  receiveEnd(): void {
    this.segmentsIn++;
    this.segmentsOut++;
    this.received++;
  }
}

/** TCP_INFO: fill in the value; 0. */
export function putInfo(socket: TcpSocket, value: OptionValue): number {
  const { dv, u8 } = value, { tally, isListening } = socket;
  u8.fill(0, 0, INFO_BYTES);
  value.length = INFO_BYTES;
  u8[0] = socket.state;
  const put = (at: number, n: number) => dv.setUint32(at, n, true);
  const putLong = (at: number, n: number) => dv.setBigUint64(at, BigInt(n), true);
  const rate = socket.options.maxPacingRate;
  dv.setBigUint64(104, rate, true); // tcpi_pacing_rate
  dv.setBigUint64(112, rate, true); // tcpi_max_pacing_rate
  put(80, CONGESTION_WINDOW); // tcpi_snd_cwnd
  put(88, REORDERING); // tcpi_reordering
  if (isListening) {
    put(24, socket.waitingCount); // tcpi_unacked
    put(28, socket.backlogLimit); // tcpi_sacked
    return 0;
  }
  put(76, THRESHOLD); // tcpi_snd_ssthresh
  const isNew = !tally.isConnected, now = socket.net.host.monotonicNs();
  put(44, msSince(tally.sentNs, now)); // tcpi_last_data_sent
  put(52, msSince(tally.receivedNs, now)); // tcpi_last_data_recv
  put(56, msSince(tally.acknowledgedNs, now)); // tcpi_last_ack_recv
  if (isNew) {
    u8[7] = socket.fastOpen.failure << 1;
    put(8, RTO_AT_FIRST); // tcpi_rto
    put(16, MSS_AT_FIRST); // tcpi_snd_mss
    put(72, VARIANCE_AT_FIRST); // tcpi_rttvar
    put(148, UINT_MAX); // tcpi_min_rtt
    return 0;
  }
  const held = socket.heldBytes, { sent, ends } = socket.sequence, bytes = sent - ends - held;
  u8[5] = OPTIONS | (socket.fastOpen.hasData ? SYN_DATA : 0);
  u8[6] = WINDOW_SCALE << 4 | WINDOW_SCALE;
  u8[7] = socket.fastOpen.failure << 1 | (held === 0 ? 1 : 0); // tcpi_delivery_rate_app_limited
  put(8, RTO);
  put(12, ATO); // tcpi_ato
  put(16, MSS);
  put(20, MSS_AT_FIRST); // tcpi_rcv_mss
  put(60, Math.min(mtuOf(socket), MTU_MAX)); // tcpi_pmtu
  put(64, MSS); // tcpi_rcv_ssthresh
  put(68, RTT); // tcpi_rtt
  put(72, RTT_VARIANCE);
  put(84, MSS); // tcpi_advmss
  put(96, MSS); // tcpi_rcv_space
  putLong(120, bytes + ends + (tally.isClient ? 1 : 0)); // tcpi_bytes_acked
  putLong(128, Math.max(0, tally.received - (socket.peer?.heldBytes ?? 0))); // tcpi_bytes_received
  put(136, tally.segmentsOut);
  put(140, tally.segmentsIn);
  put(144, held); // tcpi_notsent_bytes
  put(148, RTT);
  put(152, tally.dataIn);
  put(156, tally.dataOut);
  put(192, 1 + tally.dataOut + ends); // tcpi_delivered
  putLong(200, bytes); // tcpi_bytes_sent
  put(228, socket.peer?.windowLeft ?? 0); // tcpi_snd_wnd
  put(232, socket.windowLeft); // tcpi_rcv_wnd
  return 0;
}

function msSince(thenNs: number, nowNs: number): number {
  return Math.min(UINT_MAX, Math.floor((nowNs - thenNs) / 1e6));
}

/** Whether the handshake is complete and this end has not closed. */
export function isEstablished(state: number): boolean {
  return state === I.TCP_ESTABLISHED || state === I.TCP_CLOSE_WAIT;
}

/**
 * Whether a disconnect in this state sends a reset and sets ECONNRESET on the socket itself
 * (tcp_need_reset of Linux).
 */
export function resetsPeer(state: number): boolean {
  return isEstablished(state) || state === I.TCP_FIN_WAIT1 || state === I.TCP_FIN_WAIT2 ||
    state === I.TCP_SYN_SENT || state === I.TCP_SYN_RECV;
}
