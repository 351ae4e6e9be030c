/**
 * The address of a new mapping: the highest hole below the mmap base that is large enough
 * (mm/mmap.c, top-down), else the lowest one above. The platform's own ranges and the gap below
 * stacks are never used. mmap.ts, mremap.ts and the loader call this.
 */

import { MIN_ADDRESS } from "./address_layout.ts";
import type { MemoryManager } from "./memory_manager.ts";
import { STACK_GUARD, VM_GROWSDOWN } from "./vma.ts";

/** MAP_32BIT: mappings lie in this range (arch/x86/kernel/sys_x86_64.c). */
const LOW_START = 0x40000000, LOW_END = 0x80000000;

/**
 * The place where the last search ended. No hole above `top` (and below the mmap base) is larger
 * than `skipped`, so that many small mappings do not make each search longer.
 */
export class SearchState {
  /** The end of a hole, or beyond. */
  top: number = Infinity;
  skipped: number = 0;
}

/**
 * Something that ended at `end` was unmapped: the new hole may be larger than any above the last
 * search.
 */
export function holeOpened(mm: MemoryManager, end: number): void {
  const i = mm.vmas.indexOf(end), above = i < mm.vmas.length ? mm.vmas.at(i).start : Infinity;
  if (above > mm.search.top) mm.search.top = above;
}

/** Finds an address for `len` bytes, or -1. `isLow`: MAP_32BIT. */
export function findUnmapped(mm: MemoryManager, len: number, isLow: boolean): number {
  if (isLow) return topDown(mm, len, LOW_START, LOW_END);
  const state = mm.search;
  if (len <= state.skipped) {
    state.top = Infinity;
    state.skipped = 0;
  }
  const addr = topDown(mm, len, MIN_ADDRESS, Math.min(state.top, mm.mmapBase), state);
  return addr >= 0 ? addr : topDown(mm, len, MIN_ADDRESS, mm.layout.maxAddress);
}

/** Whether nothing is mapped in [addr, addr + len) and the platform does not use it. */
export function isUnmapped(mm: MemoryManager, addr: number, len: number): boolean {
  const end = addr + len, i = mm.vmas.indexOf(addr);
  if (i < mm.vmas.length) {
    const next = mm.vmas.at(i);
    const gap = (next.flags & VM_GROWSDOWN) !== 0 ? STACK_GUARD : 0;
    if (next.start - gap < end) return false;
  }
  return !isReserved(mm, addr, end);
}

/** Whether the platform uses a part of [start, end). */
export function isReserved(mm: MemoryManager, start: number, end: number): boolean {
  for (const [from, to] of mm.ctx.platform.reserved) {
    if (start < to && from < end) return true;
  }
  return false;
}

/**
 * The lowest address that an area which begins at `start` may grow down to, because of the
 * platform's ranges and vm.mmap_min_addr.
 */
export function growthFloor(mm: MemoryManager, start: number): number {
  let floor = MIN_ADDRESS;
  for (const [, to] of mm.ctx.platform.reserved) if (to <= start && to > floor) floor = to;
  return floor;
}

function topDown(
  mm: MemoryManager,
  len: number,
  low: number,
  high: number,
  state: SearchState | null = null,
): number {
  const vmas = mm.vmas;
  let i = vmas.indexOf(high - 1), end = high;
  if (i < vmas.length) end = Math.min(high, ceilingBelow(mm, i));
  for (i--;; i--) {
    const floor = Math.max(low, i >= 0 ? vmas.at(i).end : low);
    const addr = fitBelow(mm, floor, end, len);
    if (state !== null) {
      if (addr >= 0) state.top = end;
      else if (end - floor > state.skipped) state.skipped = end - floor;
    }
    if (addr >= 0) return addr;
    if (i < 0 || vmas.at(i).start <= low) return -1;
    end = ceilingBelow(mm, i);
  }
}

/** The address at which mappings below area `i` must end. */
function ceilingBelow(mm: MemoryManager, i: number): number {
  const vma = mm.vmas.at(i);
  return (vma.flags & VM_GROWSDOWN) !== 0 ? vma.start - STACK_GUARD : vma.start;
}

/** The highest address in [floor, end) with `len` bytes outside of reserved ranges, or -1. */
function fitBelow(mm: MemoryManager, floor: number, end: number, len: number): number {
  let addr = end - len;
  for (let again = true; again && addr >= floor;) {
    again = false;
    for (const [from, to] of mm.ctx.platform.reserved) {
      if (addr < to && from < addr + len) {
        addr = from - len;
        again = true;
      }
    }
  }
  return addr >= floor ? addr : -1;
}
