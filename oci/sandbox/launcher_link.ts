/**
 * The launcher's messages to a running sandbox: signals for the first process, sizes of the terminal. When the launcher
 * is gone, nobody would hear how the guest ends: the sandbox ends at once.
 */

import { EPOLLIN } from "../../ffi/abi/epoll.ts";
import type { Host } from "../../kernel/core/host.ts";
import { Waiter } from "../../kernel/core/wait.ts";
import type { BootSocket } from "./control.ts";

export interface LauncherListener {
  onSignal(signo: number): void;
  onResize(rows: number, columns: number): void;
  onLauncherGone(): void;
}

export class LauncherLink extends Waiter {
  private readonly host: Host;
  private readonly control: BootSocket;
  private readonly listener: LauncherListener;

  constructor(host: Host, control: BootSocket, listener: LauncherListener) {
    super();
    this.host = host;
    this.control = control;
    this.listener = listener;
    host.watch(control.fd, EPOLLIN, this);
  }

  override onWake(_events: number): void {
    for (;;) {
      const received = this.control.receive(false);
      if (received.kind === "none") break;
      if (received.kind === "end") {
        this.listener.onLauncherGone();
        return;
      }
      const { message } = received;
      if (message.type === "signal") this.listener.onSignal(message.signo);
      else if (message.type === "resize") this.listener.onResize(message.rows, message.columns);
    }
    this.host.arm(this.control.fd, EPOLLIN);
  }
}
