/**
 * One sandbox in the boot process: the kernel on its machine, and the containers in it. The sandbox
 * begins and ends with its first container; commands add and remove others. For `do` there is no
 * container, only a first process.
 *
 * Neighbours: boot/guest/plain_guest.ts, boot/guest/guest_container.ts,
 * boot/control/control_server.ts.
 */

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
import { EXIT_FAILURE } from "../user_error.ts";
import type { BootSpec } from "../protocol/boot_spec.ts";
import { type BootSocket, exitCodeOf, PACKET_EXIT } from "../protocol/launcher_channel.ts";
import { ControlServer } from "./control/control_server.ts";
import type { LimitsChange } from "../protocol/control_protocol.ts";
import { DebugLog } from "./debug_log.ts";
import { GuestClock, makeVdso } from "./guest_clock.ts";
import { KillCounter } from "./guest/kill_counter.ts";
import { type ContainerOwner, GuestContainer } from "./guest/guest_container.ts";
import type { Machine } from "./machine.ts";
import { say } from "../shown_text.ts";
import type { OomWitness } from "../proxy/oom_witness.ts";
import { Places } from "./control/join_reservations.ts";
import { PlainGuest, type PlainOwner } from "./guest/plain_guest.ts";
import { SessionGuest, type SessionGuestOwner } from "./session/session_guest.ts";
import { SandboxRequests } from "./control/request_handler.ts";

/** How long guests may go on after their Gofer has ended, in ns. */
const GRACE_NS = 2_000_000_000;

/** Time after which a sandbox has probably started all its processes, in ns. */
const SETTLED_NS = 1_000_000_000;

export class Sandbox
  implements ContainerOwner, PlainOwner, SessionGuestOwner, OomListener, ReportSink {
  readonly kernel: SandboxKernel;
  readonly log: DebugLog;
  /** By id. */
  readonly containers: Map<string, GuestContainer> = new Map();
  /** Reservations of containers that are about to join. */
  readonly places: Places;
  readonly #spec: BootSpec;
  readonly #waiter: BootSocket;
  /** The container that the sandbox was made for, or the guest of `do`. */
  readonly #first: GuestContainer | PlainGuest | SessionGuest;
  /** Has OOM kills counted in the group of the sandbox; null: it has no memory limit. */
  #killCounter: KillCounter | null;
  #hasFailed = false;

  /** @throws UserError */
  constructor(machine: Machine, spec: BootSpec, waiter: BootSocket) {
    const { host, platform, arena } = machine;
    const log = this.log = new DebugLog(spec.fds.debugLog, spec.debugLogBytes);
    host.beforeSleep = () => log.flush();
    this.#spec = spec;
    this.#waiter = waiter;
    this.kernel = new SandboxKernel(host, platform, arena, {
      hostname: spec.hostname,
      log,
      observer: spec.strace ? new Strace(log) : null,
      cpuInfo: machine.cpuInfo,
      network: machine.network,
      panicOnBug: spec.panicOnBug,
      sink: this,
      // Stacks of source files have positions to translate, for which the runtime reads /proc: it
      // would abort.
      hasStacks: !Deno.mainModule.endsWith(".ts"),
    });
    const { memory } = this.kernel;
    host.onRest = () => memory.releaseCaches();
    this.places = new Places(this.kernel);
    const { witness } = machine;
    this.#killCounter = witness === null ? null : new KillCounter(this.kernel, witness);
    this.kernel.oom.listener = this;
    if (spec.domainname !== null) this.kernel.domainname = spec.domainname;
    if (spec.turns) this.kernel.loop.server.turns = new TurnLog(threadCpuNs);
    if (machine.clocks !== null) {
      memory.vdso = makeVdso(arena, memory.frames, host.cpuCount);
      if (memory.vdso !== null) {
        host.guestClock = new GuestClock(arena, memory.vdso, machine.clocks);
      }
    }
    this.#first = this.#makeFirst(machine.platformName);
  }

  #makeFirst(platform: string): GuestContainer | PlainGuest | SessionGuest {
    const { kernel } = this, spec = this.#spec, { session } = spec;
    if (session !== undefined) {
      return new SessionGuest(kernel, spec, session, platform, this.#waiter, this);
    }
    return spec.id === "" ? new PlainGuest(kernel, spec, this.#waiter, this) : this.#make();
  }

  #make(): GuestContainer {
    const { gofer, stdio } = this.#spec.fds, waiter = this.#waiter;
    const places = { gofer, stdio, waiter, template: null };
    const alone = { pid: null, ipc: null, uts: null, time: null };
    const container = new GuestContainer(this.kernel, this.#spec, places, alone, this);
    this.containers.set(container.id, container);
    return container;
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
    const { timers } = this.kernel;
    timers.arm(new ReleaseImage(image), this.kernel.now() + SETTLED_NS);
  }

  /** Starts to watch signals, commands, the Gofer and the waiter. */
  watchOutside(): void {
    const { server } = this.#spec.fds;
    this.#first.watch();
    if (server >= 0) new ControlServer(this.kernel.host, server, new SandboxRequests(this));
  }

  /** Runs the guests to their end, and sends the exit code. */
  run(): void {
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
      this.#waiter.sendPacket(PACKET_EXIT, this.#hasFailed ? EXIT_FAILURE : 0, 0);
      return;
    }
    first.drain();
    first.reachedLimits().forEach(say);
    const hasResult = !this.#hasFailed && status >= 0;
    this.#waiter.sendPacket(PACKET_EXIT, hasResult ? exitCodeOf(status) : EXIT_FAILURE, 0);
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
  readonly #image: OwnImage;

  constructor(image: OwnImage) {
    super();
    this.#image = image;
  }

  override onExpire(_nowNs: number): void {
    this.#image.release();
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
