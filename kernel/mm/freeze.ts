/**
 * Keeps a memory from writing into frames that a snapshot holds: its own pages become copy on
 * write, as in a fork, and pages of files in the arena become frozen, so that a write gives the
 * file a frame of its own first.
 *
 * Neighbours: frame_pool.ts (which frames have another holder), `Backing.own`.
 */

import { PAGE_SIZE, PROT_WRITE } from "../../ffi/abi/mman.ts";
import type { MemoryManager } from "./memory_manager.ts";
import { PAGE_COW, PAGE_FROZEN, PAGE_SHARED } from "./pages.ts";
import { populateBacked } from "./populate.ts";
import type { Vma } from "./vma.ts";

/**
 * Write-protects all frames of the memory that a snapshot will hold. No thread of the memory may
 * run meanwhile. The rings of the kernel stay writable: a snapshot copies them.
 */
export function freezePages(mm: MemoryManager): void {
  for (let k = mm.vmas.length - 1; k >= 0; k--) {
    const vma = mm.vmas.at(k);
    if (!vma.isShared) protectFrames(mm, vma, 0, PAGE_COW);
    else if (vma.backing!.canOwn) protectFrames(mm, vma, PAGE_SHARED, PAGE_COW | PAGE_FROZEN);
  }
  mm.pages.coalesce(0, mm.pages.length);
  mm.forkSeq = mm.space.seq;
  mm.flushTlb();
}

/** Adds the flags to the extents of an area that are shared, or are not, and not protected yet. */
function protectFrames(mm: MemoryManager, vma: Vma, shared: number, added: number): void {
  const map = mm.pages, from = vma.start / PAGE_SIZE, to = vma.end / PAGE_SIZE;
  const first = map.splitAt(from), last = map.splitAt(to);
  const isWritable = (vma.prot & PROT_WRITE) !== 0;
  let runStart = from, runEnd = from;
  const protect = () => {
    if (runStart === runEnd || !isWritable) return;
    const bytes = (runEnd - runStart) * PAGE_SIZE;
    mm.space.protect(runStart * PAGE_SIZE, bytes, vma.sharedProt);
  };
  for (let i = first; i < last; i++) {
    const flags = map.flags(i);
    if (map.frame(i) < 0 || (flags & PAGE_SHARED) !== shared || (flags & added) === added) continue;
    map.setFlags(i, flags | added);
    if (map.start(i) !== runEnd) {
      protect();
      runStart = map.start(i);
    }
    runEnd = map.end(i);
  }
  protect();
}

/**
 * A write to a frozen page of a shared mapping: the file gets a frame of its own there. 0, -EFAULT
 * behind the end of the file, or -ENOMEM.
 */
export function thawPage(mm: MemoryManager, vma: Vma, page: number): number {
  const r = vma.backing!.own(page * PAGE_SIZE - vma.start + vma.offset);
  if (r < 0) return r;
  const map = mm.pages, i = map.present(page);
  if (i < 0) return populateBacked(mm, vma, page);
  makeWritable(mm, vma, page);
  return 0;
}

/** Frames around `page` that no snapshot holds any more become writable. */
function makeWritable(mm: MemoryManager, vma: Vma, page: number): void {
  const map = mm.pages, { pool } = mm.ctx.frames, i = map.present(page);
  const end = Math.min(map.end(i), vma.end / PAGE_SIZE), frame = map.frame(i) + page - map.start(i);
  const to = page + pool.heldRun(frame, end - page), at = map.splitAt(page);
  map.splitAt(to);
  map.setFlags(at, map.flags(at) & ~(PAGE_COW | PAGE_FROZEN));
  map.coalesce(at - 1, at + 2);
  mm.space.protect(page * PAGE_SIZE, (to - page) * PAGE_SIZE, vma.prot);
  mm.finishChange();
}
