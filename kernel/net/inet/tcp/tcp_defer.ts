/**
 * TCP_DEFER_ACCEPT (tcp(7)): a connection waits outside the backlog until it has data to read, or
 * until the retries of the SYN and ACK would end.
 */

import { POLLIN, POLLRDNORM } from "../../../../ffi/abi/poll.ts";
import { TCP_DEFER_ACCEPT } from "../../../../ffi/abi/inet.ts";
import { Timer } from "../../../time/timer.ts";
import type { TcpSocket } from "./tcp_socket.ts";
import { secondsOf } from "./tcp_timer.ts";

const NS_PER_S = 1e9;

/** The wait of one connection. */
export class Deferral extends Timer {
  private readonly listener: TcpSocket;
  private readonly server: TcpSocket;
  private readonly startNs: number;
  private tries: number = 0;

  constructor(listener: TcpSocket, server: TcpSocket) {
    super();
    this.listener = listener;
    this.server = server;
    this.startNs = server.net.host.monotonicNs();
    listener.deferred.add(server);
    server.deferral = this;
    this.tryAgain();
  }

  /** Data arrived, or the time is over: accept(2) can take the connection. */
  end(): void {
    this.forget();
    this.listener.backlog?.push(this.server);
    this.listener.queue.wake(POLLIN | POLLRDNORM);
  }

  /** Called when the connection ends before it can be accepted. */
  abandon(): void {
    this.forget();
    this.server.drop();
  }

  /** The listener forgets the connection. */
  forget(): void {
    this.server.net.timers.disarm(this);
    this.server.deferral = null;
    this.listener.deferred.delete(this.server);
  }

  private tryAgain(): void {
    const seconds = secondsOf(++this.tries);
    this.server.net.timers.arm(this, this.startNs + seconds * NS_PER_S);
  }

  /** The option may have changed meanwhile. */
  override onExpire(): void {
    if (secondsOf(this.tries) >= deferSeconds(this.listener)) this.end();
    else this.tryAgain();
  }
}

function deferSeconds(listener: TcpSocket): number {
  return listener.tcp.kept.get(TCP_DEFER_ACCEPT) ?? 0;
}

/**
 * Whether a new connection waits: a listener keeps no record of more than its backlog (SYN
 * cookies).
 */
export function defersAccept(listener: TcpSocket): boolean {
  return deferSeconds(listener) > 0 && listener.deferred.size < Math.max(1, listener.backlogLimit);
}
