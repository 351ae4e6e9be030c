/**
 * move_pages(2) on a machine with one node: reports the node of each page; a page can only move to
 * its present node.
 */

import { PAGE_SIZE } from "../../../ffi/abi/mman.ts";
import { CAP_SYS_NICE } from "../../../ffi/abi/capability.ts";
import { EFAULT, EINVAL, ENODEV, ENOENT, EPERM, ESRCH } from "../../../ffi/abi/errno.ts";
import { MPOL_MF_MOVE, MPOL_MF_MOVE_ALL } from "../../../ffi/abi/system.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { hasCap } from "../../cred/credentials.ts";
import type { MemoryManager } from "../../mm/memory_manager.ts";
import { isTouched } from "../../mm/touched.ts";
import type { Task } from "../../task/task.ts";
import { mayAccessByReal } from "../../ptrace/access.ts";

/** LIMIT: pages that one turn of the loop checks. */
const TURN_PAGES = 4096;

export function sysMovePages(t: Task, a: SyscallArgs): number {
  const pid = a.i32(0), count = a.u64(1), pages = a.u64(2), nodes = a.u64(3), status = a.u64(4);
  const flags = a.u32(5), { progress } = t;
  if ((flags & ~(MPOL_MF_MOVE | MPOL_MF_MOVE_ALL)) !== 0) return -EINVAL;
  if ((flags & MPOL_MF_MOVE_ALL) !== 0 && !hasCap(t.cred, CAP_SYS_NICE)) return -EPERM;
  const target = pid === 0 ? t : t.pids.tasks.get(pid);
  if (target === undefined) return -ESRCH;
  if (target !== t && !mayAccessByReal(t, target)) return -EPERM;
  const turn = Math.min(count, progress.done + TURN_PAGES);
  for (; progress.done < turn; progress.done++) {
    const i = progress.done, addr = t.mm.load64(pages + 8 * i);
    if (addr < 0) return -EFAULT;
    if (nodes !== 0) {
      const node = t.mm.load32(nodes + 4 * i);
      if (node !== 0) return node < 0 ? -EFAULT : -ENODEV;
    }
    if (t.mm.store32(status + 4 * i, nodeOf(target.mm, addr)) < 0) return -EFAULT;
  }
  return progress.done < count ? t.yieldTurn() : 0;
}

/**
 * The node of the page at `addr`: -EFAULT without an area, -ENOENT where no page was ever touched.
 */
function nodeOf(mm: MemoryManager, addr: number): number {
  const vma = mm.vmas.find(addr), page = Math.floor(addr / PAGE_SIZE);
  if (vma === null) return -EFAULT;
  if (vma.isDirect) return 0;
  const i = mm.pages.present(page);
  if (i >= 0 && isTouched(mm.ctx, mm.pages.frame(i) + page - mm.pages.start(i))) return 0;
  return -ENOENT;
}
