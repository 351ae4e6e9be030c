/** msync(2) and mincore(2). */

import { EBUSY, EFAULT, EINVAL, ENOMEM } from "../../ffi/abi/errno.ts";
import { MS_ASYNC, MS_INVALIDATE, MS_SYNC } from "../../ffi/abi/mman.ts";
import { PAGE_SIZE } from "./frames.ts";
import type { MemoryManager } from "./memory_manager.ts";
import { isPageAligned, pageUp } from "./region.ts";
import { VM_LOCKED } from "./vma.ts";

/**
 * Only the checks: shared mappings and file calls use the same pages, so there is nothing to write back. The system
 * call layer calls fsync of the files for MS_SYNC, if it wants them on disk.
 */
export function msync(mm: MemoryManager, addr: number, len: number, flags: number): number {
  if ((flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) !== 0 || !isPageAligned(addr)) return -EINVAL;
  if ((flags & MS_ASYNC) !== 0 && (flags & MS_SYNC) !== 0) return -EINVAL;
  const end = addr + pageUp(len);
  if (end > mm.layout.maxAddress) return -ENOMEM;
  let at = addr, hasHole = false;
  while (at < end) {
    const i = mm.vmas.indexOf(at);
    if (i === mm.vmas.length) return -ENOMEM;
    const vma = mm.vmas.at(i);
    if (vma.start > at) hasHole = true;
    if (vma.start >= end) break;
    if ((flags & MS_INVALIDATE) !== 0 && (vma.flags & VM_LOCKED) !== 0) return -EBUSY;
    at = vma.end;
  }
  return hasHole ? -ENOMEM : 0;
}

const vector = new Uint8Array(4096);

/** Pages that have a frame or are mapped from a file count as resident. */
export function mincore(mm: MemoryManager, addr: number, len: number, vec: number): number {
  if (!isPageAligned(addr)) return -EINVAL;
  const size = pageUp(len), max = mm.layout.maxAddress;
  if (addr + size > max) return -ENOMEM;
  if (vec + size / PAGE_SIZE > max) return -EFAULT;
  const from = addr / PAGE_SIZE, to = from + size / PAGE_SIZE;
  for (let page = from; page < to;) {
    const n = Math.min(to - page, vector.length);
    for (let k = 0; k < n; k++) {
      const vma = mm.vmas.find((page + k) * PAGE_SIZE);
      if (vma === null) return -ENOMEM;
      vector[k] = vma.isDirect || mm.pages.present(page + k) >= 0 ? 1 : 0;
    }
    if (mm.copyOut(vec + page - from, vector, 0, n) < 0) return -EFAULT;
    page += n;
  }
  return 0;
}
