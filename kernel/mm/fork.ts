/**
 * fork(2) in one turn: parent and child keep the same frames, write-protected, and the first to
 * write copies its pages (cow.ts). The write protection is queued before the space is cloned, so
 * that the child's host mappings are read-only from the start. `MemoryManager.fork` calls this;
 * fork_slices.ts does large memories.
 *
 * Pages that both sides are going to write at once (small data areas, the top of the stack) are
 * copied for the child, and the parent's stay writable: that saves about seven faults a fork. This
 * is only done for a single thread, which cannot write meanwhile.
 */

import { PAGE_SIZE, PROT_WRITE } from "../../ffi/abi/mman.ts";
import type { AddressSpace } from "../../platform/platform.ts";
import { copyTouched } from "./copy_frames.ts";
import type { FrameAllocator } from "./frames.ts";
import type { MemoryManager } from "./memory_manager.ts";
import { PAGE_COW, PAGE_POISONED, PAGE_SHARED, PAGE_WATCHED } from "./pages.ts";
import type { Userfault } from "../userfault/userfault.ts";
import { inheritHandler } from "../userfault/userfault_events.ts";
import { unwatchedFlags } from "../userfault/userfault_watch.ts";
import { VM_DONTFORK, VM_LOCKED, VM_LOCKONFAULT, VM_WIPEONFORK, type Vma } from "./vma.ts";

/** LIMIT: pages of an extent that is copied at once, and of all such extents. */
const COPY_PAGES = 16, COPY_TOTAL = 128;
/** Pages below and above the stack pointer that are copied. */
const STACK_BELOW = 3, STACK_ABOVE = 5;

/**
 * The copies that the child gets: guest page, arena page and count of each; a count of 0 when the
 * child has it.
 */
export class ForkCopies {
  readonly pages: number[] = [];
  readonly frames: number[] = [];
  readonly counts: number[] = [];
  total: number = 0;

  /** Gives back the frames that no child has got. */
  release(frames: FrameAllocator): void {
    for (let i = 0; i < this.frames.length; i++) {
      const pages = this.counts[i]!;
      if (pages > 0) frames.release(this.frames[i]! * PAGE_SIZE, pages);
    }
  }
}

/**
 * Write-protects the pages that the child will share, copies those that it will not, and clones the
 * space: the child's space, or null. `stackPointer` is that of the thread that forks, or 0.
 */
export function forkSpace(
  mm: MemoryManager,
  copies: ForkCopies,
  stackPointer: number,
): AddressSpace | null {
  let space: AddressSpace | null = null;
  try {
    if (mm.users === 1 && stackPointer > 0) isolateStack(mm, stackPointer);
    for (let k = mm.vmas.length - 1; k >= 0; k--) protectOwnPages(mm, mm.vmas.at(k), copies);
    mm.pages.coalesce(0, mm.pages.length);
    space = mm.space.fork();
    mm.forkSeq = mm.space.seq;
    mm.flushTlb();
    return space;
  } finally {
    if (space === null) copies.release(mm.ctx.frames);
  }
}

/** Makes `child`, which is new and in the space of `forkSpace`, a copy of `mm`. */
export function copyMemory(mm: MemoryManager, child: MemoryManager, copies: ForkCopies): void {
  copyState(mm, child);
  const handlers = new Map<Userfault, Userfault>();
  let isWiped = false;
  for (const vma of mm.vmas.list) {
    if ((vma.flags & (VM_DONTFORK | VM_WIPEONFORK)) !== 0) isWiped = true;
    if ((vma.flags & VM_DONTFORK) !== 0) continue;
    const copy = vma.clone();
    copy.flags &= ~(VM_LOCKED | VM_LOCKONFAULT);
    inheritHandler(copy, child, handlers);
    child.vmas.insert(copy);
  }
  child.vmas.charge();
  copyPages(mm, child);
  giveCopies(child, copies);
  if (isWiped) applyForkAdvice(mm, child);
}

/** Makes the used end of the stack an extent of its own. */
function isolateStack(mm: MemoryManager, stackPointer: number): void {
  const vma = mm.vmas.find(stackPointer), page = Math.floor(stackPointer / PAGE_SIZE);
  if (vma === null || vma.backing !== null) return;
  mm.pages.splitAt(Math.max(vma.start / PAGE_SIZE, page - STACK_BELOW));
  mm.pages.splitAt(Math.min(vma.end / PAGE_SIZE, page + STACK_ABOVE));
}

/** Marks private frames as shared and removes write access, except from those that are copied. */
function protectOwnPages(mm: MemoryManager, vma: Vma, copies: ForkCopies): void {
  if (vma.isShared || (vma.flags & VM_DONTFORK) !== 0) return;
  const map = mm.pages, from = vma.start / PAGE_SIZE, to = vma.end / PAGE_SIZE;
  const first = map.splitAt(from), last = map.splitAt(to);
  const isWritable = (vma.prot & PROT_WRITE) !== 0;
  let runStart = from, runEnd = from;
  for (let i = first; i < last; i++) {
    if (map.frame(i) < 0 || (map.flags(i) & (PAGE_COW | PAGE_SHARED)) !== 0) continue;
    if (isWritable && (vma.flags & VM_WIPEONFORK) === 0 && copyForChild(mm, i, copies)) continue;
    map.setFlags(i, map.flags(i) | PAGE_COW);
    if (!isWritable) continue;
    if (map.start(i) !== runEnd) {
      protect(mm, runStart, runEnd, vma.sharedProt);
      runStart = map.start(i);
    }
    runEnd = map.end(i);
  }
  protect(mm, runStart, runEnd, vma.sharedProt);
}

/** Copies a small extent of the process's own frames: false when it has to be shared instead. */
function copyForChild(mm: MemoryManager, i: number, copies: ForkCopies): boolean {
  const map = mm.pages, n = map.count(i), { frames } = mm.ctx;
  if (mm.users > 1 || n > COPY_PAGES || copies.total + n > COPY_TOTAL) return false;
  const off = frames.alloc(n), len = n * PAGE_SIZE;
  if (off < 0) return false;
  const { arena } = mm.ctx;
  if (copyTouched(arena, off, map.frame(i) * PAGE_SIZE, len) !== len) {
    frames.release(off, n);
    return false;
  }
  copies.pages.push(map.start(i));
  copies.frames.push(off / PAGE_SIZE);
  copies.counts.push(n);
  copies.total += n;
  return true;
}

/**
 * Puts the copies in the place of the parent's frames. The child's host process runs no guest code
 * before it has done that.
 */
function giveCopies(child: MemoryManager, copies: ForkCopies): void {
  const map = child.pages;
  for (let k = 0; k < copies.pages.length; k++) {
    const page = copies.pages[k]!, n = copies.counts[k]!, frame = copies.frames[k]!;
    const i = map.splitAt(page);
    map.splitAt(page + n);
    child.addUnmap(map.frame(i), n);
    map.set(i, frame, -1, 0);
    copies.counts[k] = 0;
    map.coalesce(i - 1, i + 2);
    const prot = child.vmas.find(page * PAGE_SIZE)!.prot;
    child.space.mapArena(page * PAGE_SIZE, n * PAGE_SIZE, frame * PAGE_SIZE, prot);
  }
  child.finishChange();
}

function protect(mm: MemoryManager, from: number, to: number, prot: number): void {
  if (from < to) mm.space.protect(from * PAGE_SIZE, (to - from) * PAGE_SIZE, prot);
}

/** Gives every frame of an inherited area a second owner. Shadows stay with the parent. */
function copyPages(mm: MemoryManager, child: MemoryManager): void {
  const map = mm.pages;
  for (let i = 0; i < map.length; i++) {
    const frame = map.frame(i);
    let page = map.start(i);
    const end = map.end(i);
    // An extent may cover several areas, of which some are not inherited.
    while (page < end) {
      const vma = mm.vmas.find(page * PAGE_SIZE)!;
      const to = Math.min(end, vma.end / PAGE_SIZE);
      if ((vma.flags & VM_DONTFORK) === 0) {
        inheritPages(
          child,
          vma,
          page,
          to - page,
          frame < 0 ? -1 : frame + page - map.start(i),
          map.flags(i),
        );
      }
      page = to;
    }
  }
}

/**
 * Gives the child pages of one area, with their frames, or without (-1): then they are poisoned or
 * watched, or have only a shadow.
 */
function inheritPages(
  child: MemoryManager,
  vma: Vma,
  page: number,
  count: number,
  frame: number,
  marks: number,
): void {
  const isHandled = vma.userfault !== null && child.vmas.find(vma.start)!.userfault !== null;
  const flags = isHandled ? marks : unwatchedFlags(vma, marks);
  if (frame < 0) {
    if ((flags & (PAGE_POISONED | PAGE_WATCHED)) !== 0) {
      child.pages.insert(page, count, -1, -1, flags);
    }
    return;
  }
  child.ctx.frames.retain(frame * PAGE_SIZE, count);
  child.pages.insert(page, count, frame, -1, flags);
  // The host maps shared memory read-only only where a handler watches it.
  if (flags !== marks && vma.isShared && (flags & PAGE_COW) === 0) {
    protect(child, page, page + count, vma.prot);
  }
}

/** Removes MADV_DONTFORK areas from the child, and the contents of MADV_WIPEONFORK areas. */
function applyForkAdvice(mm: MemoryManager, child: MemoryManager): void {
  for (const vma of mm.vmas.list) {
    if ((vma.flags & (VM_DONTFORK | VM_WIPEONFORK)) === 0) continue;
    const from = vma.start / PAGE_SIZE, to = vma.end / PAGE_SIZE, map = child.pages;
    const first = map.splitAt(from), last = map.splitAt(to);
    for (let i = first; i < last; i++) {
      if (map.frame(i) >= 0) child.addUnmap(map.frame(i), map.count(i));
    }
    map.remove(first, last);
    child.space.unmap(vma.start, vma.end - vma.start);
    child.finishChange();
  }
}

/** Copies the properties of an address space to the child of a fork, without areas and pages. */
export function copyState(mm: MemoryManager, child: MemoryManager): void {
  child.hasSeals = mm.hasSeals;
  child.isDumpable = mm.isDumpable;
  child.ownerNs = mm.ownerNs;
  child.inheritPolicies(mm);
  Object.assign(child.limits, mm.limits);
  Object.assign(child.program, mm.program);
  child.counters.copyFrom(mm.counters);
  for (const vma of mm.vmas.list) {
    if ((vma.flags & VM_DONTFORK) !== 0) {
      child.counters.charge(vma, (vma.end - vma.start) / PAGE_SIZE, -1);
    }
  }
  child.counters.locked = 0;
  child.layout = mm.layout;
  child.sites = mm.sites?.hold() ?? null;
  child.unpatchedCalls = mm.unpatchedCalls;
  child.mmapBase = mm.mmapBase;
  child.break.start = mm.break.start;
  child.break.end = mm.break.end;
  child.isPatching = mm.isPatching;
  child.hasOwnGs = mm.hasOwnGs;
}
