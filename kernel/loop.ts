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
import { FairTurns } from "./fair_turns.ts";
import type { TurnKind, TurnLog } from "./observe/turns.ts";
import { dispatch, onFull, runQueued } from "./syscalls/dispatch.ts";
import { chargeKernel, type CpuClock } from "./task/cpu_clock.ts";
import { onException } from "./task/exception.ts";
import { onContextDeath } from "./task/exit.ts";
import { killGroup } from "./task/exit_request.ts";
import type { OomKiller } from "./task/oom_killer.ts";
import type { PidNamespace } from "./task/pid_namespace.ts";
import { SIGKILL } from "./task/signal/sigset.ts";
import { READY, RESUMING, type Task } from "./task/task.ts";
import type { TurnAccount } from "./task/turn_account.ts";
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

/**
 * A batch that took longer, in ns, makes the next one small: its cost is known, and the others are
 * looked at soon.
 */
const SLOW_NS = 100_000;
/**
 * So many quick ones behind it are small as well: a task that is slow again is the one that is
 * charged.
 */
const QUICK = 16;
/**
 * LIMIT: traps between looks at the clock while several accounts have tasks: those beside it wait
 * that long at worst.
 */
const SHARED_BATCH = 8;
/** What the host takes of the kernel's thread at a time is seldom less, in ns. */
const PREEMPTED_NS = 500_000;
/** Accounts are served in turn for so long after they competed, in ns; and after a slow batch. */
const FAIR_NS = 100_000_000, FAIR_AFTER_SLOW_NS = 2_000_000_000;
/**
 * LIMIT: pieces of one account's work between looks at the clock and at the others, while accounts
 * compete.
 */
const FAIR_BATCH = 4;
/** Accounts are served in turn for so long, in ns, before timers and the host are looked at. */
const ROUND_NS = 50_000;

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
  /** --turns; null: turns are not measured. */
  turns: TurnLog | null = null;
  private readonly kernel: LoopKernel;
  private readonly platform: Platform;
  private readonly host: Host;
  private readonly events: HostEvents;
  private readonly timers: TimerQueue;
  private readonly clock: CpuClock;
  /** Housekeeping of the memory manager: gives freed frames back, a slice at a time; true when more is left. */
  private readonly reclaim: () => boolean;
  private readonly spin: SpinPolicy;
  /** The value of `spin.isApart` that platform and host have. */
  private isApart: boolean = false;
  private stopped: boolean = false;
  /** `prepareSleep` has published that the loop sleeps. */
  private isAsleep: boolean = false;
  private nextTickNs: number = 0;
  private nextHostPollNs: number = 0;
  private ticks: number = 0;
  readonly fair: FairTurns;
  /** Until when accounts are served in turn, ns. */
  private fairUntilNs: number = 0;
  /** Traps that the next batch handles without a look at the clock. */
  private blind: number = BATCH;
  /** Batches since the last slow one, while `blind` is small. */
  private quick: number = 0;
  /** The batch served more than one account. */
  private isMixed: boolean = false;
  /** The task that was served last. */
  private last: Task | null = null;
  /** CPU time of the kernel's thread at the last tick, or behind the last slow batch, ns. */
  private cpuNs: number = 0;

  constructor(kernel: LoopKernel, events: HostEvents, reclaim: () => boolean) {
    this.kernel = kernel;
    this.platform = kernel.platform;
    this.host = kernel.host;
    this.events = events;
    this.timers = kernel.timers;
    this.clock = kernel.clock;
    this.fair = new FairTurns(kernel.clock.accounts);
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
    this.fair.recover();
    if (this.isAsleep) this.wakeUp();
    const clock = this.clock, cpus = this.host.cpuCount, spin = this.spin;
    let idleSinceNs = -1, handled = 0, isFair = false;
    while (!this.stopped) {
      const now = this.host.monotonicNs();
      if (handled > 0 && !isFair) this.account(now, handled);
      clock.nowNs = now;
      const running = this.platform.runningCount;
      clock.share = running > cpus ? cpus / running : 1;
      isFair = now < this.fairUntilNs || this.fair.pending > 0;
      this.turns?.begin();
      handled = isFair ? this.fairTurn() : this.turn();
      this.timers.expire(now);
      this.turns?.end("timers", -1);
      if (now >= this.nextTickNs) this.tick(now);
      this.turns?.end("tick", -1);
      if (now >= this.nextHostPollNs) {
        this.nextHostPollNs = now + HOST_POLL_NS;
        this.events.poll(0);
        this.turns?.end("events", -1);
      }
      if (handled > 0 || !this.runQueue.isEmpty || this.fair.pending > 0) {
        spin.found(handled);
        if (spin.isApart !== this.isApart) this.changeSpin();
        idleSinceNs = -1;
        continue;
      }
      if (idleSinceNs < 0) idleSinceNs = now;
      if (now - idleSinceNs < spin.loopBudgetNs(running)) continue;
      // A timer may have stopped us just now.
      if (this.stopped || this.reclaim()) {
        this.turns?.end("reclaim", -1);
        continue;
      }
      this.sleep(running);
      if (spin.isApart !== this.isApart) this.changeSpin();
      idleSinceNs = -1;
    }
  }

  /** One batch: how many traps and queued tasks were handled. HOT */
  private turn(): number {
    const { platform, kernel } = this;
    const most = this.blind, isShared = this.clock.accounts.count > 1;
    let n = 0, first: Task | null = null;
    for (let looks = 0; n < most;) {
      const ctx = platform.poll();
      if (ctx === null) {
        if (n === 0 || ++looks > EAGER_LOOKS || !this.runQueue.isEmpty) break;
        continue;
      }
      looks = 0;
      n++;
      const task = ctx.owner as Task | null;
      if (task === null) continue;
      if (isShared) {
        if (first === null) first = task;
        else if (task.account !== first.account) this.isMixed = true;
      }
      this.serveTrap(ctx, task);
      kernel.current = null;
    }
    // Only what is queued now: a task that wakes itself again must not starve the others.
    for (let left = this.runQueue.length; left > 0 && !this.stopped; left--) {
      const task = this.runQueue.shift();
      n++;
      if (task === null) break;
      this.serveQueued(task);
      // What it did is not known to be quick: the rest is for the next turn, in which timers come
      // first.
      if (this.blind < BATCH && n >= most) break;
    }
    kernel.current = null;
    return n;
  }

  /** Charges the cost of the batch that ended `now`, and decides how the next ones are made. HOT */
  private account(now: number, handled: number): void {
    const { clock } = this, elapsedNs = now - clock.nowNs;
    const excessNs = clock.account(elapsedNs, handled);
    const isShared = clock.accounts.count > 1, isSlow = elapsedNs > SLOW_NS;
    if (isSlow) {
      this.blind = 1;
      this.quick = 0;
    } else if (isShared && this.blind > SHARED_BATCH) this.blind = SHARED_BATCH;
    else if (this.blind < (isShared ? SHARED_BATCH : BATCH) && ++this.quick > QUICK) {
      this.blind *= 2;
    }
    if (excessNs > 0 && isSlow) this.chargeExcess(excessNs);
    if (!isShared) return;
    if (isSlow) this.fairUntilNs = Math.max(this.fairUntilNs, now + FAIR_AFTER_SLOW_NS);
    else if (this.isMixed) this.fairUntilNs = Math.max(this.fairUntilNs, now + FAIR_NS);
    this.isMixed = false;
  }

  /**
   * A long turn is charged to the task that it was for: not what the host took from the kernel's
   * thread meanwhile.
   */
  private chargeExcess(excessNs: number): void {
    const { last } = this;
    let usedNs = excessNs;
    if (excessNs > PREEMPTED_NS) {
      const cpuNs = this.host.kernelCpuNs();
      if (cpuNs >= 0) usedNs = Math.min(excessNs, cpuNs - this.cpuNs);
      this.cpuNs = cpuNs;
    }
    if (last !== null && usedNs > 0) chargeKernel(last.billed, usedNs);
  }

  /** One round among the accounts that have work: how many traps and queued tasks were handled. */
  private fairTurn(): number {
    const { clock, fair } = this, endNs = clock.nowNs + ROUND_NS;
    let handled = this.collect();
    while (fair.pending > 0 && !this.stopped) {
      const account = fair.next(), startNs = clock.nowNs, n = this.serve(account);
      const now = this.host.monotonicNs();
      fair.served(account, now - startNs);
      handled += n;
      if (now - startNs > SLOW_NS) account.blind = 1;
      else if (account.blind < FAIR_BATCH) account.blind *= 2;
      this.account(now, n);
      clock.nowNs = now;
      if (now >= endNs) break;
      handled += this.collect();
    }
    this.isMixed = fair.takeMixed();
    return handled;
  }

  /** What trapped and what is queued goes to its accounts. What has none is handled now. */
  private collect(): number {
    const { platform, fair, runQueue } = this;
    let n = 0;
    for (let ctx = platform.poll(); ctx !== null; ctx = platform.poll()) {
      const task = ctx.owner as Task | null;
      if (task === null) continue;
      const { account } = task.billed;
      if (account !== null) fair.addTrap(ctx, account);
      else {
        this.serveTrap(ctx, task);
        n++;
      }
    }
    for (let left = runQueue.length; left > 0; left--) {
      const task = runQueue.shift();
      if (task === null) break;
      const { account } = task.billed;
      if (account !== null) fair.addQueued(task, account);
      else {
        this.serveQueued(task);
        n++;
      }
    }
    this.kernel.current = null;
    return n;
  }

  /** HOT */
  private serveTrap(ctx: Context, task: Task): void {
    this.last = task;
    if (this.turns === null) handleTrap(ctx, task);
    else handleMeasured(this.turns, ctx, task);
  }

  /** HOT */
  private serveQueued(task: Task): void {
    this.last = task;
    if (this.turns === null) runQueued(task);
    else runMeasured(this.turns, task);
  }

  /** Some of the work of an account, as much as need not be timed one by one: how many pieces. */
  private serve(account: TurnAccount): number {
    const { fair } = this;
    let n = 0;
    while (n < account.blind && !this.stopped) {
      const task = fair.takeQueued(account);
      if (task !== undefined) {
        n++;
        this.serveQueued(task);
      }
      const ctx = fair.takeTrap(account);
      if (ctx !== undefined) {
        n++;
        if (ctx.owner !== null) this.serveTrap(ctx, ctx.owner as Task);
      } else if (task === undefined) break;
    }
    this.kernel.current = null;
    return n;
  }

  private tick(now: number): void {
    this.nextTickNs = now + TICK_NS;
    this.cpuNs = this.host.kernelCpuNs();
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
    if (ctx.owner !== null) this.serveTrap(ctx, ctx.owner as Task);
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

/** The same with --turns. */
function handleMeasured(turns: TurnLog, ctx: Context, task: Task): void {
  const { trap, nr } = ctx;
  turns.begin();
  handleTrap(ctx, task);
  turns.end(kindOf(trap), trap === TRAP_SYSCALL ? nr : -1);
}

function kindOf(trap: number): TurnKind {
  return trap === TRAP_FULL ? "registers" : trap === TRAP_DEATH ? "death" : "fault";
}

function runMeasured(turns: TurnLog, task: Task): void {
  const { state, nr } = task;
  turns.begin();
  runQueued(task);
  turns.end(state === RESUMING ? "resume" : state === READY ? "fault" : "worker", nr);
}
