/**
 * Events of handled memory besides faults (userfaultfd(2)): pages discarded, unmapped or moved, and
 * forks. A change records its events in `ctx.monitorEvents`; the call that made the change waits
 * until they are read (task/await_fault.ts).
 *
 * DIFFERS: pages have gone, and the child runs, before the monitor reads the event.
 */

import {
  UFFD_EVENT_FORK,
  UFFD_EVENT_REMAP,
  UFFD_EVENT_REMOVE,
  UFFD_EVENT_UNMAP,
  UFFD_FEATURE_EVENT_FORK,
  UFFD_FEATURE_EVENT_REMAP,
  UFFD_FEATURE_EVENT_REMOVE,
  UFFD_FEATURE_EVENT_UNMAP,
} from "../../ffi/abi/userfaultfd.ts";
import type { MemoryManager } from "../mm/memory_manager.ts";
import { MonitorEvent, Userfault } from "./userfault.ts";
import type { Vma } from "../mm/vma.ts";

/** Records that pages of [start, end) in an area were discarded. */
export function recordDiscard(mm: MemoryManager, vma: Vma, start: number, end: number): void {
  const handler = vma.userfault;
  if (handler === null || (handler.features & UFFD_FEATURE_EVENT_REMOVE) === 0) return;
  mm.ctx.monitorEvents.push(new MonitorEvent(handler, UFFD_EVENT_REMOVE, [start, end, 0]));
}

/** Records that [start, end) was unmapped: each handler of an area there gets one event. */
export function recordUnmapping(mm: MemoryManager, start: number, end: number): void {
  if (!mm.hasHandlers) return;
  const { monitorEvents } = mm.ctx, first = monitorEvents.length;
  for (let i = mm.vmas.indexOf(start); i < mm.vmas.length && mm.vmas.at(i).start < end; i++) {
    const handler = mm.vmas.at(i).userfault;
    if (handler === null || (handler.features & UFFD_FEATURE_EVENT_UNMAP) === 0) continue;
    if (monitorEvents.slice(first).some((e) => e.handler === handler)) continue;
    monitorEvents.push(new MonitorEvent(handler, UFFD_EVENT_UNMAP, [start, end, 0]));
  }
}

/**
 * Records that an area moved. `vma`, the new area, keeps the handler of the old one if that handler
 * asked for such events. The event goes to index `at`, in front of later events of the call.
 */
export function recordMove(
  mm: MemoryManager,
  vma: Vma,
  from: number,
  to: number,
  len: number,
  at: number,
): void {
  const handler = vma.userfault;
  if (handler === null) return;
  if ((handler.features & UFFD_FEATURE_EVENT_REMAP) === 0) return vma.dropHandler();
  mm.ctx.monitorEvents.splice(at, 0, new MonitorEvent(handler, UFFD_EVENT_REMAP, [from, to, len]));
}

/**
 * Decides whether `vma`, a child's copy of an area, has a handler. `made` maps the parent's
 * handlers to the child's so far.
 */
export function inheritHandler(
  vma: Vma,
  child: MemoryManager,
  made: Map<Userfault, Userfault>,
): void {
  const handler = vma.userfault;
  if (handler === null) return;
  if ((handler.features & UFFD_FEATURE_EVENT_FORK) === 0) return vma.dropHandler();
  let own = made.get(handler);
  if (own === undefined) {
    own = new Userfault(child, handler.flags);
    own.features = handler.features;
    own.isReady = true;
    made.set(handler, own);
    child.ctx.monitorEvents.push(new MonitorEvent(handler, UFFD_EVENT_FORK, [0, 0, 0], own));
  }
  vma.userfault = own;
  child.hasHandlers = true;
}
