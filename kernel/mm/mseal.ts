/** mseal(2): areas that cannot be changed or taken away as long as the program runs. Neighbour: sealed.ts asks. */

import { EINVAL, ENOMEM } from "../../ffi/abi/errno.ts";
import type { MemoryManager } from "./memory_manager.ts";
import { isPageAligned, pageUp } from "./region.ts";
import { VM_SEALED } from "./vma.ts";

/** All or nothing: -ENOMEM, with nothing changed, if a page is not mapped. */
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
