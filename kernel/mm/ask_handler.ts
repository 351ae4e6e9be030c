/**
 * What a look for a page finds out about the area's handler (userfault/userfault.ts): whether it
 * has to be asked.
 */

import { EFAULT } from "../../ffi/abi/errno.ts";
import { UFFD_PAGEFAULT_FLAG_MINOR, UFFD_PAGEFAULT_FLAG_WRITE } from "../../ffi/abi/userfaultfd.ts";
import { PAGE_SIZE } from "./frames.ts";
import type { MemoryManager } from "./memory_manager.ts";
import { pageUp } from "./region.ts";
import { VM_UFFD_MINOR, VM_UFFD_MISSING, type Vma } from "./vma.ts";

/** What a look for a page gives when its handler has to be asked. */
export const AWAITED = 2;

/**
 * A page that is not there, in an area with a handler: AWAITED, 0 when it is made as usual, -EFAULT
 * behind the end.
 */
export function askForMissing(
  mm: MemoryManager,
  vma: Vma,
  page: number,
  isWrite: boolean,
): number {
  const { backing, flags } = vma, write = isWrite ? UFFD_PAGEFAULT_FLAG_WRITE : 0;
  if (backing !== null) {
    const offset = page * PAGE_SIZE - vma.start + vma.offset;
    if (offset >= pageUp(backing.size())) return -EFAULT;
    if (backing.has(offset)) {
      if ((flags & VM_UFFD_MINOR) === 0) return 0;
      return askHandler(mm, vma, page, write | UFFD_PAGEFAULT_FLAG_MINOR);
    }
  }
  return (flags & VM_UFFD_MISSING) === 0 ? 0 : askHandler(mm, vma, page, write);
}

/** Note the fault for whoever is going to wait. */
export function askHandler(mm: MemoryManager, vma: Vma, page: number, flags: number): number {
  const { awaited } = mm.ctx;
  awaited.handler = vma.userfault;
  awaited.page = page;
  awaited.address = page * PAGE_SIZE;
  awaited.flags = flags;
  return AWAITED;
}
