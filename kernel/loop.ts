/**
 * The loop of one kernel: what it does in its turn. It serves traps and due tasks (turn_server.ts),
 * fires timers, does deferred work and checks memory. loop_driver.ts decides whose turn it is.
 *
 * Not here: what a call does (syscalls/), how signals are delivered (signal/), host descriptors
 * (core/host.ts).
 */

import { SIGKILL } from "../ffi/abi/signal.ts";
import type { DeferredWork } from "./core/deferred_work.ts";
import type { Host } from "./core/host.ts";
import type { FairTurns } from "./fair_turns.ts";
import type { LoopDriver } from "./loop_driver.ts";
import type { RunQueue } from "./run_queue.ts";
import type { OomKiller } from "./oom/oom_killer.ts";
import { Quiescence, type StoppedKernel } from "./snapshot/quiesce.ts";
import { killGroup } from "./task/exit_request.ts";
import { TurnAccount } from "./task/turn_account.ts";
import type { TimerQueue } from "./time/timer.ts";
import { type ServedKernel, TurnServer } from "./turn_server.ts";

const TICK_NS = 1_000_000;
/**
 * How often a sleeping kernel checks the memory of guests near their limit, ns. Guests touch some
 * MB in that time.
 */
const OOM_LOOK_NS = 4_000_000;
/** An idle kernel beside busy ones ticks that much later than a busy one, ns. */
const IDLE_TICK_NS = 3_000_000;
/** Deferred work gets one part in so many more of the loop's time while tasks wait. */
const SLICE_REST = 2;
/** Ticks between checks for address spaces in which the host refused a mapping. */
const BROKEN_TICKS = 8;

/** The part of the kernel object that the loop drives. */
interface LoopKernel extends ServedKernel, StoppedKernel {
  readonly timers: TimerQueue;
  readonly oom: OomKiller;
  readonly vfs: { readonly deferred: DeferredWork };
  log(line: string): void;
  /** What becomes of faults; without it they end the loop. */
  readonly containment?: Fence;
}

/** The part of containment that the loop uses. */
interface Fence {
  contain(cause: unknown): void;
  endCondemned(): void;
}

interface Reclaimer {
  /** Gives a slice of free memory back to the host: true when more is left. */
  reclaim(): boolean;
}

export class Loop {
  readonly server: TurnServer;
  readonly driver: LoopDriver;
  readonly quiescence: Quiescence;
  readonly kernel: LoopKernel;
  /** Its clock is the kernel's. */
  readonly host: Host;
  private readonly timers: TimerQueue;
  /** The memory manager, which gives freed frames back in slices while the loop rests. */
  private readonly memory: Reclaimer;
  /** Work that calls left behind, and the time from which a slice may run although tasks wait. */
  private readonly deferred: DeferredWork;
  private nextSliceNs: number = 0;
  private nextTickNs: number = 0;
  private ticks: number = 0;

  constructor(kernel: LoopKernel, driver: LoopDriver, memory: Reclaimer) {
    this.kernel = kernel;
    this.driver = driver;
    this.host = kernel.host;
    this.timers = kernel.timers;
    this.server = new TurnServer(kernel);
    this.memory = memory;
    this.deferred = kernel.vfs.deferred;
    this.quiescence = new Quiescence(kernel, this.server, driver.spin);
  }

  get runQueue(): RunQueue {
    return this.server.runQueue;
  }

  get fair(): FairTurns {
    return this.server.fair;
  }

  stop(): void {
    this.server.isStopped = true;
  }

  /** Runs until `stop`; kernels that the driver has beside this one run to their ends, too. */
  run(): void {
    this.driver.add(this);
    this.driver.run();
  }

  /** Called when the kernel's clock has moved, between two turns. */
  restartClock(): void {
    this.nextTickNs = this.nextSliceNs = 0;
    this.server.restartClock();
  }

  /** Called before the first turn, and behind a fault. */
  recover(): void {
    this.kernel.containment?.endCondemned();
    this.server.recover();
  }

  /** @throws what cannot be contained */
  contain(cause: unknown): void {
    const { quiescence, kernel: { containment } } = this;
    if (quiescence.isAsked) quiescence.end();
    if (containment === undefined) throw cause;
    containment.contain(cause);
  }

  /**
   * One turn: a batch of traps and tasks, and housekeeping that is due; or a step of a standstill.
   * Returns the number of traps and tasks. HOT
   */
  turn(now: number): number {
    if (this.quiescence.isAsked) {
      this.quiescence.step();
      return 0;
    }
    const { server } = this, handled = server.serve(now);
    this.timers.expire(now);
    server.turns?.end("timers", -1);
    if (now >= this.nextTickNs) this.tick(now);
    if (!this.deferred.isEmpty) this.continueDeferred(handled, now);
    return handled;
  }

  /** Another turn is due at once. HOT */
  get hasWork(): boolean {
    const { quiescence, server } = this;
    if (quiescence.isAsked) return quiescence.hasWork;
    return server.hasWork || !this.deferred.isEmpty;
  }

  /** Whether a turn would do something at `now`. */
  isDue(now: number): boolean {
    if (this.hasWork || this.quiescence.isAsked) return true;
    return now >= this.nextTickNs + IDLE_TICK_NS || now >= this.timers.nextDeadlineNs;
  }

  /**
   * How long the kernel may sleep at `now`, ns.
   *
   * @param running guest threads that could end the sleep
   */
  sleepNs(now: number, running: number): number {
    const { quiescence, kernel: { oom } } = this;
    if (quiescence.isAsked) return quiescence.sleepNs;
    let left = this.timers.nextDeadlineNs - now;
    if (oom.isLooking) left = Math.min(left, TICK_NS);
    if (running > 0 && oom.isNear) left = Math.min(left, OOM_LOOK_NS);
    return left;
  }

  /** Gives a slice of free memory back to the host: true when more is left. */
  reclaim(): boolean {
    const isMore = !this.quiescence.isAsked && this.memory.reclaim();
    this.server.turns?.end("reclaim", -1);
    return isMore;
  }

  private continueDeferred(handled: number, now: number): void {
    const isBusy = handled > 0 || this.server.hasWork;
    if (!isBusy || now >= this.nextSliceNs) this.runSlice();
  }

  /** Runs a slice of deferred work, as a turn of the account that left the work. */
  private runSlice(): void {
    const startNs = this.host.monotonicNs(), payer = this.deferred.step();
    const endNs = this.host.monotonicNs(), tookNs = endNs - startNs;
    if (payer instanceof TurnAccount) this.fair.charge(payer, tookNs);
    this.nextSliceNs = endNs + SLICE_REST * tookNs;
    // The slice is not a part of the batch, whose cost is charged to the task served last.
    this.kernel.clock.nowNs += tookNs;
    this.server.turns?.end("deferred", -1);
  }

  private tick(now: number): void {
    this.nextTickNs = now + TICK_NS;
    this.kernel.oom.check(now);
    if (++this.ticks % BROKEN_TICKS === 0) killBroken(this.kernel);
    this.server.turns?.end("tick", -1);
  }
}

/** Kills processes in which the host refused a mapping: they cannot go on. */
function killBroken(kernel: LoopKernel): void {
  for (const group of kernel.pids.groups.values()) {
    const mm = group.tasks[0]?.mm;
    if (mm === undefined || !mm.space.broken || group.isExiting) continue;
    kernel.log(`process ${group.pid}: the host refused a memory mapping, it is killed`);
    killGroup(group, SIGKILL);
  }
}
