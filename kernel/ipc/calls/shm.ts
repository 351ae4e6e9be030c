/** shmget(2), shmat(2), shmdt(2), shmctl(2). The segments: kernel/ipc/sysv/shm.ts. */

import { RLIMIT_MEMLOCK } from "../../../ffi/abi/resource.ts";
import { EINVAL, ENOMEM } from "../../../ffi/abi/errno.ts";
import * as I from "../../../ffi/abi/ipc.ts";
import {
  MAP_FIXED,
  MAP_SHARED,
  PAGE_SIZE,
  PROT_EXEC,
  PROT_READ,
  PROT_WRITE,
} from "../../../ffi/abi/mman.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { IPC_EXEC, IPC_READ, IPC_WRITE } from "../sysv/ipc_object.ts";
import { ShmMemory, type ShmSegment } from "../sysv/shm.ts";
import { shownPid } from "../../task/pid_namespace.ts";
import { awaitChange } from "../../task/await_change.ts";
import type { Task } from "../../task/task.ts";
import { changeObject, copyScratchOut, putPerm } from "./ipc_structs.ts";

const DS = I.Shmid64Ds.at;
/** struct shminfo64 and struct shm_info. */
const SHMINFO_SIZE = 72, SHM_INFO_SIZE = 48;

/** shmget(2). */
export function sysShmget(t: Task, a: SyscallArgs): number {
  // A number of bytes below 2^63 must not be rounded up to it.
  const bytes = a.i64(1) < 0 ? a.u64(1) : Math.min(a.u64(1), 2 ** 63 - 1024);
  return t.ns.ipc.shm.get(a.i32(0), bytes, a.i32(2), t.cred, t.account);
}

/** shmat(2): returns the address. */
export function sysShmat(t: Task, a: SyscallArgs): number {
  const flags = a.i32(2);
  let addr = a.u64(1), prot = PROT_READ, wanted = IPC_READ;
  if (a.i32(0) < 0) return -EINVAL;
  if (addr !== 0) {
    const below = addr % PAGE_SIZE;
    if (below !== 0) {
      if ((flags & I.SHM_RND) === 0) return -EINVAL;
      addr -= below;
      if (addr === 0 && (flags & I.SHM_REMAP) !== 0) return -EINVAL;
    }
  } else if ((flags & I.SHM_REMAP) !== 0) {
    return -EINVAL;
  }
  const wait = awaitChange(t);
  if (wait !== 0) return wait;
  const isReadOnly = (flags & I.SHM_RDONLY) !== 0;
  if (!isReadOnly) {
    prot |= PROT_WRITE;
    wanted |= IPC_WRITE;
  }
  if ((flags & I.SHM_EXEC) !== 0) {
    prot |= PROT_EXEC;
    wanted |= IPC_EXEC;
  }
  const segment = t.ns.ipc.shm.table.find(a.i32(0));
  if (segment === null) return -EINVAL;
  const r = segment.permission(wanted, t.cred);
  return r < 0 ? r : attach(t, segment, addr, prot, (flags & I.SHM_REMAP) !== 0, isReadOnly);
}

function attach(
  t: Task,
  segment: ShmSegment,
  addr: number,
  prot: number,
  replaces: boolean,
  isReadOnly: boolean,
): number {
  const size = segment.pages * PAGE_SIZE, { memory } = segment;
  if (addr !== 0 && !replaces && t.mm.vmas.overlaps(addr, addr + size)) return -EINVAL;
  if (memory.reserve() < 0) return -ENOMEM;
  const flags = MAP_SHARED | (addr !== 0 ? MAP_FIXED : 0);
  const maxProt = isReadOnly ? PROT_READ | PROT_EXEC : PROT_READ | PROT_WRITE | PROT_EXEC;
  return t.mm.mmap(addr, size, prot, flags, memory, 0, maxProt);
}

/** shmdt(2): unmap all that one shmat(2) mapped and that is still there. */
export function sysShmdt(t: Task, a: SyscallArgs): number {
  const wait = awaitChange(t);
  if (wait !== 0) return wait;
  const addr = a.u64(0), { mm } = t;
  if (addr % PAGE_SIZE !== 0) return -EINVAL;
  let memory: ShmMemory | null = null, end = Infinity;
  for (let at = addr; at < end;) {
    const i = mm.vmas.indexOf(at);
    if (i === mm.vmas.length) break;
    const vma = mm.vmas.at(i), { backing } = vma;
    at = vma.end;
    if (vma.start < addr || vma.start >= end || !(backing instanceof ShmMemory)) continue;
    if (vma.start - addr !== vma.offset || (memory !== null && backing !== memory)) continue;
    if (memory === null) {
      memory = backing;
      end = addr + memory.size();
    }
    const r = mm.munmap(vma.start, vma.end - vma.start);
    if (r < 0) return r;
  }
  return memory === null ? -EINVAL : 0;
}

/** shmctl(2). */
export function sysShmctl(t: Task, a: SyscallArgs): number {
  const id = a.i32(0), command = a.i32(1), addr = a.u64(2), { shm } = t.ns.ipc;
  if (id < 0 || command < 0) return -EINVAL;
  switch (command) {
    case I.IPC_INFO:
      return shminfo(t, addr);
    case I.SHM_INFO:
      return shmInfo(t, addr);
    case I.IPC_STAT:
    case I.SHM_STAT:
    case I.SHM_STAT_ANY:
      return stat(t, id, command, addr);
    case I.SHM_LOCK:
    case I.SHM_UNLOCK: {
      const segment = shm.table.find(id);
      if (segment === null) return -EINVAL;
      const mayLock = t.group.limits.get(RLIMIT_MEMLOCK) > 0;
      return shm.lock(segment, command === I.SHM_LOCK, t.cred, mayLock);
    }
    case I.IPC_SET:
    case I.IPC_RMID:
      return changeObject(t, t.ns.ipc.shm, id, command, addr, I.Shmid64Ds.size);
    default:
      return -EINVAL;
  }
}

function stat(t: Task, id: number, command: number, addr: number): number {
  const { table } = t.ns.ipc.shm, { scratch } = t.kernel;
  const s = command === I.IPC_STAT ? table.find(id) : table.atIndex(id);
  if (s === null) return -EINVAL;
  const r = command === I.SHM_STAT_ANY ? 0 : s.permission(IPC_READ, t.cred);
  if (r < 0) return r;
  scratch.clear(I.Shmid64Ds.size);
  putPerm(t, s);
  scratch.setU53(DS.segsz, s.bytes);
  scratch.setU53(DS.atime, s.atimeSec);
  scratch.setU53(DS.dtime, s.dtimeSec);
  scratch.setU53(DS.ctime, s.ctimeSec);
  scratch.dv.setInt32(DS.cpid, shownPid(t, s.creatorPid), true);
  scratch.dv.setInt32(DS.lpid, shownPid(t, s.lastPid), true);
  scratch.setU53(DS.nattch, s.attachments);
  return copyScratchOut(t, addr, I.Shmid64Ds.size, command === I.IPC_STAT ? 0 : s.id);
}

/** IPC_INFO: the limits. */
function shminfo(t: Task, addr: number): number {
  const { scratch } = t.kernel, { ipc } = t.ns, { limits } = ipc;
  scratch.clear(SHMINFO_SIZE);
  scratch.setU53(0, limits.shmmax);
  scratch.setU53(8, I.SHMMIN);
  scratch.setU53(16, limits.shmmni);
  scratch.setU53(24, limits.shmmni);
  scratch.setU53(32, limits.shmall);
  return copyScratchOut(t, addr, SHMINFO_SIZE, ipc.shm.table.maxIndex);
}

/** SHM_INFO: the present use. */
function shmInfo(t: Task, addr: number): number {
  const { scratch } = t.kernel, { ipc } = t.ns, { shm } = ipc;
  let resident = 0;
  for (const s of shm.table.all()) resident += s.memory.residentPages();
  scratch.clear(SHM_INFO_SIZE);
  scratch.dv.setInt32(0, shm.table.count, true);
  scratch.setU53(8, shm.totalPages);
  scratch.setU53(16, resident);
  return copyScratchOut(t, addr, SHM_INFO_SIZE, shm.table.maxIndex);
}
