/**
 * mseal(2): marks areas that can neither be changed nor removed while the program runs. sealed.ts
 * has the checks.
 */

import { EINVAL, ENOMEM } from "../../ffi/abi/errno.ts";
import type { MemoryManager } from "./memory_manager.ts";
import { isPageAligned, pageUp } from "./region.ts";
import { VM_SEALED } from "./vma.ts";

/** Seals all areas of the range, or none: -ENOMEM if a page is not mapped. */
export function mseal(mm: MemoryManager, addr: number, len: number): number {
  const end = addr + pageUp(len);
  if (!isPageAligned(addr) || end > 2 ** 64) return -EINVAL;
  if (end === addr) return 0;
  for (let at = addr; at < end;) {
    const vma = mm.vmas.find(at);
    if (vma === null) return -ENOMEM;
    at = vma.end;
  }
  if (!mm.vmas.maySplit(addr, end)) return -ENOMEM;
  const first = mm.vmas.splitAt(addr), last = mm.vmas.splitAt(end);
  for (let i = first; i < last; i++) mm.vmas.at(i).flags |= VM_SEALED;
  mm.hasSeals = true;
  mm.vmas.mergeAround(addr, end);
  return 0;
}
