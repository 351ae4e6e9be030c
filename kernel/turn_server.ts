/**
 * Serves traps and queued tasks, a batch at a time: in order of arrival, or in turn by account
 * while several accounts compete (fair_turns.ts). Charges the cost of a batch to the task that it
 * served, and makes the next batch small after a slow one.
 *
 * Neighbours: loop.ts (decides when a batch is served), syscalls/dispatch.ts (runs a call). Design,
 * and attacks on it: docs/internals/turns.md.
 */

import {
  type Context,
  type Platform,
  TRAP_DEATH,
  TRAP_FULL,
  TRAP_SYSCALL,
} from "../platform/platform.ts";
import { Fifo } from "./core/fifo.ts";
import type { Host } from "./core/host.ts";
import { FairTurns } from "./fair_turns.ts";
import type { TurnKind, TurnLog } from "./observe/turns.ts";
import { RunQueue } from "./run_queue.ts";
import { dispatch, onFull, runQueued } from "./syscalls/dispatch.ts";
import { chargeKernel, type CpuClock } from "./task/cpu_clock.ts";
import { onException } from "./task/exception.ts";
import { onContextDeath } from "./task/exit.ts";
import { READY, RESUMING, type Task } from "./task/task.ts";
import type { TurnAccount } from "./task/turn_account.ts";

/** LIMIT: traps handled before timers and host descriptors are polled again. */
const BATCH = 64;
/** LIMIT: immediate looks for the next trap behind one, without reading the clock. */
const EAGER_LOOKS = 16;
/**
 * A batch that took longer, in ns, makes the next one small: its cost can then be measured alone,
 * and other tasks are served soon.
 */
const SLOW_NS = 100_000;
/**
 * This many quick batches behind a slow one are small as well: a task that is slow again is then
 * the one that is charged.
 */
const QUICK = 16;
/**
 * LIMIT: traps between reads of the clock while several accounts or kernels have tasks. A task of
 * another account waits for that many traps at worst.
 */
const SHARED_BATCH = 8;
/** How often the CPU time of the kernel's thread is read, in ns. */
const CPU_READ_NS = 1_000_000;
/** The host seldom preempts the kernel's thread for less than this, ns. */
const PREEMPTED_NS = 500_000;
/** How long accounts are served in turn after they competed, and after a slow batch, ns. */
const FAIR_NS = 100_000_000, FAIR_AFTER_SLOW_NS = 2_000_000_000;
/**
 * LIMIT: pieces of one account's work between reads of the clock and looks at other accounts, while
 * accounts compete.
 */
const FAIR_BATCH = 4;
/** How long accounts are served in turn before timers and the host are polled, ns. */
const ROUND_NS = 50_000;

/** Hands the stops of all kernels to the inbox of each. */
interface StopDistributor {
  distribute(): void;
}

/** The part of the kernel object that serving uses. */
export interface ServedKernel {
  readonly platform: Platform;
  readonly host: Host;
  readonly clock: CpuClock;
  /** The task that is being served, to which an exception is attributed. Null between two tasks. */
  current: Task | null;
}

export class TurnServer {
  readonly runQueue: RunQueue = new RunQueue();
  readonly fair: FairTurns;
  /** Stops that were held back while the world stood still (snapshot/quiesce.ts). */
  readonly held: Fifo<Context> = new Fifo();
  /** Stops of this kernel, among others of the process, that wait for its turn. */
  readonly inbox: Fifo<Context> = new Fifo();
  /** The record of long turns (--turns); null: turns are not measured. */
  turns: TurnLog | null = null;
  isStopped: boolean = false;
  /** Null: the platform has stops of this kernel alone. */
  private distributor: StopDistributor | null = null;
  private readonly kernel: ServedKernel;
  private readonly platform: Platform;
  private readonly host: Host;
  private readonly clock: CpuClock;
  /** The time until which accounts are served in turn, ns. */
  private fairUntilNs: number = 0;
  /** Number of traps that the next batch handles without reading the clock. */
  private blind: number = BATCH;
  /** Batches since the last slow one, while `blind` is small. */
  private quick: number = 0;
  /** The batch served more than one account. */
  private isMixed: boolean = false;
  /** Of the last batch: the number of traps and tasks, and whether it was served by account. */
  private handled: number = 0;
  private isFair: boolean = false;
  /** The task that was served last. */
  private last: Task | null = null;
  /** CPU time of the kernel's thread at the last reading, ns. */
  private cpuNs: number = 0;
  private nextCpuReadNs: number = 0;

  constructor(kernel: ServedKernel) {
    this.kernel = kernel;
    this.platform = kernel.platform;
    this.host = kernel.host;
    this.clock = kernel.clock;
    this.fair = new FairTurns(kernel.clock.accounts);
  }

  /** HOT */
  get hasWork(): boolean {
    if (!this.runQueue.isEmpty || this.fair.pending > 0) return true;
    return this.held.length > 0 || this.inbox.length > 0;
  }

  /** The platform has stops of this kernel alone. */
  get isAlone(): boolean {
    return this.distributor === null;
  }

  /** Takes stops from the inbox from now on; null: from the platform. */
  takeFrom(distributor: StopDistributor | null): void {
    this.distributor = distributor;
    if (distributor !== null) this.blind = Math.min(this.blind, SHARED_BATCH);
  }

  /** The next stop of a task of this kernel, or null. HOT */
  poll(): Context | null {
    const { distributor, inbox } = this;
    if (distributor === null) return this.platform.poll();
    if (inbox.length === 0) distributor.distribute();
    return inbox.shift() ?? null;
  }

  /** Called when the kernel's clock has moved: nothing is charged for the time in between. */
  restartClock(): void {
    this.handled = this.fairUntilNs = this.nextCpuReadNs = 0;
    this.clock.nowNs = this.host.monotonicNs();
  }

  /** Called after a fault ended the batch: the next one starts with the rest of it. */
  recover(): void {
    this.kernel.current = null;
    this.handled = 0;
    this.fair.recover();
  }

  /**
   * Charges the batch that ended at `now`, and serves another one. Returns the number of traps and
   * queued tasks. HOT
   */
  serve(now: number): number {
    this.closeBatch(now);
    // Not between a batch and its charge: the reading would leave nothing to charge.
    if (now >= this.nextCpuReadNs) this.readCpuTime(now);
    this.clock.nowNs = now;
    this.isFair = now < this.fairUntilNs || this.fair.pending > 0;
    this.turns?.begin();
    const hasHeld = this.held.length > 0;
    this.handled = this.isFair ? this.fairTurn() : hasHeld ? this.heldTurn() : this.turn();
    return this.handled;
  }

  /** Charges the batch that ended at `now`. HOT */
  closeBatch(now: number): void {
    if (this.handled > 0 && !this.isFair) this.account(now, this.handled);
    this.handled = 0;
  }

  /** Contexts with a stop that waits to be served. */
  waitingTraps(): Context[] {
    return [...this.held.all(), ...this.fair.waitingTraps()];
  }

  /** Serves the first trap behind a sleep of the loop. */
  serveAlone(ctx: Context): void {
    // The guest ran while the loop slept.
    this.clock.nowNs = this.host.monotonicNs();
    if (ctx.owner !== null) this.serveTrap(ctx, ctx.owner as Task);
    this.kernel.current = null;
  }

  /**
   * Reads the CPU time of the kernel's thread; what it uses from now on belongs to the next
   * batches.
   */
  private readCpuTime(now: number): void {
    this.nextCpuReadNs = now + CPU_READ_NS;
    this.cpuNs = this.host.kernelCpuNs();
  }

  /** Serves one batch. Returns the number of traps and queued tasks. HOT */
  private turn(): number {
    const { kernel, platform } = this, isAlone = this.distributor === null;
    const most = this.blind, isShared = this.clock.accounts.count > 1;
    let n = 0, first: Task | null = null;
    for (let looks = 0; n < most;) {
      const ctx = isAlone ? platform.poll() : this.poll();
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
        else if (task.turnAccount !== first.turnAccount) this.isMixed = true;
      }
      this.serveTrap(ctx, task);
      kernel.current = null;
    }
    // Only tasks that are queued now: a task that wakes itself again must not starve the others.
    for (let left = this.runQueue.length; left > 0 && !this.isStopped; left--) {
      const task = this.runQueue.shift();
      n++;
      if (task === null) break;
      this.serveQueued(task);
      // The cost of this task is not known to be small: the rest waits for the next turn, in which
      // timers come first.
      if (this.blind < BATCH && n >= most) break;
    }
    kernel.current = null;
    return n;
  }

  /** Serves a batch of the stops that were held back, in their order. Returns their number. */
  private heldTurn(): number {
    const { held, kernel } = this, most = Math.min(this.blind, held.length);
    let first: Task | null = null;
    for (let n = 0; n < most && !this.isStopped; n++) {
      const ctx = held.shift(), task = (ctx?.owner ?? null) as Task | null;
      if (ctx === undefined || task === null) continue;
      if (first === null) first = task;
      else if (task.turnAccount !== first.turnAccount) this.isMixed = true;
      this.serveTrap(ctx, task);
      kernel.current = null;
    }
    return most;
  }

  /**
   * Charges the cost of the batch that ended at `now`, and decides the size of the next ones. HOT
   */
  private account(now: number, handled: number): void {
    const { clock } = this, elapsedNs = now - clock.nowNs;
    const excessNs = clock.account(elapsedNs, handled);
    const isShared = clock.accounts.count > 1, isSlow = elapsedNs > SLOW_NS;
    const most = isShared || this.distributor !== null ? SHARED_BATCH : BATCH;
    if (isSlow) {
      this.blind = 1;
      this.quick = 0;
    } else if (this.blind > most) this.blind = most;
    else if (this.blind < most && ++this.quick > QUICK) this.blind *= 2;
    if (excessNs > 0 && isSlow) this.chargeExcess(excessNs);
    if (!isShared) return;
    if (isSlow) this.fairUntilNs = Math.max(this.fairUntilNs, now + FAIR_AFTER_SLOW_NS);
    else if (this.isMixed) this.fairUntilNs = Math.max(this.fairUntilNs, now + FAIR_NS);
    this.isMixed = false;
  }

  /**
   * Charges a long turn to the task that it served, without the time for which the host preempted
   * the kernel's thread.
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

  /**
   * Serves one round among the accounts with work. Returns the number of traps and queued tasks.
   */
  private fairTurn(): number {
    const { clock, fair } = this, endNs = clock.nowNs + ROUND_NS;
    let handled = this.collect();
    while (fair.pending > 0 && !this.isStopped) {
      const account = fair.next(), startNs = clock.nowNs, n = this.serveAccount(account);
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

  /**
   * Distributes traps and queued tasks to their accounts, and handles those without an account at
   * once.
   */
  private collect(): number {
    const { fair, runQueue, held } = this;
    let n = 0;
    for (let ctx = held.shift(); ctx !== undefined; ctx = held.shift()) n += this.place(ctx);
    for (let ctx = this.poll(); ctx !== null; ctx = this.poll()) n += this.place(ctx);
    for (let left = runQueue.length; left > 0; left--) {
      const task = runQueue.shift();
      if (task === null) break;
      const account = task.billed.turnAccount;
      if (account !== null) fair.addQueued(task, account);
      else {
        this.serveQueued(task);
        n++;
      }
    }
    this.kernel.current = null;
    return n;
  }

  /** Adds a stop to its account, or serves it. Returns the number of stops that were served. */
  private place(ctx: Context): number {
    const task = ctx.owner as Task | null;
    if (task === null) return 0;
    const account = task.billed.turnAccount;
    if (account !== null) {
      this.fair.addTrap(ctx, account);
      return 0;
    }
    this.serveTrap(ctx, task);
    return 1;
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

  /**
   * Serves some work of an account: as much as needs no timing one by one. Returns the number of
   * pieces.
   */
  private serveAccount(account: TurnAccount): number {
    const { fair } = this;
    let n = 0;
    while (n < account.blind && !this.isStopped) {
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
}

/** Handles one stopped context. HOT */
function handleTrap(ctx: Context, task: Task): void {
  const trap = ctx.trap;
  if (trap === TRAP_SYSCALL) dispatch(task);
  else if (trap === TRAP_FULL) onFull(task);
  else if (trap === TRAP_DEATH) onContextDeath(task);
  else onException(task);
}

/** As handleTrap, with --turns. */
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
