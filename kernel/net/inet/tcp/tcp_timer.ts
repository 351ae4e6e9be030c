/**
 * Timeouts of a connection: connect(2) without an answer, after TCP_SYNCNT tries or, without a
 * neighbour, three ARP requests; and data beyond the peer's window, after TCP_USER_TIMEOUT
 * (tcp(7)). A socket waits for one of them at a time, so it has one timer.
 */

import { EHOSTUNREACH, ETIMEDOUT } from "../../../../ffi/abi/errno.ts";
import { TCP_SYN_SENT, TCP_SYNCNT } from "../../../../ffi/abi/inet.ts";
import { Timer } from "../../../time/timer.ts";
import type { TcpSocket } from "./tcp_socket.ts";
import { ASKING_S } from "../icmp/unanswered.ts";

const NS_PER_MS = 1e6, MS_PER_S = 1000;
/** Seconds before the first retry, and the longest pause (TCP_RTO_MAX). */
const TRY_S = 1, TRY_MAX_S = 120;
const SYN_TRIES = 6;

/** Seconds that `tries` take, with pauses that double. */
export function secondsOf(tries: number): number {
  let sum = 0;
  for (let i = 0, next = TRY_S; i < tries; i++, next = Math.min(2 * next, TRY_MAX_S)) sum += next;
  return sum;
}

export class TcpTimer extends Timer {
  private readonly socket: TcpSocket;
  private isUnanswered: boolean = false;

  constructor(socket: TcpSocket) {
    super();
    this.socket = socket;
  }

  /** connect(2) waits for an answer. */
  startConnecting(): void {
    this.isUnanswered = false;
    const { tcp } = this.socket,
      tries = tcp.kept.get(TCP_SYNCNT) ??
        this.socket.net.number("net/ipv4/tcp_syn_retries", SYN_TRIES);
    const allMs = secondsOf(tries + 1) * MS_PER_S, { userTimeoutMs } = tcp;
    // Linux checks the timeout when the first try fails.
    const ms = userTimeoutMs > 0
      ? Math.min(allMs, Math.max(TRY_S * MS_PER_S, userTimeoutMs))
      : allMs;
    this.arm(ms);
  }

  /** connect(2) waits for a neighbour. */
  startAsking(): void {
    this.isUnanswered = true;
    this.arm(ASKING_S * MS_PER_S);
  }

  /** Data was sent, or (`isProgress`) the peer read some: start the timeout if data waits. */
  watch(isProgress: boolean): void {
    const { socket } = this, { userTimeoutMs } = socket.tcp;
    if (userTimeoutMs === 0 || socket.heldBytes === 0) this.stop();
    else if (isProgress || !this.isArmed) this.arm(userTimeoutMs);
  }

  stop(): void {
    this.socket.net.timers.disarm(this);
  }

  private arm(ms: number): void {
    const { timers, host } = this.socket.net;
    timers.arm(this, host.monotonicNs() + ms * NS_PER_MS);
  }

  override onExpire(): void {
    if (this.socket.state === TCP_SYN_SENT) {
      this.socket.giveUpConnecting(this.isUnanswered ? EHOSTUNREACH : ETIMEDOUT);
    } else this.socket.giveUp();
  }
}
