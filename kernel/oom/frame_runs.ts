/** Runs of page frames: what processes have, and what the host has given for it. */

import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import type { Arena } from "../../ffi/mem/arena.ts";
import type { MemoryManager } from "../mm/memory_manager.ts";
import type { ThreadGroup } from "../task/thread_group.ts";

/** Frames from `start` to `end`. */
export interface FrameRun {
  readonly start: number;
  end: number;
}

/** All that living processes have, each frame once: forks and threads share them. In order. */
export function framesOf(groups: Iterable<ThreadGroup>): FrameRun[] {
  const all: FrameRun[] = [], seen = new Set<MemoryManager>();
  for (const group of groups) {
    const mm = group.tasks[0]?.mm;
    if (mm === undefined || group.isExiting || seen.has(mm)) continue;
    seen.add(mm);
    const { pages } = mm;
    for (let i = 0; i < pages.length; i++) {
      const start = pages.frame(i);
      if (start >= 0) all.push({ start, end: start + pages.count(i) });
    }
  }
  all.sort((a, b) => a.start - b.start);
  const merged: FrameRun[] = [];
  for (const run of all) {
    const last = merged.at(-1);
    if (last === undefined || run.start > last.end) merged.push(run);
    else if (run.end > last.end) last.end = run.end;
  }
  return merged;
}

export function countPages(runs: readonly FrameRun[]): number {
  return runs.reduce((pages, { start, end }) => pages + end - start, 0);
}

/** Bytes that the host has given for some frames. */
function residentIn(arena: Arena, runs: readonly FrameRun[]): number {
  let pages = 0;
  for (const { start, end } of runs) {
    pages += arena.residentPages(start * PAGE_SIZE, (end - start) * PAGE_SIZE);
  }
  return pages * PAGE_SIZE;
}

/** Bytes of the host that these processes have as guest memory, what they share counted once. */
export function residentBytesOf(arena: Arena, groups: Iterable<ThreadGroup>): number {
  return residentIn(arena, framesOf(groups));
}
