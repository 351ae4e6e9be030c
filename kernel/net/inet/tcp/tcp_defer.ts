/**
 * TCP_DEFER_ACCEPT (tcp(7)): a connection waits outside the backlog of its listener until it has something to read, or
 * for as long as answers to a SYN are tried again.
 */

import { TCP_DEFER_ACCEPT } from "../../../../ffi/abi/inet.ts";
import { POLLIN, POLLRDNORM } from "../../../vfs/open_file.ts";
import { Timer } from "../../../time/timer.ts";
import type { TcpSocket } from "./tcp_socket.ts";
import { secondsOf } from "./tcp_timer.ts";

const NS_PER_S = 1e9;

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

  /** There is something to read, or it took too long: it can be accepted. */
  end(): void {
    this.forget();
    this.listener.backlog?.push(this.server);
    this.listener.queue.wake(POLLIN | POLLRDNORM);
  }

  /** It is over before it began. */
  abandon(): void {
    this.forget();
    this.server.drop();
  }

  /** Its listener has no more to do with it. */
  forget(): void {
    this.server.net.timers.disarm(this);
    this.server.deferral = null;
    this.listener.deferred.delete(this.server);
  }

  private tryAgain(): void {
    const seconds = secondsOf(++this.tries);
    this.server.net.timers.arm(this, this.startNs + seconds * NS_PER_S);
  }

  /** The option is looked at as it is now. */
  override onExpire(): void {
    if (secondsOf(this.tries) >= deferSeconds(this.listener)) this.end();
    else this.tryAgain();
  }
}

function deferSeconds(listener: TcpSocket): number {
  return listener.tcp.kept.get(TCP_DEFER_ACCEPT) ?? 0;
}

/** Whether a connection that comes now waits so: of more than the backlog holds no record is kept (SYN cookies). */
export function defersAccept(listener: TcpSocket): boolean {
  return deferSeconds(listener) > 0 && listener.deferred.size < Math.max(1, listener.backlogLimit);
}
