/**
 * The guest of `do`: one process in the kernel's first namespaces, which gets the signals of the
 * command on the host. It is no container: commands cannot name it, and a signal that it does not
 * handle ends it.
 */

import type { SandboxKernel } from "../../../kernel/kernel.ts";
import type { Container } from "../../../kernel/task/container.ts";
import type { ThreadGroup } from "../../../kernel/task/thread_group.ts";
import type { TerminalBridge } from "./terminal_bridge.ts";
import type { BootSpec } from "../../protocol/boot_spec.ts";
import type { BootSocket } from "../../protocol/launcher_channel.ts";
import { PublishedPort } from "../ports/published_port.ts";
import { makeFirstContainer } from "./first_container.ts";
import { relaysOf } from "../ports/relay_table.ts";
import { limitGuests } from "./guest_limits.ts";
import { ReachedLimits } from "./reached_limits.ts";
import { startGuest } from "./guest_start.ts";
import {
  type GoferListener,
  GoferWatch,
  LauncherLink,
  type WaiterListener,
} from "../control/launcher_events.ts";

export interface PlainOwner {
  /** The waiter of the guest has ended. */
  onWaiterGone(): void;
  /** The guest's Gofer has ended. */
  onGoferGone(guest: PlainGuest): void;
}

export class PlainGuest implements WaiterListener, GoferListener {
  readonly #kernel: SandboxKernel;
  readonly #goferFd: number;
  readonly #waiter: BootSocket;
  readonly #owner: PlainOwner;
  readonly #spec: BootSpec;
  readonly #container: Container;
  readonly #bridge: TerminalBridge | null;
  /** null: they are not reported. */
  readonly #reached: ReachedLimits | null;

  /**
   * Loads the process and puts it into the run queue.
   * @throws UserError
   */
  constructor(kernel: SandboxKernel, spec: BootSpec, waiter: BootSocket, owner: PlainOwner) {
    this.#kernel = kernel;
    this.#spec = spec;
    this.#waiter = waiter;
    this.#owner = owner;
    this.#goferFd = spec.fds.gofer;
    const container = makeFirstContainer(kernel, spec);
    this.#container = container;
    limitGuests(container, spec.limits);
    const names = spec.limits?.names;
    this.#reached = names === undefined ? null : new ReachedLimits(container, names);
    this.#bridge = startGuest(kernel, container, spec.process, spec.fds.stdio, true, null).bridge;
  }

  watch(): void {
    const { host, timers } = this.#kernel, { published = [], fds } = this.#spec;
    const max = relaysOf(published.length, host.fileLimit), container = this.#container;
    published.forEach((port, i) => {
      new PublishedPort({ host, timers, container, fd: fds.published?.[i] ?? -1, port, max });
    });
    new LauncherLink(host, this.#waiter, this);
    new GoferWatch(this.#kernel.host, this.#goferFd, this);
  }

  /** Writes the last output of the process. */
  drain(): void {
    this.#bridge?.drain();
  }

  onOutOfMemory(victim: ThreadGroup): void {
    this.#reached?.onOutOfMemory(victim);
  }

  /** A line for each limit that the guests have reached. */
  reachedLimits(): string[] {
    return this.#reached?.lines() ?? [];
  }

  onSignal(signo: number): void {
    this.#kernel.signalInit(signo);
  }
  onResize(rows: number, columns: number): void {
    this.#bridge?.resize(rows, columns);
  }
  onWaiterGone(): void {
    this.#owner.onWaiterGone();
  }
  onGoferGone(): void {
    this.#owner.onGoferGone(this);
  }
}
