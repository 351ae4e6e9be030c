/**
 * The host's side of a listening socket (--host-uds=create): a guest's bind(2) made it in a
 * directory of the host, and programs there connect to it. Each connection becomes a HostEnd with a
 * socket of the guest that waits for accept(2).
 *
 * DIFFERS: between bind(2) and listen(2) programs of the host are not refused; they wait.
 */

import { EPOLLIN } from "../../../ffi/abi/epoll.ts";
import { Waiter } from "../../core/wait.ts";
import type { Host } from "../../core/host.ts";

/** The socket of the guest for which a HostListener accepts. */
export interface HostAcceptor {
  /** There may be connections to accept. */
  onHostConnection(): void;
}

export class HostListener extends Waiter {
  private readonly host: Host;
  private readonly fd: number;
  private readonly acceptor: HostAcceptor;
  private isWatched: boolean = false;

  /** Takes over `fd`, which listens and is non-blocking. */
  constructor(host: Host, fd: number, acceptor: HostAcceptor) {
    super();
    this.host = host;
    this.fd = fd;
    this.acceptor = acceptor;
  }

  /** Accepts a connection: a non-blocking descriptor that the caller owns, or -errno. */
  accept(): number {
    return this.host.accept?.(this.fd) ?? -1;
  }

  /** Calls the acceptor at the next connection. */
  await(): void {
    if (this.isWatched) this.host.arm(this.fd, EPOLLIN);
    else this.isWatched = this.host.watch(this.fd, EPOLLIN, this) >= 0;
  }

  override onWake(_events: number): void {
    this.acceptor.onHostConnection();
  }

  close(): void {
    if (this.isWatched) this.host.unwatch(this.fd);
    this.host.close(this.fd);
  }
}
