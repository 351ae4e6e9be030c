/**
 * A guest process that has a waiter on the host (proxy/waiter_image.ts). Passes the waiter's
 * signals and terminal sizes to the process, and sends its exit code back. guest_container.ts
 * decides which process of the container this is.
 */

import { SI_USER } from "../../../ffi/abi/siginfo.ts";
import { SIGKILL } from "../../../ffi/abi/signal.ts";
import { SigInfo } from "../../../kernel/signal/pending.ts";
import { sendToGroup } from "../../../kernel/signal/send.ts";
import { killGroup } from "../../../kernel/task/exit_request.ts";
import type { ExitListener, ThreadGroup } from "../../../kernel/task/thread_group.ts";
import type { Host } from "../../../kernel/core/host.ts";
import type { TerminalBridge } from "./terminal_bridge.ts";
import { type BootSocket, exitCodeOf, PACKET_EXIT } from "../../protocol/launcher_channel.ts";
import type { SavedProcess } from "../snapshot/guest_records.ts";
import type { StartedGuest } from "./guest_start.ts";
import { type GuestStreams, NO_STREAMS } from "./guest_streams.ts";
import { LauncherLink, type WaiterListener } from "../control/launcher_events.ts";

export interface GuestOwner {
  /** The process has ended; the waiter gets the exit code afterwards. */
  onGuestEnd(process: GuestProcess): void;
  /** The waiter of the process has ended. */
  onWaiterGone(process: GuestProcess): void;
}

export class GuestProcess implements ExitListener, WaiterListener {
  /** Pid of its waiter on the host, 0 if that is not known. */
  readonly hostPid: number;
  /** It goes on without its waiter. */
  readonly #isOutlived: boolean;
  readonly #host: Host;
  readonly #socket: BootSocket;
  readonly #owner: GuestOwner;
  #group: ThreadGroup | null = null;
  #bridge: TerminalBridge | null = null;
  #streams: GuestStreams = NO_STREAMS;
  /** Wait status; -1 while the process runs. */
  status: number = -1;

  constructor(
    host: Host,
    socket: BootSocket,
    hostPid: number,
    isOutlived: boolean,
    owner: GuestOwner,
  ) {
    this.#host = host;
    this.#socket = socket;
    this.hostPid = hostPid;
    this.#isOutlived = isOutlived;
    this.#owner = owner;
  }

  get group(): ThreadGroup | null {
    return this.#group;
  }

  begin({ task, bridge, streams }: StartedGuest): void {
    this.#group = task.group;
    this.#bridge = bridge;
    this.#streams = streams;
  }

  /** Stands for a process of a restored kernel. */
  adopt({ group, streams }: SavedProcess, bridge: TerminalBridge | null): void {
    group.exitListener = this;
    this.#group = group;
    this.#bridge = bridge;
    this.#streams = streams;
  }

  /** What a snapshot keeps of it; null: it has ended. */
  save(): SavedProcess | null {
    const { group } = this, { inodes, master } = this.#streams;
    if (group === null || this.status >= 0) return null;
    return { group, streams: { inodes: [...inodes], master } };
  }

  /** The sandbox ends with a snapshot, and no process of it goes on. */
  endInSnapshot(): void {
    if (this.status < 0) this.status = SIGKILL;
    // What the terminal has not shown yet is shown by the restored one.
    this.#bridge?.close();
    this.#bridge = null;
  }

  /** Starts to read packets of the waiter. */
  listen(): void {
    new LauncherLink(this.#host, this.#socket, this);
  }

  onProcessEnd(group: ThreadGroup): void {
    this.status = group.exitStatus;
    this.#owner.onGuestEnd(this);
  }

  /** Writes the last output of the process. */
  drain(): void {
    this.#bridge?.drain();
  }

  /** Sends the exit code to the waiter, and closes all descriptors. */
  sendExitCode(): void {
    this.drain();
    this.#bridge?.close();
    this.#bridge = null;
    this.#socket.sendPacket(PACKET_EXIT, exitCodeOf(this.status), 0);
    this.#host.unwatch(this.#socket.fd);
    this.#socket.close();
  }

  onSignal(signo: number): void {
    const group = this.#group;
    if (group === null || this.status >= 0) return;
    const info = new SigInfo(signo, SI_USER);
    info.isFromOutside = true;
    sendToGroup(group, info);
  }

  kill(): void {
    if (this.#group !== null && this.status < 0) killGroup(this.#group, SIGKILL);
  }

  /** Called when the waiter was killed. */
  loseWaiter(): void {
    if (!this.#isOutlived) return this.kill();
    this.#bridge?.hangUp();
    this.#bridge = null;
  }

  onResize(rows: number, columns: number): void {
    this.#bridge?.resize(rows, columns);
  }

  onWaiterGone(): void {
    this.#owner.onWaiterGone(this);
  }
}
