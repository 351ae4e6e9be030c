/**
 * When the guests have more memory than the sandbox may have, the process that has most of it is killed (the OOM killer of
 * a memory control group). Frames are promised freely, and the host gives memory at the first touch: so what counts is
 * what the host has given, and it is looked at while more is promised than may be.
 *
 * DIFFERS: pages of host files are not counted. Neighbours: mm/frames.ts, loop.ts (calls `check`), exception.ts.
 */

import { PAGE_SIZE } from "../mm/frames.ts";
import type { MemoryManager } from "../mm/memory_manager.ts";
import { killGroup } from "./exit_request.ts";
import type { Kernel } from "./kernel_services.ts";
import { SIGKILL } from "./signal/sigset.ts";
import type { ThreadGroup } from "./thread_group.ts";

/** LIMIT: how long a victim may take to end before the next one is chosen, ns. */
const GRACE_NS = 500_000_000;
/** oom_score_adj of who is never chosen; a thousandth of the limit for each step else. */
const NEVER = -1000, STEPS = 1000;

export interface OomListener {
  /** `victim` was killed. */
  onOutOfMemory(victim: ThreadGroup): void;
}

export class OomKiller {
  /** Bytes that the guests may have. */
  limitBytes: number;
  /** Processes killed. */
  kills: number = 0;
  listener: OomListener | null = null;
  private readonly kernel: Kernel;
  private victim: ThreadGroup | null = null;
  private untilNs: number = 0;

  constructor(kernel: Kernel) {
    this.kernel = kernel;
    this.limitBytes = kernel.host.memoryBytes;
  }

  /** More is promised than there may be: `check` must be called often while guests run. HOT */
  get isNear(): boolean {
    return this.kernel.memory.frames.usedBytes > this.limitBytes;
  }

  /** Kills somebody if the guests have too much. */
  check(nowNs: number): void {
    if (!this.isNear || this.isAwaiting(nowNs)) return;
    const { arena, frames } = this.kernel.memory;
    if (arena.residentBytes() <= this.limitBytes) return;
    // Memory of those that ended goes back now, or once their host processes are gone.
    frames.trim();
    if (arena.residentBytes() - frames.pendingBytes <= this.limitBytes) return;
    const victim = this.choose();
    if (victim !== null) this.kill(victim, nowNs);
  }

  /** The last victim is on its way out. */
  private isAwaiting(nowNs: number): boolean {
    if (this.victim === null) return false;
    if (this.victim.tasks.length > 0 && nowNs < this.untilNs) return true;
    this.victim = null;
    return false;
  }

  /** Who has most, as weighted by oom_score_adj (proc(5)). */
  private choose(): ThreadGroup | null {
    let worst: ThreadGroup | null = null, most = 0;
    for (const group of this.kernel.pids.groups.values()) {
      const mm = group.tasks[0]?.mm;
      if (mm === undefined || group.isExiting || group.oomScoreAdj === NEVER) continue;
      const points = residentBytes(mm) + group.oomScoreAdj / STEPS * this.limitBytes;
      if (worst !== null && points <= most) continue;
      worst = group;
      most = points;
    }
    return worst;
  }

  /** Also for a fault that finds no memory. */
  kill(victim: ThreadGroup, nowNs: number): void {
    this.kills++;
    this.victim = victim;
    this.untilNs = nowNs + GRACE_NS;
    const comm = victim.tasks[0]?.comm ?? "";
    this.kernel.log(`out of memory: process ${victim.pid} (${comm}) is killed`);
    this.listener?.onOutOfMemory(victim);
    killGroup(victim, SIGKILL);
  }
}

/** What the host has given for a process. */
function residentBytes(mm: MemoryManager): number {
  const { pages, ctx } = mm;
  let count = 0;
  for (let i = 0; i < pages.length; i++) {
    const frame = pages.frame(i);
    if (frame < 0) continue;
    count += ctx.arena.residentPages(frame * PAGE_SIZE, pages.count(i) * PAGE_SIZE);
  }
  return count * PAGE_SIZE;
}
