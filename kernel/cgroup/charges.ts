/**
 * Which control group or container each memory frame is charged to: that of the task that took it,
 * until it is freed. A task that moves leaves its charges behind; those of a removed group go to
 * its parent, as on Linux, or to its container.
 *
 * Made for the first group with the memory controller, or the first container with a limit; before,
 * frames have no such cost.
 */

import type { FrameCharger } from "../mm/frames.ts";
import type { Kernel } from "../task/kernel_services.ts";
import type { FrameRun } from "../oom/frame_runs.ts";
import type { FrameSource } from "../oom/resident_count.ts";
import type { Task } from "../task/task.ts";

const TABLE_SHIFT = 16, TABLE_PAGES = 1 << TABLE_SHIFT, TABLE_MASK = TABLE_PAGES - 1;
/** LIMIT: pages whose owners are read at once; a part of a table. */
const SCAN_PAGES = 8192;
/**
 * LIMIT: owners of frames. A further group is charged to its parent; a further container counts the
 * pages that its processes map.
 */
const OWNERS_MAX = 0xffff;

/** An owner of frames: a control group, or a container with a limit. */
export interface ChargeOwner {
  /** Pages charged to the owner. */
  chargedPages: number;
  /** A task has taken pages. */
  onTaken(task: Task, pages: number): void;
}

/** The charges of all frames of a kernel. */
export class FrameCharges implements FrameCharger {
  private readonly kernel: Kernel;
  /** Ids of owners by page; 0: none. */
  private readonly tables: (Uint16Array | undefined)[] = [];
  private readonly owners: (ChargeOwner | null)[] = [null];
  private readonly freeIds: number[] = [];

  constructor(kernel: Kernel) {
    this.kernel = kernel;
  }

  /** The id of a new owner; 0: there are too many. */
  open(owner: ChargeOwner): number {
    const id = this.freeIds.pop() ?? this.owners.length;
    if (id > OWNERS_MAX) return 0;
    this.owners[id] = owner;
    return id;
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
    for (let p = page; p < page + pages; p++) {
      const table = this.tables[p >>> TABLE_SHIFT];
      if (table === undefined) continue;
      const owner = this.owners[table[p & TABLE_MASK]!] ?? null;
      if (owner === null) continue;
      owner.chargedPages--;
      table[p & TABLE_MASK] = 0;
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

  /** The end of the pages that have owners. */
  get endPage(): number {
    return this.tables.length * TABLE_PAGES;
  }

  /** Appends the frames of these owners in [from, to), which is a part of one table, in order. */
  addRuns(ids: ReadonlySet<number>, from: number, to: number, runs: FrameRun[]): void {
    const table = this.tables[from >>> TABLE_SHIFT];
    if (table === undefined) return;
    for (let page = from; page < to; page++) {
      const id = table[page & TABLE_MASK]!;
      if (id === 0 || !ids.has(id)) continue;
      const last = runs.at(-1);
      if (last !== undefined && last.end === page) last.end++;
      else runs.push({ start: page, end: page + 1 });
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

/** The id of the group that memory for the task is charged to. */
function chargedTo({ cgroups: { unified, legacy } }: Task): number {
  let id = unified.memory.chargeId;
  for (let i = 0; i < legacy.length && id === 0; i++) id = legacy[i]!.memory.chargeId;
  return id !== 0 ? id : unified.hierarchy.owner.chargeId;
}

/** The charges of a kernel, made at the first use. */
export function chargesOf(kernel: Kernel): FrameCharges {
  const { frames } = kernel.memory;
  if (frames.charger instanceof FrameCharges) return frames.charger;
  const charges = new FrameCharges(kernel);
  frames.charger = charges;
  return charges;
}
