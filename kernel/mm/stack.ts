/**
 * The stack: an area that grows down at faults, as far as RLIMIT_STACK and its neighbours allow,
 * with a gap below it that no mapping may enter. The loader sets it up (`setUpStack`); fault.ts
 * grows it.
 */

import { PAGE_SIZE, PROT_NONE } from "../../ffi/abi/mman.ts";
import { ENOMEM } from "../../ffi/abi/errno.ts";
import { mayExpand } from "./accounting.ts";
import type { MemoryManager } from "./memory_manager.ts";
import { populateAnonymous } from "./populate.ts";
import { mapFrames } from "./region.ts";
import { growthFloor } from "./unmapped_area.ts";
import { PROT_MASK, STACK_GUARD, VM_GROWSDOWN, Vma } from "./vma.ts";

/**
 * A fault grows the stack by at least this much where there is room, so that there are fewer faults
 * than with Linux's single pages.
 */
const STEP = 64 * 1024;
/** The frames that are reserved for the growth of a new stack. */
const RESERVE = 256;

/**
 * Makes the initial stack of a program, `bytes` large, ending at the layout's top: 0 or -ENOMEM.
 */
export function setUpStack(mm: MemoryManager, bytes: number, prot: number): number {
  const end = mm.layout.stackTop, start = end - bytes, pages = bytes / PAGE_SIZE;
  if (mm.vmas.overlaps(start, end)) return -ENOMEM;
  if (!mayExpand(mm.counters, mm.limits, VM_GROWSDOWN, prot, pages)) return -ENOMEM;
  const off = mm.ctx.frames.alloc(RESERVE + pages);
  if (off < 0) return -ENOMEM;
  const vma = new Vma(start, end, prot, PROT_MASK, VM_GROWSDOWN, null, start, "");
  mm.vmas.insert(vma);
  mm.counters.charge(vma, pages, 1);
  mm.stackReserve = off / PAGE_SIZE;
  mm.stackReservePages = RESERVE;
  mapFrames(mm, start / PAGE_SIZE, pages, off / PAGE_SIZE + RESERVE, 0, prot);
  return 0;
}

/**
 * Grows the area above `addr` down to it, if it is a stack and may grow: the area, or null
 * (expand_downwards of mm/mmap.c).
 */
export function growStack(mm: MemoryManager, addr: number): Vma | null {
  const i = mm.vmas.indexOf(addr);
  if (i === mm.vmas.length || addr < 0) return null;
  const vma = mm.vmas.at(i);
  if ((vma.flags & VM_GROWSDOWN) === 0) return null;
  const least = vma.end - Math.min(mm.limits.stack, vma.end);
  let floor = Math.max(least, growthFloor(mm, vma.start));
  if (i > 0) {
    const below = mm.vmas.at(i - 1);
    const isOpen = below.prot !== PROT_NONE && (below.flags & VM_GROWSDOWN) === 0;
    floor = Math.max(floor, below.end + (isOpen ? STACK_GUARD : 0));
  }
  floor = Math.ceil(floor / PAGE_SIZE) * PAGE_SIZE;
  const wanted = Math.floor(addr / PAGE_SIZE) * PAGE_SIZE;
  if (wanted < floor) return null;
  const start = Math.max(floor, Math.min(wanted, vma.start - STEP));
  const pages = (vma.start - start) / PAGE_SIZE;
  if (!mayExpand(mm.counters, mm.limits, vma.flags, vma.prot, pages)) return null;
  const oldStart = vma.start;
  vma.start = start;
  vma.offset -= oldStart - start;
  mm.counters.charge(vma, pages, 1);
  if (pages <= mm.stackReservePages && oldStart <= mm.program.stackStart) {
    mm.stackReservePages -= pages;
    const frame = mm.stackReserve + mm.stackReservePages;
    mapFrames(mm, start / PAGE_SIZE, pages, frame, 0, vma.prot);
    return vma;
  }
  // If there are no frames, the fault that follows tries again and reports that memory is out.
  if (pages * PAGE_SIZE <= STEP) {
    populateAnonymous(mm, vma, start / PAGE_SIZE, oldStart / PAGE_SIZE);
  }
  return vma;
}
