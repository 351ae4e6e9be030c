/**
 * The guest of `dvisor sandbox`: an idle process 1 in the kernel's first namespaces, and the
 * programs that clients start (session_server.ts). It is no container of an OCI runtime.
 */

import { SIGHUP, SIGINT, SIGTERM } from "../../../ffi/abi/signal.ts";
import { OverlayFs } from "../../../kernel/fs/overlay/overlay_fs.ts";
import { emptyStatFs } from "../../../kernel/vfs/inode.ts";
import { groupCpuNs } from "../../../kernel/task/cpu_clock.ts";
import { processesOf } from "../../../kernel/containers.ts";
import type { GoferClient } from "../../../gofer/client/gofer_client.ts";
import type { SandboxKernel } from "../../../kernel/kernel.ts";
import type { Container } from "../../../kernel/task/container.ts";
import type { BootSpec, SessionFds, SessionSpec } from "../../protocol/boot_spec.ts";
import type { BootSocket } from "../../protocol/launcher_channel.ts";
import type { CheckpointOptions, ProcessInfo } from "../../protocol/control_protocol.ts";
import type { StatsMessage } from "../../protocol/session/messages.ts";
import {
  type GoferListener,
  GoferWatch,
  LauncherLink,
  type WaiterListener,
} from "../control/launcher_events.ts";
import { debugText } from "../control/debug_text.ts";
import { makeFirstContainer } from "../guest/first_container.ts";
import { limitGuests } from "../guest/guest_limits.ts";
import { startIdleProcess } from "./idle_process.ts";
import type { SaveListener, Verdict } from "../snapshot/checkpoint.ts";
import type { SavedGuest } from "../snapshot/guest_records.ts";
import type { ImageFile } from "../snapshot/image_file.ts";
import { Session } from "./session.ts";
import { type SessionOwner, SessionServer } from "./session_server.ts";

const NS_A_MS = 1e6;
/** LIMIT: processes in an answer, which is one message. */
const PROCESSES_MAX = 800;

export interface SessionGuestOwner {
  /** Saves the sandbox; the files are its own then. @throws UserError if it cannot begin */
  checkpoint(
    options: CheckpointOptions,
    file: ImageFile,
    verdict: Verdict,
    listener: SaveListener,
  ): void;
  onSessionEnd(): void;
  /** The guest's Gofer has ended. */
  onGoferGone(guest: SessionGuest): void;
}

export class SessionGuest implements SessionOwner, WaiterListener, GoferListener {
  readonly #kernel: SandboxKernel;
  readonly #gofer: GoferClient;
  readonly #waiter: BootSocket;
  readonly #owner: SessionGuestOwner;
  readonly #container: Container;
  readonly #session: Session;
  readonly #spec: SessionSpec;
  readonly #fds: SessionFds;
  readonly #platform: string;
  readonly #startNs: number;
  #server: SessionServer | null = null;

  /** @throws UserError */
  constructor(
    kernel: SandboxKernel,
    spec: BootSpec,
    session: SessionSpec,
    platform: string,
    gofer: GoferClient,
    waiter: BootSocket,
    owner: SessionGuestOwner,
    saved: SavedGuest | null,
  ) {
    this.#kernel = kernel;
    this.#waiter = waiter;
    this.#owner = owner;
    this.#gofer = gofer;
    this.#spec = session;
    this.#fds = spec.fds.session ?? { input: -1, output: -1, listener: -1 };
    this.#platform = platform;
    const before = saved?.session ?? null;
    this.#startNs = before?.startNs ?? kernel.now();
    const container = saved?.container ?? makeFirstContainer(kernel, spec, gofer);
    this.#container = container;
    if (saved === null) startIdleProcess(kernel, container);
    // The idle process.
    limitGuests(container, spec.limits, 1);
    this.#session = new Session(kernel, container, spec.process, session.user, before);
    container.thaw();
  }

  /** What a snapshot keeps of it. */
  save(): SavedGuest {
    const session = this.#session.save(this.#startNs), container = this.#container;
    return { id: "", container, args: [], init: null, execs: [], limits: null, session };
  }

  checkpoint(
    options: CheckpointOptions,
    file: ImageFile,
    verdict: Verdict,
    listener: SaveListener,
  ): void {
    this.#owner.checkpoint(options, file, verdict, listener);
  }

  /** Starts to serve clients. */
  watch(): void {
    new LauncherLink(this.#kernel.host, this.#waiter, this);
    new GoferWatch(this.#kernel.host, this.#gofer.connection.fd, this);
    const fds = this.#fds;
    const server = new SessionServer(this.#session, this.#spec, fds, this.#platform, this);
    this.#server = server;
    server.begin();
  }

  onSessionEnd(): void {
    this.#owner.onSessionEnd();
  }

  pause(): void {
    this.#container.freeze();
  }
  resume(): void {
    this.#container.thaw();
  }

  stats(): StatsMessage {
    const { groups, init } = this.#container, { memory, host } = this.#kernel;
    let processes = 0, threads = 0, cpuNs = 0;
    for (const group of groups) {
      if (group.tasks.length > 0 && group !== init) {
        processes++;
        threads += group.tasks.length;
      }
      cpuNs += groupCpuNs(group) + group.childUsage.userNs + group.childUsage.systemNs;
    }
    return {
      memoryBytes: memory.frames.usedBytes,
      memoryLimitBytes: host.memoryBytes,
      diskBytes: this.#diskBytes(),
      cpuMs: cpuNs / NS_A_MS,
      processes,
      threads,
      programs: this.#session.programs.size,
      uptimeMs: (this.#kernel.now() - this.#startNs) / NS_A_MS,
    };
  }

  /** The idle process is none of theirs. */
  processes(): ProcessInfo[] {
    const nowNs = this.#kernel.now(), { init } = this.#container;
    const own = init?.id.numberIn(this.#container.pids);
    return processesOf(this.#container).filter(({ pid }) => pid !== own)
      .slice(0, PROCESSES_MAX).map(({ pid, ppid, uid, threads, startNs, comm }) => ({
        pid,
        hostPid: 0,
        ppid,
        uid,
        threads,
        ageMs: Math.round((nowNs - startNs) / NS_A_MS),
        command: comm,
      }));
  }

  debug(): string {
    return debugText(this.#kernel, this.#container, "running");
  }

  /** Bytes that were written to the root directory's overlay in memory. */
  #diskBytes(): number {
    const out = emptyStatFs(), { fs } = this.#container.mounts.rootPath().mount;
    if (!(fs instanceof OverlayFs) || fs.statfs(out) < 0) return 0;
    return (out.blocks - out.blocksFree) * out.blockSize;
  }

  /** Signals that end a program end the sandbox. */
  onSignal(signo: number): void {
    if (signo !== SIGTERM && signo !== SIGINT && signo !== SIGHUP) return;
    if (this.#server === null) this.#owner.onSessionEnd();
    else this.#server.end("the sandbox was ended by a signal to its process");
  }

  onResize(): void {}

  onWaiterGone(): void {
    this.#owner.onSessionEnd();
  }
  onGoferGone(): void {
    this.#owner.onGoferGone(this);
  }
}
