/** UFFDIO_MOVE: moves pages of private memory without a copy. */

import { PAGE_SIZE, PROT_WRITE } from "../../ffi/abi/mman.ts";
import { EBUSY, EEXIST, EFAULT, EINVAL, ENOENT } from "../../ffi/abi/errno.ts";
import type { MemoryManager } from "../mm/memory_manager.ts";
import { dropPages, mapFrames } from "../mm/region.ts";
import { isTouched } from "../mm/touched.ts";
import type { Userfault } from "./userfault.ts";
import { clearWay } from "./userfault_pages.ts";
import { VM_LOCKED, VM_SPECIAL, type Vma } from "../mm/vma.ts";

/** The area into which `len` bytes may move from `src` to `dst`, or -errno. */
export function movableArea(
  handler: Userfault,
  dst: number,
  src: number,
  len: number,
): Vma | number {
  const { mm } = handler, to = mm.vmas.find(dst), from = mm.vmas.find(src);
  if (to === null || from === null) return -ENOENT;
  if (from.isShared || src + len > from.end || to.isShared || dst + len > to.end) return -EINVAL;
  if (from.prot !== to.prot || (from.prot & PROT_WRITE) === 0) return -EINVAL;
  if (((from.flags ^ to.flags) & VM_LOCKED) !== 0) return -EINVAL;
  if (((from.flags | to.flags) & VM_SPECIAL) !== 0 || to.userfault !== handler) return -EINVAL;
  return from.isAnonymous && to.isAnonymous ? to : -EINVAL;
}

/**
 * Moves one page. 0; -EEXIST; -ENOENT for a missing page, unless holes are allowed; -EBUSY when
 * another process shares it; -EFAULT when it is poisoned, or watched and absent. The caller
 * settles.
 */
export function movePage(
  mm: MemoryManager,
  vma: Vma,
  dst: number,
  src: number,
  mayBeHole: boolean,
): number {
  const { frames } = mm.ctx;
  if (!clearWay(mm, dst)) return -EEXIST;
  if (mm.pages.isMarked(src)) return -EFAULT;
  const i = mm.pages.present(src);
  const frame = i < 0 ? -1 : mm.pages.frame(i) + src - mm.pages.start(i);
  if (frame < 0 || !isTouched(mm.ctx, frame)) return mayBeHole ? 0 : -ENOENT;
  if (frames.refs(frame * PAGE_SIZE) !== 1) return -EBUSY;
  frames.retain(frame * PAGE_SIZE, 1);
  dropPages(mm, src, src + 1);
  mm.space.unmap(src * PAGE_SIZE, PAGE_SIZE);
  mapFrames(mm, dst, 1, frame, 0, vma.prot);
  return 0;
}
