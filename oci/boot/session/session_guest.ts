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
import { endKernel } from "../../../kernel/kernel_end.ts";
import type { StandstillListener } from "../../../kernel/snapshot/quiesce.ts";
import type { Container } from "../../../kernel/task/container.ts";
import type { BootSpec, SessionFds, SessionSpec } from "../../protocol/boot_spec.ts";
import type { BootSocket } from "../../protocol/launcher_channel.ts";
import type { ProcessInfo } from "../../protocol/control_protocol.ts";
import type { StatsMessage } from "../../protocol/session/messages.ts";
import {
  type GoferListener,
  GoferWatch,
  LauncherLink,
  type WaiterListener,
} from "../control/launcher_events.ts";
import { debugText } from "../control/debug_text.ts";
import { makeFirstContainer } from "../guest/first_container.ts";
import type { SavedSandbox } from "./checkpoint_channel.ts";
import type { Forks } from "./forks.ts";
import { limitGuests } from "../guest/guest_limits.ts";
import { startIdleProcess } from "./idle_process.ts";
import type { SavedGuest } from "../snapshot/guest_records.ts";
import { RequestError } from "../../protocol/request_error.ts";
import { explain, UserError } from "../../user_error.ts";
import {
  busy,
  type MadeKernel,
  type SnapshotStore,
  type TakenListener,
} from "../snapshot/snapshot_store.ts";
import { Session } from "./session.ts";
import type { RollbackListener } from "./snapshot_channels.ts";
import { type SessionOwner, SessionServer } from "./session_server.ts";

const NS_A_MS = 1e6;
/** LIMIT: processes in an answer, which is one message. */
const PROCESSES_MAX = 800;

export interface SessionGuestOwner extends SavedSandbox {
  readonly snapshots: SnapshotStore;
  /** Those of the sandbox. */
  readonly forks: Forks;
  /** @throws UserError */
  makeKernel(snapshot: number): MadeKernel;
  /** The guest goes on in `after`, and `before` is about to end. */
  onReplaced(before: SandboxKernel, after: SandboxKernel): void;
  onSessionEnd(): void;
  /** The guest's Gofer has ended. */
  onGoferGone(guest: SessionGuest): void;
}

export class SessionGuest implements SessionOwner, WaiterListener, GoferListener {
  #kernel: SandboxKernel;
  readonly #gofer: GoferClient;
  /** Null: it is a fork. */
  readonly #waiter: BootSocket | null;
  readonly #owner: SessionGuestOwner;
  #container: Container;
  #session: Session;
  readonly #boot: BootSpec;
  readonly #spec: SessionSpec;
  readonly #fds: SessionFds;
  readonly #platform: string;
  #startNs: number;
  #server: SessionServer | null = null;

  /** @throws UserError */
  constructor(
    kernel: SandboxKernel,
    spec: BootSpec,
    session: SessionSpec,
    platform: string,
    gofer: GoferClient,
    waiter: BootSocket | null,
    owner: SessionGuestOwner,
    saved: SavedGuest | null,
  ) {
    this.#kernel = kernel;
    this.#waiter = waiter;
    this.#owner = owner;
    this.#gofer = gofer;
    this.#boot = spec;
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

  checkpoint(...save: Parameters<SavedSandbox["checkpoint"]>): void {
    this.#owner.checkpoint(...save);
  }

  saveSnapshot(...save: Parameters<SavedSandbox["saveSnapshot"]>): void {
    this.#owner.saveSnapshot(...save);
  }

  get snapshots(): SnapshotStore {
    return this.#owner.snapshots;
  }

  takeSnapshot(name: string, listener: TakenListener): void {
    this.snapshots.take({ kernel: this.#kernel, save: () => this.save() }, name, listener);
  }

  rollBack(snapshot: number, listener: RollbackListener): void {
    this.snapshots.require(snapshot);
    const rollback = new Rollback(this.#kernel, () => {
      this.#replaceBy(snapshot, listener);
    }, listener);
    if (!this.#kernel.loop.quiescence.request(rollback)) throw busy();
  }

  /** Goes on in another kernel. @throws UserError, after which nothing has changed */
  #replaceBy(snapshot: number, { port }: RollbackListener): void {
    const { kernel, guest } = this.#owner.makeKernel(snapshot), { container } = guest;
    const before = this.#kernel, { process, limits } = this.#boot;
    let session: Session;
    try {
      limitGuests(container, limits, 1);
      session = new Session(kernel, container, process, this.#spec.user, guest.session);
    } catch (error) {
      endKernel(kernel);
      throw error;
    }
    container.thaw();
    this.#kernel = kernel;
    this.#container = container;
    this.#session = session;
    this.#startNs = guest.session?.startNs ?? kernel.now();
    this.#server?.moveTo(session, port);
    if (this.#waiter !== null) {
      for (const fd of [this.#waiter.fd, this.#gofer.connection.fd]) before.host.unwatch(fd);
    }
    this.#watchOutside();
    this.#owner.onReplaced(before, kernel);
    before.loop.quiescence.resume();
    endKernel(before);
  }

  #watchOutside(): void {
    if (this.#waiter === null) return;
    new LauncherLink(this.#kernel.host, this.#waiter, this);
    new GoferWatch(this.#kernel.host, this.#gofer.connection.fd, this);
  }

  get hasForks(): boolean {
    return this.#waiter !== null && !this.#owner.forks.isEmpty;
  }

  fork(snapshot: number): number {
    return this.#owner.forks.make(snapshot);
  }

  /** The server of a fork. @throws UserError if there is none with this number */
  serverOf(fork: number): SessionServer {
    const server = this.#owner.forks.find(fork).#server;
    if (server === null) throw new Error("a fork has no server");
    return server;
  }

  /** The last fork may have ended. */
  onForkEnd(): void {
    this.#server?.onWorkEnd();
  }

  /** Ends the session; its clients get the reason. */
  end(reason: string): void {
    this.#server?.end(reason);
  }

  /** Starts to serve clients. */
  watch(): void {
    this.#watchOutside();
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

class Rollback implements StandstillListener {
  readonly #kernel: SandboxKernel;
  readonly #replace: () => void;
  readonly #listener: RollbackListener;
  #isDone = false;

  /** @param replace lets the world go on elsewhere, or throws a UserError */
  constructor(kernel: SandboxKernel, replace: () => void, listener: RollbackListener) {
    this.#kernel = kernel;
    this.#replace = replace;
    this.#listener = listener;
  }

  onStandstill(): void {
    this.#isDone = true;
    try {
      this.#replace();
    } catch (error) {
      const isKnown = error instanceof UserError;
      this.#listener.onFailed(isKnown ? error : new RequestError("Failed", explain(error)));
      if (!isKnown) throw error;
      this.#kernel.loop.quiescence.resume();
      return;
    }
    this.#listener.onRolledBack();
  }

  onSandboxEnd(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#listener.onFailed(new RequestError("Gone", "the sandbox has ended"));
  }
}
