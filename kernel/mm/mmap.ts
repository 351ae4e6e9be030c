/**
 * mmap(2): the checks in the order of mm/mmap.c, then one area with its frames or file mapping.
 * `MemoryManager.mmap` calls it for the system call and the loader.
 *
 * Small private memory gets a contiguous stretch of frames, mapped at once: the host gives pages at
 * the first touch, without a fault in the Sentry. PROT_NONE, MAP_NORESERVE and large mappings get 2
 * MiB at a time, at faults.
 */

import { gainsExec } from "./mprotect.ts";
import {
  EACCES,
  EAGAIN,
  EEXIST,
  EINVAL,
  ENOMEM,
  EOPNOTSUPP,
  EOVERFLOW,
  EPERM,
} from "../../ffi/abi/errno.ts";
import { PAGE_SIZE, PROT_EXEC, PROT_NONE, PROT_WRITE } from "../../ffi/abi/mman.ts";
import * as M from "../../ffi/abi/mman.ts";
import { mayExpand, mayLock } from "./accounting.ts";
import { MIN_ADDRESS } from "./address_layout.ts";
import type { Backing } from "./backing.ts";
import { copyIntoNew } from "./cow.ts";
import type { MemoryManager } from "./memory_manager.ts";
import { IN_SLICES, isOneSlice } from "./slices.ts";
import { applyCachedPatches } from "./patch.ts";
import { isSealed } from "./sealed.ts";
import { mapBackedRange, populateAnonymous } from "./populate.ts";
import { clearRange, isPageAligned, pageUp } from "./region.ts";
import { SharedAnon } from "./shared_anon.ts";
import { findUnmapped, isReserved, isUnmapped } from "./unmapped_area.ts";
import { recordUnmapping } from "../userfault/userfault_events.ts";
import * as V from "./vma.ts";
import { ZeroBacking } from "./zero_backing.ts";

/** LIMIT: private mappings up to this size get all their frames at once. */
const EAGER_BYTES = 64 << 20;
/** Writable private file mappings up to this size are copied at once (the data of programs). */
const COPY_BYTES = 256 << 10;
/**
 * The number of host mappings from which on mmap(2) fails; the rest is left for copies on write.
 */
const HOST_MAPPINGS = 60_000;

/** The bits of MAP_HUGE_2MB and MAP_HUGE_1GB. */
const HUGE_SIZES = 0x1f << M.MAP_HUGE_SHIFT;
/** Flags that MAP_SHARED_VALIDATE accepts (LEGACY_MAP_MASK). */
const KNOWN_FLAGS = M.MAP_TYPE | M.MAP_FIXED | M.MAP_ANONYMOUS | M.MAP_32BIT | M.MAP_GROWSDOWN |
  M.MAP_DENYWRITE | M.MAP_EXECUTABLE | M.MAP_LOCKED | M.MAP_NORESERVE | M.MAP_POPULATE |
  M.MAP_NONBLOCK | M.MAP_STACK | M.MAP_HUGETLB | M.MAP_FIXED_NOREPLACE | M.MAP_UNINITIALIZED |
  HUGE_SIZES;

/**
 * mmap(2): the address of the area, IN_SLICES if `mayWait`, or -errno. `len` and `offset` are in
 * bytes.
 */
export function mmap(
  mm: MemoryManager,
  addr: number,
  len: number,
  prot: number,
  flags: number,
  backing: Backing | null,
  offset: number,
  maxProt: number,
  mayWait: boolean,
): number {
  if (len === 0 || !isPageAligned(offset)) return -EINVAL;
  if ((flags & M.MAP_FIXED_NOREPLACE) !== 0) flags |= M.MAP_FIXED;
  const size = pageUp(len);
  if (size > mm.layout.maxAddress) return -ENOMEM;
  if (offset + size > 2 ** 63) return -EOVERFLOW;
  if (!mm.vmas.hasRoom(1) || mm.space.mappingCount > HOST_MAPPINGS) return -ENOMEM;
  if ((flags & M.MAP_HUGETLB) !== 0) return -ENOMEM;
  const isSecret = backing !== null && backing.isSecret;
  const isLocked = isSecret || (flags & M.MAP_LOCKED) !== 0 || (mm.futureFlags & V.VM_LOCKED) !== 0;
  if ((flags & M.MAP_LOCKED) !== 0 && !mm.limits.mayLockAll && mm.limits.memlock === 0) {
    return -EPERM;
  }
  if (isLocked && !mayLock(mm.counters, mm.limits, size / PAGE_SIZE)) return -EAGAIN;
  const at = chooseAddress(mm, addr, size, flags);
  if (at < 0) return at;
  const type = checkType(flags, backing, prot, maxProt);
  if (type < 0) return type;
  if (mm.writeOrExec !== 0 && gainsExec(prot, prot)) return -EACCES;
  const vmFlags = areaFlags(mm, flags, type) | (isSecret ? V.VM_LOCKED | V.VM_DONTDUMP : 0);
  if (backing instanceof ZeroBacking) backing = null;
  prot &= V.PROT_MASK;
  const replaced = (flags & M.MAP_FIXED) !== 0 ? mappedPages(mm, at, at + size) : 0;
  const extra = size / PAGE_SIZE - replaced;
  if (!mayExpand(mm.counters, mm.limits, vmFlags, prot, extra)) return -ENOMEM;
  if (isHopeless(mm, size, prot, vmFlags)) return -ENOMEM;
  if (mayWait && replaced > 0 && !isOneSlice(mm, at, at + size)) return IN_SLICES;
  if (backing === null && type === M.MAP_SHARED) {
    const shared = new SharedAnon(mm.ctx, size);
    if (prot !== PROT_NONE && shared.reserve() < 0) return -ENOMEM;
    backing = shared;
    offset = 0;
  }
  const start = backing === null ? at : offset;
  const vma = new V.Vma(at, at + size, prot, maxProt & V.PROT_MASK, vmFlags, backing, start, "");
  if ((flags & M.MAP_FIXED) !== 0) {
    recordUnmapping(mm, at, at + size);
    clearRange(mm, at, at + size);
  }
  const populates = (flags & M.MAP_POPULATE) !== 0 || isLocked && !isSecret;
  // Frames for all pages of a very large mapping would take too long: they get them as the caller
  // fills them.
  mapArea(mm, vma, populates && size <= EAGER_BYTES, replaced > 0);
  return at;
}

/** Chooses the address of the mapping, or -errno. */
function chooseAddress(mm: MemoryManager, addr: number, size: number, flags: number): number {
  const max = mm.layout.maxAddress;
  if ((flags & M.MAP_FIXED) !== 0) {
    if (addr > max - size) return -ENOMEM;
    if (!isPageAligned(addr)) return -EINVAL;
    if (addr < MIN_ADDRESS) return -EPERM;
    if ((flags & M.MAP_FIXED_NOREPLACE) !== 0 && mm.vmas.overlaps(addr, addr + size)) {
      return -EEXIST;
    }
    if (isSealed(mm, addr, addr + size)) return -EPERM;
    // DIFFERS: the platform's own pages look like memory that cannot be had.
    return isReserved(mm, addr, addr + size) ? -ENOMEM : addr;
  }
  if (addr > 0) {
    const hint = Math.max(pageUp(addr), MIN_ADDRESS);
    if (hint <= max - size && isUnmapped(mm, hint, size)) return hint;
  }
  const found = findUnmapped(mm, size, (flags & M.MAP_32BIT) !== 0);
  return found < 0 ? -ENOMEM : found;
}

/** Checks the type of the mapping: MAP_SHARED, MAP_PRIVATE or MAP_DROPPABLE, or -errno. */
function checkType(flags: number, backing: Backing | null, prot: number, maxProt: number): number {
  const type = flags & M.MAP_TYPE;
  if (backing === null) {
    if (type !== M.MAP_SHARED && type !== M.MAP_PRIVATE && type !== M.MAP_DROPPABLE) return -EINVAL;
    if (type !== M.MAP_PRIVATE && (flags & M.MAP_GROWSDOWN) !== 0) return -EINVAL;
    if (type === M.MAP_DROPPABLE && (flags & M.MAP_LOCKED) !== 0) return -EINVAL;
    return type;
  }
  if (type === M.MAP_SHARED_VALIDATE && (flags & ~KNOWN_FLAGS) !== 0) return -EOPNOTSUPP;
  if (type !== M.MAP_SHARED && type !== M.MAP_PRIVATE && type !== M.MAP_SHARED_VALIDATE) {
    return -EINVAL;
  }
  if ((prot & PROT_WRITE) !== 0 && (maxProt & PROT_WRITE) === 0) return -EACCES;
  if ((prot & PROT_EXEC) !== 0 && (maxProt & PROT_EXEC) === 0) return -EPERM;
  if ((flags & M.MAP_GROWSDOWN) !== 0) return -EINVAL;
  return type === M.MAP_PRIVATE ? M.MAP_PRIVATE : M.MAP_SHARED;
}

function areaFlags(mm: MemoryManager, flags: number, type: number): number {
  let vm = mm.futureFlags;
  if (type === M.MAP_SHARED) vm |= V.VM_SHARED;
  if (type === M.MAP_DROPPABLE) {
    vm &= ~(V.VM_LOCKED | V.VM_LOCKONFAULT);
    vm |= V.VM_DROPPABLE | V.VM_NORESERVE | V.VM_WIPEONFORK | V.VM_DONTDUMP;
  }
  if ((flags & M.MAP_GROWSDOWN) !== 0) vm |= V.VM_GROWSDOWN;
  if ((flags & M.MAP_NORESERVE) !== 0) vm |= V.VM_NORESERVE;
  if ((flags & M.MAP_LOCKED) !== 0) vm |= V.VM_LOCKED;
  return vm;
}

function mappedPages(mm: MemoryManager, start: number, end: number): number {
  let pages = 0;
  for (let i = mm.vmas.indexOf(start); i < mm.vmas.length && mm.vmas.at(i).start < end; i++) {
    const vma = mm.vmas.at(i);
    pages += (Math.min(vma.end, end) - Math.max(vma.start, start)) / PAGE_SIZE;
  }
  return pages;
}

/** Whether a mapping is larger than the machine, which Linux refuses too (OVERCOMMIT_GUESS). */
function isHopeless(mm: MemoryManager, size: number, prot: number, flags: number): boolean {
  return (prot & PROT_WRITE) !== 0 && (flags & (V.VM_SHARED | V.VM_NORESERVE)) === 0 &&
    size > mm.ctx.host.machineBytes;
}

/**
 * Inserts an area where nothing is mapped, and queues its mapping. `unmaps`: the host may still
 * have a mapping there. Frames that cannot be had now are allocated at the fault.
 */
function mapArea(
  mm: MemoryManager,
  vma: V.Vma,
  populate: boolean,
  unmaps: boolean,
): void {
  const { start, end } = vma, from = start / PAGE_SIZE, to = end / PAGE_SIZE;
  mm.vmas.insert(vma);
  mm.counters.charge(vma, to - from, 1);
  if (vma.backing === null) {
    const isEager = vma.prot !== PROT_NONE && end - start <= EAGER_BYTES &&
      (vma.flags & (V.VM_NORESERVE | V.VM_GROWSDOWN)) === 0;
    const isWhole = (isEager || populate) && populateAnonymous(mm, vma, from, to) === 0;
    if (unmaps && !isWhole) unmapHoles(mm, from, to);
  } else {
    mapBacking(mm, vma, unmaps);
    if (populate && !vma.isDirect) mapBackedRange(mm, vma, from, to);
  }
  mm.finishChange();
  mm.vmas.mergeAround(start, end);
}

function mapBacking(mm: MemoryManager, vma: V.Vma, unmaps: boolean): void {
  const backing = vma.backing!, { start, end } = vma;
  const copied = !vma.isShared && (vma.prot & PROT_WRITE) !== 0 && end - start <= COPY_BYTES
    ? Math.max(0, Math.min(end - start, pageUp(backing.size()) - vma.offset))
    : 0;
  const rest = start + copied;
  if (vma.isDirect) {
    if (rest < end) {
      const at = vma.offset + copied;
      mm.space.mapFile(rest, end - rest, backing.platformFile, at, vma.directProt);
    }
  } else if (unmaps && rest < end) {
    mm.space.unmap(rest, end - rest);
  }
  if (copied > 0 && copyIntoNew(mm, vma, start / PAGE_SIZE, rest / PAGE_SIZE) < 0) {
    // The copy is tried again at the first touch.
    if (vma.isDirect) {
      mm.space.mapFile(start, copied, backing.platformFile, vma.offset, vma.directProt);
    } else if (unmaps) {
      mm.space.unmap(start, copied);
    }
  }
  if (backing instanceof SharedAnon && vma.prot !== PROT_NONE) {
    mapBackedRange(mm, vma, start / PAGE_SIZE, end / PAGE_SIZE);
  }
  applyCachedPatches(mm, vma);
}

/** Unmaps the host's old mappings where [from, to) has no frames. */
function unmapHoles(mm: MemoryManager, from: number, to: number): void {
  for (let page = from; page < to;) {
    const i = mm.pages.indexOf(page);
    const next = i < mm.pages.length ? Math.min(to, mm.pages.start(i)) : to;
    if (page < next) mm.space.unmap(page * PAGE_SIZE, (next - page) * PAGE_SIZE);
    page = i < mm.pages.length ? mm.pages.end(i) : to;
  }
}
