/**
 * brk(2): the heap. It grows into a stretch of frames that is reserved ahead, so that its host
 * mapping stays in one piece.
 */

import { PAGE_SIZE, PROT_READ, PROT_WRITE } from "../../ffi/abi/mman.ts";
import { mayExpand, mayLock } from "./accounting.ts";
import type { FrameAllocator } from "./frames.ts";
import type { MemoryManager } from "./memory_manager.ts";
import { allocNear } from "./populate.ts";
import { mapFrames, pageUp, unmapRange } from "./region.ts";
import { isReserved } from "./unmapped_area.ts";
import { PROT_MASK, STACK_GUARD, VM_GROWSDOWN, VM_LOCKED, Vma } from "./vma.ts";

/** The least and the most pages that are reserved ahead; in between, as many as the heap has. */
const AHEAD_MIN = 256, AHEAD_MAX = 8192;
/** LIMIT: a growth by more pages than this gets its frames at the first touch. */
const EAGER_PAGES = 16384;

export class ProgramBreak {
  /** The first address of the heap; 0 until a program is loaded. */
  start: number = 0;
  /** The break: the first address behind the heap. */
  end: number = 0;
  /** The first arena page of the frames that are reserved for growth, and their number. */
  private reserve: number = -1;
  private reservePages: number = 0;

  /** The first of `pages` frames that follow those given before, or -1. */
  takeFrames(mm: MemoryManager, page: number, pages: number): number {
    if (this.reservePages < pages) {
      this.releaseReserve(mm.ctx.frames);
      const heap = page - this.start / PAGE_SIZE;
      const ahead = Math.min(AHEAD_MAX, Math.max(AHEAD_MIN, heap));
      let frame = allocNear(mm, page, pages + ahead);
      if (frame >= 0) {
        this.reserve = frame;
        this.reservePages = pages + ahead;
      } else {
        frame = allocNear(mm, page, pages);
        return frame;
      }
    }
    const frame = this.reserve;
    this.reserve += pages;
    this.reservePages -= pages;
    return frame;
  }

  releaseReserve(frames: FrameAllocator): void {
    if (this.reservePages > 0) {
      frames.releaseUntouched(this.reserve * PAGE_SIZE, this.reservePages);
    }
    this.reservePages = 0;
  }
}

/** brk(2): returns the break afterwards. Linux never returns an error here. */
export function brk(mm: MemoryManager, addr: number): number {
  const heap = mm.break;
  if (addr < heap.start || addr >= mm.layout.maxAddress) return heap.end;
  const used = addr - heap.start + (mm.program.dataEnd - mm.program.dataStart);
  if (used > mm.limits.data) return heap.end;
  const oldEnd = pageUp(heap.end), newEnd = pageUp(addr);
  if (newEnd < oldEnd) {
    if (unmapRange(mm, newEnd, oldEnd) < 0) return heap.end;
  } else if (newEnd > oldEnd && !grow(mm, oldEnd, newEnd)) {
    return heap.end;
  }
  heap.end = addr;
  return addr;
}

function grow(mm: MemoryManager, from: number, to: number): boolean {
  const i = mm.vmas.indexOf(from);
  if (i < mm.vmas.length) {
    const next = mm.vmas.at(i);
    const gap = (next.flags & VM_GROWSDOWN) !== 0 ? STACK_GUARD : 0;
    if (next.start - gap < to + PAGE_SIZE) return false;
  }
  if (isReserved(mm, from, to)) return false;
  const prot = PROT_READ | PROT_WRITE, pages = (to - from) / PAGE_SIZE;
  const flags = mm.futureFlags;
  if ((flags & VM_LOCKED) !== 0 && !mayLock(mm.counters, mm.limits, pages)) return false;
  if (!mayExpand(mm.counters, mm.limits, flags, prot, pages)) return false;
  if (pages * PAGE_SIZE > mm.ctx.host.machineBytes) return false;
  let frame = -1;
  if (pages <= EAGER_PAGES) {
    frame = mm.break.takeFrames(mm, from / PAGE_SIZE, pages);
    if (frame < 0) return false;
  }
  const vma = new Vma(from, to, prot, PROT_MASK, flags, null, from, "");
  mm.vmas.insert(vma);
  mm.counters.charge(vma, pages, 1);
  mm.vmas.mergeAround(from, to);
  if (frame >= 0) mapFrames(mm, from / PAGE_SIZE, pages, frame, 0, prot, true);
  return true;
}
