/**
 * Kills the process with most memory when the guests have more than their limit (the OOM killer of
 * a memory control group). Frames are promised without limit, and the host supplies memory at the
 * first touch. So the memory that the host has supplied counts, and it is measured while more is
 * promised than the limit.
 *
 * DIFFERS: pages of host files are not counted. Neighbours: mm/frames.ts, loop.ts (calls `check`),
 * exception.ts.
 */

import { SIGKILL } from "../../ffi/abi/signal.ts";
import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import { objectBytesMax } from "../core/kernel_heap.ts";
import type { MemoryManager } from "../mm/memory_manager.ts";
import { ContainerMemory } from "../cgroup/container_memory.ts";
import type { Container } from "./container.ts";
import { countPages, type FrameRun, framesOf, residentIn } from "./frame_runs.ts";
import { HeapWatch } from "./heap_watch.ts";
import { killGroup } from "./exit_request.ts";
import type { Kernel } from "./kernel_services.ts";
import type { ThreadGroup } from "./thread_group.ts";

/**
 * LIMIT: time for a victim to end before the next one is chosen, ns. Its threads need the host to
 * end.
 */
const GRACE_NS = 3_000_000_000;
/**
 * LIMIT: time between two measurements of containers, ns, unless the guests have been given as much
 * memory as one container lacks to its limit.
 */
const CONTAINER_LOOK_NS = 10_000_000;
/**
 * A long measurement is followed by a pause of this many times its duration, up to LOOK_MOST_NS; by
 * HURRY_SHARE times at least.
 */
const LOOK_SHARE = 20, LOOK_MOST_NS = 250_000_000, HURRY_SHARE = 4;
/** A domain is measured again after it was given this part of the distance to its threshold. */
const WATCH_STEPS = 32;
/**
 * oom_score_adj of a process that is never chosen; otherwise each step is a thousandth of the
 * limit.
 */
const NEVER = -1000, STEPS = 1000;

export interface OomListener {
  /** `victim` was killed. */
  onOutOfMemory(victim: ThreadGroup): void;
}

/** Processes that share a memory limit: a container of a pod, or a control group. */
export interface MemoryDomain {
  readonly memoryMax: number;
  readonly groups: Iterable<ThreadGroup>;
  /** Threshold below the limit that is of interest (memory.high, events); absent: the limit. */
  readonly watchBytes?: number;
  /** Pages promised to it, where that number is known without a walk of its frames. */
  readonly promisedPages?: number;
  /** Bytes of kernel objects charged to it. */
  readonly kernelBytes?: number;
  /** Its frames; absent: all frames of its processes. */
  frameRuns?(): readonly FrameRun[];
  /** A measurement found that the host has supplied `bytes`. */
  onMeasured?(bytes: number): void;
  /** `victim` is going to be killed; returns the processes that must die with it. */
  onOutOfMemory?(victim: ThreadGroup): Iterable<ThreadGroup>;
}

export class OomKiller {
  /** Memory limit of all guests, bytes. */
  limitBytes: number;
  /** Number of processes killed. */
  kills: number = 0;
  listener: OomListener | null = null;
  /**
   * Domains with a limit of their own, beside that of the sandbox: containers of pods, control
   * groups.
   */
  readonly limited: Set<MemoryDomain> = new Set();
  /** One of the domains may exceed its limit. */
  private isOneNear: boolean = false;
  private nextLookNs: number = 0;
  /** No measurement before this time. */
  private soonestLookNs: number = 0;
  /**
   * Promised and supplied bytes from which on a domain may exceed its limit, in the terms of
   * `takenBytes` and `residentBytes`.
   */
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

  /** Sets the memory limit of all guests, kernel objects included, in bytes. */
  setLimit(bytes: number): void {
    this.limitBytes = bytes;
    this.kernel.accounts.setLimit(objectBytesMax(bytes, this.kernel.host.machineBytes));
  }

  /** Bytes of kernel objects. */
  private get kernelBytes(): number {
    return this.kernel.accounts.root.bytes;
  }

  /** More is promised than the limit: `check` must be called often while guests run. HOT */
  get isNear(): boolean {
    return this.isOneNear ||
      this.kernel.memory.frames.usedBytes + this.kernelBytes > this.limitBytes;
  }

  /** Kills a process if the guests exceed a limit. */
  check(nowNs: number): void {
    if (this.limited.size > 0 && this.mustLook(nowNs)) this.checkContainers(nowNs);
    if (this.heap !== null) this.checkHeap(this.heap, nowNs);
    if (!this.isNear || this.isAwaiting(nowNs)) return;
    const { arena, frames } = this.kernel.memory;
    const room = this.limitBytes - this.kernelBytes;
    if (arena.residentBytes() <= room) return;
    // Memory of ended processes returns now, or when their host processes have ended.
    frames.trim();
    if (arena.residentBytes() - frames.pendingBytes <= room) return;
    const victim = this.choose(this.kernel.pids.groups.values(), this.limitBytes);
    if (victim !== null) this.kill(victim);
  }

  /** Kills the process whose kernel objects take most, if V8's heap is nearly full. */
  private checkHeap(heap: HeapWatch, nowNs: number): void {
    if (this.isAwaiting(nowNs) || !heap.isTooFull(nowNs, () => this.kernel.host.monotonicNs())) {
      return;
    }
    const victim = this.choose(this.kernel.pids.groups.values(), this.limitBytes, kernelBytesOf);
    if (victim !== null) this.kill(victim);
  }

  /** Sets the memory limit of a container, bytes. */
  limit(container: Container, bytes: number): void {
    container.accounts.setLimit(bytes);
    container.memory ??= new ContainerMemory(this.kernel, container);
    container.memory.memoryMax = bytes;
    this.watch(container.memory);
  }

  /** The container has ended: frames that other processes still use have no owner. */
  forget(container: Container): void {
    if (container.memory === null) return;
    this.limited.delete(container.memory);
    container.memory.end();
    container.memory = null;
  }

  /** Adds a domain, or updates its limit. */
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

  /**
   * Sums up promised memory first, which is cheap; measures supplied memory only where that is too
   * much.
   */
  private checkContainers(nowNs: number): void {
    const startNs = this.kernel.host.monotonicNs(), { arena, frames } = this.kernel.memory;
    this.isOneNear = false;
    const over: MemoryDomain[] = [];
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
      if (given > limit) over.push(domain);
    }
    this.lookAtTaken = frames.takenBytes + roomToPromise;
    this.lookAtResident = arena.residentBytes() + roomToGive;
    const endNs = this.kernel.host.monotonicNs(), pauseNs = LOOK_SHARE * (endNs - startNs);
    this.soonestLookNs = endNs + HURRY_SHARE * (endNs - startNs);
    this.nextLookNs = endNs + Math.min(LOOK_MOST_NS, Math.max(CONTAINER_LOOK_NS, pauseNs));
    // After the clock was read: `onOutOfMemory` may take long, and must not delay the next look. A
    // domain without a process to kill must not keep the others from theirs.
    for (const domain of over) if (!this.isAwaiting(nowNs)) this.killIn(domain);
  }

  private killIn(domain: MemoryDomain): void {
    const victim = this.choose(domain.groups, domain.memoryMax);
    if (victim === null) return;
    const others = domain.onOutOfMemory?.(victim) ?? [];
    this.kill(victim);
    for (const other of others) killGroup(other, SIGKILL);
  }

  /** The last victim has not ended yet. */
  private isAwaiting(nowNs: number): boolean {
    if (this.victim === null) return false;
    if (this.victim.tasks.length > 0 && nowNs < this.untilNs) return true;
    this.victim = null;
    return false;
  }

  /** The process with most memory, weighted by oom_score_adj (proc(5)). */
  private choose(
    groups: Iterable<ThreadGroup>,
    limitBytes: number,
    bytesOf: (group: ThreadGroup, mm: MemoryManager) => number = allBytesOf,
  ): ThreadGroup | null {
    let worst: ThreadGroup | null = null, most = 0;
    for (const group of groups) {
      const mm = group.tasks[0]?.mm;
      if (mm === undefined || group.isExiting || group.oomScoreAdj === NEVER) continue;
      // No process can have more than all together: memory supplied after the limit was passed must
      // not decide.
      const points = Math.min(bytesOf(group, mm), limitBytes) +
        group.oomScoreAdj / STEPS * limitBytes;
      if (worst !== null && points <= most) continue;
      worst = group;
      most = points;
    }
    return worst;
  }

  /** Kills `victim`. Also called for a fault that finds no memory. */
  kill(victim: ThreadGroup): void {
    this.kills++;
    this.victim = victim;
    const comm = victim.tasks[0]?.comm ?? "";
    this.kernel.log(`out of memory: process ${victim.pid} (${comm}) is killed`);
    this.listener?.onOutOfMemory(victim);
    killGroup(victim, SIGKILL);
    // `onOutOfMemory` of the host's side may have taken long.
    this.untilNs = this.kernel.host.monotonicNs() + GRACE_NS;
  }
}

function runsOf(domain: MemoryDomain): readonly FrameRun[] {
  return domain.frameRuns?.() ?? framesOf(domain.groups);
}

function kernelBytesOf(group: ThreadGroup): number {
  return group.account.bytes;
}

function allBytesOf(group: ThreadGroup, mm: MemoryManager): number {
  return residentBytes(mm) + group.account.bytes;
}

/** Bytes that the host has supplied to a process. */
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
