/**
 * Kills the process with most memory when the guests have more than their limit (the OOM killer of
 * a memory control group). Frames are promised without limit, and the host supplies memory at the
 * first touch. So the memory that the host has supplied counts, and it is measured while more is
 * promised than the limit.
 *
 * DIFFERS: pages of host files are not counted. Neighbours: mm/frames.ts, loop.ts (calls `check`),
 * task/exception.ts.
 */

import { SIGKILL } from "../../ffi/abi/signal.ts";
import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import { objectBytesMax } from "../core/kernel_heap.ts";
import { ContainerMemory } from "../cgroup/container_memory.ts";
import type { Container } from "../task/container.ts";
import { DomainLook } from "./domain_look.ts";
import { HeapWatch } from "./heap_watch.ts";
import { HeldMemory } from "./held_memory.ts";
import type { MemoryUser } from "../mm/memory_users.ts";
import { resume } from "../task/alert.ts";
import { killGroup } from "../task/exit_request.ts";
import type { Kernel } from "../task/kernel_services.ts";
import type { FrameSource } from "./resident_count.ts";
import { FROZEN, type Task } from "../task/task.ts";
import type { ThreadGroup } from "../task/thread_group.ts";
import { mayBeVictim, pointsOf, VictimSearch } from "./victim_search.ts";

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
/**
 * LIMIT: time of one call of `check`, ns. The next calls go on with what it has begun.
 */
const SLICE_NS = 500_000;
/**
 * LIMIT: bytes that guests are given while a victim stands still for the listener. Then it ends at
 * once, and for a time, ns, no further victim stands still: processes that outlive a victim must
 * not use its wait to exceed the limit.
 */
const HELD_BYTES = 16 << 20, NO_HOLD_NS = 10_000_000_000;
/** LIMIT: bytes, and runs of them, that one call gives back to the host. */
const RETURN_BYTES = 2 << 20, RETURN_RUNS = 128;

export interface OomListener {
  /**
   * `victim` is killed, because of the limit of `domain` or that of all guests (null). True: it
   * must stand still, and keep its memory, until the listener calls `OomKiller.release`.
   */
  onOutOfMemory(victim: ThreadGroup, domain: MemoryDomain | null): boolean;
}

/** Processes that share a memory limit: a container of a pod, or a control group. */
export interface MemoryDomain {
  readonly memoryMax: number;
  /** Threshold below the limit that is of interest (memory.high, events); absent: the limit. */
  readonly watchBytes?: number;
  /** Pages promised to it; absent: it is measured in any case. */
  readonly promisedPages?: number;
  /** Bytes of kernel objects charged to it. */
  readonly kernelBytes?: number;
  /** Whether a process is in it. */
  has(group: ThreadGroup): boolean;
  /** Its frames. */
  frames(): FrameSource;
  /** A measurement found that the host has supplied `bytes`. */
  onMeasured?(bytes: number): void;
  /** `victim` is going to be killed; returns the processes that must die with it. */
  onOutOfMemory?(victim: ThreadGroup): Iterable<ThreadGroup>;
}

export class OomKiller implements MemoryUser {
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
  /** What this kernel has, while others have memory of the arena, too. */
  private readonly ownMemory: HeldMemory;
  /** What is going on: a look at the domains, a search for a victim. */
  private look: DomainLook | null = null;
  private search: VictimSearch | null = null;
  /** A limit has changed since the look began. */
  private mustLookAgain: boolean = false;
  /** Domains that exceed their limits and wait for a search. */
  private readonly over: MemoryDomain[] = [];
  private victim: ThreadGroup | null = null;
  private untilNs: number = 0;
  /** The victim that stands still for the listener. */
  private held: ThreadGroup | null = null;
  /** The bytes that guests had when it was killed. */
  private heldAtBytes: number = 0;
  /** No victim stands still before this time. */
  private holdFromNs: number = 0;

  constructor(kernel: Kernel) {
    this.kernel = kernel;
    this.limitBytes = 0;
    const { memory: { arena, frames }, host, host: { heap } } = kernel;
    this.ownMemory = new HeldMemory(arena, frames, host);
    this.heap = heap === null
      ? null
      : new HeapWatch(heap, kernel.accounts, frames.pool.users, this);
    this.setLimit(kernel.host.memoryBytes);
  }

  /** Sets the memory limit of all guests, kernel objects included, in bytes. */
  setLimit(bytes: number): void {
    this.limitBytes = bytes;
    this.kernel.accounts.setLimit(objectBytesMax(bytes, this.kernel.host.machineBytes));
  }

  /** The kernel has turns from now on, beside others of the process. */
  join(): void {
    this.kernel.memory.frames.pool.users.add(this);
  }

  /** It has no turns any more. */
  leave(): void {
    this.kernel.memory.frames.pool.users.remove(this);
  }

  get frameBytes(): number {
    return this.kernel.memory.frames.usedBytes;
  }

  get objectBytes(): number {
    return this.kernel.accounts.root.bytes;
  }

  /**
   * More is promised than the limit, to this kernel or to all of the process: `check` must be
   * called often while guests run. HOT
   */
  get isNear(): boolean {
    return this.isOneNear ||
      this.kernel.memory.frames.pool.heldBytes + this.objectBytes > this.limitBytes;
  }

  /** A look or a search goes on in the next call of `check`. */
  get isLooking(): boolean {
    if (this.look !== null || this.search !== null || this.over.length > 0) return true;
    return this.ownMemory.isCounting;
  }

  /** Kills a process if the guests exceed a limit. Works for SLICE_NS at most. */
  check(nowNs: number): void {
    const untilNs = this.kernel.host.monotonicNs() + SLICE_NS;
    if (!this.isLooking && this.limited.size > 0 && this.mustLook(nowNs)) {
      this.look = new DomainLook(this.kernel, this.limited);
    }
    if (this.look !== null && this.look.step(untilNs)) this.endLook(this.look);
    if (this.heap !== null) this.checkHeap(this.heap, nowNs);
    if (!this.isAwaiting(nowNs)) {
      this.measureOwn(untilNs);
      this.searchOn(untilNs);
    } else {
      this.search = null;
      this.over.length = 0;
    }
  }

  private endLook(look: DomainLook): void {
    const nowNs = this.kernel.host.monotonicNs(), { spentNs } = look;
    this.look = null;
    this.isOneNear = look.isOneNear;
    this.lookAtTaken = look.lookAtTaken;
    this.lookAtResident = look.lookAtResident;
    this.soonestLookNs = nowNs + HURRY_SHARE * spentNs;
    const pauseNs = Math.max(CONTAINER_LOOK_NS, LOOK_SHARE * spentNs);
    this.nextLookNs = nowNs + Math.min(LOOK_MOST_NS, pauseNs);
    this.over.push(...look.over);
    if (this.mustLookAgain) this.lookAtTaken = this.soonestLookNs = 0;
    this.mustLookAgain = false;
  }

  /** Goes on with the search for a victim: for the sandbox, then for the domains. */
  private searchOn(untilNs: number): void {
    if (this.search === null && this.isOver(null)) {
      this.search = new VictimSearch(this.kernel, null, this.limitBytes);
    }
    for (;;) {
      const search = this.search ?? this.nextSearch();
      this.search = search;
      if (search === null || !search.step(untilNs)) return;
      this.search = null;
      const { domain, victim } = search;
      // A domain without a process to kill must not keep the others from theirs.
      if (victim === null || !this.isOver(domain)) {
        if (this.kernel.host.monotonicNs() >= untilNs) return;
        continue;
      }
      this.over.length = 0;
      if (domain === null) this.kill(victim, true);
      else this.killIn(domain, victim);
      return;
    }
  }

  private nextSearch(): VictimSearch | null {
    const domain = this.over.shift();
    return domain === undefined ? null : new VictimSearch(this.kernel, domain, domain.memoryMax);
  }

  /** Whether a domain still exceeds its limit, as far as is quickly known; null: the sandbox. */
  private isOver(domain: MemoryDomain | null): boolean {
    if (domain !== null) {
      const { promisedPages = Infinity, kernelBytes = 0, memoryMax } = domain;
      return this.limited.has(domain) && promisedPages * PAGE_SIZE + kernelBytes > memoryMax;
    }
    if (!this.isNear) return false;
    const { pool } = this.kernel.memory.frames, room = this.limitBytes - this.objectBytes;
    if (pool.heldBytes === this.frameBytes) return this.isArenaOver(room);
    // What waits in quarantine will be given back.
    const leavingBytes = pool.quarantine.pages * PAGE_SIZE, { users } = pool;
    if (this.ownMemory.suppliedBytes - leavingBytes > room) return true;
    if (!users.isLargest(this)) return false;
    return this.isArenaOver(users.limitBytes - this.objectBytes - users.objectBytesBeside(this));
  }

  /** Whether the host has supplied more for the whole arena. */
  private isArenaOver(room: number): boolean {
    const { arena, frames } = this.kernel.memory;
    if (arena.residentBytes() <= room) return false;
    // Memory of ended processes returns now, or when their host processes have ended.
    frames.pool.retireDirty();
    frames.reclaim(RETURN_BYTES, RETURN_RUNS);
    return arena.residentBytes() - frames.pendingBytes > room;
  }

  /** Measures what this kernel has of an arena in which others have something too. */
  private measureOwn(untilNs: number): void {
    const { frameBytes, ownMemory } = this, { pool } = this.kernel.memory.frames;
    const mayBeOver = frameBytes + this.objectBytes > this.limitBytes;
    if (mayBeOver && pool.heldBytes !== frameBytes) ownMemory.measure(untilNs);
    else if (ownMemory.suppliedBytes > 0 || ownMemory.isCounting) ownMemory.forget();
  }

  /** Kills the process whose kernel objects take most, if V8's heap is nearly full. */
  private checkHeap(heap: HeapWatch, nowNs: number): void {
    if (this.isAwaiting(nowNs) || !heap.isTooFull(nowNs, () => this.kernel.host.monotonicNs())) {
      return;
    }
    const victim = this.largestInHeap();
    if (victim !== null) this.kill(victim);
  }

  private largestInHeap(): ThreadGroup | null {
    let worst: ThreadGroup | null = null, most = -Infinity;
    for (const group of this.kernel.pids.groups.values()) {
      if (!mayBeVictim(group)) continue;
      const points = pointsOf(group, group.account.bytes, this.limitBytes);
      if (points <= most) continue;
      worst = group;
      most = points;
    }
    return worst;
  }

  /** Sets the memory limit of a container, bytes. */
  limit(container: Container, bytes: number): void {
    container.accounts.setLimit(bytes);
    container.memory ??= new ContainerMemory(this.kernel, container);
    container.memory.memoryMax = bytes;
    this.watch(container.memory);
  }

  /** Called when the container has ended: frames that others still use have no owner. */
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
    this.mustLookAgain = this.look !== null;
  }

  private mustLook(nowNs: number): boolean {
    if (nowNs < this.soonestLookNs) return false;
    if (nowNs >= this.nextLookNs) return true;
    const { arena, frames } = this.kernel.memory;
    return frames.takenBytes >= this.lookAtTaken ||
      this.isOneNear && arena.residentBytes() >= this.lookAtResident;
  }

  private killIn(domain: MemoryDomain, victim: ThreadGroup): void {
    const others = domain.onOutOfMemory?.(victim) ?? [];
    this.kill(victim, true, domain);
    for (const other of others) {
      other.job?.noteVictim(other);
      killGroup(other, SIGKILL);
    }
  }

  /** The last victim has not ended yet. */
  private isAwaiting(nowNs: number): boolean {
    if (this.victim === null) return false;
    if (this.victim.tasks.length > 0 && nowNs < this.untilNs) {
      if (this.held !== null) this.checkHeld(nowNs);
      return true;
    }
    this.victim = null;
    this.letGo();
    return false;
  }

  private checkHeld(nowNs: number): void {
    const { arena } = this.kernel.memory;
    if (arena.residentBytes() - this.heldAtBytes <= HELD_BYTES) return;
    this.holdFromNs = nowNs + NO_HOLD_NS;
    this.letGo();
  }

  /**
   * Kills `victim`. Also called for a fault that finds no memory. `mayHold`: the listener may have
   * it stand still, because other processes do not need its memory at once.
   */
  kill(victim: ThreadGroup, mayHold: boolean = false, domain: MemoryDomain | null = null): void {
    this.kills++;
    this.victim = victim;
    this.ownMemory.forget();
    const comm = victim.tasks[0]?.comm ?? "";
    this.kernel.log(`out of memory: process ${victim.pid} (${comm}) is killed`);
    const isNeeded = this.listener?.onOutOfMemory(victim, domain) ?? false;
    const { memory, host } = this.kernel, nowNs = host.monotonicNs();
    if (!mayHold) this.letGo();
    else if (isNeeded && nowNs >= this.holdFromNs && this.held === null) {
      this.held = victim;
      this.heldAtBytes = memory.arena.residentBytes();
    }
    victim.job?.noteVictim(victim);
    killGroup(victim, SIGKILL);
    this.untilNs = nowNs + GRACE_NS;
  }

  /** The listener does not need `victim` any longer. */
  release(victim: ThreadGroup): void {
    if (this.held === victim) this.letGo();
  }

  private letGo(): void {
    const tasks = this.held?.tasks ?? [];
    this.held = null;
    for (const task of tasks) if (task.state === FROZEN) resume(task);
  }

  /** True if the task must stand still before its end. It is FROZEN then. */
  stopsEnd(task: Task, result: number): boolean {
    if (this.held !== task.group) return false;
    task.result = result;
    task.state = FROZEN;
    return true;
  }
}
