/**
 * How much memory an area of a process has (proc_pid_smaps(5)): pages that the host has given, by kind.
 *
 * DIFFERS: pages of host files that the host maps by itself are not counted: nobody tells the kernel which were touched.
 */

import { PAGE_SIZE } from "../../mm/frames.ts";
import type { MemoryManager } from "../../mm/memory_manager.ts";
import { PAGE_FILE, PAGE_SHARED } from "../../mm/pages.ts";
import { touchedPages } from "../../mm/touched.ts";
import { VM_LOCKED, type Vma } from "../../mm/vma.ts";
import type { ProcSource } from "./source.ts";

/** In pages. */
export class MemoryUse {
  anonymous: number = 0;
  file: number = 0;
  shared: number = 0;
  /** Of all these, pages that other processes have too. */
  common: number = 0;
  /** Shares of `common` pages, added up: proportional size is `own` and this. */
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

/** How long what was found of another process's memory counts: one look of top(1) reads several files. */
const FRESH_NS = 2_000_000;
let lastMm: MemoryManager | null = null;
let lastUse: MemoryUse = new MemoryUse();
let lastNs: number = 0;

/** What a process has, all areas together; for others than itself up to 2 ms old. */
export function memoryUse(mm: MemoryManager, source: ProcSource): MemoryUse {
  if (source.current()?.mm === mm) return measure(mm);
  const now = source.host.monotonicNs();
  if (mm !== lastMm || mm.isDestroyed || now - lastNs >= FRESH_NS || now < lastNs) {
    lastUse = measure(mm);
    lastNs = now;
    lastMm = mm;
  }
  return lastUse;
}

function measure(mm: MemoryManager): MemoryUse {
  const use = new MemoryUse();
  const { pages, vmas } = mm;
  for (let i = 0; i < pages.length; i++) {
    if (pages.frame(i) < 0) continue;
    const vma = vmas.find(pages.start(i) * PAGE_SIZE);
    count(mm, use, vma, i, pages.start(i), pages.end(i));
  }
  return use;
}

export function areaUse(mm: MemoryManager, vma: Vma): MemoryUse {
  const use = new MemoryUse(), { pages } = mm;
  const from = vma.start / PAGE_SIZE, to = vma.end / PAGE_SIZE;
  for (let i = pages.indexOf(from); i < pages.length && pages.start(i) < to; i++) {
    if (pages.frame(i) < 0) continue;
    count(mm, use, vma, i, Math.max(from, pages.start(i)), Math.min(to, pages.end(i)));
  }
  if ((vma.flags & VM_LOCKED) !== 0) use.locked = use.resident;
  return use;
}

/** Pages [from, to) of extent `i`, which has frames. */
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
  // One look for an extent: what a fork shares, it shares in whole extents.
  const isFiles = (flags & (PAGE_SHARED | PAGE_FILE)) !== 0;
  // A file holds its pages too.
  const refs = ctx.frames.refs(frame * PAGE_SIZE) - (isFiles ? 1 : 0);
  if (refs > 1) {
    use.common += resident;
    use.proportional += resident / refs;
  }
}
