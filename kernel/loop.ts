/**
 * The kernel's only loop: serve what trapped and what is due (turn_server.ts), fire timers, look at
 * host fds; with nothing to do, spin within the budget, then sleep in one place. No wake-up can be
 * lost: `prepareSleep` publishes that the loop sleeps and looks once more.
 *
 * Not here: what a call does (syscalls/), how signals are delivered (signal/), host fds
 * (core/host.ts).
 */

import type { Platform } from "../platform/platform.ts";
import { POLLIN } from "../ffi/abi/poll.ts";
import type { DeferredWork } from "./core/deferred_work.ts";
import type { Host } from "./core/host.ts";
import { Waiter } from "./core/wait.ts";
import type { FairTurns } from "./fair_turns.ts";
import type { RunQueue } from "./run_queue.ts";
import { killGroup } from "./task/exit_request.ts";
import type { OomKiller } from "./task/oom_killer.ts";
import type { PidNamespace } from "./task/pid_namespace.ts";
import { SIGKILL } from "./signal/sigset.ts";
import { TurnAccount } from "./task/turn_account.ts";
import { SpinPolicy } from "./spin_policy.ts";
import type { TimerQueue } from "./time/timer.ts";
import { type ServedKernel, TurnServer } from "./turn_server.ts";

/** Host fds are looked at least this often, in ns, while the loop is busy. */
const HOST_POLL_NS = 100_000;
const TICK_NS = 1_000_000;
/** How often a sleeping kernel looks at guests that may take too much memory, in ns: they touch some MB meanwhile. */
const OOM_LOOK_NS = 4_000_000;
/** Slices of deferred work take one part of so many more of the loop's time while tasks wait. */
const SLICE_REST = 2;
/** Ticks between looks for address spaces that the host refused a mapping. */
const BROKEN_TICKS = 8;

/** Host side of sleeping: one epoll set that holds the doorbell and every watched host fd. */
export interface HostEvents {
  /** Dispatch what is ready; wait at most `timeoutNs` (0: only look; Infinity: for ever). */
  poll(timeoutNs: number): void;
}

/** What the loop drives: the kernel object. */
export interface LoopKernel extends ServedKernel {
  readonly timers: TimerQueue;
  readonly pids: PidNamespace;
  readonly oom: OomKiller;
  readonly vfs: { readonly deferred: DeferredWork };
  log(line: string): void;
}

export class Loop {
  readonly server: TurnServer;
  private readonly kernel: LoopKernel;
  private readonly platform: Platform;
  private readonly host: Host;
  private readonly events: HostEvents;
  private readonly timers: TimerQueue;
  /** Housekeeping of the memory manager: gives freed frames back, a slice at a time; true when more is left. */
  private readonly reclaim: () => boolean;
  /** What calls left to do, and when the next slice may be done though tasks wait. */
  private readonly deferred: DeferredWork;
  private nextSliceNs: number = 0;
  private readonly spin: SpinPolicy;
  /** The value of `spin.isApart` that platform and host have. */
  private isApart: boolean = false;
  /** `prepareSleep` has published that the loop sleeps. */
  private isAsleep: boolean = false;
  private nextTickNs: number = 0;
  private nextHostPollNs: number = 0;
  private ticks: number = 0;

  constructor(kernel: LoopKernel, events: HostEvents, reclaim: () => boolean) {
    this.kernel = kernel;
    this.platform = kernel.platform;
    this.host = kernel.host;
    this.events = events;
    this.timers = kernel.timers;
    this.server = new TurnServer(kernel);
    this.reclaim = reclaim;
    this.deferred = kernel.vfs.deferred;
    this.deferred.server = kernel;
    this.spin = new SpinPolicy(this.host.cpuCount, this.platform.sleepCostNs);
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

  /** Runs until `stop`. Called again after a fault, it goes on with what is next. */
  run(): void {
    const { server, spin, kernel: { clock } } = this, cpus = this.host.cpuCount;
    server.recover();
    if (this.isAsleep) this.wakeUp();
    let idleSinceNs = -1;
    while (!server.isStopped) {
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
      if (server.isStopped || this.reclaim()) {
        server.turns?.end("reclaim", -1);
        continue;
      }
      this.sleep(running);
      if (spin.isApart !== this.isApart) this.changeSpin();
      idleSinceNs = -1;
    }
  }

  /** A slice of deferred work, which counts as a turn of the account that left it. */
  private runSlice(): void {
    const startNs = this.host.monotonicNs(), payer = this.deferred.step();
    const endNs = this.host.monotonicNs(), tookNs = endNs - startNs;
    if (payer instanceof TurnAccount) this.fair.charge(payer, tookNs);
    this.nextSliceNs = endNs + SLICE_REST * tookNs;
    // Not a part of the batch, whose cost is charged to the task that was served last.
    this.kernel.clock.nowNs += tookNs;
    this.server.turns?.end("deferred", -1);
  }

  private tick(now: number): void {
    this.nextTickNs = now + TICK_NS;
    this.platform.tick(now);
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

  /** The guest thread is, or was when it last slept, on the loop's core: one of them has to go. */
  private stayApart(): void {
    this.host.avoidCpu(this.host.currentCpu());
    this.platform.setLoopCpu(this.host.currentCpu());
  }

  /** Of many guest threads some are on any core: those go, or sleep for their replies. */
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
    // A guest that hides from its interrupt would be let off by a kernel that sleeps.
    if (this.platform.isKicking) left = Math.min(left, TICK_NS);
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

/** Looks for stubs that ended, when the platform's descriptor says so. */
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

/** A process whose mappings the host refused cannot go on. */
function killBroken(kernel: LoopKernel): void {
  for (const group of kernel.pids.groups.values()) {
    const mm = group.tasks[0]?.mm;
    if (mm === undefined || !mm.space.broken || group.isExiting) continue;
    kernel.log(`process ${group.pid}: the host refused a memory mapping, it is killed`);
    killGroup(group, SIGKILL);
  }
}
