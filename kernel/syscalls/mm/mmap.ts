/**
 * mmap(2) and the calls that change areas: munmap, mprotect, mremap, brk, remap_file_pages, pkeys.
 * Decodes arguments; kernel/mm does the work.
 */

import {
  EACCES,
  EBADF,
  EINVAL,
  ENOMEM,
  ENOSPC,
  EOPNOTSUPP,
  EOVERFLOW,
  EPERM,
} from "../../../ffi/abi/errno.ts";
import {
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_HUGETLB,
  MAP_LOCKED,
  MAP_NONBLOCK,
  MAP_POPULATE,
  MAP_PRIVATE,
  MAP_SHARED,
  MAP_SHARED_VALIDATE,
  MAP_SYNC,
  MAP_TYPE,
  PAGE_SIZE,
  PROT_EXEC,
  PROT_READ,
  PROT_WRITE,
} from "../../../ffi/abi/mman.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { checkUnmap, pageUp, unmapEnd } from "../../mm/region.ts";
import { protectStart } from "../../mm/mprotect.ts";
import { IN_SLICES, isOneSlice } from "../../mm/slices.ts";
import { VM_LOCKED, VM_SHARED } from "../../mm/vma.ts";
import { awaitChange } from "../../task/await_change.ts";
import type { Task } from "../../task/task.ts";
import { isNoExec } from "../../vfs/access.ts";
import { touchFileAtime } from "../../vfs/atime.ts";
import type { OpenFile } from "../../vfs/open_file.ts";
import { fillSlices, protectSlices, RangeWork, rangeWork, unmapSlices } from "./ranges.ts";

const RWX = PROT_READ | PROT_WRITE | PROT_EXEC;
/** Flags that MAP_SHARED_VALIDATE refuses for files without MAP_SYNC (mman-common.h). */
const LEGACY_FLAGS = 0x3ffff | 0x40000 | 0x100000 | 0x4000000 | 0x7c000000;
const PERSONALITY_READ_IMPLIES_EXEC = 0x0400000;
/**
 * LIMIT: file offsets and lengths are below 2^63; beyond 2^53 nothing is exact, and no file is that
 * long.
 */
const MAX_OFFSET = Number.MAX_SAFE_INTEGER;

/**
 * Steps of an mmap(2) that takes several turns: clears the place of a fixed mapping, then fills its
 * pages.
 */
const CLEARING = 1, FILLING = 2;

/**
 * LIMIT: bytes of a new mapping that are filled (MAP_POPULATE, MAP_LOCKED); other pages are
 * allocated at their first touch.
 */
const FILLED_BYTES = 16 << 20;

/** mmap(2). HOT */
export function sysMmap(t: Task, a: SyscallArgs): number {
  if ((a.words[10]! & 4095) !== 0) return -EINVAL;
  if (t.mm.changes.owner !== null || t.progress.step !== 0) return mapLater(t, a);
  return finishMapping(t, a, mapMemory(t, a));
}

/** Maps after a wait, or continues a mapping of several turns. */
function mapLater(t: Task, a: SyscallArgs): number {
  const wait = awaitChange(t), work = rangeWork(t);
  if (wait !== 0) return wait;
  if (work !== null && t.progress.step === FILLING) return fillSlices(t, work);
  const r = work !== null && work.next < work.end ? unmapSlices(t, work) : 0;
  return r !== 0 ? r : finishMapping(t, a, mapMemory(t, a));
}

/** The mapping is made, with result `r`. HOT */
function finishMapping(t: Task, a: SyscallArgs, r: number): number {
  const flags = a.i32(3);
  if (r === IN_SLICES) return clearPlace(t, a);
  if (r < 0 || (flags & (MAP_POPULATE | MAP_LOCKED)) === 0 && t.mm.futureFlags === 0) return r;
  const vma = t.mm.vmas.find(r);
  const isLocked = vma !== null && (vma.flags & VM_LOCKED) !== 0 && !vma.isSecret;
  if (vma === null || vma.prot === 0 || !isLocked && (flags & MAP_POPULATE) === 0) return r;
  t.progress.step = FILLING;
  return fillSlices(t, new RangeWork(r, r + Math.min(FILLED_BYTES, pageUp(a.u64(1)))));
}

/** Clears the place of a fixed mapping in several turns. */
function clearPlace(t: Task, a: SyscallArgs): number {
  const start = a.u64(0);
  t.progress.step = CLEARING;
  const r = unmapSlices(t, new RangeWork(start, start + pageUp(a.u64(1))));
  return r !== 0 ? r : finishMapping(t, a, mapMemory(t, a));
}

function mapMemory(t: Task, a: SyscallArgs): number {
  const flags = a.i32(3), addr = a.u64(0), len = a.u64(1);
  let prot = a.i32(2) & RWX;
  if ((flags & MAP_ANONYMOUS) === 0) {
    const file = t.files.get(a.i32(4));
    return file === null ? -EBADF : mapFile(t, file, addr, len, prot, flags, a.u64(5));
  }
  // The machine has no huge pages, as a host with nr_hugepages 0.
  if ((flags & MAP_HUGETLB) !== 0) return -ENOMEM;
  if ((prot & PROT_READ) !== 0 && (t.personality & PERSONALITY_READ_IMPLIES_EXEC) !== 0) {
    prot |= PROT_EXEC;
  }
  return t.mm.mmap(addr, len, prot, flags, null, a.u64(5), RWX, true);
}

/** The part of mmap(2) for files: access mode and noexec mounts, in the order of do_mmap. */
function mapFile(
  t: Task,
  file: OpenFile,
  addr: number,
  len: number,
  prot: number,
  flags: number,
  offset: number,
): number {
  if ((flags & MAP_HUGETLB) !== 0) return -EINVAL;
  if (len === 0) return -EINVAL;
  if (len > t.mm.layout.maxAddress) return -ENOMEM;
  if (offset + len > MAX_OFFSET) return -EOVERFLOW;
  const noexec = file.path !== null && isNoExec(file.path.mount);
  if (
    (prot & PROT_READ) !== 0 && !noexec && (t.personality & PERSONALITY_READ_IMPLIES_EXEC) !== 0
  ) prot |= PROT_EXEC;
  const type = flags & MAP_TYPE;
  const shared = type === MAP_SHARED || type === MAP_SHARED_VALIDATE;
  if (!shared && type !== MAP_PRIVATE) return -EINVAL;
  if (type === MAP_SHARED_VALIDATE && (flags & (MAP_SYNC | ~LEGACY_FLAGS)) !== 0) {
    return -EOPNOTSUPP;
  }
  let maxProt = RWX;
  if (shared && !file.canWrite) {
    if ((prot & PROT_WRITE) !== 0) return -EACCES;
    maxProt &= ~PROT_WRITE;
  }
  if (!file.canRead) return -EACCES;
  if (noexec) {
    if ((prot & PROT_EXEC) !== 0) return -EPERM;
    maxProt &= ~PROT_EXEC;
  }
  const backing = file.mmap(shared && (prot & PROT_WRITE) !== 0, shared, offset);
  if (typeof backing === "number") return backing;
  if (shared && backing.isWriteSealed) maxProt &= ~PROT_WRITE;
  const r = t.mm.mmap(addr, len, prot, flags, backing, offset, maxProt, true);
  if (r >= 0) touchFileAtime(file);
  return r;
}

/** munmap(2). HOT */
export function sysMunmap(t: Task, a: SyscallArgs): number {
  const { mm } = t, start = a.u64(0), len = a.u64(1);
  if (mm.changes.owner === null && isOneSlice(mm, start, start + len)) {
    return mm.munmap(start, len);
  }
  const wait = awaitChange(t);
  if (wait !== 0) return wait;
  let work = rangeWork(t);
  if (work === null) {
    const end = unmapEnd(mm, start, len), r = end < 0 ? end : checkUnmap(mm, start, end);
    if (r < 0) return r;
    work = new RangeWork(start, end);
  }
  return unmapSlices(t, work);
}

/** mprotect(2). HOT */
export function sysMprotect(t: Task, a: SyscallArgs): number {
  return protect(t, a.u64(0), a.u64(1), a.i32(2));
}

/** pkey_mprotect(2): there are no protection keys, so only -1 ("none") is valid. */
export function sysPkeyMprotect(t: Task, a: SyscallArgs): number {
  if (a.i32(3) !== -1) return -EINVAL;
  return protect(t, a.u64(0), a.u64(1), a.i32(2));
}

function protect(t: Task, addr: number, len: number, prot: number): number {
  const implied = (prot & PROT_READ) !== 0 &&
    (t.personality & PERSONALITY_READ_IMPLIES_EXEC) !== 0;
  if (implied) prot |= PROT_EXEC;
  const { mm } = t;
  if (mm.changes.owner === null && isOneSlice(mm, addr, addr + len)) {
    return mm.mprotect(addr, len, prot);
  }
  const wait = awaitChange(t);
  if (wait !== 0) return wait;
  let work = rangeWork(t);
  if (work === null) {
    const start = protectStart(mm, addr, len, prot);
    if (start < 0 || len === 0) return Math.min(0, start);
    work = new RangeWork(start, addr + pageUp(len));
  }
  return protectSlices(t, work, prot & RWX);
}

/** mremap(2). */
export function sysMremap(t: Task, a: SyscallArgs): number {
  const wait = awaitChange(t);
  if (wait !== 0) return wait;
  const from = a.u64(0), to = t.mm.mremap(from, a.u64(1), a.u64(2), a.i32(3), a.u64(4));
  if (to >= 0) t.group.aio?.moved(from, to);
  return to;
}

/** brk(2): returns the break, changed or not; never an error. */
export function sysBrk(t: Task, a: SyscallArgs): number {
  const { mm } = t, wait = awaitChange(t);
  if (wait !== 0) return wait;
  const to = pageUp(a.u64(0)), end = pageUp(mm.break.end);
  let work = rangeWork(t);
  if (work === null && to >= mm.break.start && to < end && !isOneSlice(mm, to, end)) {
    if (checkUnmap(mm, to, end) === 0) work = new RangeWork(to, end);
  }
  const r = work !== null && work.next < work.end ? unmapSlices(t, work) : 0;
  return r === 0 ? mm.brk(a.u64(0)) : r;
}

/**
 * remap_file_pages(2), as Linux emulates it since 4.0: a new mapping of another part of the same
 * file.
 */
export function sysRemapFilePages(t: Task, a: SyscallArgs): number {
  const start = a.u64(0) - (a.u64(0) & 4095), size = a.u64(1) - (a.u64(1) & 4095);
  const pgoff = a.u64(3), flags = a.i32(4);
  if (a.u64(2) !== 0 || size === 0) return -EINVAL;
  const wait = awaitChange(t);
  if (wait !== 0) return wait;
  const vma = t.mm.vmas.find(start);
  if (vma === null || (vma.flags & VM_SHARED) === 0 || vma.backing === null) return -EINVAL;
  if (start + size > vma.end || pgoff * PAGE_SIZE + size > MAX_OFFSET) return -EINVAL;
  const keep = MAP_SHARED | MAP_FIXED | MAP_POPULATE | (flags & MAP_NONBLOCK);
  const { backing, prot, maxProt } = vma;
  const r = t.mm.mmap(start, size, prot, keep, backing, pgoff * PAGE_SIZE, maxProt);
  return r < 0 ? r : 0;
}

/** pkey_alloc(2): the guest's processor has no protection keys. */
export function sysPkeyAlloc(t: Task, a: SyscallArgs): number {
  if (a.u64(0) !== 0 || a.u64(1) > 3) return -EINVAL;
  // Linux allocates key 0 once, and then finds that the processor has no keys.
  const isFirst = !t.mm.hasAskedForKey;
  t.mm.hasAskedForKey = true;
  return isFirst ? -EINVAL : -ENOSPC;
}

export function sysPkeyFree(_t: Task, _a: SyscallArgs): number {
  return -EINVAL;
}
