/**
 * poll(2) of many descriptors: passes over all of them, some in each turn of the loop. The first
 * pass registers with their wait queues, and the registrations stay, as in do_poll of Linux: an
 * event behind the position of a pass causes another pass, so that no event is lost between turns.
 */

import { ENOMEM } from "../../../ffi/abi/errno.ts";
import { EXTRA_WAITS } from "../../core/quota.ts";
import type { WaitQueue } from "../../core/wait.ts";
import { mustEnd } from "../../task/alert.ts";
import type { Task } from "../../task/task.ts";
import { TaskWaiter } from "../../task/task_wait.ts";
import type { OpenFile } from "../../vfs/open_file.ts";

/** LIMIT: descriptors that one turn polls, and registrations that it removes. */
export const FDS_A_TURN = 4096;

/** The state of a call, kept in its task's progress. */
export abstract class PollPasses {
  readonly count: number;
  /**
   * Descriptors before this index were polled in this pass; the number of ready ones among them.
   */
  at: number = 0;
  ready: number = 0;
  /** All are registered, or no registration is needed, because the call does not wait. */
  isWatched: boolean;
  /** An event came since this pass began. */
  isWoken: boolean = false;
  isAsleep: boolean = false;
  isInterrupted: boolean = false;
  /** The time-out is over; the last pass finds earlier events. */
  isLast: boolean = false;
  /** The call's result once all registrations are removed; null: not known yet. */
  result: number | null = null;
  private lastQueue: WaitQueue | null = null;
  private lastMask: number = 0;

  constructor(t: Task, count: number) {
    this.count = count;
    this.isWatched = t.kernel.now() >= t.progress.deadlineNs;
    t.progress.object = this;
  }

  /**
   * Polls descriptors, and registers with them unless `isWatched`: the number of ready ones, or
   * -errno.
   */
  abstract look(t: Task, from: number, to: number): number;

  /** Registers with a file. Consecutive descriptors of one file share a registration. */
  watch(t: Task, file: OpenFile, mask: number): void {
    const queue = file.waitQueue;
    if (queue === null || queue === this.lastQueue && (mask & ~this.lastMask) === 0) return;
    this.lastQueue = queue;
    this.lastMask = mask;
    const waiter = new PassWaiter(t, this);
    (t.moreWaiters ??= []).push(waiter);
    EXTRA_WAITS.add(1, t.group.account);
    queue.add(waiter, mask);
  }

  begin(): void {
    this.at = this.ready = 0;
    this.isWoken = this.isAsleep = false;
  }
}

export class PassWaiter extends TaskWaiter {
  private readonly passes: PollPasses;

  constructor(task: Task, passes: PollPasses) {
    super(task);
    this.passes = passes;
  }

  override onWake(events: number): void {
    this.passes.isWoken = true;
    if (this.passes.isAsleep) super.onWake(events);
  }
}

/** The passes that an earlier turn of the call began, or null. */
export function passOf(t: Task): PollPasses | null {
  const { object } = t.progress;
  return object instanceof PollPasses ? object : null;
}

/** Runs one turn: BLOCK, or the call's result. */
export function runPasses(t: Task, p: PollPasses): number {
  if (t.interrupted) {
    if (mustEnd(t)) return t.waitUntil(Infinity);
    // A pass is completed first, because ready descriptors take precedence over a signal.
    p.isInterrupted = true;
    t.interrupted = false;
  }
  if (p.result !== null) return removeSomeWaits(t, p);
  if (p.isAsleep) p.begin();
  const to = Math.min(p.count, p.at + FDS_A_TURN);
  if (!p.isWatched && !EXTRA_WAITS.hasRoom(to - p.at, t.account)) return endPasses(t, p, -ENOMEM);
  const ready = p.look(t, p.at, to);
  if (ready < 0) return endPasses(t, p, ready);
  p.ready += ready;
  p.at = to;
  return to < p.count ? continuePass(t) : endPass(t, p);
}

function endPass(t: Task, p: PollPasses): number {
  const { deadlineNs } = t.progress;
  p.isWatched = true;
  if (p.ready > 0) return endPasses(t, p, p.ready);
  if (p.isInterrupted) {
    t.interrupted = true;
    return endPasses(t, p, t.waitUntil(Infinity));
  }
  if (t.kernel.now() >= deadlineNs) {
    if (p.isLast || !p.isWoken) return endPasses(t, p, 0);
    p.isLast = true;
  }
  if (p.isWoken) {
    p.begin();
    return continuePass(t);
  }
  p.isAsleep = t.keepsWaits = true;
  return t.waitUntil(deadlineNs);
}

/** Continues in the next turn; only a fatal signal interrupts. */
function continuePass(t: Task): number {
  t.interrupted = false;
  t.keepsWaits = t.uninterruptible = true;
  return t.yieldTurn();
}

function endPasses(t: Task, p: PollPasses, result: number): number {
  p.result = result;
  return removeSomeWaits(t, p);
}

/** Removes registrations, some in each turn. */
function removeSomeWaits(t: Task, p: PollPasses): number {
  const { moreWaiters } = t, n = Math.min(FDS_A_TURN, moreWaiters?.length ?? 0);
  for (let i = 0; i < n; i++) moreWaiters!.pop()!.unlink();
  EXTRA_WAITS.give(n, t.group.account);
  if (moreWaiters !== null && moreWaiters.length > 0) return continuePass(t);
  t.moreWaiters = null;
  t.keepsWaits = false;
  return p.result ?? 0;
}
