/**
 * Calls over a range of addresses that take more than one turn of the loop: munmap(2), mprotect(2),
 * madvise(2), and clearing the place of a fixed mapping. Each slice is a complete change
 * (mm/slices.ts), in the order of addresses, so the next address is the only state.
 *
 * Calls that remove or rearrange areas hold the memory's change lock between slices. Only the end
 * of the task interrupts them: a part of the range then stays as it was, as on Linux.
 */

import { BLOCK } from "../../core/result.ts";
import { adviseRange, HOLE, isDiscard } from "../../mm/madvise.ts";
import type { MemoryManager } from "../../mm/memory_manager.ts";
import { fillPages } from "../../mm/mlock.ts";
import { protectRange, ProtectState } from "../../mm/mprotect.ts";
import { removeRange } from "../../mm/region.ts";
import { sliceEnd, TURN_AREAS, TURN_DISCARDED, TURN_TOUCHED } from "../../mm/slices.ts";
import type { MonitorEvent } from "../../userfault/userfault.ts";
import { ENOMEM } from "../../../ffi/abi/errno.ts";
import { MADV_POPULATE_READ, MADV_POPULATE_WRITE, PAGE_SIZE } from "../../../ffi/abi/mman.ts";
import type { Task } from "../../task/task.ts";

/** Kept in `progress.object` between slices. */
export class RangeWork extends ProtectState {
  /** Start of the next slice, and the end of the range. */
  next: number;
  readonly start: number;
  readonly end: number;
  hasHole: boolean = false;
  /** Events for monitors (userfaultfd(2)) when the call ends. */
  readonly monitorEvents: MonitorEvent[] = [];

  constructor(start: number, end: number) {
    super();
    this.start = this.next = start;
    this.end = end;
  }
}

/** The work that an earlier run of the call began, or null. */
export function rangeWork(t: Task): RangeWork | null {
  const { object } = t.progress;
  return object instanceof RangeWork ? object : null;
}

/**
 * Continues the call in another turn: BLOCK, or the result for a task that must end. `locks`: the
 * call holds the change lock.
 */
function continueWork(t: Task, work: RangeWork, locks: boolean): number {
  t.progress.object = work;
  work.monitorEvents.push(...t.kernel.memory.monitorEvents.splice(0));
  if (locks) t.mm.changes.take(t, work.start, work.end);
  t.uninterruptible = true;
  const r = t.yieldTurn();
  if (r !== BLOCK) t.mm.changes.leave(t);
  return r;
}

/** Ends the call with `result`. */
function endWork(t: Task, work: RangeWork, result: number): number {
  t.kernel.memory.monitorEvents.unshift(...work.monitorEvents.splice(0));
  t.mm.changes.leave(t);
  return result;
}

/** Removes all areas in the range; the checks were made before. 0, or BLOCK. */
export function unmapSlices(t: Task, work: RangeWork): number {
  const to = sliceEnd(t.mm, work.next, work.end);
  removeRange(t.mm, work.next, to);
  work.next = to;
  return to === work.end ? endWork(t, work, 0) : continueWork(t, work, true);
}

export function protectSlices(t: Task, work: RangeWork, prot: number): number {
  const to = sliceEnd(t.mm, work.next, work.end);
  const r = protectRange(t.mm, work.next, to, prot, work);
  if (r < 0 || to === work.end) return endWork(t, work, r);
  work.next = to;
  return continueWork(t, work, true);
}

/**
 * Advice needs no lock: Linux changes one area after the other too. `mm`: memory of a process that
 * `t` may advise.
 */
export function adviseSlices(t: Task, mm: MemoryManager, work: RangeWork, advice: number): number {
  let to = sliceEnd(mm, work.next, work.end, isDiscard(advice) ? TURN_DISCARDED : TURN_AREAS);
  if (advice === MADV_POPULATE_READ || advice === MADV_POPULATE_WRITE) {
    to = Math.min(to, work.next + TURN_TOUCHED * PAGE_SIZE);
  }
  const r = adviseRange(mm, work.next, to, advice);
  if (r === HOLE) work.hasHole = true;
  if (r < 0 || to === work.end) return endWork(t, work, r >= 0 && work.hasHole ? -ENOMEM : r);
  work.next = to;
  return continueWork(t, work, false);
}

/** Allocates pages of a new mapping (MAP_POPULATE, MAP_LOCKED): the address, or BLOCK. */
export function fillSlices(t: Task, work: RangeWork): number {
  const next = fillPages(t.mm, work.next / PAGE_SIZE, work.end / PAGE_SIZE, true) * PAGE_SIZE;
  if (next >= work.end) return endWork(t, work, work.start);
  work.next = next;
  return continueWork(t, work, false);
}
