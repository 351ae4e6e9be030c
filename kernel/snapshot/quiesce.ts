/**
 * Quiescence: the world stops between two turns of the loop, so that all its state is in objects,
 * and goes on later, which no guest can see. docs/internals/snapshots.md says what is waited for.
 *
 * Neighbours: loop.ts (calls `step` in place of a turn), turn_server.ts (serves the stops that
 * were held back).
 */

import {
  type AddressSpace,
  type Context,
  type Platform,
  TRAP_DEATH,
  TRAP_FULL,
} from "../../platform/platform.ts";
import type { Fifo } from "../core/fifo.ts";
import type { Host } from "../core/host.ts";
import { ForkWork } from "../mm/fork_slices.ts";
import type { MemoryContext } from "../mm/memory_context.ts";
import { PendingExec } from "../task/pending_exec.ts";
import type { PidNamespace } from "../task/pid_namespace.ts";
import { AWAIT_CALL, AWAIT_FULL, AWAIT_TRACED, DEAD, RUNNING, type Task } from "../task/task.ts";

/** How long a wait for stops may sleep, ns: the platform checks its deadlines that often. */
const TICK_NS = 1_000_000;
/** How long a wait for address spaces sleeps between two looks: nothing reports their changes. */
const SPACE_LOOK_NS = 50_000;
/** The world runs, is being stopped, or stands still. */
const RUNS = 0, STOPPING = 1, STILL = 2;

/** What the world stands still for. */
export interface StandstillListener {
  /**
   * The world stands still. Called again and again, a slice of the listener's work each time, until
   * it calls `Quiescence.resume`. Nothing else of the kernel runs meanwhile.
   */
  onStandstill(): void;
  /** The sandbox ends: the world will not stand still, or not for longer. */
  onSandboxEnd(): void;
}

/** The part of the kernel object that quiescence uses. */
export interface StoppedKernel {
  readonly platform: Platform;
  readonly host: Host;
  readonly pids: PidNamespace;
  readonly memory: MemoryContext;
}

/** The part of the turn server that quiescence uses. */
interface StoppedServer {
  readonly isStopped: boolean;
  /** Stops that are held back. */
  readonly held: Fifo<Context>;
  /** The next stop of a task of the kernel, or null. */
  poll(): Context | null;
  /** Charges what was served until `now`. */
  closeBatch(now: number): void;
  /** Contexts with a stop that waits to be served. */
  waitingTraps(): Context[];
}

export class Quiescence {
  private readonly kernel: StoppedKernel;
  private readonly server: StoppedServer;
  private readonly spin: { readonly guestNs: number };
  /** Null: the world runs, and is not asked to stop. */
  private listener: StandstillListener | null = null;
  private isWanted: boolean = false;
  private phase: number = RUNS;
  /** Contexts with a stop that waits to be served, and the time from which it waits, ns. */
  private readonly stopped: Map<Context, number> = new Map();
  /** Contexts whose next stop is to come. */
  private readonly due: Set<Context> = new Set();
  /** Contexts that were asked for their FPU state, and the trap that they stopped with. */
  private readonly asked: Map<Context, number> = new Map();
  /** Spaces that have not acknowledged all their changes. */
  private readonly changing: Set<AddressSpace> = new Set();

  constructor(
    kernel: StoppedKernel,
    server: StoppedServer,
    spin: { readonly guestNs: number },
  ) {
    this.kernel = kernel;
    this.server = server;
    this.spin = spin;
  }

  get isAsked(): boolean {
    return this.listener !== null;
  }

  /**
   * Asks for a standstill before the next turn. False: there is one already, or the sandbox ends.
   */
  request(listener: StandstillListener): boolean {
    if (this.listener !== null || this.server.isStopped) return false;
    this.listener = listener;
    this.isWanted = true;
    return true;
  }

  /** Lets the world go on, as soon as the listener returns. */
  resume(): void {
    this.isWanted = false;
  }

  /** Tells the listener that the loop runs no more, or has met a fault. */
  end(): void {
    const { listener } = this;
    this.letGo();
    this.listener = null;
    listener?.onSandboxEnd();
  }

  /** Another step is due at once. */
  get hasWork(): boolean {
    return this.phase !== STOPPING;
  }

  /** How long the loop may sleep before the next step, ns. */
  get sleepNs(): number {
    return this.due.size + this.asked.size > 0 ? TICK_NS : SPACE_LOOK_NS;
  }

  /**
   * Called by the loop in place of a turn while `isAsked`: the world stops, stands still and goes
   * on, a step each time. Other kernels of the process have turns in between.
   */
  step(): void {
    try {
      if (this.isWanted && this.phase === RUNS) this.begin();
      if (this.isWanted && this.phase === STOPPING && this.isStill()) this.enter();
      if (this.isWanted && this.phase === STILL) this.listener?.onStandstill();
      if (!this.isWanted || this.server.isStopped) this.letGo();
    } catch (cause) {
      this.letGo();
      throw cause;
    }
  }

  private begin(): void {
    const { kernel: { host, platform }, server } = this;
    server.closeBatch(host.monotonicNs());
    host.holdEvents(true);
    // A thread that has stopped leaves its processor to those that have to.
    platform.setSpinBudget(0);
    this.phase = STOPPING;
    this.stopAll();
  }

  private enter(): void {
    this.kernel.memory.frames.pool.settle();
    this.phase = STILL;
  }

  /** Interrupts what runs, and asks for what is missing of all others. */
  private stopAll(): void {
    const { kernel: { host, pids }, server } = this, now = host.monotonicNs();
    for (const ctx of server.waitingTraps()) this.stopped.set(ctx, now);
    for (const task of pids.tasks.values()) {
      if (task.state === DEAD) continue;
      this.watchSpaces(task);
      this.stop(task);
    }
  }

  private stop(task: Task): void {
    const { ctx, state } = task;
    if (ctx.owner !== task) return;
    if (this.stopped.has(ctx)) return this.complete(task);
    if (state === RUNNING) {
      this.due.add(ctx);
      ctx.interrupt();
    } else if (state === AWAIT_FULL || state === AWAIT_CALL || state === AWAIT_TRACED) {
      this.due.add(ctx);
    } else this.complete(task);
  }

  /** Fetches the whole state of a stopped task, or asks for it. */
  private complete(task: Task): void {
    const { ctx } = task;
    // The state that the kernel has is newer than that of the thread.
    if (ctx.isNew || task.regsFetched && task.state !== RUNNING) return;
    if (ctx.trap === TRAP_DEATH) return;
    if (ctx.isFull) {
      ctx.fetchRegs();
      ctx.fetchFpu();
      return;
    }
    this.asked.set(ctx, ctx.trap);
    ctx.requestFull();
  }

  /** Makes the changes of a task's spaces start, and notes those that are not done. */
  private watchSpaces(task: Task): void {
    const { object } = task.progress;
    this.watch(task.mm.space);
    if (object instanceof PendingExec) this.watch(object.program.mm.space);
    else if (object instanceof ForkWork && object.child !== null) this.watch(object.child.space);
  }

  private watch(space: AddressSpace): void {
    if (space.ackedSeq >= space.seq) return;
    space.flush();
    this.changing.add(space);
  }

  /** Takes what has arrived. True: nothing is missing. */
  private isStill(): boolean {
    const { server } = this, now = this.kernel.host.monotonicNs();
    for (let ctx = server.poll(); ctx !== null; ctx = server.poll()) this.take(ctx, now);
    for (const space of this.changing) {
      if (space.ackedSeq >= space.seq || space.broken) this.changing.delete(space);
    }
    return this.due.size + this.asked.size + this.changing.size === 0;
  }

  private take(ctx: Context, now: number): void {
    const task = ctx.owner as Task | null, trap = this.asked.get(ctx);
    this.asked.delete(ctx);
    this.due.delete(ctx);
    if (task === null) return;
    if (trap !== undefined && ctx.trap === TRAP_FULL) {
      ctx.trap = trap;
      this.complete(task);
      return;
    }
    // One that stopped before, and has died since, is served in its place.
    if (!this.stopped.has(ctx)) {
      this.stopped.set(ctx, now);
      this.server.held.push(ctx);
    }
    this.complete(task);
  }

  /** The world goes on, with the stops that were held back. Their wait is no time in guest code. */
  private letGo(): void {
    const now = this.kernel.host.monotonicNs();
    for (const [ctx, sinceNs] of this.stopped) {
      const task = ctx.owner as Task | null;
      if (task !== null && task.state === RUNNING) task.ranSinceNs += now - sinceNs;
    }
    this.stopped.clear();
    this.due.clear();
    this.asked.clear();
    this.changing.clear();
    if (!this.server.isStopped) this.listener = null;
    if (this.phase === RUNS) return;
    this.phase = RUNS;
    this.kernel.platform.setSpinBudget(this.spin.guestNs);
    this.kernel.host.holdEvents(false);
  }
}
