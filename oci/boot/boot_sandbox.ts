/**
 * One sandbox in the boot process: the kernel on its machine, and the containers in it. The sandbox
 * begins and ends with its first container; commands add and remove others. For `do` there is no
 * container, only a first process.
 *
 * Neighbours: boot/guest/plain_guest.ts, boot/guest/guest_container.ts,
 * boot/control/control_server.ts.
 */

import { SIGKILL } from "../../ffi/abi/signal.ts";
import type { OwnImage } from "../../ffi/sys/own_image.ts";
import type { ReportSink } from "../../kernel/containment.ts";
import { SandboxKernel } from "../../kernel/kernel.ts";
import { threadCpuNs } from "../../ffi/sys/clock.ts";
import { Strace } from "../../kernel/observe/strace.ts";
import { TurnLog } from "../../kernel/observe/turns.ts";
import type { MemoryDomain, OomListener } from "../../kernel/oom/oom_killer.ts";
import type { ThreadGroup } from "../../kernel/task/thread_group.ts";
import { Timer } from "../../kernel/time/timer.ts";
import { rehearsedCode } from "../compiled_part.ts";
import { EXIT_FAILURE, UserError } from "../user_error.ts";
import type { BootSpec, RestoreSpec } from "../protocol/boot_spec.ts";
import { type BootSocket, exitCodeOf, PACKET_EXIT } from "../protocol/launcher_channel.ts";
import { ControlServer } from "./control/control_server.ts";
import type { CheckpointOptions, LimitsChange } from "../protocol/control_protocol.ts";
import { DebugLog } from "./debug_log.ts";
import { GuestClock, makeVdso } from "./guest_clock.ts";
import { KillCounter } from "./guest/kill_counter.ts";
import { type ContainerOwner, GuestContainer } from "./guest/guest_container.ts";
import type { Machine } from "./machine.ts";
import type { GoferClient } from "../../gofer/client/gofer_client.ts";
import { goferOf } from "./rootfs/file_systems.ts";
import { say } from "../shown_text.ts";
import { Checkpoint, type SaveListener, type Verdict } from "./snapshot/checkpoint.ts";
import type { SavedGuest } from "./snapshot/guest_records.ts";
import type { ImageFile } from "./snapshot/image_file.ts";
import { SnapshotSaves } from "./snapshot/saved_snapshot.ts";
import { type KernelParts, type MadeKernel, SnapshotStore } from "./snapshot/snapshot_store.ts";
import { type RestoredWorld, restoreWorld } from "./snapshot/restore.ts";
import type { OomWitness } from "../proxy/oom_witness.ts";
import { Places } from "./control/join_reservations.ts";
import { PlainGuest, type PlainOwner } from "./guest/plain_guest.ts";
import { Forks } from "./session/forks.ts";
import { SessionGuest, type SessionGuestOwner } from "./session/session_guest.ts";
import { SandboxRequests } from "./control/request_handler.ts";

/** How long guests may go on after their Gofer has ended, in ns. */
const GRACE_NS = 2_000_000_000;

/** Time after which a sandbox has probably started all its processes, in ns. */
const SETTLED_NS = 1_000_000_000;

/** The first container shares nothing. */
const ALONE = { pid: null, ipc: null, uts: null, time: null };

export class Sandbox
  implements ContainerOwner, PlainOwner, SessionGuestOwner, OomListener, ReportSink {
  /** A rollback replaces it. */
  kernel: SandboxKernel;
  readonly log: DebugLog;
  /** By id. */
  readonly containers: Map<string, GuestContainer> = new Map();
  /** Reservations of containers that are about to join. */
  places: Places;
  readonly snapshots: SnapshotStore;
  readonly #gofer: GoferClient;
  readonly #machine: Machine;
  readonly #spec: BootSpec;
  readonly #waiter: BootSocket;
  /** The container that the sandbox was made for, or the guest of `do`. */
  readonly #first: GuestContainer | PlainGuest | SessionGuest;
  /** Has OOM kills counted in the group of the sandbox; null: it has no memory limit. */
  #killCounter: KillCounter | null;
  /** What the start has used; null: it was given back. */
  #image: OwnImage | null = null;
  /** Of a session: its forks, and why its kernel could not go on; null: none. */
  #forks: Forks | null = null;
  readonly #saves: SnapshotSaves;
  #failure: unknown = null;
  #hasFailed = false;
  /** A snapshot goes on in its place. */
  #isSaved = false;

  /** @throws UserError */
  constructor(machine: Machine, spec: BootSpec, waiter: BootSocket) {
    const { host, arena } = machine;
    const log = this.log = new DebugLog(spec.fds.debugLog, spec.debugLogBytes);
    host.events.beforeSleep = () => log.flush();
    this.#machine = machine;
    this.#spec = spec;
    this.#waiter = waiter;
    this.snapshots = new SnapshotStore(machine);
    this.#saves = new SnapshotSaves(machine.driver);
    const gofer = goferOf(spec, spec.fds.gofer);
    this.#gofer = gofer;
    const restored = spec.restore === undefined ? null : this.#restore(gofer, spec.restore);
    this.kernel = restored?.kernel ?? this.#newKernel();
    const { memory } = this.kernel;
    host.events.onRest = () => {
      for (const { memory } of [this.kernel, ...this.#forks?.kernels ?? []]) memory.releaseCaches();
    };
    this.places = new Places(this.kernel);
    const { witness } = machine;
    this.#killCounter = witness === null ? null : new KillCounter(this.kernel, witness);
    this.kernel.oom.listener = this;
    if (machine.clocks !== null) {
      memory.vdso ??= makeVdso(arena, memory.frames, host.cpuCount);
      if (memory.vdso !== null) {
        host.guestClock = new GuestClock(arena, memory.vdso, { ...machine.clocks });
      }
    }
    this.#first = this.#makeFirst(gofer, restored?.guest ?? null);
  }

  #newKernel(): SandboxKernel {
    const spec = this.#spec, { host, driver, arena, cpuInfo, network } = this.#machine;
    const kernel = new SandboxKernel(host, driver, arena, {
      hostname: spec.hostname,
      log: this.log,
      observer: this.#observer(),
      cpuInfo,
      network,
      panicOnBug: spec.panicOnBug,
      sink: this,
      // Stacks of source files have positions to translate, for which the runtime reads /proc: it
      // would abort.
      hasStacks: !Deno.mainModule.endsWith(".ts"),
    });
    if (spec.domainname !== null) kernel.domainname = spec.domainname;
    kernel.loop.server.turns = this.#turns();
    return kernel;
  }

  #restore(gofer: GoferClient, restore: RestoreSpec): RestoredWorld {
    const world = restoreWorld(this.#machine, this.#spec, restore, this.#parts(gofer));
    for (const change of world.changes) this.log.line(`not as it was at the snapshot: ${change}`);
    return world;
  }

  #parts(gofer: GoferClient): KernelParts {
    const { log } = this;
    return { gofer, log, observer: this.#observer(), turns: this.#turns(), sink: this };
  }

  makeKernel(snapshot: number): MadeKernel {
    return this.snapshots.makeKernel(snapshot, this.#parts(this.#gofer));
  }

  get forks(): Forks {
    if (this.#forks === null) throw new Error("only sandboxes of the library have forks");
    return this.#forks;
  }

  onForkEnd(): void {
    if (this.#first instanceof SessionGuest) this.#first.onForkEnd();
  }

  /** Gives the kernel of a session its turns. Forks end with it. */
  #runSession(kernel: SandboxKernel): void {
    this.#machine.driver.add(kernel.loop, (failure) => {
      if (kernel !== this.kernel) return;
      this.#failure = failure;
      this.#forks?.endAll();
    });
  }

  onReplaced(before: SandboxKernel, after: SandboxKernel): void {
    before.oom.listener = null;
    after.oom.listener = this;
    this.kernel = after;
    this.places = new Places(after);
    this.#killCounter?.moveTo(after);
    if (this.#image !== null) this.releaseImageLater(this.#image);
    this.#runSession(after);
  }

  #observer(): Strace | null {
    return this.#spec.strace ? new Strace(this.log) : null;
  }

  #turns(): TurnLog | null {
    return this.#spec.turns === true ? new TurnLog(threadCpuNs) : null;
  }

  /** @param saved what a snapshot has of the guest; null: it begins */
  #makeFirst(
    gofer: GoferClient,
    saved: SavedGuest | null,
  ): GuestContainer | PlainGuest | SessionGuest {
    const { kernel } = this, spec = this.#spec, { session } = spec, waiter = this.#waiter;
    if (session !== undefined) {
      const { platformName, driver } = this.#machine;
      this.#forks = new Forks({ spec, session, gofer, driver, platform: platformName }, this);
      return new SessionGuest(kernel, spec, session, platformName, gofer, waiter, this, saved);
    }
    if (spec.id === "") return new PlainGuest(kernel, spec, gofer, waiter, this, saved);
    const places = { gofer, stdio: spec.fds.stdio, waiter, template: null };
    const container = saved === null
      ? GuestContainer.load(kernel, spec, places, ALONE, this)
      : GuestContainer.adopt(kernel, spec, places, saved, this);
    this.containers.set(container.id, container);
    return container;
  }

  /**
   * Saves the sandbox in a snapshot file, which it owns from then on as it does `verdict`.
   * @throws UserError if it cannot begin
   */
  checkpoint(
    { leaveRunning, compression, sockets }: CheckpointOptions,
    file: ImageFile,
    verdict: Verdict,
    listener: SaveListener,
  ): void {
    const { kernel } = this, { hostname } = this.#spec;
    const plan = {
      ...{ kernel, machine: this.#machine, kind: this.#kind, hostname, file },
      level: compression,
      endsConnections: sockets === "reset",
      ...{ leaveRunning, verdict },
    };
    const checkpoint = new Checkpoint(plan, {
      savedGuests: () => this.#savedGuests(),
      onTaken: () => this.#endInSnapshot(),
    }, listener);
    const { isRegular } = file;
    if (isRegular && kernel.loop.quiescence.request(checkpoint)) return;
    file.close();
    verdict.close();
    const why = isRegular
      ? "the sandbox is being saved already, or it ends"
      : "a snapshot is saved in a regular file";
    throw new UserError(why);
  }

  /**
   * Saves a snapshot of the sandbox's memory in a file, both of which are its own then.
   * @throws UserError if it cannot begin
   */
  saveSnapshot(
    snapshot: number,
    { compression, sockets }: CheckpointOptions,
    file: ImageFile,
    verdict: Verdict,
    listener: SaveListener,
  ): void {
    const { hostname } = this.#spec,
      plan = {
        ...{ machine: this.#machine, kind: this.#kind, hostname, file, verdict },
        level: compression,
        endsConnections: sockets === "reset",
        makeKernel: () => this.makeKernel(snapshot),
      };
    try {
      this.snapshots.require(snapshot);
      if (!file.isRegular) throw new UserError("a snapshot is saved in a regular file");
    } catch (error) {
      file.close();
      verdict.close();
      throw error;
    }
    this.#saves.add(plan, listener);
  }

  get #kind(): "container" | "session" | "do" {
    const first = this.#first;
    if (first instanceof GuestContainer) return "container";
    return first instanceof SessionGuest ? "session" : "do";
  }

  /** The first one is that of the sandbox. */
  #savedGuests(): SavedGuest[] {
    const first = this.#first;
    if (!(first instanceof GuestContainer)) return [first.save()];
    return [...this.containers.values()].map((container) => container.save());
  }

  /** No guest runs again: what they would do is done by those of the snapshot. */
  #endInSnapshot(): void {
    const first = this.#first;
    for (const container of this.containers.values()) {
      container.endInSnapshot();
      if (container !== first) container.init.sendExitCode();
    }
    if (first instanceof PlainGuest) first.endInSnapshot();
    this.#isSaved = true;
    this.kernel.loop.stop();
  }

  /** Sets new limits. */
  update(container: GuestContainer, change: LimitsChange): void {
    container.updateLimits(change);
    const { memoryMax } = container.limits;
    if (change.memoryMax === undefined) return;
    if (container === this.#first) {
      const { host, oom } = this.kernel;
      oom.setLimit(Math.min(host.machineBytes, memoryMax));
    } else if (memoryMax !== Infinity) container.keepMemoryLimit(null);
  }

  /** Shows the report of a fault that the kernel contained. */
  report(text: string): void {
    for (const line of text.split("\n")) say(line);
  }

  /**
   * Whether a container has a memory limit and no witness that shows the host when the limit is
   * reached.
   */
  needsWitness(container: GuestContainer): boolean {
    if (!container.canHaveWitness) return false;
    return container === this.#first ? this.#killCounter === null : !container.hasWitness;
  }

  setWitness(container: GuestContainer, witness: OomWitness): void {
    if (!this.needsWitness(container)) witness.close();
    else if (container === this.#first) this.#killCounter = new KillCounter(this.kernel, witness);
    else container.keepMemoryLimit(witness);
  }

  /**
   * Makes the host count the kill: in the group of the container if that has a limit of its own,
   * else in the group of the sandbox.
   */
  onOutOfMemory(victim: ThreadGroup, domain: MemoryDomain | null): boolean {
    if (domain === null && this.#first instanceof PlainGuest) this.#first.onOutOfMemory(victim);
    let counter = this.#killCounter;
    for (const container of this.containers.values()) {
      if (container.killCounter !== null && container.has(victim)) counter = container.killCounter;
    }
    return counter?.countKill(victim) ?? false;
  }

  /** Gives the pages that the start has used back to the host, a moment after the start. */
  releaseImageLater(image: OwnImage): void {
    this.#image = image;
    const timer = new ReleaseImage(() => this.#releaseImage());
    this.kernel.timers.arm(timer, this.kernel.now() + SETTLED_NS);
  }

  #releaseImage(): void {
    this.#image?.release();
    this.#image = null;
  }

  /** Starts to watch signals, commands, the Gofer and the waiter. */
  watchOutside(): void {
    const { server } = this.#spec.fds;
    this.#first.watch();
    if (server >= 0) new ControlServer(this.kernel.host, server, new SandboxRequests(this));
  }

  /** Runs the guests to their end, and sends the exit code. */
  run(): void {
    if (this.#forks !== null) this.#runSession(this.kernel);
    const status = this.kernel.run(), { turns } = this.kernel.loop.server;
    for (const line of turns?.report() ?? []) this.log.line(line);
    this.log.flush();
    // In a rehearsal of the build the compiled code is written to the debug log's file.
    const code = rehearsedCode();
    if (code !== null) this.log.replaceAll(code);
    const first = this.#first;
    if (first instanceof GuestContainer) {
      first.init.drain();
      if (first.init.status >= 0) {
        this.#waiter.sendPacket(PACKET_EXIT, exitCodeOf(first.init.status), 0);
      }
      return;
    }
    if (first instanceof SessionGuest) {
      if (this.#failure !== null) throw this.#failure;
      const code = this.#isSaved ? exitCodeOf(SIGKILL) : this.#hasFailed ? EXIT_FAILURE : 0;
      this.#waiter.sendPacket(PACKET_EXIT, code, 0);
      return;
    }
    first.drain();
    first.reachedLimits().forEach(say);
    const end = this.#isSaved ? SIGKILL : status, hasResult = !this.#hasFailed && end >= 0;
    this.#waiter.sendPacket(PACKET_EXIT, hasResult ? exitCodeOf(end) : EXIT_FAILURE, 0);
  }

  onContainerEnd(container: GuestContainer): void {
    if (container === this.#first) {
      // `run` sends the exit code of the first container once all guests have ended.
      this.kernel.loop.stop();
      return;
    }
    this.containers.delete(container.id);
    container.forgetLimits();
    container.init.sendExitCode();
    container.release();
  }

  onAbandoned(container: GuestContainer): void {
    if (container === this.#first) this.kernel.loop.stop();
    else container.destroy();
  }

  onWaiterGone(): void {
    this.kernel.loop.stop();
  }

  onSessionEnd(): void {
    this.kernel.loop.stop();
  }

  onGoferGone(container: GuestContainer | PlainGuest | SessionGuest): void {
    if (container !== this.#first) {
      say("the file server of a container is gone, and with it the files: the container ends");
      if (container instanceof GuestContainer) container.destroy();
      return;
    }
    say("the file server of the sandbox is gone, and with it the files: the sandbox ends");
    this.#hasFailed = true;
    const { timers } = this.kernel;
    timers.arm(new EndOfGrace(this.kernel), this.kernel.now() + GRACE_NS);
  }
}

class ReleaseImage extends Timer {
  readonly #release: () => void;

  constructor(release: () => void) {
    super();
    this.#release = release;
  }

  override onExpire(_nowNs: number): void {
    this.#release();
  }
}

class EndOfGrace extends Timer {
  readonly #kernel: SandboxKernel;

  constructor(kernel: SandboxKernel) {
    super();
    this.#kernel = kernel;
  }

  override onExpire(_nowNs: number): void {
    this.#kernel.loop.stop();
  }
}
