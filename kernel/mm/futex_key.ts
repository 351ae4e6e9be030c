/**
 * The identity of a futex word (futex(2)): a word in private memory is identified by its process
 * and address, a word in a shared mapping by the file and the offset, at whatever addresses
 * processes map it. kernel/futex calls this.
 */

import { EFAULT, EINVAL } from "../../ffi/abi/errno.ts";
import { PROT_READ, PROT_WRITE } from "../../ffi/abi/mman.ts";
import type { MemoryManager } from "./memory_manager.ts";

/** The identity of a word: `owner` is a MemoryManager, or the inode of a shared mapping. */
export interface SharedWord {
  readonly owner: object | null;
  readonly offset: number;
}

export class FutexKey implements SharedWord {
  owner: object | null = null;
  offset: number = 0;
}

/**
 * Fills `mm.key`: 0, -EINVAL when the word is not aligned, -EFAULT when a shared one is not mapped.
 * HOT
 */
export function futexKey(mm: MemoryManager, addr: number, isPrivate: boolean): number {
  if ((addr & 3) !== 0) return -EINVAL;
  if (addr >= mm.layout.maxAddress) return -EFAULT;
  const key = mm.key;
  key.owner = mm;
  key.offset = addr;
  if (isPrivate) return 0;
  const vma = mm.vmas.find(addr);
  if (vma === null || vma.isSecret) return -EFAULT;
  // Private memory that cannot be written has no futex (get_futex_key).
  const isAnonymous = vma.backing === null;
  if ((vma.prot & (isAnonymous ? PROT_WRITE : PROT_READ | PROT_WRITE)) === 0) return -EFAULT;
  if (vma.isShared) {
    key.owner = vma.backing!.inode;
    key.offset = addr - vma.start + vma.offset;
  }
  return 0;
}
