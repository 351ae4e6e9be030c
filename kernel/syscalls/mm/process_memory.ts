/** process_madvise(2), process_mrelease(2): memory of the process of a pidfd. */

import { CAP_SYS_NICE } from "../../../ffi/abi/capability.ts";
import { EACCES, EBADF, EINVAL, EPERM, ESRCH } from "../../../ffi/abi/errno.ts";
import { MADV_COLD, MADV_COLLAPSE, MADV_PAGEOUT, MADV_WILLNEED } from "../../../ffi/abi/mman.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { hasCap } from "../../cred/credentials.ts";
import { PidFd } from "../../task/pidfd.ts";
import { BLOCK } from "../../core/result.ts";
import { adviseEnd } from "../../mm/madvise.ts";
import type { MemoryManager } from "../../mm/memory_manager.ts";
import type { Task } from "../../task/task.ts";
import { mayReadMemory } from "../../ptrace/access.ts";
import { Segments } from "./process_vm.ts";
import { adviseSlices, RangeWork, rangeWork } from "./ranges.ts";

/** Advice permitted for another process: it changes no contents. */
const HARMLESS: readonly number[] = [MADV_COLD, MADV_PAGEOUT, MADV_WILLNEED, MADV_COLLAPSE];

/** LIMIT: ranges advised in one turn. */
const TURN_RANGES = 64;

/** A thread of the process that still has its memory, or -errno. */
function targetOf(t: Task, fd: number): Task | number {
  const pidfd = t.files.get(fd);
  if (!(pidfd instanceof PidFd)) return -EBADF;
  const target = pidfd.thread ?? pidfd.group.leader;
  return target === null || pidfd.group.isZombie ? -ESRCH : target;
}

/** process_madvise(2): the number of bytes advised before the first error. */
export function sysProcessMadvise(t: Task, a: SyscallArgs): number {
  if (a.u32(4) !== 0) return -EINVAL;
  const ranges = new Segments();
  const r = ranges.load(t.mm, a.u64(1), a.u64(2));
  if (r < 0) return r;
  const target = targetOf(t, a.i32(0));
  if (typeof target === "number") return target;
  const advice = a.i32(3);
  if (!HARMLESS.includes(advice)) return -EINVAL;
  if (!mayReadMemory(t, target)) return -EACCES;
  if (!hasCap(t.cred, CAP_SYS_NICE)) return -EPERM;
  return adviseAll(t, target.mm, ranges, advice);
}

/** Advises ranges; `progress.value` ranges, of `progress.done` bytes, are done. */
function adviseAll(t: Task, mm: MemoryManager, ranges: Segments, advice: number): number {
  const { progress } = t;
  for (let k = 0; progress.value < ranges.addr.length; k++) {
    if (k === TURN_RANGES) return t.yieldTurn() === BLOCK ? BLOCK : progress.done;
    const start = ranges.addr[progress.value]!, len = ranges.len[progress.value]!;
    const end = adviseEnd(mm, start, len, advice);
    const work = rangeWork(t) ?? new RangeWork(start, end);
    const r = end < 0 ? end : adviseSlices(t, mm, work, advice);
    if (r === BLOCK) return r;
    if (r < 0) return progress.done === 0 ? r : progress.done;
    progress.object = null;
    progress.done += len;
    progress.value++;
  }
  return progress.done;
}

/**
 * process_mrelease(2): the memory of a dying process is released as it dies, so this call has no
 * effect.
 */
export function sysProcessMrelease(t: Task, a: SyscallArgs): number {
  if (a.u32(1) !== 0) return -EINVAL;
  const target = targetOf(t, a.i32(0));
  if (typeof target === "number") return target;
  return target.group.isExiting || target.exitRequested ? 0 : -EINVAL;
}
