/**
 * PR_SET_VMA_ANON_NAME of prctl(2): names that a program gives to its anonymous memory, for
 * /proc/PID/maps. syscalls/process/prctl_vma.ts calls this.
 */

import { EAGAIN, EBADF, EINVAL, ENOMEM } from "../../ffi/abi/errno.ts";
import type { MemoryManager } from "./memory_manager.ts";
import { isPageAligned, pageUp } from "./region.ts";
import { SharedAnon } from "./shared_anon.ts";
import type { Vma } from "./vma.ts";

/**
 * Names the areas in [addr, addr + len); "" removes the name. Unmapped parts are skipped, and make
 * the result -ENOMEM.
 */
export function nameAreas(mm: MemoryManager, addr: number, len: number, name: string): number {
  const end = addr + pageUp(len);
  if (!isPageAligned(addr) || end >= 2 ** 64) return -EINVAL;
  let at = addr, result = 0;
  for (let i = mm.vmas.indexOf(addr); at < end; i++) {
    if (i === mm.vmas.length || mm.vmas.at(i).start > at) result = -ENOMEM;
    if (i === mm.vmas.length || mm.vmas.at(i).start >= end) break;
    if (!mayHaveName(mm.vmas.at(i))) {
      result = -EBADF;
      break;
    }
    if (!mm.vmas.hasRoom(3)) {
      result = -EAGAIN;
      break;
    }
    i = mm.vmas.splitAt(Math.max(at, mm.vmas.at(i).start));
    mm.vmas.splitAt(end);
    mm.vmas.at(i).name = name;
    at = mm.vmas.at(i).end;
  }
  mm.vmas.mergeAround(addr, end);
  return result;
}

function mayHaveName(vma: Vma): boolean {
  return vma.backing === null || vma.backing instanceof SharedAnon && vma.backing.isUnnamed;
}
