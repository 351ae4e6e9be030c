/**
 * The memory controller: limits of a group, and its events. Charges: charges.ts; victims:
 * oom/oom_killer.ts; memory.high: memory_high.ts.
 *
 * DIFFERS: reserved memory counts when the host has provided it; there is no swap and no reclaim.
 */

import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import { ChangeSignal } from "./fs/group_node.ts";
import type { MemoryDomain } from "../oom/oom_killer.ts";
import { ResidentCount } from "../oom/resident_count.ts";
import type { Task } from "../task/task.ts";
import type { ThreadGroup } from "../task/thread_group.ts";
import { ChargedFrames, type ChargeOwner, chargesOf } from "./charges.ts";
import type { Cgroup } from "./cgroup.ts";
import { MEMORY } from "./controllers.ts";
import { type Debt, oweLater } from "./delay.ts";
import { tasksIn } from "./group_set.ts";
import { HighLimit } from "./memory_high.ts";
import type { View } from "./view.ts";

/**
 * A check of memory.high that takes long is followed by a pause that is this many times as long.
 */
const SETTLE_SHARE = 4;

/** The highest number of bytes since some time. */
export interface Peak {
  bytes: number;
}

/** Counters of memory.events. */
export class MemoryEvents {
  high: number = 0;
  max: number = 0;
  oom: number = 0;
  kills: number = 0;
  groupKills: number = 0;
}

export class MemoryState implements ChargeOwner, MemoryDomain, Debt {
  readonly high: HighLimit = new HighLimit();
  low: number = 0;
  min: number = 0;
  /** soft_limit_in_bytes of version 1: kept and shown. */
  softBytes: number = Infinity;
  swapMax: number = Infinity;
  swapHigh: number = Infinity;
  peakBytes: number = 0;
  /** Peaks that openers of memory.peak have reset. */
  private readonly peaks: Set<Peak> = new Set();
  isOomGroup: boolean = false;
  /** Events of the group and below, and of the group alone. */
  readonly counts: MemoryEvents = new MemoryEvents();
  readonly ownCounts: MemoryEvents = new MemoryEvents();
  readonly events: ChangeSignal = new ChangeSignal("memory.events");
  readonly localEvents: ChangeSignal = new ChangeSignal("memory.events.local");
  /** The group's own id in charges.ts; 0: none, `chargeId` is an ancestor's. */
  ownId: number = 0;
  /** The id that frames taken by its tasks are charged to; 0: none. */
  chargeId: number = 0;
  chargedPages: number = 0;
  memoryMax: number = Infinity;
  private nextSettleNs: number = 0;
  private readonly group: Cgroup;

  constructor(group: Cgroup) {
    this.group = group;
  }

  get ownerId(): number {
    return this.ownId;
  }

  /** Finds the id to charge again, after a move or a change of controllers. */
  follow(): void {
    const { group } = this, { kernel } = group.hierarchy.owner;
    const isOwner = group.parent !== null && (group.controllers & MEMORY) !== 0;
    if (isOwner && this.ownId === 0) this.ownId = chargesOf(kernel).open(this);
    else if (!isOwner && this.ownId !== 0) this.end();
    this.chargeId = this.ownId !== 0 ? this.ownId : group.parent?.memory.chargeId ?? 0;
  }

  /** Called when the group is removed: its charges go to the parent. */
  end(): void {
    const { parent, hierarchy: { owner } } = this.group, { kernel } = owner;
    kernel.oom.limited.delete(this);
    const heir = parent?.memory.chargeId ?? 0;
    if (this.ownId !== 0) chargesOf(kernel).close(this, heir !== 0 ? heir : owner.chargeId);
    this.ownId = 0;
  }

  /** The group loses the controller. */
  clear(): void {
    this.swapMax = this.swapHigh = Infinity;
    this.low = this.min = 0;
    this.isOomGroup = false;
    this.setHigh(Infinity);
    this.setMax(Infinity);
  }

  setMax(bytes: number): void {
    this.memoryMax = bytes;
    this.watch();
  }

  setHigh(bytes: number): void {
    this.high.set(bytes, bytes === Infinity ? 0 : currentBytes(this.group));
    this.watch();
  }

  private watch(): void {
    const { oom } = this.group.hierarchy.owner.kernel;
    if (this.watchBytes === Infinity) oom.limited.delete(this);
    else oom.watch(this);
  }

  /** The amount from which the host's memory is measured. */
  get watchBytes(): number {
    return Math.min(this.memoryMax, this.high.bytes);
  }

  /** Whether a process's memory belongs to the group or one below it. */
  has(group: ThreadGroup): boolean {
    const { hierarchy } = this.group, at = group.tasks[0]?.cgroups;
    if (at === undefined || at.unified.hierarchy.owner !== hierarchy.owner) return false;
    return at.in(hierarchy).isWithin(this.group);
  }

  /** Processes in the group and below it. */
  get groups(): Iterable<ThreadGroup> {
    const groups = new Set<ThreadGroup>();
    for (const task of tasksIn(this.group)) groups.add(task.group);
    return groups;
  }

  get promisedPages(): number {
    let pages = 0;
    for (const { memory } of this.group.subtree()) pages += memory.chargedPages;
    return pages;
  }

  frames(): ChargedFrames {
    const charges = chargesOf(this.group.hierarchy.owner.kernel);
    const owners = new Set(this.group.subtree().map(({ memory }) => memory));
    return new ChargedFrames(charges, charges.idsOf(owners));
  }

  onTaken(task: Task, pages: number): void {
    for (let up: Cgroup | null = this.group; up !== null; up = up.parent) {
      const { high, promisedPages } = up.memory;
      if (high.bytes === Infinity || promisedPages * PAGE_SIZE <= high.bytes) continue;
      high.onTaken(task, pages);
      oweLater(task, this);
    }
  }

  /** Delay the task for what it took beyond memory.high, here and in ancestors. */
  settle(): void {
    const { host } = this.group.hierarchy.owner.kernel, startNs = host.monotonicNs();
    if (startNs < this.nextSettleNs) return;
    for (let up: Cgroup | null = this.group; up !== null; up = up.parent) {
      if (up.memory.high.bytes !== Infinity) up.memory.onMeasured(currentBytes(up));
    }
    const endNs = host.monotonicNs();
    this.nextSettleNs = endNs + SETTLE_SHARE * (endNs - startNs);
  }

  onMeasured(bytes: number): void {
    this.notePeak(bytes);
    if (this.high.onMeasured(bytes)) this.count("high");
  }

  notePeak(bytes: number): void {
    this.peakBytes = Math.max(this.peakBytes, bytes);
    for (const peak of this.peaks) peak.bytes = Math.max(peak.bytes, bytes);
  }

  /** Starts a new peak for an opener of memory.peak, at `bytes`. */
  watchPeak(view: View, bytes: number): void {
    this.forgetPeak(view);
    view.peak = { bytes };
    this.peaks.add(view.peak);
  }

  forgetPeak(view: View): void {
    if (view.peak !== null) this.peaks.delete(view.peak);
  }

  /** The OOM killer chose a victim: the other processes that end with it. */
  onOutOfMemory(victim: ThreadGroup): Iterable<ThreadGroup> {
    this.count("max");
    this.count("oom");
    const at = victim.tasks[0]?.cgroups.in(this.group.hierarchy) ?? this.group;
    at.memory.count("kills");
    const together = topmostOomGroup(at, this.group);
    if (together === null) return [];
    together.memory.count("groupKills");
    const others = [...together.memory.groups].filter((g) => g !== victim && !g.isExiting);
    for (const other of others) {
      other.tasks[0]?.cgroups.in(this.group.hierarchy).memory.count("kills");
    }
    return others;
  }

  count(what: keyof MemoryEvents): void {
    this.ownCounts[what]++;
    this.localEvents.tell();
    for (let up: Cgroup | null = this.group; up !== null; up = up.parent) {
      up.memory.counts[what]++;
      up.memory.events.tell();
    }
  }
}

/**
 * Bytes that the host has provided for what is charged to the group.
 *
 * DIFFERS: at the root, all that is reserved in the sandbox.
 */
export function currentBytes(group: Cgroup): number {
  const { memory } = group.hierarchy.owner.kernel;
  if (group.parent === null) return memory.frames.usedBytes;
  const count = new ResidentCount(memory.arena, group.memory.frames());
  count.step(memory.host, Infinity);
  return count.bytes;
}

/** memory.oom.group: the topmost group up to `top` that is killed as a whole; null: none. */
function topmostOomGroup(from: Cgroup, top: Cgroup): Cgroup | null {
  let found: Cgroup | null = null;
  for (let up: Cgroup | null = from; up !== null; up = up.parent) {
    if (up.memory.isOomGroup) found = up;
    if (up === top) break;
  }
  return found;
}
