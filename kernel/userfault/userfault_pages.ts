/**
 * Changes pages for the handler of an area (ioctl_userfaultfd(2)): registers and unregisters areas,
 * places missing pages, maps pages of the file. Write protection is in userfault_watch.ts.
 *
 * A page counts as missing until it was used: frames that were allocated ahead and not touched are
 * removed when an area gets a handler.
 *
 * Not here: checks of the arguments (userfault/userfault_ioctl.ts).
 */

import { PAGE_SIZE, PROT_WRITE } from "../../ffi/abi/mman.ts";
import { EBUSY, EEXIST, EFAULT, EINVAL, ENOENT, ENOMEM, EPERM } from "../../ffi/abi/errno.ts";
import { UFFD_FEATURE_WP_UNPOPULATED } from "../../ffi/abi/userfaultfd.ts";
import { copyFromBuffer, fill } from "../../ffi/mem/native_memory.ts";
import { waitForHost } from "../mm/fault.ts";
import type { MemoryManager } from "../mm/memory_manager.ts";
import { CHANGE_EXTENTS, PAGE_COW, PAGE_POISONED, PAGE_SHARED, PAGE_WATCHED } from "../mm/pages.ts";
import { allocNear, populateBacked } from "../mm/populate.ts";
import { dropPages, mapFrames, pageUp } from "../mm/region.ts";
import { isTouched, touchedRuns } from "../mm/touched.ts";
import type { Userfault } from "./userfault.ts";
import { unwatch, watch, watchHoles } from "./userfault_watch.ts";
import {
  VM_SPECIAL,
  VM_UFFD,
  VM_UFFD_MINOR,
  VM_UFFD_MISSING,
  VM_UFFD_WP,
  type Vma,
} from "../mm/vma.ts";

/** UFFDIO_REGISTER of areas in [start, end), with VM_UFFD_* bits: 0 or -errno. */
export function registerAreas(
  handler: Userfault,
  start: number,
  end: number,
  bits: number,
): number {
  const { mm } = handler;
  if (!mm.vmas.overlaps(start, end)) return -EINVAL;
  for (let i = mm.vmas.indexOf(start); i < mm.vmas.length && mm.vmas.at(i).start < end; i++) {
    const vma = mm.vmas.at(i);
    if (!mayHandle(vma, bits)) return -EINVAL;
    if ((vma.maxProt & PROT_WRITE) === 0) return -EPERM;
    if (vma.userfault !== null && vma.userfault !== handler) return -EBUSY;
  }
  if (!mm.vmas.maySplit(start, end)) return -ENOMEM;
  mm.hasHandlers = true;
  const first = mm.vmas.splitAt(start), last = mm.vmas.splitAt(end);
  for (let i = first; i < last; i++) {
    const vma = mm.vmas.at(i);
    vma.userfault = handler;
    vma.flags = vma.flags & ~VM_UFFD | bits;
    dropUntouched(mm, vma.start / PAGE_SIZE, vma.end / PAGE_SIZE);
  }
  mm.vmas.mergeAround(start, end);
  return 0;
}

/** DIFFERS: private mappings of tmpfs files have no handler. */
function mayHandle(vma: Vma, bits: number): boolean {
  if ((vma.flags & VM_SPECIAL) !== 0) return false;
  if (vma.backing === null) return (bits & VM_UFFD_MINOR) === 0;
  return vma.isShared && vma.backing.isMemory;
}

/**
 * UFFDIO_UNREGISTER: 0 or -EINVAL. Waiters for a missing page there try again; a waiting writer
 * does not, as on Linux.
 */
export function unregisterAreas(mm: MemoryManager, start: number, end: number): number {
  if (!mm.vmas.overlaps(start, end)) return -EINVAL;
  for (let i = mm.vmas.indexOf(start); i < mm.vmas.length && mm.vmas.at(i).start < end; i++) {
    const vma = mm.vmas.at(i);
    if (vma.userfault === null && !mayHandle(vma, 0)) return -EINVAL;
  }
  if (!mm.vmas.maySplit(start, end)) return -ENOMEM;
  const first = mm.vmas.splitAt(start), last = mm.vmas.splitAt(end);
  for (let i = first; i < last; i++) giveBack(mm, mm.vmas.at(i));
  mm.vmas.mergeAround(start, end);
  return 0;
}

/** The descriptor is closed: its areas have no handler any more. */
export function releaseHandler(handler: Userfault): void {
  const { mm } = handler;
  for (const vma of mm.vmas.list) {
    if (vma.userfault === handler) giveBack(mm, vma);
  }
  mm.vmas.mergeAround(0, mm.layout.maxAddress);
  handler.release();
}

function giveBack(mm: MemoryManager, vma: Vma): void {
  const handler = vma.userfault;
  if (handler === null) return;
  if ((vma.flags & VM_UFFD_WP) !== 0) {
    unwatch(mm, vma, vma.start / PAGE_SIZE, vma.end / PAGE_SIZE);
  }
  if ((vma.flags & VM_UFFD_MISSING) !== 0) handler.wake(vma.start, vma.end);
  vma.dropHandler();
}

/** The area of a handler that contains all of [start, start + len), or null. */
export function handledArea(mm: MemoryManager, start: number, len: number): Vma | null {
  const vma = mm.vmas.find(start);
  return vma !== null && vma.userfault !== null && start + len <= vma.end ? vma : null;
}

/**
 * UFFDIO_COPY and UFFDIO_ZEROPAGE of one page: its bytes, or null for zeros. 0, -EEXIST, -ENOMEM,
 * or -EFAULT behind the end of the file. The caller settles.
 */
export function placePage(
  mm: MemoryManager,
  vma: Vma,
  page: number,
  bytes: Uint8Array<ArrayBuffer> | null,
  isWatched: boolean,
): number {
  if (vma.backing !== null) return placeShared(mm, vma, page, bytes, isWatched);
  if (bytes === null && mm.pages.isMarked(page)) return -EEXIST;
  const i = mm.pages.present(page);
  if (i >= 0) {
    if (isTouched(mm.ctx, mm.pages.frame(i) + page - mm.pages.start(i))) return -EEXIST;
    dropPages(mm, page, page + 1);
  }
  const frame = allocNear(mm, page, 1);
  if (frame < 0) return -ENOMEM;
  fillPage(mm, frame, bytes);
  if (isWatched) mapFrames(mm, page, 1, frame, PAGE_COW | PAGE_WATCHED, vma.sharedProt);
  else mapFrames(mm, page, 1, frame, 0, vma.prot);
  return 0;
}

function placeShared(
  mm: MemoryManager,
  vma: Vma,
  page: number,
  bytes: Uint8Array<ArrayBuffer> | null,
  isWatched: boolean,
): number {
  const backing = vma.backing!, offset = page * PAGE_SIZE - vma.start + vma.offset;
  if (offset >= pageUp(backing.size())) return -EFAULT;
  if (backing.has(offset)) return -EEXIST;
  if (backing.own(offset) < 0) return -ENOMEM;
  const at = backing.frame(offset, true);
  if (at < 0) return -ENOMEM;
  fillPage(mm, at / PAGE_SIZE, bytes);
  dropPages(mm, page, page + 1);
  mm.ctx.frames.retain(at, 1);
  const flags = isWatched ? PAGE_SHARED | PAGE_COW | PAGE_WATCHED : PAGE_SHARED;
  mapFrames(mm, page, 1, at / PAGE_SIZE, flags, isWatched ? vma.sharedProt : vma.prot);
  return 0;
}

/** Zeros are written too, so that the page is present from now on. */
function fillPage(mm: MemoryManager, frame: number, bytes: Uint8Array<ArrayBuffer> | null): void {
  mm.ctx.frames.pool.markRecycled(frame, false);
  if (bytes === null) fill(mm.hostOf(frame), 0, PAGE_SIZE);
  else copyFromBuffer(mm.hostOf(frame), bytes, 0, PAGE_SIZE);
}

/** UFFDIO_CONTINUE of one page: maps the page of the file. 0, -EEXIST, -EFAULT, -ENOMEM. */
export function showPage(mm: MemoryManager, vma: Vma, page: number): number {
  const backing = vma.backing!, offset = page * PAGE_SIZE - vma.start + vma.offset;
  if (offset >= pageUp(backing.size()) || !backing.has(offset)) return -EFAULT;
  if (mm.pages.present(page) >= 0) return -EEXIST;
  dropPages(mm, page, page + 1);
  return populateBacked(mm, vma, page);
}

/** UFFDIO_POISON of one page: 0, -EEXIST or -ENOMEM. The caller settles. */
export function poisonPage(mm: MemoryManager, page: number): number {
  if (!mm.pages.hasRoom(CHANGE_EXTENTS)) return -ENOMEM;
  if (!clearWay(mm, page)) return -EEXIST;
  mm.pages.insert(page, 1, -1, -1, PAGE_POISONED);
  return 0;
}

/** Makes room for a page. False: it is present, poisoned or watched. */
export function clearWay(mm: MemoryManager, page: number): boolean {
  const i = mm.pages.present(page);
  if (i < 0) return !mm.pages.isMarked(page);
  if (holdsSomething(mm, i, page)) return false;
  dropPages(mm, page, page + 1);
  mm.space.unmap(page * PAGE_SIZE, PAGE_SIZE);
  return true;
}

/** True if the page of extent `i` is present for the program. */
function holdsSomething(mm: MemoryManager, i: number, page: number): boolean {
  const isShared = (mm.pages.flags(i) & PAGE_SHARED) !== 0;
  return isShared || isTouched(mm.ctx, mm.pages.frame(i) + page - mm.pages.start(i));
}

/**
 * UFFDIO_WRITEPROTECT: writes to pages of [start, end) become faults for the handler, or no longer.
 * -ENOENT where an area was not registered for it. Absent pages of private memory are watched if
 * the handler requested that.
 */
export function watchPages(mm: MemoryManager, start: number, end: number, on: boolean): number {
  if (!mm.vmas.overlaps(start, end)) return -ENOENT;
  let at = start;
  while (at < end) {
    const vma = mm.vmas.find(at);
    if (vma === null || (vma.flags & VM_UFFD_WP) === 0) break;
    const to = Math.min(end, vma.end), first = at / PAGE_SIZE, last = to / PAGE_SIZE;
    if (on) watchArea(mm, vma, first, last);
    else unwatch(mm, vma, first, last);
    at = to;
  }
  mm.finishChange();
  if (on) waitForHost(mm, mm.space.seq);
  return at < end ? -ENOENT : 0;
}

/** Pages [from, to) of an area. */
export function watchArea(mm: MemoryManager, vma: Vma, from: number, to: number): void {
  const features = vma.userfault?.features ?? 0;
  if (vma.isShared) {
    watch(mm, vma, from, to);
    watchHoles(mm, from, to);
  } else if ((features & UFFD_FEATURE_WP_UNPOPULATED) !== 0) {
    dropUntouched(mm, from, to);
    watch(mm, vma, from, to);
    watchHoles(mm, from, to);
  } else {
    const runs = touchedRuns(mm, from, to, true);
    for (let k = 0; k < runs.length; k += 2) watch(mm, vma, runs[k]!, runs[k]! + runs[k + 1]!);
  }
}

/** Makes the pages of [from, to) that were never used missing. */
function dropUntouched(mm: MemoryManager, from: number, to: number): void {
  const runs = touchedRuns(mm, from, to, false);
  for (let k = 0; k < runs.length; k += 2) {
    mm.space.unmap(runs[k]! * PAGE_SIZE, runs[k + 1]! * PAGE_SIZE);
  }
  if (runs.length === 0) return;
  // Keeps pages that another thread wrote before the host had unmapped them.
  if (mm.users > 1) {
    waitForHost(mm, mm.space.seq);
    for (let k = 0; k < runs.length; k += 2) {
      mapTouched(mm, runs[k]!, runs[k]! + runs[k + 1]!);
    }
  }
  const left = mm.users > 1 ? touchedRuns(mm, from, to, false) : runs;
  for (let k = 0; k < left.length; k += 2) dropPages(mm, left[k]!, left[k]! + left[k + 1]!);
  mm.finishChange();
}

function mapTouched(mm: MemoryManager, from: number, to: number): void {
  const map = mm.pages, runs = touchedRuns(mm, from, to, true);
  for (let k = 0; k < runs.length; k += 2) {
    let page = runs[k]!;
    const end = page + runs[k + 1]!;
    for (let i = map.indexOf(page); page < end; i++) {
      const n = Math.min(end, map.end(i)) - page, vma = mm.vmas.find(page * PAGE_SIZE)!;
      const prot = (map.flags(i) & PAGE_COW) !== 0 ? vma.sharedProt : vma.prot;
      const frame = map.frame(i) + page - map.start(i);
      mm.space.mapArena(page * PAGE_SIZE, n * PAGE_SIZE, frame * PAGE_SIZE, prot);
      page += n;
    }
  }
}
