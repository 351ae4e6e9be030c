/**
 * One container in a running sandbox: its files, its first process, the processes of `exec`, and
 * what commands do to them. The kernel's side is kernel/containers.ts.
 */

import { SIGKILL } from "../../../ffi/abi/signal.ts";
import { close } from "../../../ffi/sys/files.ts";
import type { GoferClient } from "../../../gofer/client/gofer_client.ts";
import { dropContainer, processesOf, signalContainer } from "../../../kernel/containers.ts";
import type { SandboxKernel } from "../../../kernel/kernel.ts";
import type { Container } from "../../../kernel/task/container.ts";
import { killGroup } from "../../../kernel/task/exit_request.ts";
import { groupCpuNs } from "../../../kernel/task/cpu_clock.ts";
import { Timer } from "../../../kernel/time/timer.ts";
import type { AddressSpace } from "../../../platform/platform.ts";
import { UserError } from "../../user_error.ts";
import type { SeccompSpec } from "../../../kernel/seccomp/oci_filter.ts";
import type { BootSpec, GuestFds, ProcessSpec } from "../../protocol/boot_spec.ts";
import type {
  ContainerStats,
  LimitsChange,
  ProcessInfo,
  RequestOf,
  StartHook,
} from "../../protocol/control_protocol.ts";
import type { BootSocket } from "../../protocol/launcher_channel.ts";
import { debugText } from "../control/debug_text.ts";
import { residentBytesOf } from "../../../kernel/oom/frame_runs.ts";
import { KillCounter } from "./kill_counter.ts";
import { type GuestOwner, GuestProcess } from "./guest_process.ts";
import { type StartedGuest, startGuest } from "./guest_start.ts";
import { type HookStreams, StartHooks } from "./start_hooks.ts";
import { type CgroupLimits, noLimits } from "../../../kernel/cgroup/fs/limits.ts";
import type { OomWitness } from "../../proxy/oom_witness.ts";
import type { ThreadGroup } from "../../../kernel/task/thread_group.ts";
import { keepLimits } from "./container_limits.ts";
import { type MadeContainer, makeContainer } from "./container_making.ts";
import { connectStreams } from "./guest_streams.ts";
import { limitsOf } from "../rootfs/mount_tree.ts";
import type { SavedGuest, SavedProcess } from "../snapshot/guest_records.ts";
import { type GoferListener, GoferWatch } from "../control/launcher_events.ts";

export interface ContainerOwner {
  /** The first process has ended, and with it every other one. */
  onContainerEnd(container: GuestContainer): void;
  /** The waiter of the container's first process has ended. */
  onAbandoned(container: GuestContainer): void;
  /** The container's Gofer has ended. */
  onGoferGone(container: GuestContainer): void;
}

/** The containers whose namespaces this one shares. */
interface Shares {
  readonly pid: GuestContainer | null;
  readonly ipc: GuestContainer | null;
  readonly uts: GuestContainer | null;
  readonly time: GuestContainer | null;
}

interface ContainerPlaces {
  /** The container owns it from then on, even if it cannot be made. */
  readonly gofer: GoferClient;
  /** Host descriptors. The container owns them in the same way. */
  readonly stdio: GuestFds;
  /** The container owns it if it was made. */
  readonly waiter: BootSocket;
  /**
   * The address space that its programs begin as copies of; null: the platform's. Owned as the
   * waiter.
   */
  readonly template: AddressSpace | null;
}

/** LIMIT: processes in an answer, which is one packet. */
const PROCESSES_MAX = 800;

/** How often to check whether all processes have ended, in ns. */
const END_CHECK_NS = 10_000_000;

export class GuestContainer implements GuestOwner, GoferListener {
  readonly id: string;
  readonly kernel: SandboxKernel;
  readonly init: GuestProcess;
  /** The limits that the container's cgroup files show. */
  readonly limits: CgroupLimits;
  readonly #container: Container;
  readonly #owner: ContainerOwner;
  readonly #gofer: GoferClient;
  /** The seccomp filter of every process that is started in the container. */
  readonly #seccomp: SeccompSpec | null;
  /** Processes of `exec`. */
  readonly #execs: Set<GuestProcess> = new Set();
  /** Has its OOM kills counted, if it has a memory limit of its own. */
  #killCounter: KillCounter | null = null;
  readonly #process: ProcessSpec;
  readonly #hostKeeps: NonNullable<BootSpec["hostKeeps"]>;
  #isStarting = false;
  #hasStarted = false;
  #isPaused = false;

  private constructor(
    kernel: SandboxKernel,
    spec: BootSpec,
    places: ContainerPlaces,
    made: MadeContainer,
    owner: ContainerOwner,
  ) {
    this.id = spec.id;
    this.kernel = kernel;
    this.#owner = owner;
    this.#process = spec.process;
    this.#hostKeeps = spec.hostKeeps ?? { memory: true, cpu: true };
    this.#seccomp = spec.process.seccomp ?? null;
    this.#gofer = places.gofer;
    this.limits = made.limits;
    this.#container = made.container;
    this.init = new GuestProcess(kernel.host, places.waiter, 0, false, this);
    this.#keepLimits();
  }

  /**
   * Makes a container and loads its first process without running it.
   * @throws UserError
   */
  static load(
    kernel: SandboxKernel,
    spec: BootSpec,
    places: ContainerPlaces,
    { pid, ipc, uts, time }: Shares,
    owner: ContainerOwner,
  ): GuestContainer {
    const { gofer, stdio } = places;
    let made: MadeContainer;
    try {
      made = makeContainer(kernel, spec, gofer, {
        pid: pid?.inKernel ?? null,
        ipc: ipc?.inKernel ?? null,
        uts: uts?.inKernel ?? null,
        time: time?.inKernel ?? null,
      }, places.template);
    } catch (error) {
      for (const fd of stdio) close(fd);
      gofer.close();
      throw error;
    }
    const container = new GuestContainer(kernel, spec, places, made, owner);
    // Until `start`.
    made.container.isInitHeld = true;
    try {
      container.#load(stdio);
      container.#keepCpuLimit();
    } catch (error) {
      dropContainer(made.container);
      gofer.close();
      throw error;
    }
    return container;
  }

  /**
   * Stands for a container of a restored kernel.
   * @throws UserError
   */
  static adopt(
    kernel: SandboxKernel,
    spec: BootSpec,
    places: ContainerPlaces,
    saved: SavedGuest,
    owner: ContainerOwner,
  ): GuestContainer {
    const { container, init } = saved,
      limits = Object.assign(saved.limits ?? noLimits(), limitsOf(spec));
    if (init === null) throw new UserError(`the snapshot has no process of ${saved.id} to go on`);
    const guest = new GuestContainer(kernel, spec, places, { container, limits }, owner);
    guest.init.adopt(init, connectStreams(kernel, init.streams, places.stdio, spec.process));
    guest.#keepCpuLimit();
    if (container.memory !== null) guest.keepMemoryLimit(null);
    guest.#hasStarted = true;
    // As with runc, whose restored containers run.
    container.thaw();
    // No waiter is left that would take their status.
    for (const { group } of saved.execs) killGroup(group, SIGKILL);
    return guest;
  }

  #load(stdio: GuestFds): void {
    const guest = startGuest(this.kernel, this.#container, this.#process, stdio, true, this.init);
    const { group } = guest.task;
    // Signals that it does not handle are ignored, as by the first process of a PID namespace.
    group.isUnkillable = group.isInit;
    this.init.begin(guest);
  }

  /**
   * What a snapshot keeps of it.
   * @throws UserError if it cannot be saved in its present state
   */
  save(): SavedGuest {
    const { status, id, limits } = this, container = this.#container;
    if (status === "created" || status === "stopped") {
      throw new UserError(`Container cannot be checkpointed in ${status} state`);
    }
    const init = this.init.save(), execs: SavedProcess[] = [];
    for (const process of this.#execs) {
      const saved = process.save();
      if (saved !== null) execs.push(saved);
    }
    return { id, container, args: this.#process.args, init, execs, limits, session: null };
  }

  /** The sandbox ends with a snapshot: the waiters get the status of a kill. */
  endInSnapshot(): void {
    this.init.endInSnapshot();
    for (const process of this.#execs) {
      process.endInSnapshot();
      process.sendExitCode();
    }
  }

  /** Sets the limits that `change` has; -1 is no limit. */
  updateLimits(change: LimitsChange): void {
    const named = Object.entries(change).map(([name, value]) => {
      return [name, value === -1 ? Infinity : value];
    });
    Object.assign(this.limits, Object.fromEntries(named));
    this.#keepLimits();
    this.#keepCpuLimit();
    if (this.#container.memory !== null) this.keepMemoryLimit(null);
  }

  get hasWitness(): boolean {
    return this.#killCounter !== null;
  }

  /** Whether a witness can have the host count an OOM kill. */
  get canHaveWitness(): boolean {
    return this.#hostKeeps.memory && this.limits.memoryMax !== Infinity;
  }

  /**
   * Gives the container a memory limit of its own, beside that of the sandbox.
   *
   * @param witness in its control group; null: the current one stays, or one follows later
   */
  keepMemoryLimit(witness: OomWitness | null): void {
    if (witness !== null) this.#killCounter ??= new KillCounter(this.kernel, witness);
    this.kernel.oom.limit(this.#container, this.limits.memoryMax);
  }

  get inKernel(): Container {
    return this.#container;
  }

  has(group: ThreadGroup): boolean {
    return this.#container.groups.has(group);
  }

  /** Has OOM kills counted in the container's own group; null: that of the sandbox serves. */
  get killCounter(): KillCounter | null {
    return this.#killCounter;
  }

  /** Called when the container has ended. */
  forgetLimits(): void {
    this.kernel.oom.forget(this.#container);
    this.#killCounter?.close();
    this.#killCounter = null;
  }

  #keepLimits(): void {
    keepLimits(this.#container, this.limits, !this.kernel.platform.isInProcess);
  }

  /**
   * Makes the kernel keep the CPU limit where the host has no group for it, and for a further
   * container on kvm, where the host counts all guests in the groups of the sandbox.
   */
  #keepCpuLimit(): void {
    const isCounted = !this.kernel.platform.isInProcess || this.#container.template === null;
    if (isCounted && this.#hostKeeps.cpu) return;
    const { cpuQuotaUs, cpuPeriodUs } = this.limits;
    this.#container.ns.cgroup.roots.unified.cpu.setQuota(cpuQuotaUs, cpuPeriodUs);
  }

  /** Starts to watch the waiter and the Gofer. */
  watch(): void {
    this.init.listen();
    new GoferWatch(this.kernel.host, this.#gofer.connection.fd, this);
  }

  onGoferGone(): void {
    this.#owner.onGoferGone(this);
  }

  get status(): "created" | "running" | "paused" | "stopped" {
    if (this.init.status >= 0) return "stopped";
    if (this.#isPaused) return "paused";
    return this.#hasStarted ? "running" : "created";
  }

  /**
   * @param done called when the hooks have ended and the program runs, or with the reason why it
   * does not
   * @throws UserError
   */
  start(
    hooks: readonly StartHook[],
    streams: readonly HookStreams[],
    done: (error: UserError | null) => void,
  ): void {
    if (this.status !== "created" || this.#isStarting) {
      throw new UserError("cannot start an already running container");
    }
    this.#isStarting = true;
    const onHooksEnd = (error: UserError | null): void => {
      if (error === null && this.init.status < 0) {
        this.#hasStarted = true;
        this.#container.releaseInit();
      } else this.destroy();
      done(error);
    };
    new StartHooks(this.kernel, this.#container, this.#process, hooks, streams, { onHooksEnd })
      .run();
  }

  pause(): void {
    const { status } = this;
    if (status !== "running" && status !== "created") {
      throw new UserError(`container not running: ${status}`);
    }
    this.#isPaused = true;
    this.#container.freeze();
  }

  resume(): void {
    if (this.status !== "paused") throw new UserError("container not paused");
    this.#isPaused = false;
    this.#container.thaw();
  }

  signal(signo: number, all: boolean): void {
    if (!signalContainer(this.#container, signo, all)) {
      throw new UserError("container not running: process already finished");
    }
  }

  /**
   * Starts another process in the container.
   * @returns its pid inside
   * @throws UserError
   */
  exec(request: RequestOf<"exec">, stdio: GuestFds, waiter: BootSocket): number {
    const { process, hostPid, isOutlived } = request;
    const guest = new GuestProcess(this.kernel.host, waiter, hostPid, isOutlived, this);
    const oomScoreAdj = process.oomScoreAdj ?? this.#process.oomScoreAdj ?? 0;
    const filtered = { ...process, oomScoreAdj, seccomp: this.#seccomp };
    let started: StartedGuest;
    try {
      started = startGuest(this.kernel, this.#container, filtered, stdio, false, guest);
    } catch (error) {
      waiter.close();
      throw error;
    }
    guest.begin(started);
    this.#execs.add(guest);
    guest.listen();
    return started.task.group.id.numberIn(this.#container.pids);
  }

  processes(): ProcessInfo[] {
    const hostPids = new Map<number, number>();
    for (const { group, hostPid } of this.#execs) {
      if (group !== null) hostPids.set(group.id.numberIn(this.#container.pids), hostPid);
    }
    const now = this.kernel.now();
    return processesOf(this.#container).slice(0, PROCESSES_MAX).map((process) => ({
      pid: process.pid,
      hostPid: hostPids.get(process.pid) ?? 0,
      ppid: process.ppid,
      uid: process.uid,
      threads: process.threads,
      ageMs: Math.round((now - process.startNs) / 1e6),
      command: process.comm,
    }));
  }

  stats(): ContainerStats {
    let processes = 0, threads = 0, cpuNs = 0;
    for (const group of this.#container.groups) {
      if (group.tasks.length > 0) processes++;
      threads += group.tasks.length;
      // Time of children that were reaped by their parents.
      cpuNs += groupCpuNs(group) + group.childUsage.userNs + group.childUsage.systemNs;
    }
    const { memory, calls, containment: { count: containedBugs } } = this.kernel;
    const memoryBytes = this.#container.template === null
      ? memory.frames.usedBytes
      : residentBytesOf(memory.arena, this.#container.groups);
    const counts = { processes, threads, cpuNs: Math.round(cpuNs), memoryBytes };
    const { memoryMax, pidsMax } = this.limits;
    return {
      ...counts,
      memoryMax: memoryMax === Infinity ? null : memoryMax,
      tasksMax: pidsMax === Infinity ? null : pidsMax,
      syscalls: calls.count,
      containedBugs,
    };
  }

  debug(): string {
    return debugText(this.kernel, this.#container, this.status);
  }

  /** Kills every process of the container. */
  destroy(): void {
    for (const group of [...this.#container.groups]) killGroup(group, SIGKILL);
  }

  onGuestEnd(process: GuestProcess): void {
    if (process !== this.init) {
      this.#execs.delete(process);
      process.sendExitCode();
      return;
    }
    // In the PID namespace of another container the other processes do not end with the first one.
    this.destroy();
    this.finish();
  }

  onWaiterGone(process: GuestProcess): void {
    if (process === this.init) this.#owner.onAbandoned(this);
    else process.loseWaiter();
  }

  /** Called when all processes of the container have ended. */
  finish(): void {
    if (this.#execs.size === 0) {
      this.#owner.onContainerEnd(this);
      return;
    }
    const { kernel } = this;
    kernel.timers.arm(new EndCheck(this), kernel.now() + END_CHECK_NS);
  }

  /** Releases what is left, after the exit code was sent. */
  release(): void {
    this.kernel.host.unwatch(this.#gofer.connection.fd);
    dropContainer(this.#container);
    this.#gofer.close();
  }
}

class EndCheck extends Timer {
  readonly #container: GuestContainer;

  constructor(container: GuestContainer) {
    super();
    this.#container = container;
  }

  override onExpire(_nowNs: number): void {
    this.#container.finish();
  }
}
