/** msync(2) and mincore(2). */

import { EBUSY, EFAULT, EINVAL, ENOMEM } from "../../ffi/abi/errno.ts";
import { MS_ASYNC, MS_INVALIDATE, MS_SYNC } from "../../ffi/abi/mman.ts";
import { PAGE_SIZE } from "./frames.ts";
import type { MemoryManager } from "./memory_manager.ts";
import { isPageAligned, pageUp } from "./region.ts";
import { nextTouched, nextUntouched } from "./touched.ts";
import { VM_LOCKED } from "./vma.ts";

/** Shared mappings and file calls use the same pages: only MS_SYNC has something to do, once for each area. */
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
    if ((flags & MS_SYNC) !== 0 && vma.isShared) {
      const r = vma.backing!.sync();
      if (r < 0) return r;
    }
    at = vma.end;
  }
  return hasHole ? -ENOMEM : 0;
}

const vector = new Uint8Array(4096);

/** Private and shared pages are resident once something touched them; pages of host files always. */
export function mincore(mm: MemoryManager, addr: number, len: number, vec: number): number {
  if (!isPageAligned(addr)) return -EINVAL;
  const size = pageUp(len), max = mm.layout.maxAddress;
  if (addr + size > max) return -ENOMEM;
  if (vec + size / PAGE_SIZE > max) return -EFAULT;
  const from = addr / PAGE_SIZE, to = from + size / PAGE_SIZE;
  for (let page = from; page < to;) {
    const vma = mm.vmas.find(page * PAGE_SIZE);
    if (vma === null) return -ENOMEM;
    const n = Math.min(to, vma.end / PAGE_SIZE, page + vector.length) - page;
    vector.fill(vma.isDirect ? 1 : 0, 0, n);
    fillVector(mm, page, page + n);
    if (mm.copyOut(vec + page - from, vector, 0, n) < 0) return -EFAULT;
    page += n;
  }
  return 0;
}

/** Answer for the pages in [from, to) that have frames. */
function fillVector(mm: MemoryManager, from: number, to: number): void {
  const map = mm.pages, { ctx } = mm;
  for (let i = map.indexOf(from); i < map.length && map.start(i) < to; i++) {
    if (map.frame(i) < 0) continue;
    const a = Math.max(from, map.start(i)), n = Math.min(to, map.end(i)) - a;
    const first = map.frame(i) + a - map.start(i), end = first + n;
    for (let at = nextTouched(ctx, first, end); at < end; at = nextTouched(ctx, at, end)) {
      const next = nextUntouched(ctx, at, end);
      vector.fill(1, a - from + at - first, a - from + next - first);
      at = next;
    }
  }
}
