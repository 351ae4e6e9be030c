/** What the seals of mseal(2) forbid. */

import { PROT_WRITE } from "../../platform/platform.ts";
import type { MemoryManager } from "./memory_manager.ts";
import { VM_SEALED, type Vma } from "./vma.ts";

/** Whether some of [start, end) may not be changed. */
export function isSealed(mm: MemoryManager, start: number, end: number): boolean {
  if (!mm.hasSeals) return false;
  for (let i = mm.vmas.indexOf(start); i < mm.vmas.length; i++) {
    const vma = mm.vmas.at(i);
    if (vma.start >= end) return false;
    if ((vma.flags & VM_SEALED) !== 0) return true;
  }
  return false;
}

/** What a program cannot write, it cannot throw away either. */
export function mayDiscard(vma: Vma): boolean {
  const isReadOnly = vma.isAnonymous && !vma.isShared && (vma.prot & PROT_WRITE) === 0;
  return (vma.flags & VM_SEALED) === 0 || !isReadOnly;
}
