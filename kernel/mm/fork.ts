/**
 * fork(2): both sides keep the same frames, write-protected; whoever writes first moves its pages away (cow.ts). The
 * protection is queued before the space is cloned, so that the child's host mappings are read-only from the start.
 *
 * What both sides are going to write at once (small data areas, the top of the stack) is copied for the child right
 * away, and the parent's stays as it is: that saves about seven faults a fork. Only for a single thread, which cannot
 * write meanwhile.
 */

import type { AddressSpace } from "../../platform/platform.ts";
import { PROT_WRITE } from "../../platform/platform.ts";
import { copyTouched } from "./copy_frames.ts";
import { type FrameAllocator, PAGE_SIZE } from "./frames.ts";
import type { MemoryManager } from "./memory_manager.ts";
import { PAGE_COW, PAGE_POISONED, PAGE_SHARED, PAGE_WATCHED } from "./pages.ts";
import type { Userfault } from "../userfault/userfault.ts";
import { inheritHandler } from "../userfault/userfault_events.ts";
import { unwatchedFlags } from "../userfault/userfault_watch.ts";
import { VM_DONTFORK, VM_LOCKED, VM_LOCKONFAULT, VM_WIPEONFORK, type Vma } from "./vma.ts";

/** LIMIT: pages of an extent that is copied at once, and of all of them. */
const COPY_PAGES = 16, COPY_TOTAL = 128;
/** Pages below and above the stack pointer that are copied. */
const STACK_BELOW = 3, STACK_ABOVE = 5;

/**
 * Frames that the child gets as copies: guest page -> arena page, and how many; 0 when it has them.
 */
export class ForkCopies {
  readonly pages: number[] = [];
  readonly frames: number[] = [];
  readonly counts: number[] = [];
  total: number = 0;

  /** Those that no child has got are given back. */
  release(frames: FrameAllocator): void {
    for (let i = 0; i < this.frames.length; i++) {
      const pages = this.counts[i]!;
      if (pages > 0) frames.release(this.frames[i]! * PAGE_SIZE, pages);
    }
  }
}

/**
 * Write-protect what the child will share, copy what it will not, and clone the space: the child's space, or null.
 * `stackPointer`: of the thread that forks, or 0.
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

/** Make `child` (fresh, in the space that `forkSpace` gave) a copy of `mm`. */
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
  if (isWiped) wipe(mm, child);
}

/** Make the used end of the stack an extent of its own. */
function isolateStack(mm: MemoryManager, stackPointer: number): void {
  const vma = mm.vmas.find(stackPointer), page = Math.floor(stackPointer / PAGE_SIZE);
  if (vma === null || vma.backing !== null) return;
  mm.pages.splitAt(Math.max(vma.start / PAGE_SIZE, page - STACK_BELOW));
  mm.pages.splitAt(Math.min(vma.end / PAGE_SIZE, page + STACK_ABOVE));
}

/** Mark private frames as shared and take write access away, except from those that are copied. */
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

/** Copy a small extent of the process's own frames: false when it is to be shared instead. */
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
 * Put the copies in the place of the parent's frames, which the child's host process has mapped until it has done
 * that (it runs no guest code before).
 */
function giveCopies(child: MemoryManager, copies: ForkCopies): void {
  const map = child.pages;
  for (let k = 0; k < copies.pages.length; k++) {
    const page = copies.pages[k]!, n = copies.counts[k]!, frame = copies.frames[k]!;
    const i = map.splitAt(page);
    map.splitAt(page + n);
    child.leave(map.frame(i), n);
    map.set(i, frame, -1, 0);
    copies.counts[k] = 0;
    map.coalesce(i - 1, i + 2);
    const prot = child.vmas.find(page * PAGE_SIZE)!.prot;
    child.space.mapArena(page * PAGE_SIZE, n * PAGE_SIZE, frame * PAGE_SIZE, prot);
  }
  child.settle();
}

function protect(mm: MemoryManager, from: number, to: number, prot: number): void {
  if (from < to) mm.space.protect(from * PAGE_SIZE, (to - from) * PAGE_SIZE, prot);
}

/** Every frame of an inherited area gets a second owner. Shadows stay with the parent. */
function copyPages(mm: MemoryManager, child: MemoryManager): void {
  const map = mm.pages;
  for (let i = 0; i < map.length; i++) {
    const frame = map.frame(i);
    let page = map.start(i);
    const end = map.end(i);
    // An extent may reach over several areas, of which some are not inherited.
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

/** Pages of one area, with their frames, or without (-1): then they are poisoned or watched, or nothing. */
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
  // Only a handler's watch keeps the host from letting anybody write to shared memory.
  if (flags !== marks && vma.isShared) protect(child, page, page + count, vma.prot);
}

/** MADV_DONTFORK areas are absent in the child, MADV_WIPEONFORK areas are zero. */
function wipe(mm: MemoryManager, child: MemoryManager): void {
  for (const vma of mm.vmas.list) {
    if ((vma.flags & (VM_DONTFORK | VM_WIPEONFORK)) === 0) continue;
    const from = vma.start / PAGE_SIZE, to = vma.end / PAGE_SIZE, map = child.pages;
    const first = map.splitAt(from), last = map.splitAt(to);
    for (let i = first; i < last; i++) {
      if (map.frame(i) >= 0) child.leave(map.frame(i), map.count(i));
    }
    map.remove(first, last);
    child.space.unmap(vma.start, vma.end - vma.start);
    child.settle();
  }
}

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
