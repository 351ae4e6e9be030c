/**
 * Events of a running sandbox that come from its launcher or waiter: signals for the first process,
 * terminal sizes, and the end of the waiter. The end of the Gofer, too.
 */

import { SIGRTMAX } from "../../../ffi/abi/signal.ts";
import { EPOLLIN, EPOLLRDHUP } from "../../../ffi/abi/epoll.ts";
import type { Host } from "../../../kernel/core/host.ts";
import { Waiter } from "../../../kernel/core/wait.ts";
import {
  type BootSocket,
  type Packet,
  PACKET_RESIZE,
  PACKET_SIGNAL,
} from "../../protocol/launcher_channel.ts";

export interface WaiterListener {
  onSignal(signo: number): void;
  onResize(rows: number, columns: number): void;
  onWaiterGone(): void;
}

export interface GoferListener {
  onGoferGone(): void;
}

/** LIMIT: packets that are read at a time; epoll reports further ones again. */
const PACKETS_A_TURN = 64;
/** Signals are 1 to 64, sizes of a terminal 16 bits (ioctl_tty(2)). */
const SIZE_MAX = 0xffff;

/** Reads the control socket. Packets that are not valid are ignored. */
export class LauncherLink extends Waiter {
  readonly #host: Host;
  readonly #control: BootSocket;
  readonly #listener: WaiterListener;

  constructor(host: Host, control: BootSocket, listener: WaiterListener) {
    super();
    this.#host = host;
    this.#control = control;
    this.#listener = listener;
    host.watch(control.fd, EPOLLIN, this);
  }

  override onWake(_events: number): void {
    for (let i = 0; i < PACKETS_A_TURN; i++) {
      const packet = this.#control.receivePacket();
      if (packet === null) break;
      if (packet === "end") {
        this.#listener.onWaiterGone();
        return;
      }
      this.#hear(packet);
    }
    this.#host.arm(this.#control.fd, EPOLLIN);
  }

  #hear({ kind, a, b }: Packet): void {
    if (kind === PACKET_SIGNAL && a > 0 && a <= SIGRTMAX) this.#listener.onSignal(a);
    else if (kind === PACKET_RESIZE && a <= SIZE_MAX && b <= SIZE_MAX) {
      this.#listener.onResize(a, b);
    }
  }
}

/** Watches for the end of the Gofer's socket. GoferClient reads what arrives there. */
export class GoferWatch extends Waiter {
  readonly #listener: GoferListener;

  constructor(host: Host, fd: number, listener: GoferListener) {
    super();
    this.#listener = listener;
    host.watch(fd, EPOLLRDHUP, this);
  }

  override onWake(_events: number): void {
    this.#listener.onGoferGone();
  }
}
