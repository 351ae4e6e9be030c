/**
 * mremap(2): shrinks, grows in place, moves, or duplicates (old length 0) a part of an area;
 * MREMAP_DONTUNMAP. The checks come in the order of mm/mremap.c.
 */

import { EAGAIN, EFAULT, EINVAL, ENOMEM, EPERM } from "../../ffi/abi/errno.ts";
import {
  MREMAP_DONTUNMAP,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  PAGE_SIZE,
  PROT_NONE,
} from "../../ffi/abi/mman.ts";
import { mayExpand, mayLock } from "./accounting.ts";
import { MIN_ADDRESS } from "./address_layout.ts";
import type { MemoryManager } from "./memory_manager.ts";
import { PAGE_COW } from "./pages.ts";
import { unpatchPages } from "./patch.ts";
import { populateAnonymous } from "./populate.ts";
import { clearRange, isPageAligned, pageUp, unmapRange } from "./region.ts";
import { recordMove, recordUnmapping } from "../userfault/userfault_events.ts";
import { unwatchedFlags } from "../userfault/userfault_watch.ts";
import { findUnmapped, isReserved, isUnmapped } from "./unmapped_area.ts";
import { VM_GROWSDOWN, VM_LOCKED, VM_NORESERVE, VM_SEALED, VM_SPECIAL, type Vma } from "./vma.ts";

/** Up to this many added pages get frames at once. */
const EAGER_PAGES = 16384;

/** mremap(2): the address of the area, or -errno. Lengths are in bytes. */
export function mremap(
  mm: MemoryManager,
  addr: number,
  oldLen: number,
  newLen: number,
  flags: number,
  newAddr: number,
): number {
  if ((flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP)) !== 0) return -EINVAL;
  const mayMove = (flags & MREMAP_MAYMOVE) !== 0, keepsOld = (flags & MREMAP_DONTUNMAP) !== 0;
  if ((flags & MREMAP_FIXED) !== 0 && !mayMove) return -EINVAL;
  if (keepsOld && (!mayMove || oldLen !== newLen)) return -EINVAL;
  if (!isPageAligned(addr)) return -EINVAL;
  const from = pageUp(oldLen), to = pageUp(newLen);
  if (to === 0 || to >= 2 ** 64) return -EINVAL;
  const first = mm.vmas.find(addr);
  if (first === null) return -EFAULT;
  if ((first.flags & VM_SEALED) !== 0) return -EPERM;
  if ((flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) !== 0) {
    return moveTo(mm, addr, from, to, flags, newAddr);
  }
  if (from >= to) {
    if (from > to) {
      const error = unmapRange(mm, addr + to, addr + from);
      if (error < 0) return error;
    }
    return addr;
  }
  const error = checkResize(mm, addr, from, to);
  if (error < 0) return error;
  const vma = mm.vmas.find(addr)!;
  if (from === vma.end - addr && from > 0 && canGrow(mm, vma, to - from)) {
    growInPlace(mm, vma, to - from);
    return addr;
  }
  if (!mayMove) return -ENOMEM;
  const target = findUnmapped(mm, to, false);
  if (target < 0) return -ENOMEM;
  moveArea(mm, addr, from, target, to, false, mm.ctx.monitorEvents.length);
  return target;
}

/** MREMAP_FIXED and MREMAP_DONTUNMAP (mremap_to). */
function moveTo(
  mm: MemoryManager,
  addr: number,
  oldLen: number,
  newLen: number,
  flags: number,
  newAddr: number,
): number {
  const max = mm.layout.maxAddress, isFixed = (flags & MREMAP_FIXED) !== 0;
  if (!isPageAligned(newAddr) || newLen > max || newAddr > max - newLen) return -EINVAL;
  if (addr < newAddr + newLen && newAddr < addr + oldLen) return -EINVAL;
  if (!mm.vmas.hasRoom(3)) return -ENOMEM;
  if (isFixed && newAddr < MIN_ADDRESS) return -EPERM;
  if (isFixed) {
    if (isReserved(mm, newAddr, newAddr + newLen)) return -ENOMEM;
    const error = unmapRange(mm, newAddr, newAddr + newLen);
    if (error < 0) return error;
  }
  // userfaultfd(2) monitors see this unmapping after the move, although it happens first.
  const eventsBefore = mm.ctx.monitorEvents.length;
  let from = oldLen;
  if (from > newLen) {
    const error = unmapRange(mm, addr + newLen, addr + from);
    if (error < 0) return error;
    from = newLen;
  }
  const error = checkResize(mm, addr, from, newLen);
  if (error < 0) return error;
  const keepsOld = (flags & MREMAP_DONTUNMAP) !== 0, vma = mm.vmas.find(addr)!;
  if (keepsOld) {
    if ((vma.flags & VM_SPECIAL) !== 0) return -EINVAL;
    if (!mayExpand(mm.counters, mm.limits, vma.flags, vma.prot, from / PAGE_SIZE)) return -ENOMEM;
  }
  let target = newAddr;
  if (!isFixed) {
    const isHintFree = newAddr >= MIN_ADDRESS && isUnmapped(mm, newAddr, newLen);
    target = isHintFree ? newAddr : findUnmapped(mm, newLen, false);
  }
  if (target < 0) return -ENOMEM;
  moveArea(mm, addr, from, target, newLen, keepsOld, eventsBefore);
  return target;
}

/** vma_to_resize: 0 or -errno. */
function checkResize(mm: MemoryManager, addr: number, oldLen: number, newLen: number): number {
  const vma = mm.vmas.find(addr);
  if (vma === null) return -EFAULT;
  if (oldLen === 0 && !vma.isShared) return -EINVAL;
  if (oldLen > vma.end - addr) return -EFAULT;
  if (newLen <= oldLen) return 0;
  const extra = (newLen - oldLen) / PAGE_SIZE;
  if ((vma.flags & VM_SPECIAL) !== 0) return -EFAULT;
  if ((vma.flags & VM_LOCKED) !== 0 && !mayLock(mm.counters, mm.limits, extra)) return -EAGAIN;
  return mayExpand(mm.counters, mm.limits, vma.flags, vma.prot, extra) ? 0 : -ENOMEM;
}

function canGrow(mm: MemoryManager, vma: Vma, bytes: number): boolean {
  return vma.end + bytes <= mm.layout.maxAddress && isUnmapped(mm, vma.end, bytes);
}

function growInPlace(mm: MemoryManager, vma: Vma, bytes: number): void {
  const from = vma.end, start = vma.start;
  vma.end += bytes;
  mm.counters.charge(vma, bytes / PAGE_SIZE, 1);
  mapTail(mm, vma, from);
  mm.finishChange();
  mm.vmas.mergeAround(start, from + bytes);
}

/** Fills the new part of an area, from `from` on: maps the file there, or gives it frames. */
function mapTail(mm: MemoryManager, vma: Vma, from: number): void {
  const pages = (vma.end - from) / PAGE_SIZE;
  if (pages === 0) return;
  if (vma.isDirect) {
    const offset = from - vma.start + vma.offset;
    mm.space.mapFile(from, vma.end - from, vma.backing!.platformFile, offset, vma.directProt);
  } else if (
    vma.backing === null && vma.userfault === null && vma.prot !== PROT_NONE &&
    pages <= EAGER_PAGES &&
    (vma.flags & (VM_NORESERVE | VM_GROWSDOWN)) === 0
  ) {
    populateAnonymous(mm, vma, from / PAGE_SIZE, vma.end / PAGE_SIZE);
  }
}

/**
 * Moves [addr, addr + oldLen) of one area to `target`, where nothing is mapped, and makes it
 * `newLen` long. The frames move too; an old length of 0 maps the same shared pages a second time.
 * `eventAt` is the index of its event among those of userfaultfd(2) in `ctx.monitorEvents`.
 */
function moveArea(
  mm: MemoryManager,
  addr: number,
  oldLen: number,
  target: number,
  newLen: number,
  keepsOld: boolean,
  eventAt: number,
): void {
  const old = mm.vmas.find(addr)!, vma = old.clone();
  unpatchPages(mm, addr / PAGE_SIZE, (addr + oldLen) / PAGE_SIZE);
  vma.start = target;
  vma.end = target + newLen;
  vma.offset = old.backing === null ? target : old.offset + (addr - old.start);
  if (keepsOld) vma.flags = old.flags & ~VM_LOCKED;
  recordMove(mm, vma, addr, target, oldLen, eventAt);
  mm.vmas.insert(vma);
  mm.counters.charge(vma, newLen / PAGE_SIZE, 1);
  if (vma.isDirect && oldLen > 0) {
    const file = vma.backing!.platformFile;
    mm.space.mapFile(target, oldLen, file, vma.offset, vma.directProt);
  }
  movePages(mm, vma, addr / PAGE_SIZE, oldLen / PAGE_SIZE, target / PAGE_SIZE);
  mapTail(mm, vma, target + oldLen);
  if (keepsOld) {
    if (old.isDirect) {
      const offset = addr - old.start + old.offset;
      mm.space.mapFile(addr, oldLen, old.backing!.platformFile, offset, old.directProt);
    } else {
      mm.space.unmap(addr, oldLen);
    }
  } else if (oldLen > 0) {
    recordUnmapping(mm, addr, addr + oldLen);
    clearRange(mm, addr, addr + oldLen);
    mm.space.unmap(addr, oldLen);
  }
  mm.finishChange();
  mm.vmas.mergeAround(target, target + newLen);
}

/** Moves the extents of guest pages [from, from + count) to `to`, and maps their frames there. */
function movePages(mm: MemoryManager, vma: Vma, from: number, count: number, to: number): void {
  const map = mm.pages, first = map.splitAt(from), last = map.splitAt(from + count);
  const moved: number[] = [], isHandled = vma.userfault !== null;
  for (let i = first; i < last; i++) {
    moved.push(map.start(i), map.count(i), map.frame(i), map.shadow(i), map.flags(i));
  }
  map.remove(first, last);
  for (let k = 0; k < moved.length; k += 5) {
    const page = moved[k]! - from + to, n = moved[k + 1]!, frame = moved[k + 2]!;
    const flags = isHandled ? moved[k + 4]! : unwatchedFlags(vma, moved[k + 4]!);
    if (frame < 0 && moved[k + 3]! < 0 && flags === 0) continue;
    map.insert(page, n, frame, moved[k + 3]!, flags);
    if (frame < 0) continue;
    const prot = (flags & PAGE_COW) !== 0 ? vma.sharedProt : vma.prot;
    mm.space.mapArena(page * PAGE_SIZE, n * PAGE_SIZE, frame * PAGE_SIZE, prot);
  }
}
