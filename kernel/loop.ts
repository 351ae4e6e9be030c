/**
 * The kernel's only loop: it serves traps and due tasks (turn_server.ts), fires timers and polls
 * host descriptors. Without work it spins within a budget, then sleeps in one place. No wake-up is
 * lost: `prepareSleep` publishes that the loop sleeps and looks for traps once more.
 *
 * Not here: what a call does (syscalls/), how signals are delivered (signal/), host descriptors
 * (core/host.ts).
 */

import { SIGKILL } from "../ffi/abi/signal.ts";
import type { Platform } from "../platform/platform.ts";
import { POLLIN } from "../ffi/abi/poll.ts";
import type { DeferredWork } from "./core/deferred_work.ts";
import type { Host } from "./core/host.ts";
import { Waiter } from "./core/wait.ts";
import type { FairTurns } from "./fair_turns.ts";
import type { RunQueue } from "./run_queue.ts";
import type { OomKiller } from "./oom/oom_killer.ts";
import { Quiescence, type StoppedKernel } from "./snapshot/quiesce.ts";
import { killGroup } from "./task/exit_request.ts";
import { TurnAccount } from "./task/turn_account.ts";
import { SpinPolicy } from "./spin_policy.ts";
import type { TimerQueue } from "./time/timer.ts";
import { type ServedKernel, TurnServer } from "./turn_server.ts";

/** Longest time between two polls of host descriptors while the loop is busy, ns. */
const HOST_POLL_NS = 100_000;
const TICK_NS = 1_000_000;
/**
 * How often a sleeping kernel checks the memory of guests near their limit, ns. Guests touch some
 * MB in that time.
 */
const OOM_LOOK_NS = 4_000_000;
/** Deferred work gets one part in so many more of the loop's time while tasks wait. */
const SLICE_REST = 2;
/** Ticks between checks for address spaces in which the host refused a mapping. */
const BROKEN_TICKS = 8;

/**
 * The host's side of sleeping: one epoll set with the doorbell and every watched host descriptor.
 */
export interface HostEvents {
  /**
   * Dispatches ready events; waits at most `timeoutNs` (0: does not wait; Infinity: without limit).
   */
  poll(timeoutNs: number): void;
  /** Waits at most `timeoutNs` for the platform's doorbell alone, and dispatches nothing. */
  awaitDoorbell(timeoutNs: number): void;
}

/** The part of the kernel object that the loop drives. */
interface LoopKernel extends ServedKernel, StoppedKernel {
  readonly timers: TimerQueue;
  readonly oom: OomKiller;
  readonly vfs: { readonly deferred: DeferredWork };
  log(line: string): void;
}

interface Reclaimer {
  /** Gives a slice of free memory back to the host: true when more is left. */
  reclaim(): boolean;
}

export class Loop {
  readonly server: TurnServer;
  private readonly kernel: LoopKernel;
  private readonly platform: Platform;
  private readonly host: Host;
  private readonly events: HostEvents;
  private readonly timers: TimerQueue;
  /** The memory manager, which gives freed frames back in slices while the loop rests. */
  private readonly memory: Reclaimer;
  /** Work that calls left behind, and the time from which a slice may run although tasks wait. */
  private readonly deferred: DeferredWork;
  private nextSliceNs: number = 0;
  private readonly spin: SpinPolicy;
  readonly quiescence: Quiescence;
  /** The value of `spin.isApart` that platform and host were last set to. */
  private isApart: boolean = false;
  /** `prepareSleep` has published that the loop sleeps. */
  private isAsleep: boolean = false;
  private nextTickNs: number = 0;
  private nextHostPollNs: number = 0;
  private ticks: number = 0;

  constructor(kernel: LoopKernel, events: HostEvents, memory: Reclaimer) {
    this.kernel = kernel;
    this.platform = kernel.platform;
    this.host = kernel.host;
    this.events = events;
    this.timers = kernel.timers;
    this.server = new TurnServer(kernel);
    this.memory = memory;
    this.deferred = kernel.vfs.deferred;
    this.spin = new SpinPolicy(this.host.cpuCount, this.platform.sleepCostNs);
    this.quiescence = new Quiescence(kernel, { server: this.server, events, spin: this.spin });
    this.attach();
  }

  /** Sets platform and host up; also called when a snapshot has made the loop. */
  attach(): void {
    this.platform.setSpinBudget(this.spin.guestNs);
    watchEnds(this.platform, this.host);
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

  /** Called when the kernel's clock has moved, between two turns. */
  restartClock(): void {
    this.nextTickNs = this.nextHostPollNs = this.nextSliceNs = 0;
    this.server.restartClock();
  }

  /** Runs until `stop`. Called again after a fault, it continues with the next work. */
  run(): void {
    const { server, spin, kernel: { clock } } = this, cpus = this.host.cpuCount;
    server.recover();
    if (this.isAsleep) this.wakeUp();
    let idleSinceNs = -1;
    while (!server.isStopped) {
      if (this.quiescence.isAsked) {
        this.quiescence.stand();
        idleSinceNs = -1;
        continue;
      }
      const now = this.host.monotonicNs();
      const running = this.platform.runningCount;
      clock.share = running > cpus ? cpus / running : 1;
      const handled = server.serve(now);
      this.timers.expire(now);
      server.turns?.end("timers", -1);
      if (now >= this.nextTickNs) this.tick(now);
      server.turns?.end("tick", -1);
      if (now >= this.nextHostPollNs) {
        this.nextHostPollNs = now + HOST_POLL_NS;
        this.events.poll(0);
        server.turns?.end("events", -1);
      }
      const isBusy = handled > 0 || server.hasWork;
      if (!this.deferred.isEmpty && (!isBusy || now >= this.nextSliceNs)) this.runSlice();
      if (isBusy) {
        spin.found(handled);
        if (spin.isApart !== this.isApart) this.changeSpin();
        idleSinceNs = -1;
        continue;
      }
      if (!this.deferred.isEmpty) continue;
      if (idleSinceNs < 0) idleSinceNs = now;
      if (now - idleSinceNs < spin.loopBudgetNs(running)) continue;
      // A timer may have stopped the loop just now.
      if (server.isStopped || this.memory.reclaim()) {
        server.turns?.end("reclaim", -1);
        continue;
      }
      this.sleep(running);
      if (spin.isApart !== this.isApart) this.changeSpin();
      idleSinceNs = -1;
    }
    this.quiescence.end();
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
    // Other kernels of the platform have other clocks.
    this.platform.tick(now - this.host.monotonicOffsetNs);
    this.kernel.oom.check(now);
    if (this.isApart) this.lookAround();
    if (++this.ticks % BROKEN_TICKS === 0) killBroken(this.kernel);
  }

  private changeSpin(): void {
    this.isApart = this.spin.isApart;
    this.platform.setSpinBudget(this.spin.guestNs);
    if (this.isApart) this.stayApart();
    else this.host.avoidCpu(-1);
  }

  /** Moves the loop off its present core, because a guest thread runs there or last ran there. */
  private stayApart(): void {
    this.host.avoidCpu(this.host.currentCpu());
    this.platform.setLoopCpu(this.host.currentCpu());
  }

  /**
   * Keeps the loop off the guest's core while a core is free. Otherwise guest threads on the loop's
   * core do not spin (`setLoopCpu`).
   */
  private lookAround(): void {
    const cpu = this.host.currentCpu();
    const isAlone = this.platform.runningCount < this.host.cpuCount;
    if (isAlone && cpu === this.platform.guestCpu) this.stayApart();
    else this.platform.setLoopCpu(cpu);
  }

  /** @param running guest threads that could end the sleep */
  private sleep(running: number): void {
    if (!this.platform.prepareSleep()) return;
    this.isAsleep = true;
    let left = this.timers.nextDeadlineNs - this.host.monotonicNs();
    // A guest thread that escapes its interrupt must not profit from a kernel that sleeps on.
    if (this.platform.isKicking) left = Math.min(left, TICK_NS);
    if (this.kernel.oom.isLooking) left = Math.min(left, TICK_NS);
    if (running > 0 && this.kernel.oom.isNear) left = Math.min(left, OOM_LOOK_NS);
    if (left > 0) this.events.poll(left);
    this.wakeUp();
    const ctx = this.platform.poll();
    if (ctx === null) return;
    this.spin.slept(this.platform.guestGapNs, running);
    this.server.serveAlone(ctx);
  }

  private wakeUp(): void {
    this.isAsleep = false;
    this.platform.finishSleep();
  }
}

/** Looks for stubs that ended, when the platform's descriptor is readable. */
class EndWatch extends Waiter {
  private readonly platform: Platform;
  private readonly host: Host;

  constructor(platform: Platform, host: Host) {
    super();
    this.platform = platform;
    this.host = host;
  }

  override onWake(): void {
    this.platform.reap();
    this.host.arm(this.platform.endsFd, POLLIN);
  }
}

function watchEnds(platform: Platform, host: Host): void {
  if (platform.endsFd >= 0) host.watch(platform.endsFd, POLLIN, new EndWatch(platform, host));
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
