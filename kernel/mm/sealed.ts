/**
 * The checks of areas that mseal(2) sealed. munmap, mprotect, mremap, madvise and mmap(MAP_FIXED)
 * call them; mseal.ts seals.
 */

import { PROT_WRITE } from "../../ffi/abi/mman.ts";
import type { MemoryManager } from "./memory_manager.ts";
import { VM_SEALED, type Vma } from "./vma.ts";

/** Whether a part of [start, end) is sealed. */
export function isSealed(mm: MemoryManager, start: number, end: number): boolean {
  if (!mm.hasSeals) return false;
  for (let i = mm.vmas.indexOf(start); i < mm.vmas.length; i++) {
    const vma = mm.vmas.at(i);
    if (vma.start >= end) return false;
    if ((vma.flags & VM_SEALED) !== 0) return true;
  }
  return false;
}

/**
 * Whether the contents of an area may be discarded: not when it is sealed private anonymous memory
 * that the program cannot write.
 */
export function mayDiscard(vma: Vma): boolean {
  const isReadOnly = vma.isAnonymous && !vma.isShared && (vma.prot & PROT_WRITE) === 0;
  return (vma.flags & VM_SEALED) === 0 || !isReadOnly;
}
