/**
 * When the guests have more memory than the sandbox may have, the process that has most of it is killed (the OOM killer of
 * a memory control group). Frames are promised freely, and the host gives memory at the first touch: so what counts is
 * what the host has given, and it is looked at while more is promised than may be.
 *
 * DIFFERS: pages of host files are not counted. Neighbours: mm/frames.ts, loop.ts (calls `check`), exception.ts.
 */

import type { Arena } from "../../ffi/mem/arena.ts";
import { objectBytesMax } from "../core/kernel_heap.ts";
import { PAGE_SIZE } from "../mm/frames.ts";
import type { MemoryManager } from "../mm/memory_manager.ts";
import type { Container } from "./container.ts";
import { HeapWatch } from "./heap_watch.ts";
import { killGroup } from "./exit_request.ts";
import type { Kernel } from "./kernel_services.ts";
import { SIGKILL } from "../signal/sigset.ts";
import type { ThreadGroup } from "./thread_group.ts";

/** LIMIT: how long a victim may take to end before the next one is chosen, ns. Its threads need the host for that. */
const GRACE_NS = 3_000_000_000;
/** LIMIT: time between two looks at containers, ns, unless the guests have got what one of them lacks to its limit. */
const CONTAINER_LOOK_NS = 10_000_000;
/** A look that takes long is followed by a pause this many times as long, within reason; at the least the second. */
const LOOK_SHARE = 20, LOOK_MOST_NS = 250_000_000, HURRY_SHARE = 4;
/** Whoever is watched is looked at again when it has got a part of what it is watched from. */
const WATCH_STEPS = 32;
/** oom_score_adj of who is never chosen; a thousandth of the limit for each step else. */
const NEVER = -1000, STEPS = 1000;

export interface OomListener {
  /** `victim` was killed. */
  onOutOfMemory(victim: ThreadGroup): void;
}

/** Some processes that may have so much memory together: a container (a pod has several), a control group. */
export interface MemoryDomain {
  readonly memoryMax: number;
  readonly groups: Iterable<ThreadGroup>;
  /** Less than the limit, where more than the limit is of interest. */
  readonly watchBytes?: number;
  /** What is promised to it, where that is known without looking for its frames. */
  readonly promisedPages?: number;
  /** What kernel objects take that are charged to it. */
  readonly kernelBytes?: number;
  /** Its frames; absent: all that its processes have. */
  frameRuns?(): FrameRun[];
  /** It was looked at: so much the host has given. */
  onMeasured?(bytes: number): void;
  /** `victim` is going to be killed: who else. */
  onOutOfMemory?(victim: ThreadGroup): Iterable<ThreadGroup>;
}

export class OomKiller {
  /** Bytes that the guests may have. */
  limitBytes: number;
  /** Processes killed. */
  kills: number = 0;
  listener: OomListener | null = null;
  /** Those with a limit of their own beside that of the sandbox: containers of pods, control groups. */
  readonly limited: Set<MemoryDomain> = new Set();
  /** One of them may have too much. */
  private isOneNear: boolean = false;
  private nextLookNs: number = 0;
  /** Not sooner, whatever the guests take. */
  private soonestLookNs: number = 0;
  /** What may be promised, and given by the host, until one of them may have too much: by `takenBytes`, `residentBytes`. */
  private lookAtTaken: number = 0;
  private lookAtResident: number = Infinity;
  private readonly kernel: Kernel;
  private readonly heap: HeapWatch | null;
  private victim: ThreadGroup | null = null;
  private untilNs: number = 0;

  constructor(kernel: Kernel) {
    this.kernel = kernel;
    this.limitBytes = 0;
    const { heap } = kernel.host;
    this.heap = heap === null ? null : new HeapWatch(heap, kernel.accounts);
    this.setLimit(kernel.host.memoryBytes);
  }

  /** What the guests may have from now on, kernel objects included, in bytes. */
  setLimit(bytes: number): void {
    this.limitBytes = bytes;
    this.kernel.accounts.setLimit(objectBytesMax(bytes, this.kernel.host.machineBytes));
  }

  /** Bytes that the kernel's objects take. */
  private get kernelBytes(): number {
    return this.kernel.accounts.root.bytes;
  }

  /** More is promised than there may be: `check` must be called often while guests run. HOT */
  get isNear(): boolean {
    return this.isOneNear ||
      this.kernel.memory.frames.usedBytes + this.kernelBytes > this.limitBytes;
  }

  /** Kills somebody if the guests have too much. */
  check(nowNs: number): void {
    if (this.limited.size > 0 && this.mustLook(nowNs)) this.checkContainers(nowNs);
    if (this.heap !== null) this.checkHeap(this.heap, nowNs);
    if (!this.isNear || this.isAwaiting(nowNs)) return;
    const { arena, frames } = this.kernel.memory;
    const room = this.limitBytes - this.kernelBytes;
    if (arena.residentBytes() <= room) return;
    // Memory of those that ended goes back now, or once their host processes are gone.
    frames.trim();
    if (arena.residentBytes() - frames.pendingBytes <= room) return;
    const victim = this.choose(this.kernel.pids.groups.values(), this.limitBytes);
    if (victim !== null) this.kill(victim);
  }

  /** Kills the process whose objects take most, if V8's heap is about to be full. */
  private checkHeap(heap: HeapWatch, nowNs: number): void {
    if (this.isAwaiting(nowNs) || !heap.isTooFull(nowNs, () => this.kernel.host.monotonicNs())) {
      return;
    }
    const victim = this.choose(this.kernel.pids.groups.values(), this.limitBytes, kernelBytesOf);
    if (victim !== null) this.kill(victim);
  }

  /** From now on a container may have that many bytes. */
  limit(container: Container, bytes: number): void {
    container.memoryMax = bytes;
    container.accounts.setLimit(bytes);
    this.watch(container);
  }

  /** It has a limit, or another one. */
  watch(domain: MemoryDomain): void {
    this.limited.add(domain);
    this.lookAtTaken = this.soonestLookNs = 0;
  }

  private mustLook(nowNs: number): boolean {
    if (nowNs < this.soonestLookNs) return false;
    if (nowNs >= this.nextLookNs) return true;
    const { arena, frames } = this.kernel.memory;
    return frames.takenBytes >= this.lookAtTaken ||
      this.isOneNear && arena.residentBytes() >= this.lookAtResident;
  }

  /** What is promised is summed first, which costs little; what the host has given only where that is too much. */
  private checkContainers(nowNs: number): void {
    const startNs = this.kernel.host.monotonicNs(), { arena, frames } = this.kernel.memory;
    this.isOneNear = false;
    let roomToPromise = Infinity, roomToGive = Infinity;
    for (const domain of this.limited) {
      const { memoryMax, kernelBytes = 0 } = domain;
      const most = (domain.watchBytes ?? memoryMax) - kernelBytes;
      const known = domain.promisedPages ?? -1;
      const runs = known * PAGE_SIZE > most || known < 0 ? runsOf(domain) : [];
      const promised = (known < 0 ? countPages(runs) : known) * PAGE_SIZE;
      if (promised <= most) {
        roomToPromise = Math.min(roomToPromise, most - promised);
        continue;
      }
      this.isOneNear = true;
      const given = residentIn(arena, runs);
      domain.onMeasured?.(given + kernelBytes);
      const limit = memoryMax - kernelBytes;
      const next = given < most ? most : Math.min(limit, given + most / WATCH_STEPS);
      roomToGive = Math.min(roomToGive, Math.max(0, next - given));
      if (given > limit && !this.isAwaiting(nowNs)) this.killIn(domain);
    }
    this.lookAtTaken = frames.takenBytes + roomToPromise;
    this.lookAtResident = arena.residentBytes() + roomToGive;
    const endNs = this.kernel.host.monotonicNs(), pauseNs = LOOK_SHARE * (endNs - startNs);
    this.soonestLookNs = endNs + HURRY_SHARE * (endNs - startNs);
    this.nextLookNs = endNs + Math.min(LOOK_MOST_NS, Math.max(CONTAINER_LOOK_NS, pauseNs));
  }

  private killIn(domain: MemoryDomain): void {
    const victim = this.choose(domain.groups, domain.memoryMax);
    if (victim === null) return;
    const others = domain.onOutOfMemory?.(victim) ?? [];
    this.kill(victim);
    for (const other of others) killGroup(other, SIGKILL);
  }

  /** The last victim is on its way out. */
  private isAwaiting(nowNs: number): boolean {
    if (this.victim === null) return false;
    if (this.victim.tasks.length > 0 && nowNs < this.untilNs) return true;
    this.victim = null;
    return false;
  }

  /** Who has most, as weighted by oom_score_adj (proc(5)). */
  private choose(
    groups: Iterable<ThreadGroup>,
    limitBytes: number,
    bytesOf: (group: ThreadGroup, mm: MemoryManager) => number = allBytesOf,
  ): ThreadGroup | null {
    let worst: ThreadGroup | null = null, most = 0;
    for (const group of groups) {
      const mm = group.tasks[0]?.mm;
      if (mm === undefined || group.isExiting || group.oomScoreAdj === NEVER) continue;
      // Nobody can have more than all: what was taken since the limit was passed decides nothing.
      const points = Math.min(bytesOf(group, mm), limitBytes) +
        group.oomScoreAdj / STEPS * limitBytes;
      if (worst !== null && points <= most) continue;
      worst = group;
      most = points;
    }
    return worst;
  }

  /** Also for a fault that finds no memory. */
  kill(victim: ThreadGroup): void {
    this.kills++;
    this.victim = victim;
    const comm = victim.tasks[0]?.comm ?? "";
    this.kernel.log(`out of memory: process ${victim.pid} (${comm}) is killed`);
    this.listener?.onOutOfMemory(victim);
    killGroup(victim, SIGKILL);
    // Telling the host may have taken long.
    this.untilNs = this.kernel.host.monotonicNs() + GRACE_NS;
  }
}

/** Frames from `start` to `end`. */
export interface FrameRun {
  readonly start: number;
  end: number;
}

function runsOf(domain: MemoryDomain): FrameRun[] {
  return domain.frameRuns?.() ?? framesOf(domain.groups);
}

/** All that living processes have, each frame once: forks and threads share them. In order. */
function framesOf(groups: Iterable<ThreadGroup>): FrameRun[] {
  const all: FrameRun[] = [], seen = new Set<MemoryManager>();
  for (const group of groups) {
    const mm = group.tasks[0]?.mm;
    if (mm === undefined || group.isExiting || seen.has(mm)) continue;
    seen.add(mm);
    const { pages } = mm;
    for (let i = 0; i < pages.length; i++) {
      const start = pages.frame(i);
      if (start >= 0) all.push({ start, end: start + pages.count(i) });
    }
  }
  all.sort((a, b) => a.start - b.start);
  const merged: FrameRun[] = [];
  for (const run of all) {
    const last = merged.at(-1);
    if (last === undefined || run.start > last.end) merged.push(run);
    else if (run.end > last.end) last.end = run.end;
  }
  return merged;
}

function countPages(runs: readonly FrameRun[]): number {
  return runs.reduce((pages, { start, end }) => pages + end - start, 0);
}

function kernelBytesOf(group: ThreadGroup): number {
  return group.account.bytes;
}

function allBytesOf(group: ThreadGroup, mm: MemoryManager): number {
  return residentBytes(mm) + group.account.bytes;
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

/** Bytes that the host has given for some frames. */
export function residentIn(arena: Arena, runs: readonly FrameRun[]): number {
  let pages = 0;
  for (const { start, end } of runs) {
    pages += arena.residentPages(start * PAGE_SIZE, (end - start) * PAGE_SIZE);
  }
  return pages * PAGE_SIZE;
}

/** Bytes of the host that these processes have as guest memory, what they share counted once. */
export function residentBytesOf(arena: Arena, groups: Iterable<ThreadGroup>): number {
  return residentIn(arena, framesOf(groups));
}
