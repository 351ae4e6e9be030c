/**
 * fork(2): both sides keep the same frames, write-protected; whoever writes first moves its pages away (cow.ts). The
 * protection is queued before the space is cloned, so that the child's host mappings are read-only from the start.
 */

import type { AddressSpace } from "../../platform/platform.ts";
import { PROT_WRITE } from "../../platform/platform.ts";
import { PAGE_SIZE } from "./frames.ts";
import type { MemoryManager } from "./memory_manager.ts";
import { PAGE_COW, PAGE_SHARED } from "./pages.ts";
import { VM_DONTFORK, VM_LOCKED, VM_LOCKONFAULT, VM_WIPEONFORK } from "./vma.ts";

/** Write-protect what the child will share and clone the space: the child's space, or null. */
export function forkSpace(mm: MemoryManager): AddressSpace | null {
  protectOwnPages(mm);
  const space = mm.space.fork();
  mm.forkSeq = mm.space.seq;
  mm.flushTlb();
  return space;
}

/** Make `child` (fresh, in the space that `forkSpace` gave) a copy of `mm`. */
export function copyMemory(mm: MemoryManager, child: MemoryManager): void {
  copyState(mm, child);
  let isWiped = false;
  for (const vma of mm.vmas.list) {
    if ((vma.flags & (VM_DONTFORK | VM_WIPEONFORK)) !== 0) isWiped = true;
    if ((vma.flags & VM_DONTFORK) !== 0) continue;
    const copy = vma.clone();
    copy.flags &= ~(VM_LOCKED | VM_LOCKONFAULT);
    child.vmas.insert(copy);
  }
  copyPages(mm, child);
  if (isWiped) wipe(mm, child);
}

/** Mark private frames as shared and take write access away. */
function protectOwnPages(mm: MemoryManager): void {
  const map = mm.pages;
  for (let k = 0; k < mm.vmas.length; k++) {
    const vma = mm.vmas.at(k);
    if (vma.isShared || (vma.flags & VM_DONTFORK) !== 0) continue;
    const from = vma.start / PAGE_SIZE, to = vma.end / PAGE_SIZE;
    const first = map.splitAt(from), last = map.splitAt(to);
    let runStart = from, runEnd = from;
    for (let i = first; i < last; i++) {
      if (map.frame(i) < 0 || (map.flags(i) & (PAGE_COW | PAGE_SHARED)) !== 0) continue;
      map.setFlags(i, map.flags(i) | PAGE_COW);
      if ((vma.prot & PROT_WRITE) === 0) continue;
      if (map.start(i) !== runEnd) {
        protect(mm, runStart, runEnd, vma.sharedProt);
        runStart = map.start(i);
      }
      runEnd = map.end(i);
    }
    protect(mm, runStart, runEnd, vma.sharedProt);
  }
  map.coalesce(0, map.length);
}

function protect(mm: MemoryManager, from: number, to: number, prot: number): void {
  if (from < to) mm.space.protect(from * PAGE_SIZE, (to - from) * PAGE_SIZE, prot);
}

/** Every frame of an inherited area gets a second owner. Shadows stay with the parent. */
function copyPages(mm: MemoryManager, child: MemoryManager): void {
  const map = mm.pages;
  for (let i = 0; i < map.length; i++) {
    const frame = map.frame(i);
    if (frame < 0) continue;
    let page = map.start(i);
    const end = map.end(i);
    // An extent may reach over several areas, of which some are not inherited.
    while (page < end) {
      const vma = mm.vmas.find(page * PAGE_SIZE)!;
      const to = Math.min(end, vma.end / PAGE_SIZE);
      if ((vma.flags & VM_DONTFORK) === 0) {
        const at = frame + page - map.start(i);
        mm.ctx.frames.retain(at * PAGE_SIZE, to - page);
        child.pages.insert(page, to - page, at, -1, map.flags(i));
      }
      page = to;
    }
  }
}

/** MADV_DONTFORK areas are absent in the child, MADV_WIPEONFORK areas are zero. */
function wipe(mm: MemoryManager, child: MemoryManager): void {
  for (const vma of mm.vmas.list) {
    if ((vma.flags & (VM_DONTFORK | VM_WIPEONFORK)) === 0) continue;
    const from = vma.start / PAGE_SIZE, to = vma.end / PAGE_SIZE, map = child.pages;
    const first = map.splitAt(from), last = map.splitAt(to);
    for (let i = first; i < last; i++) child.leave(map.frame(i), map.count(i));
    map.remove(first, last);
    child.space.unmap(vma.start, vma.end - vma.start);
    child.settle();
  }
}

function copyState(mm: MemoryManager, child: MemoryManager): void {
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
  child.mmapBase = mm.mmapBase;
  child.break.start = mm.break.start;
  child.break.end = mm.break.end;
  child.isPatching = mm.isPatching;
}
