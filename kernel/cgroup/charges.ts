/**
 * Which control group or container each memory frame is charged to, and which job: those of the
 * task that took it, until it is freed. A task that moves leaves its charges behind; those of a
 * removed group go to its parent, as on Linux, or to its container.
 *
 * Made for the first group with the memory controller, the first container with a limit, or the
 * first job; before, frames have no such cost. Neighbour: charge_share.ts (frames of jobs).
 */

import type { WorkItem } from "../core/deferred_work.ts";
import type { FrameCharger } from "../mm/frames.ts";
import type { Container } from "../task/container.ts";
import type { Kernel } from "../task/kernel_services.ts";
import type { FrameRun } from "../oom/frame_runs.ts";
import type { FrameSource } from "../oom/resident_count.ts";
import type { Task } from "../task/task.ts";
import { ChargeShare, type Sharer } from "./charge_share.ts";

const TABLE_SHIFT = 16, TABLE_PAGES = 1 << TABLE_SHIFT, TABLE_MASK = TABLE_PAGES - 1;
/** LIMIT: pages whose owners are read at once; a part of a table. */
const SCAN_PAGES = 8192;
/**
 * LIMIT: owners of frames. A further group is charged to its parent; a further container counts the
 * pages that its processes map.
 */
const OWNERS_MAX = 0xffff;
/**
 * LIMIT: shares of ended jobs that keep their ids, because frames are left of them (files of a
 * tmpfs). With more, the frames are charged to the owners alone.
 */
const OLD_SHARES_MAX = 256;
/** The cost of a table in a sweep, in units of deferred work. */
const SWEEP_UNITS = 128;

/** An owner of frames: a control group, a container with a limit, or a job's share of either. */
export interface ChargeOwner {
  /** Its id in the table; 0: none. */
  readonly ownerId: number;
  /** Pages charged to the owner. */
  chargedPages: number;
  /** A task has taken pages. */
  onTaken(task: Task, pages: number): void;
}

/** Contiguous frames, as page numbers. */
interface FrameSpan {
  readonly first: number;
  readonly count: number;
}

/** The charges of all frames of a kernel. */
export class FrameCharges implements FrameCharger {
  private readonly kernel: Kernel;
  /** Ids of owners by page; 0: none. */
  private readonly tables: (Uint16Array | undefined)[] = [];
  private readonly owners: (ChargeOwner | null)[] = [null];
  private readonly freeIds: number[] = [];
  private readonly shares: Set<ChargeShare> = new Set();
  /** Number of shares of ended jobs. */
  oldShares: number = 0;
  private isSweeping: boolean = false;

  constructor(kernel: Kernel) {
    this.kernel = kernel;
  }

  /** The id of a new owner; 0: there are too many. */
  open(owner: ChargeOwner): number {
    const id = this.nextId();
    if (id !== 0) this.owners[id] = owner;
    return id;
  }

  private nextId(): number {
    const id = this.freeIds.pop() ?? this.owners.length;
    return id > OWNERS_MAX ? 0 : id;
  }

  /** A job's share of the owner with id `baseId` (0: of none); null: there are too many. */
  openShare(sharer: Sharer, baseId: number): ChargeShare | null {
    const id = this.nextId();
    if (id === 0) return null;
    const share = new ChargeShare(id, sharer, this.owners[baseId] ?? null, baseId);
    this.owners[id] = share;
    this.shares.add(share);
    return share;
  }

  /** The job of a share has ended. */
  closeShare(share: ChargeShare): void {
    share.endSharing();
    this.oldShares++;
    if (share.chargedPages === 0) this.freeShare(share);
    else if (this.oldShares > OLD_SHARES_MAX && !this.isSweeping) {
      this.isSweeping = true;
      this.kernel.vfs.deferred.begin(new ShareSweep(this));
    }
  }

  private freeShare(share: ChargeShare): void {
    this.shares.delete(share);
    this.oldShares--;
    this.owners[share.ownerId] = null;
    this.freeIds.push(share.ownerId);
  }

  /**
   * Charges the frames of ended jobs in one table to the owners alone. False: there is no such
   * table, and the sweep is over.
   */
  sweepTable(index: number): boolean {
    if (index >= this.tables.length) {
      this.isSweeping = false;
      for (const share of this.shares) {
        if (share.sharer === null && share.chargedPages === 0) this.freeShare(share);
      }
      return false;
    }
    const table = this.tables[index];
    for (let at = 0; table !== undefined && at < TABLE_PAGES; at++) {
      if (table[at] === 0) continue;
      const owner = this.owners[table[at]!];
      if (!(owner instanceof ChargeShare) || owner.sharer !== null) continue;
      table[at] = owner.baseId;
      owner.passOn();
    }
    return true;
  }

  /** The ids of owners and of all shares of them. */
  idsOf(owners: ReadonlySet<ChargeOwner>): Set<number> {
    const ids = new Set<number>();
    for (const { ownerId } of owners) if (ownerId !== 0) ids.add(ownerId);
    for (const { ownerId, base } of this.shares) {
      if (base !== null && owners.has(base)) ids.add(ownerId);
    }
    return ids;
  }

  /** A container gets an owner: shares of none by its jobs become shares of the owner. */
  adoptShares(id: number, container: Container): void {
    const owner = this.owners[id] ?? null;
    if (owner === null) return;
    for (const share of this.shares) {
      if (share.base !== null || share.container !== container) continue;
      owner.chargedPages += share.chargedPages;
      share.moveTo(owner, id);
    }
  }

  /** Charges the owner's frames to `heir` from now on; 0: to none. */
  close(owner: ChargeOwner, heir: number): void {
    const id = this.owners.indexOf(owner);
    if (id <= 0) return;
    for (const table of this.tables) {
      if (table === undefined) continue;
      for (let at = table.indexOf(id); at >= 0; at = table.indexOf(id, at + 1)) table[at] = heir;
    }
    const above = this.owners[heir] ?? null;
    for (const share of this.shares) if (share.base === owner) share.moveTo(above, heir);
    if (above !== null) above.chargedPages += owner.chargedPages;
    owner.chargedPages = 0;
    this.owners[id] = null;
    this.freeIds.push(id);
  }

  charge(page: number, pages: number): void {
    const { current } = this.kernel;
    if (current === null) return;
    const id = chargedTo(current), owner = this.owners[id] ?? null;
    if (owner === null) return;
    owner.chargedPages += pages;
    owner.onTaken(current, pages);
    const end = page + pages;
    for (let p = page; p < end;) {
      const next = Math.min(end, (p | TABLE_MASK) + 1), at = p & TABLE_MASK;
      this.table(p).fill(id, at, at + next - p);
      p = next;
    }
  }

  uncharge(page: number, pages: number): void {
    for (let p = page, end = page + pages; p < end;) {
      const next = Math.min(end, (p | TABLE_MASK) + 1), table = this.tables[p >>> TABLE_SHIFT];
      if (table !== undefined) this.unchargeIn(table, p & TABLE_MASK, next - p);
      p = next;
    }
  }

  /** Uncharges `pages` pages of one table from `from` on, in runs of one owner. */
  private unchargeIn(table: Uint16Array, from: number, pages: number): void {
    for (let at = from, end = from + pages; at < end;) {
      const id = table[at]!, start = at++;
      while (at < end && table[at] === id) at++;
      if (id === 0) continue;
      table.fill(0, start, at);
      const owner = this.owners[id] ?? null;
      if (owner === null) continue;
      owner.chargedPages -= at - start;
      if (owner.chargedPages > 0 || !(owner instanceof ChargeShare)) continue;
      if (owner.sharer === null) this.freeShare(owner);
    }
  }

  /** Frames without an owner belong to this owner from now on. */
  adopt(id: number, runs: readonly FrameRun[]): void {
    const owner = this.owners[id] ?? null;
    if (owner === null) return;
    for (const { start, end } of runs) {
      for (let p = start; p < end; p++) {
        const table = this.table(p);
        if (table[p & TABLE_MASK] !== 0) continue;
        table[p & TABLE_MASK] = id;
        owner.chargedPages++;
      }
    }
  }

  /** Frames have other numbers, and the owners of those that are not in `held` get them back. */
  renumber(held: Iterable<FrameSpan>, numberOf: (frame: number) => number): void {
    const old = this.tables.splice(0);
    for (const { first, count } of held) {
      for (let p = first; p < first + count; p++) {
        const table = old[p >>> TABLE_SHIFT], id = table?.[p & TABLE_MASK] ?? 0;
        if (table === undefined || id === 0) continue;
        table[p & TABLE_MASK] = 0;
        const page = numberOf(p);
        this.table(page)[page & TABLE_MASK] = id;
      }
    }
    for (const table of old) if (table !== undefined) this.unchargeIn(table, 0, TABLE_PAGES);
  }

  /** The end of the pages that have owners. */
  get endPage(): number {
    return this.tables.length * TABLE_PAGES;
  }

  /** Appends the frames of these owners in [from, to), which is a part of one table, in order. */
  addRuns(ids: ReadonlySet<number>, from: number, to: number, runs: FrameRun[]): void {
    const table = this.tables[from >>> TABLE_SHIFT];
    if (table === undefined) return;
    for (let page = from; page < to;) {
      const id = table[page & TABLE_MASK]!, start = page++;
      while (page < to && table[page & TABLE_MASK] === id) page++;
      if (id === 0 || !ids.has(id)) continue;
      const last = runs.at(-1);
      if (last !== undefined && last.end === start) last.end = page;
      else runs.push({ start, end: page });
    }
  }

  private table(page: number): Uint16Array {
    return this.tables[page >>> TABLE_SHIFT] ??= new Uint16Array(TABLE_PAGES);
  }
}

/** The frames that are charged to some owners. */
export class ChargedFrames implements FrameSource {
  private readonly charges: FrameCharges;
  private readonly ids: ReadonlySet<number>;
  private next: number = 0;

  constructor(charges: FrameCharges, ids: ReadonlySet<number>) {
    this.charges = charges;
    this.ids = ids;
  }

  nextRuns(): readonly FrameRun[] | null {
    if (this.next >= this.charges.endPage) return null;
    const runs: FrameRun[] = [], to = this.next + SCAN_PAGES;
    this.charges.addRuns(this.ids, this.next, to, runs);
    this.next = to;
    return runs;
  }
}

/** The id of the owner that memory for the task is charged to: its job's share, if it is in one. */
export function chargedTo({ cgroups: { unified, legacy }, group }: Task): number {
  let id = unified.memory.chargeId;
  for (let i = 0; i < legacy.length && id === 0; i++) id = legacy[i]!.memory.chargeId;
  if (id === 0) id = unified.hierarchy.owner.chargeId;
  return group.job === null ? id : group.job.memory.shareOf(id);
}

/** Frees the ids of shares whose jobs have ended, a table at a time. */
export class ShareSweep implements WorkItem {
  private readonly charges: FrameCharges;
  private next: number = 0;

  constructor(charges: FrameCharges) {
    this.charges = charges;
  }

  step(units: number): number {
    for (; units > 0; units -= SWEEP_UNITS) {
      if (!this.charges.sweepTable(this.next++)) return units;
    }
    return units;
  }
}

/** The charges of a kernel, made at the first use. */
export function chargesOf(kernel: Kernel): FrameCharges {
  const { frames } = kernel.memory;
  if (frames.charger instanceof FrameCharges) return frames.charger;
  const charges = new FrameCharges(kernel);
  frames.charger = charges;
  return charges;
}
