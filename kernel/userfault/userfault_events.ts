/**
 * What the monitor of memory hears besides faults (userfaultfd(2)): pages that are thrown away, unmapped or moved, and
 * children. Changes note it in `ctx.told`; the call that made them waits until it is read (task/await_fault.ts).
 *
 * DIFFERS: pages are gone, and the child runs, before the monitor hears of it.
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

/** Pages of [start, end) in an area are thrown away. */
export function tellRemoved(mm: MemoryManager, vma: Vma, start: number, end: number): void {
  const handler = vma.userfault;
  if (handler === null || (handler.features & UFFD_FEATURE_EVENT_REMOVE) === 0) return;
  mm.ctx.told.push(new MonitorEvent(handler, UFFD_EVENT_REMOVE, [start, end, 0]));
}

/** Everything in [start, end) is unmapped: each handler of something there hears of it once. */
export function tellUnmapped(mm: MemoryManager, start: number, end: number): void {
  if (!mm.hasHandlers) return;
  const { told } = mm.ctx, first = told.length;
  for (let i = mm.vmas.indexOf(start); i < mm.vmas.length && mm.vmas.at(i).start < end; i++) {
    const handler = mm.vmas.at(i).userfault;
    if (handler === null || (handler.features & UFFD_FEATURE_EVENT_UNMAP) === 0) continue;
    if (told.slice(first).some((e) => e.handler === handler)) continue;
    told.push(new MonitorEvent(handler, UFFD_EVENT_UNMAP, [start, end, 0]));
  }
}

/** `vma` is where an area moves to, with the old one's handler, which it keeps if that hears of it: at place `at`. */
export function tellMoved(
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
  mm.ctx.told.splice(at, 0, new MonitorEvent(handler, UFFD_EVENT_REMAP, [from, to, len]));
}

/** `vma` is a child's copy of an area. `made`: what became of the parent's handlers so far. */
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
    child.ctx.told.push(new MonitorEvent(handler, UFFD_EVENT_FORK, [0, 0, 0], own));
  }
  vma.userfault = own;
  child.hasHandlers = true;
}
