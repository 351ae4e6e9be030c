/**
 * Counts the memory of areas (proc_pid_smaps(5)): pages that the host has provided, by kind.
 *
 * DIFFERS: pages of host files that the host maps by itself are not counted, as the kernel does not
 * learn which were touched.
 */

import { PAGE_SIZE } from "../../../ffi/abi/mman.ts";
import type { MemoryManager } from "../../mm/memory_manager.ts";
import { PAGE_FILE, PAGE_SHARED } from "../../mm/pages.ts";
import { touchedPages } from "../../mm/touched.ts";
import type { Vma } from "../../mm/vma.ts";
import type { ProcSource } from "./source.ts";

/** Counts in pages. */
export class MemoryUse {
  anonymous: number = 0;
  file: number = 0;
  shared: number = 0;
  /** The part of all these that other processes share. */
  common: number = 0;
  /** The shares of `common` pages, added up: the proportional size is `own` plus this. */
  proportional: number = 0;
  locked: number = 0;

  get resident(): number {
    return this.anonymous + this.file + this.shared;
  }

  add(o: MemoryUse): void {
    this.anonymous += o.anonymous;
    this.file += o.file;
    this.shared += o.shared;
    this.common += o.common;
    this.proportional += o.proportional;
    this.locked += o.locked;
  }
}

/** LIMIT: units of one turn; a unit takes about one microsecond. */
export const TURN_UNITS = 500;
/** Pages counted at once; units of a page that was zeroed for reuse; pages of a unit. */
const STEP_PAGES = 512, RECYCLED_UNITS = 3, PAGES_A_UNIT = 16;

/**
 * Counts the memory of a range of pages over several turns. Changes behind the present place are
 * not seen, as with Linux's walk.
 */
export class UseCount {
  readonly use: MemoryUse = new MemoryUse();
  private page: number;
  private readonly end: number;

  constructor(from: number, to: number) {
    this.page = from;
    this.end = to;
  }

  /** Count on: the units left; 0: not complete. `vma`: the area of all pages, or null. */
  advance(mm: MemoryManager, vma: Vma | null, units: number): number {
    const { pages } = mm;
    let left = units;
    for (let i = pages.indexOf(this.page); i < pages.length && left > 0;) {
      const from = Math.max(this.page, pages.start(i));
      if (from >= this.end) break;
      const to = Math.min(this.end, pages.end(i), from + STEP_PAGES);
      if (pages.frame(i) >= 0) {
        const area = vma ?? mm.vmas.find(from * PAGE_SIZE);
        left -= cost(mm, pages.frame(i) + from - pages.start(i), to - from);
        count(mm, this.use, area, i, from, to);
      } else left -= 0.1;
      this.page = to;
      if (to === pages.end(i)) i++;
      if (left <= 0) return 0;
    }
    return left;
  }
}

function cost(mm: MemoryManager, frame: number, pages: number): number {
  let recycled = 0;
  for (let k = 0; k < pages; k++) if (mm.ctx.frames.pool.isRecycled(frame + k)) recycled++;
  return 1 + recycled * RECYCLED_UNITS + pages / PAGES_A_UNIT;
}

/** Time for which counts of another process stay valid: top(1) reads several files at a time. */
const FRESH_NS = 2_000_000;

/** The counts of a process, kept at its memory (`mm.measured`). */
class Measured {
  /** The counts of all areas at time `ns`; null: never counted. */
  use: MemoryUse | null = null;
  ns: number = 0;
  /** The count in progress; null: none. */
  count: UseCount | null = null;
}

/**
 * The memory of a process, all areas together; of other processes up to 2 ms old. Null: it takes
 * another turn.
 */
export function memoryUse(mm: MemoryManager, source: ProcSource): MemoryUse | null {
  const measured = mm.measured instanceof Measured ? mm.measured : new Measured();
  mm.measured = measured;
  const now = source.host.monotonicNs(), { use } = measured;
  const isOwn = source.current()?.mm === mm;
  const isFresh = now >= measured.ns && now - measured.ns < FRESH_NS;
  if (use !== null && measured.count === null && isFresh && !isOwn) return use;
  const count = measured.count ??= new UseCount(0, Infinity);
  if (count.advance(mm, null, TURN_UNITS) === 0) return null;
  measured.count = null;
  measured.ns = now;
  return measured.use = count.use;
}

/** Count pages [from, to) of extent `i`, which has frames. */
function count(
  mm: MemoryManager,
  use: MemoryUse,
  vma: Vma | null,
  i: number,
  from: number,
  to: number,
): void {
  const { pages, ctx } = mm, flags = pages.flags(i);
  const frame = pages.frame(i) + (from - pages.start(i));
  const resident = touchedPages(ctx, frame, frame + to - from);
  if ((flags & PAGE_SHARED) !== 0) use.shared += resident;
  else if ((flags & PAGE_FILE) !== 0 && vma !== null && !vma.isAnonymous) use.file += resident;
  else use.anonymous += resident;
  // One look-up an extent: a fork shares whole extents.
  const isFiles = (flags & (PAGE_SHARED | PAGE_FILE)) !== 0;
  // The file holds a reference too.
  const refs = ctx.frames.refs(frame * PAGE_SIZE) - (isFiles ? 1 : 0);
  if (refs > 1) {
    use.common += resident;
    use.proportional += resident / refs;
  }
}
