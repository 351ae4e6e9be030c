/** Invariants of areas, pages and frames: the rows of invariants.ts that concern memory. */

import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import { MIN_ADDRESS } from "../mm/address_layout.ts";
import type { MemoryManager } from "../mm/memory_manager.ts";
import { isReserved } from "../mm/unmapped_area.ts";
import type { CheckedKernel, Invariant } from "./invariants.ts";

export const MEMORY_CHECKS: readonly Invariant[] = [
  { name: "areas", check: checkAreas },
  { name: "pages", check: checkPages },
  { name: "frames", check: checkFrames },
];

/** Each memory once, with the id of a task that uses it. */
function usersOfMemory({ pids }: CheckedKernel): Map<MemoryManager, number> {
  const found = new Map<MemoryManager, number>();
  for (const { tid, mm } of pids.tasks.values()) found.set(mm, tid);
  return found;
}

/**
 * Checks that areas are in order, disjoint, in user memory, outside of the platform's range, and
 * counted.
 */
function checkAreas(kernel: CheckedKernel, found: string[]): void {
  for (const [mm, tid] of usersOfMemory(kernel)) {
    let end = 0, pages = 0;
    for (const vma of mm.vmas.list) {
      const range = `${vma.start.toString(16)}-${vma.end.toString(16)} of ${tid}`;
      if (vma.start < end || vma.end <= vma.start) found.push(`${range} overlaps or is empty`);
      if (vma.start % PAGE_SIZE !== 0 || vma.end % PAGE_SIZE !== 0) {
        found.push(`${range} is not aligned`);
      }
      if (vma.start < MIN_ADDRESS || vma.end > mm.layout.maxAddress) {
        found.push(`${range} is out of bounds`);
      }
      if (isReserved(mm, vma.start, vma.end)) found.push(`${range} is the platform's`);
      end = vma.end;
      pages += (vma.end - vma.start) / PAGE_SIZE;
    }
    if (mm.counters.total !== pages) {
      found.push(`${tid} counts ${mm.counters.total} of ${pages} pages`);
    }
  }
}

/** Checks that extents are in order and disjoint, and that each page is in an area. */
function checkPages(kernel: CheckedKernel, found: string[]): void {
  for (const [mm, tid] of usersOfMemory(kernel)) {
    const map = mm.pages;
    let end = 0;
    for (let i = 0; i < map.length; i++) {
      const from = map.start(i), to = map.end(i);
      if (from < end || to <= from) found.push(`extent ${i} of ${tid} overlaps or is empty`);
      end = to;
      for (let at = from; at < to;) {
        const vma = mm.vmas.find(at * PAGE_SIZE);
        if (vma === null) {
          found.push(`page ${at.toString(16)} of ${tid} is in no area`);
          break;
        }
        at = vma.end / PAGE_SIZE;
      }
    }
  }
}

/**
 * Checks that a frame has at least a reference for each page that shows it: with fewer it would be
 * given to another process.
 */
function checkFrames(kernel: CheckedKernel, found: string[]): void {
  const { frames } = kernel.memory, users = new Map<number, number>();
  for (const mm of usersOfMemory(kernel).keys()) {
    for (let i = 0; i < mm.pages.length; i++) {
      for (const first of [mm.pages.frame(i), mm.pages.shadow(i)]) {
        for (let k = 0; first >= 0 && k < mm.pages.count(i); k++) {
          users.set(first + k, (users.get(first + k) ?? 0) + 1);
        }
      }
    }
  }
  for (const [page, count] of users) {
    const refs = frames.refs(page * PAGE_SIZE);
    if (refs < count) found.push(`frame ${page} has ${refs} references for ${count} pages`);
  }
}
