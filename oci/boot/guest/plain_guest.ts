/**
 * The guest of `do`: one process in the kernel's first namespaces, which gets the signals of the
 * command on the host. It is no container: commands cannot name it, and a signal that it does not
 * handle ends it.
 */

import type { GoferClient } from "../../../gofer/client/gofer_client.ts";
import type { SandboxKernel } from "../../../kernel/kernel.ts";
import type { Container } from "../../../kernel/task/container.ts";
import type { ThreadGroup } from "../../../kernel/task/thread_group.ts";
import type { TerminalBridge } from "./terminal_bridge.ts";
import type { BootSpec } from "../../protocol/boot_spec.ts";
import type { BootSocket } from "../../protocol/launcher_channel.ts";
import { UserError } from "../../user_error.ts";
import { PublishedPort } from "../ports/published_port.ts";
import { makeFirstContainer } from "./first_container.ts";
import { relaysOf } from "../ports/relay_table.ts";
import { limitGuests } from "./guest_limits.ts";
import { ReachedLimits } from "./reached_limits.ts";
import { startGuest } from "./guest_start.ts";
import { connectStreams, type GuestStreams } from "./guest_streams.ts";
import type { SavedGuest } from "../snapshot/guest_records.ts";
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

interface ConnectedProcess {
  readonly group: ThreadGroup;
  readonly streams: GuestStreams;
  readonly bridge: TerminalBridge | null;
}

export class PlainGuest implements WaiterListener, GoferListener {
  readonly #kernel: SandboxKernel;
  readonly #gofer: GoferClient;
  readonly #waiter: BootSocket;
  readonly #owner: PlainOwner;
  readonly #spec: BootSpec;
  readonly #container: Container;
  readonly #group: ThreadGroup;
  readonly #streams: GuestStreams;
  #bridge: TerminalBridge | null;
  /** null: they are not reported. */
  readonly #reached: ReachedLimits | null;

  /**
   * Loads the process and puts it into the run queue.
   *
   * @param saved what stands already, in a restored kernel; null: nothing
   * @throws UserError
   */
  constructor(
    kernel: SandboxKernel,
    spec: BootSpec,
    gofer: GoferClient,
    waiter: BootSocket,
    owner: PlainOwner,
    saved: SavedGuest | null,
  ) {
    this.#kernel = kernel;
    this.#spec = spec;
    this.#waiter = waiter;
    this.#owner = owner;
    this.#gofer = gofer;
    const container = saved?.container ?? makeFirstContainer(kernel, spec, gofer);
    this.#container = container;
    limitGuests(container, spec.limits);
    const names = spec.limits?.names;
    this.#reached = names === undefined ? null : new ReachedLimits(container, names);
    const { group, streams, bridge } = saved === null ? this.#start(container) : this.#adopt(saved);
    this.#group = group;
    this.#streams = streams;
    this.#bridge = bridge;
  }

  #start(container: Container): ConnectedProcess {
    const { process, fds } = this.#spec;
    const guest = startGuest(this.#kernel, container, process, fds.stdio, true, null);
    return { group: guest.task.group, streams: guest.streams, bridge: guest.bridge };
  }

  #adopt({ init }: SavedGuest): ConnectedProcess {
    if (init === null) throw new UserError("the snapshot has no process to go on");
    const { process, fds } = this.#spec, { group, streams } = init;
    return { group, streams, bridge: connectStreams(this.#kernel, streams, fds.stdio, process) };
  }

  /** What a snapshot keeps of it. */
  save(): SavedGuest {
    const { inodes, master } = this.#streams;
    const init = { group: this.#group, streams: { inodes: [...inodes], master } };
    const { args } = this.#spec.process;
    const container = this.#container;
    return { id: "", container, args, init, execs: [], limits: null, session: null };
  }

  /** The sandbox ends with a snapshot: what the terminal has not shown yet is shown later. */
  endInSnapshot(): void {
    this.#bridge?.close();
    this.#bridge = null;
  }

  watch(): void {
    const { host, timers } = this.#kernel, { published = [], fds } = this.#spec;
    const max = relaysOf(published.length, host.fileLimit), container = this.#container;
    published.forEach((port, i) => {
      new PublishedPort({ host, timers, container, fd: fds.published?.[i] ?? -1, port, max });
    });
    new LauncherLink(host, this.#waiter, this);
    new GoferWatch(this.#kernel.host, this.#gofer.connection.fd, this);
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
