/**
 * The kernel's only loop: drain contexts that trapped, run woken tasks, fire timers, look at host fds; with nothing
 * to do, spin within the budget, then sleep in one place. No wake-up can be lost: `prepareSleep` publishes that the
 * loop sleeps and looks once more.
 *
 * Not here: what a call does (syscalls/), how signals are delivered (task/signal/), host fds (core/host.ts).
 */

import type { Context, Platform } from "../platform/platform.ts";
import { TRAP_DEATH, TRAP_FULL, TRAP_SYSCALL } from "../platform/platform.ts";
import { POLLIN } from "../ffi/abi/poll.ts";
import type { Host } from "./core/host.ts";
import { Waiter } from "./core/wait.ts";
import { dispatch, onFull, runQueued } from "./syscalls/dispatch.ts";
import type { CpuClock } from "./task/cpu_clock.ts";
import { onException } from "./task/exception.ts";
import { onContextDeath } from "./task/exit.ts";
import { killGroup } from "./task/exit_request.ts";
import type { OomKiller } from "./task/oom_killer.ts";
import type { PidNamespace } from "./task/pid_namespace.ts";
import { SIGKILL } from "./task/signal/sigset.ts";
import type { Task } from "./task/task.ts";
import { SpinPolicy } from "./spin_policy.ts";
import type { TimerQueue } from "./time/timer.ts";

/** LIMIT: traps handled before timers and host fds are looked at again. */
const BATCH = 64;
/** Host fds are looked at least this often, in ns, while the loop is busy. */
const HOST_POLL_NS = 100_000;
const TICK_NS = 1_000_000;
/** How often a sleeping kernel looks at guests that may take too much memory, in ns: they touch some MB meanwhile. */
const OOM_LOOK_NS = 4_000_000;
/** LIMIT: looks for the next trap right behind one, without a look at the clock. */
const EAGER_LOOKS = 16;
/** Ticks between looks for address spaces that the host refused a mapping. */
const BROKEN_TICKS = 8;

/** FIFO of READY and RESUMING tasks, linked through `Task.next`. */
export class RunQueue {
  private head: Task | null = null;
  private tail: Task | null = null;
  length: number = 0;

  get isEmpty(): boolean {
    return this.head === null;
  }
  push(task: Task): void {
    task.next = null;
    this.length++;
    if (this.tail === null) this.head = task;
    else this.tail.next = task;
    this.tail = task;
  }
  shift(): Task | null {
    const task = this.head;
    if (task === null) return null;
    this.head = task.next;
    if (this.head === null) this.tail = null;
    this.length--;
    task.next = null;
    return task;
  }
  /** The others follow by `next`. */
  get first(): Task | null {
    return this.head;
  }
}

/** Host side of sleeping: one epoll set that holds the doorbell and every watched host fd. */
export interface HostEvents {
  /** Dispatch what is ready; wait at most `timeoutNs` (0: only look; Infinity: for ever). */
  poll(timeoutNs: number): void;
}

/** What the loop drives: the kernel object. */
export interface LoopKernel {
  readonly platform: Platform;
  readonly host: Host;
  readonly timers: TimerQueue;
  readonly clock: CpuClock;
  readonly pids: PidNamespace;
  readonly oom: OomKiller;
  /** The task that is being served: what is thrown is to be blamed on it. Null between two. */
  current: Task | null;
  log(line: string): void;
}

export class Loop {
  readonly runQueue: RunQueue = new RunQueue();
  private readonly kernel: LoopKernel;
  private readonly platform: Platform;
  private readonly host: Host;
  private readonly events: HostEvents;
  private readonly timers: TimerQueue;
  private readonly clock: CpuClock;
  /** Housekeeping of the memory manager: gives freed frames back, a slice at a time; true when more is left. */
  private readonly reclaim: () => boolean;
  private readonly spin: SpinPolicy;
  /** What platform and host were told: `spin.isApart`. */
  private isApart: boolean = false;
  private stopped: boolean = false;
  /** The platform was told that the loop sleeps. */
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
    this.clock = kernel.clock;
    this.reclaim = reclaim;
    this.spin = new SpinPolicy(this.host.cpuCount, this.platform.sleepCostNs);
    this.platform.setSpinBudget(this.spin.guestNs);
    watchEnds(this.platform, this.host);
  }

  stop(): void {
    this.stopped = true;
  }

  /** Runs until `stop`. Called again after a fault, it goes on with what is next. */
  run(): void {
    this.kernel.current = null;
    if (this.isAsleep) this.wakeUp();
    const clock = this.clock, cpus = this.host.cpuCount, spin = this.spin;
    let idleSinceNs = -1, handled = 0;
    while (!this.stopped) {
      const now = this.host.monotonicNs();
      if (handled > 0) clock.account(now - clock.nowNs, handled);
      clock.nowNs = now;
      const running = this.platform.runningCount;
      clock.share = running > cpus ? cpus / running : 1;
      handled = this.turn();
      this.timers.expire(now);
      if (now >= this.nextTickNs) this.tick(now);
      if (now >= this.nextHostPollNs) {
        this.nextHostPollNs = now + HOST_POLL_NS;
        this.events.poll(0);
      }
      if (handled > 0 || !this.runQueue.isEmpty) {
        spin.found(handled);
        if (spin.isApart !== this.isApart) this.changeSpin();
        idleSinceNs = -1;
        continue;
      }
      if (idleSinceNs < 0) idleSinceNs = now;
      if (now - idleSinceNs < spin.loopBudgetNs(running)) continue;
      // A timer may have stopped us just now.
      if (this.stopped || this.reclaim()) continue;
      this.sleep(running);
      if (spin.isApart !== this.isApart) this.changeSpin();
      idleSinceNs = -1;
    }
  }

  /** One batch: how many traps and queued tasks were handled. HOT */
  private turn(): number {
    const { platform, kernel } = this;
    let n = 0;
    for (let looks = 0; n < BATCH;) {
      const ctx = platform.poll();
      if (ctx === null) {
        if (n === 0 || ++looks > EAGER_LOOKS || !this.runQueue.isEmpty) break;
        continue;
      }
      looks = 0;
      n++;
      if (ctx.owner !== null) handleTrap(ctx, ctx.owner as Task);
      kernel.current = null;
    }
    // Only what is queued now: a task that wakes itself again must not starve the others.
    for (let left = this.runQueue.length; left > 0 && !this.stopped; left--) {
      const task = this.runQueue.shift();
      if (task !== null) runQueued(task);
      n++;
    }
    kernel.current = null;
    return n;
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
    // The guest ran while the loop slept.
    this.clock.nowNs = this.host.monotonicNs();
    if (ctx.owner !== null) handleTrap(ctx, ctx.owner as Task);
    this.kernel.current = null;
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

/** One context stopped. HOT */
function handleTrap(ctx: Context, task: Task): void {
  const trap = ctx.trap;
  if (trap === TRAP_SYSCALL) dispatch(task);
  else if (trap === TRAP_FULL) onFull(task);
  else if (trap === TRAP_DEATH) onContextDeath(task);
  else onException(task);
}
