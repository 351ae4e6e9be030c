/**
 * The times after which a connection is given up: connect(2) that nobody answers, for TCP_SYNCNT tries or, where there is no
 * such neighbour, three questions, and data
 * that the other end has no room for, for TCP_USER_TIMEOUT (tcp(7)). One timer a socket, as it has one wait at a time.
 */

import { EHOSTUNREACH, ETIMEDOUT } from "../../../../ffi/abi/errno.ts";
import { TCP_SYN_SENT, TCP_SYNCNT } from "../../../../ffi/abi/inet.ts";
import { Timer } from "../../../time/timer.ts";
import type { TcpSocket } from "./tcp_socket.ts";
import { ASKING_S } from "../icmp/unanswered.ts";

const NS_PER_MS = 1e6, MS_PER_S = 1000;
/** Seconds: the first time between two tries, and the longest one (TCP_RTO_MAX). */
const TRY_S = 1, TRY_MAX_S = 120;
const SYN_TRIES = 6;

/** Seconds that `tries` take after each of which is waited twice as long. */
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

  /** A connection is asked for. */
  startConnecting(): void {
    this.isUnanswered = false;
    const { tcp } = this.socket,
      tries = tcp.kept.get(TCP_SYNCNT) ??
        this.socket.net.number("net/ipv4/tcp_syn_retries", SYN_TRIES);
    const allMs = secondsOf(tries + 1) * MS_PER_S, { userTimeoutMs } = tcp;
    // It is looked at when the first try fails.
    const ms = userTimeoutMs > 0
      ? Math.min(allMs, Math.max(TRY_S * MS_PER_S, userTimeoutMs))
      : allMs;
    this.arm(ms);
  }

  /** Nobody answers for the address. */
  startAsking(): void {
    this.isUnanswered = true;
    this.arm(ASKING_S * MS_PER_S);
  }

  /** Data were sent, or (`isProgress`) some of them were taken: from now on, or from then on, they wait. */
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
