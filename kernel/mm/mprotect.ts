/**
 * mprotect(2): areas are split and merged as in Linux; the host gets one change for each run of
 * equal protection.
 */

import { EACCES, EINVAL, ENOMEM, EPERM } from "../../ffi/abi/errno.ts";
import {
  PAGE_SIZE,
  PROT_EXEC,
  PROT_GROWSDOWN,
  PROT_GROWSUP,
  PROT_SEM,
  PROT_WRITE,
} from "../../ffi/abi/mman.ts";
import { isData } from "./accounting.ts";
import type { MemoryManager } from "./memory_manager.ts";
import { PAGE_COW } from "./pages.ts";
import { unpatchPages } from "./patch.ts";
import { isPageAligned, pageUp } from "./region.ts";
import { hasTouched } from "./touched.ts";
import {
  accountableFlags,
  PROT_MASK,
  readOnlyProt,
  VM_ACCOUNT,
  VM_GROWSDOWN,
  VM_SEALED,
  type Vma,
} from "./vma.ts";

/** mprotect(2): 0 or -errno. */
export function mprotect(mm: MemoryManager, addr: number, len: number, prot: number): number {
  const start = protectStart(mm, addr, len, prot);
  if (start < 0 || len === 0) return Math.min(0, start);
  return protectRange(mm, start, addr + pageUp(len), prot & PROT_MASK, new ProtectState());
}

/** The start of the change of mprotect(2), or -errno; a length of 0 is no error. */
export function protectStart(mm: MemoryManager, addr: number, len: number, prot: number): number {
  const grows = prot & (PROT_GROWSDOWN | PROT_GROWSUP);
  if (grows === (PROT_GROWSDOWN | PROT_GROWSUP) || !isPageAligned(addr)) return -EINVAL;
  if (len === 0) return addr;
  const end = addr + pageUp(len);
  if (end > mm.layout.maxAddress) return -ENOMEM;
  if ((prot & ~(PROT_MASK | PROT_SEM | PROT_GROWSDOWN | PROT_GROWSUP)) !== 0) return -EINVAL;
  const i = mm.vmas.indexOf(addr);
  if (i === mm.vmas.length) return -ENOMEM;
  let start = addr;
  const first = mm.vmas.at(i);
  if (grows === PROT_GROWSDOWN) {
    if (first.start >= end) return -ENOMEM;
    if ((first.flags & VM_GROWSDOWN) === 0) return -EINVAL;
    start = first.start;
  } else {
    if (first.start > addr) return -ENOMEM;
    if (grows === PROT_GROWSUP) return -EINVAL;
  }
  return start;
}

/** The state that one slice of a change passes to the next. */
export class ProtectState {
  /**
   * The end of the area that a slice has begun to change; `isFreed`: its parts do not count as
   * committed any more.
   */
  areaEnd: number = 0;
  isFreed: boolean = false;
}

/** Changes [start, end), which may be a part of an area: 0 or -errno. */
export function protectRange(
  mm: MemoryManager,
  start: number,
  end: number,
  prot: number,
  state: ProtectState,
): number {
  const error = changeRange(mm, start, end, prot, state);
  mm.finishChange();
  mm.vmas.mergeAround(start, end);
  return error;
}

/** Changes the areas in order; those before one that fails stay changed. */
function changeRange(
  mm: MemoryManager,
  start: number,
  end: number,
  prot: number,
  state: ProtectState,
): number {
  for (let at = start; at < end;) {
    const vma = mm.vmas.find(at);
    if (vma === null) return -ENOMEM;
    if ((prot & ~vma.maxProt) !== 0) return -EACCES;
    if ((vma.flags & VM_SEALED) !== 0) return -EPERM;
    if (mm.writeOrExec !== 0 && gainsExec(vma.prot, prot)) return -EACCES;
    const to = Math.min(end, vma.end);
    if (vma.prot !== prot) {
      if (at >= state.areaEnd) {
        state.isFreed = isUnused(mm, vma, prot);
        state.areaEnd = vma.end;
      }
      const pages = (to - at) / PAGE_SIZE;
      if (isData(vma.flags, prot) && !isData(vma.flags, vma.prot)) {
        if ((mm.counters.data + pages) * PAGE_SIZE > mm.limits.data) return -ENOMEM;
      }
      if (!mm.vmas.maySplit(at, to)) return -ENOMEM;
      mm.vmas.splitAt(to);
      const part = mm.vmas.at(mm.vmas.splitAt(at));
      if (state.isFreed) part.flags &= ~VM_ACCOUNT;
      changeArea(mm, part, prot);
    }
    at = to;
  }
  return 0;
}

/**
 * Whether PR_SET_MDWE refuses a protection: executable and writable, or executable where it was not
 * before.
 */
export function gainsExec(old: number, prot: number): boolean {
  if ((prot & PROT_EXEC) === 0) return false;
  return (prot & PROT_WRITE) !== 0 || (old & PROT_EXEC) === 0;
}

/**
 * Whether an area is untouched and loses PROT_WRITE: then it does not count as committed any more.
 */
function isUnused(mm: MemoryManager, vma: Vma, prot: number): boolean {
  if ((prot & PROT_WRITE) !== 0 || (vma.flags & VM_ACCOUNT) === 0) return false;
  return vma.isAnonymous && !hasTouched(mm, vma.start / PAGE_SIZE, vma.end / PAGE_SIZE);
}

function changeArea(mm: MemoryManager, vma: Vma, prot: number): void {
  const from = vma.start / PAGE_SIZE, to = vma.end / PAGE_SIZE, old = vma.prot;
  mm.counters.charge(vma, to - from, -1);
  if ((prot & PROT_WRITE) !== 0) unpatchPages(mm, from, to);
  vma.prot = prot;
  vma.flags = accountableFlags(vma.flags, prot);
  mm.counters.charge(vma, to - from, 1);
  applyProtection(mm, vma, from, to, old);
}

/**
 * Changes the host's protection of the mapped pages in [from, to) from that of `old` to the area's.
 */
function applyProtection(
  mm: MemoryManager,
  vma: Vma,
  from: number,
  to: number,
  old: number,
): void {
  const map = mm.pages, isDirect = vma.isDirect;
  const direct = isDirect && directOf(vma, old) !== vma.directProt ? vma.directProt : -1;
  const own = old !== vma.prot ? vma.prot : -1;
  const cow = readOnlyProt(old) !== vma.sharedProt ? vma.sharedProt : -1;
  let runStart = from, runProt = -1;
  for (let page = from, i = map.indexOf(from); page < to;) {
    let next = to, prot = direct;
    if (i < map.length && map.start(i) <= page) {
      next = Math.min(to, map.end(i));
      if (map.frame(i) >= 0) prot = (map.flags(i) & PAGE_COW) !== 0 ? cow : own;
      i++;
    } else if (i < map.length) {
      next = Math.min(to, map.start(i));
    }
    if (prot !== runProt) {
      protectRun(mm, runStart, page, runProt);
      runStart = page;
      runProt = prot;
    }
    page = next;
  }
  protectRun(mm, runStart, to, runProt);
}

function directOf(vma: Vma, prot: number): number {
  return vma.isShared ? prot : readOnlyProt(prot);
}

function protectRun(mm: MemoryManager, from: number, to: number, prot: number): void {
  if (prot < 0 || from >= to) return;
  mm.space.protect(from * PAGE_SIZE, (to - from) * PAGE_SIZE, prot);
}
