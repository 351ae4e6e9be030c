/**
 * Whether a fault is for the userfaultfd(2) handler of its area (userfault/userfault.ts). fault.ts
 * and userfault/userfault_watch.ts call this.
 */

import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import { EFAULT } from "../../ffi/abi/errno.ts";
import { UFFD_PAGEFAULT_FLAG_MINOR, UFFD_PAGEFAULT_FLAG_WRITE } from "../../ffi/abi/userfaultfd.ts";
import type { MemoryManager } from "./memory_manager.ts";
import { pageUp } from "./region.ts";
import { VM_UFFD_MINOR, VM_UFFD_MISSING, type Vma } from "./vma.ts";

/** The result of a look for a page when the handler has to supply it. */
export const AWAITED = 2;

/**
 * A missing page of an area with a handler: AWAITED, 0 when the page is made as usual, -EFAULT
 * behind the end of the file.
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

/** Records the fault in `mm.ctx.awaited`, for the task that is going to wait. */
export function askHandler(mm: MemoryManager, vma: Vma, page: number, flags: number): number {
  const { awaited } = mm.ctx;
  awaited.handler = vma.userfault;
  awaited.page = page;
  awaited.address = page * PAGE_SIZE;
  awaited.flags = flags;
  return AWAITED;
}
