/**
 * What a running sandbox hears from outside: signals for the first process and sizes of the terminal; that nobody waits
 * for it any more; that its file server is gone.
 */

import { EPOLLIN, EPOLLRDHUP } from "../../ffi/abi/epoll.ts";
import type { Host } from "../../kernel/core/host.ts";
import { Waiter } from "../../kernel/core/wait.ts";
import { type BootSocket, PACKET_RESIZE, PACKET_SIGNAL } from "./control.ts";

export interface WaiterListener {
  onSignal(signo: number): void;
  onResize(rows: number, columns: number): void;
  onWaiterGone(): void;
}

export interface GoferListener {
  onGoferGone(): void;
}

/** Reads the control socket. */
export class LauncherLink extends Waiter {
  private readonly host: Host;
  private readonly control: BootSocket;
  private readonly listener: WaiterListener;

  constructor(host: Host, control: BootSocket, listener: WaiterListener) {
    super();
    this.host = host;
    this.control = control;
    this.listener = listener;
    host.watch(control.fd, EPOLLIN, this);
  }

  override onWake(_events: number): void {
    for (;;) {
      const packet = this.control.receivePacket();
      if (packet === null) break;
      if (packet === "end") {
        this.listener.onWaiterGone();
        return;
      }
      if (packet.kind === PACKET_SIGNAL) this.listener.onSignal(packet.a);
      else if (packet.kind === PACKET_RESIZE) this.listener.onResize(packet.a, packet.b);
    }
    this.host.arm(this.control.fd, EPOLLIN);
  }
}

/** Sees the end of the Gofer's socket; what arrives there is its client's. */
export class GoferWatch extends Waiter {
  private readonly listener: GoferListener;

  constructor(host: Host, fd: number, listener: GoferListener) {
    super();
    this.listener = listener;
    host.watch(fd, EPOLLRDHUP, this);
  }

  override onWake(_events: number): void {
    this.listener.onGoferGone();
  }
}
