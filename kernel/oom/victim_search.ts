/**
 * Finds the process that the OOM killer ends: the one with most memory, weighted by oom_score_adj
 * (proc(5)). It works in slices. The memory of a process that the host has supplied is expensive to
 * measure, and no more than what the process was promised: so the process that was promised most is
 * measured first, then those that were promised more than the largest one has.
 */

import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import type { MemoryManager } from "../mm/memory_manager.ts";
import type { Kernel } from "../task/kernel_services.ts";
import type { MemoryDomain } from "./oom_killer.ts";
import { MemoryFrames, ResidentCount } from "./resident_count.ts";
import type { ThreadGroup } from "../task/thread_group.ts";

/**
 * oom_score_adj of a process that is never chosen; otherwise each step is a thousandth of the
 * limit.
 */
const NEVER = -1000, STEPS = 1000;
/** Processes between two looks at the clock. */
const LOOK_AT_CLOCK = 32;
/** LIMIT: extents of a process that are summed up; with more, all its areas count as promised. */
const EXTENTS_MAX = 1024;

/** Whether a process with memory may be killed. */
export function mayBeVictim(group: ThreadGroup): boolean {
  if (group.tasks.length === 0 || group.isExiting || group.isIdle) return false;
  return group.oomScoreAdj !== NEVER;
}

/**
 * The points of a process with `bytes` of memory. Bytes beyond the limit do not count: memory that
 * was supplied after the limit was passed must not decide.
 */
export function pointsOf(group: ThreadGroup, bytes: number, limitBytes: number): number {
  return Math.min(bytes, limitBytes) + group.oomScoreAdj / STEPS * limitBytes;
}

export class VictimSearch {
  /** The processes that are searched; null: all of the sandbox. */
  readonly domain: MemoryDomain | null;
  private readonly kernel: Kernel;
  private readonly limitBytes: number;
  private readonly groups: readonly ThreadGroup[];
  private at: number = 0;
  /** The process that was promised most; known when `isRanked`. */
  private first: ThreadGroup | null = null;
  /** All processes were compared by promised memory; now those with more of it are measured. */
  private isRanked: boolean = false;
  /** The process that is measured, and its count. */
  private measured: ThreadGroup | null = null;
  private count: ResidentCount | null = null;
  /** The process with most points so far, and these. */
  private worst: ThreadGroup | null = null;
  private most: number = -Infinity;

  constructor(kernel: Kernel, domain: MemoryDomain | null, limitBytes: number) {
    this.kernel = kernel;
    this.domain = domain;
    this.limitBytes = limitBytes;
    this.groups = [...kernel.pids.groups.values()];
  }

  /** The process to kill, when the search has ended; null: there is none. */
  get victim(): ThreadGroup | null {
    return this.worst !== null && mayBeVictim(this.worst) ? this.worst : null;
  }

  /** Searches until the host's clock is `untilNs`; true at the end. */
  step(untilNs: number): boolean {
    const { groups, kernel: { host } } = this;
    for (;;) {
      if (this.count !== null && !this.continueCount(this.count, untilNs)) return false;
      if (this.at < groups.length) this.consider(groups[this.at++]!);
      else if (this.isRanked || this.first === null) return true;
      else this.beginMeasuring();
      if (this.at % LOOK_AT_CLOCK === 0 && host.monotonicNs() >= untilNs) return false;
    }
  }

  /** Ranks a process by promised memory, or begins to measure it if it may have most points. */
  private consider(group: ThreadGroup): void {
    const { domain } = this;
    if (!mayBeVictim(group) || domain !== null && !domain.has(group)) return;
    if (group === this.first) return;
    const bytes = promisedBytes(group.tasks[0]!.mm) + group.account.bytes;
    const points = pointsOf(group, bytes, this.limitBytes);
    if (points <= this.most) return;
    if (this.isRanked) return this.beginCount(group);
    this.first = group;
    this.most = points;
  }

  /** All are ranked: the first one is measured, then the others are compared with it. */
  private beginMeasuring(): void {
    this.isRanked = true;
    this.most = -Infinity;
    this.at = 0;
    if (this.first !== null) this.beginCount(this.first);
  }

  private beginCount(group: ThreadGroup): void {
    const mm = group.tasks[0]?.mm;
    if (mm === undefined) return;
    this.measured = group;
    this.count = new ResidentCount(mm.ctx.arena, new MemoryFrames(mm));
  }

  /** Measures until `untilNs`; true: the process is measured, and compared with the worst. */
  private continueCount(count: ResidentCount, untilNs: number): boolean {
    if (!count.step(this.kernel.host, untilNs)) return false;
    const group = this.measured!;
    this.count = this.measured = null;
    const points = pointsOf(group, count.bytes + group.account.bytes, this.limitBytes);
    if (points > this.most && mayBeVictim(group)) {
      this.worst = group;
      this.most = points;
    }
    return true;
  }
}

/** The most bytes that the host can have supplied to a process. */
function promisedBytes(mm: MemoryManager): number {
  const isShort = mm.pages.length <= EXTENTS_MAX;
  return PAGE_SIZE * (isShort ? mm.residentPages : mm.counters.total);
}
