/** clone(2), clone3(2), fork(2), vfork(2): decodes arguments. The work is in task/clone.ts. */

import { PAGE_SIZE } from "../../../ffi/abi/mman.ts";
import { E2BIG, EBADF, EFAULT, EINVAL } from "../../../ffi/abi/errno.ts";
import {
  CLONE_ARGS_SIZE_VER0,
  CLONE_ARGS_SIZE_VER2,
  CLONE_DETACHED,
  CLONE_NEWTIME,
  CLONE_PARENT,
  CLONE_PARENT_SETTID,
  CLONE_PIDFD,
  CLONE_SIGHAND,
  CLONE_THREAD,
  CLONE_VFORK,
  CLONE_VM,
  CloneArgs,
  CSIGNAL,
} from "../../../ffi/abi/sched.ts";
import { SIGCHLD, SIGRTMAX } from "../../../ffi/abi/signal.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { groupNodeOf } from "../../cgroup/fs/cgroup_fs.ts";
import { Cgroup } from "../../cgroup/cgroup.ts";
import { type CloneRequest, cloneTask } from "../../task/clone.ts";
import type { Task } from "../../task/task.ts";
import { copyInStruct } from "../copy_struct.ts";

/** Bits of clone3's flags above the 32nd: CLONE_CLEAR_SIGHAND, CLONE_INTO_CGROUP. */
const CLEAR_SIGHAND_HI = 1, INTO_CGROUP_HI = 2;
/** MAX_PID_NS_LEVEL. */
const MAX_SET_TIDS = 32;

const FORK: CloneRequest = {
  flags: 0,
  clearSighand: false,
  exitSignal: SIGCHLD,
  stack: 0,
  tls: 0,
  pidfdAddr: 0,
  parentTidAddr: 0,
  childTidAddr: 0,
  tids: [],
  cgroup: null,
};
const VFORK: CloneRequest = { ...FORK, flags: CLONE_VM | CLONE_VFORK };

export function sysFork(t: Task): number {
  return cloneTask(t, FORK);
}

export function sysVfork(t: Task): number {
  return cloneTask(t, VFORK);
}

export function sysClone(t: Task, a: SyscallArgs): number {
  const flags = a.u32(0), parentTidAddr = a.u64(2);
  // CLONE_PIDFD stores at the address of CLONE_PARENT_SETTID.
  const both = CLONE_PIDFD | CLONE_PARENT_SETTID;
  if ((flags & both) === both) return -EINVAL;
  if ((flags & CLONE_PIDFD) !== 0 && (flags & CLONE_DETACHED) !== 0) return -EINVAL;
  return cloneTask(t, {
    flags: (flags & ~CSIGNAL) >>> 0,
    clearSighand: false,
    exitSignal: (flags & CLONE_THREAD) !== 0 ? -1 : flags & CSIGNAL,
    stack: a.u64(1),
    tls: a.u64(4),
    pidfdAddr: parentTidAddr,
    parentTidAddr,
    childTidAddr: a.u64(3),
    tids: [],
    cgroup: null,
  });
}

/** clone3(2). */
export function sysClone3(t: Task, a: SyscallArgs): number {
  const size = a.u64(1), { scratch } = t.kernel, dv = scratch.dv;
  if (size > PAGE_SIZE) return -E2BIG;
  if (size < CLONE_ARGS_SIZE_VER0) return -EINVAL;
  const r = copyInStruct(t, a.u64(0), size, CloneArgs.size);
  if (r !== 0) return r;
  const at = CloneArgs.at;
  const word = (offset: number): number =>
    dv.getUint32(offset, true) + dv.getUint32(offset + 4, true) * 0x100000000;
  const flags = dv.getUint32(at.flags, true), high = dv.getUint32(at.flags + 4, true);
  const exitSignal = word(at.exitSignal), stack = word(at.stack), stackSize = word(at.stackSize);
  const setTid = word(at.setTid), setTidSize = word(at.setTidSize);
  const request: CloneRequest = {
    flags,
    clearSighand: (high & CLEAR_SIGHAND_HI) !== 0,
    exitSignal: (flags & CLONE_THREAD) !== 0 ? -1 : exitSignal,
    stack: stack === 0 ? 0 : stack + stackSize,
    tls: word(at.tls),
    pidfdAddr: word(at.pidfd),
    parentTidAddr: word(at.parentTid),
    childTidAddr: word(at.childTid),
    tids: [],
    cgroup: null,
  };
  if (setTidSize > MAX_SET_TIDS || (setTid === 0) !== (setTidSize === 0)) return -EINVAL;
  if (exitSignal > SIGRTMAX) return -EINVAL;
  if ((high & ~(CLEAR_SIGHAND_HI | INTO_CGROUP_HI)) !== 0) return -EINVAL;
  if ((flags & (CLONE_DETACHED | (CSIGNAL & ~CLONE_NEWTIME))) !== 0) return -EINVAL;
  if ((flags & CLONE_SIGHAND) !== 0 && request.clearSighand) return -EINVAL;
  if ((flags & (CLONE_THREAD | CLONE_PARENT)) !== 0 && exitSignal !== 0) return -EINVAL;
  if ((stack === 0) !== (stackSize === 0)) return -EINVAL;
  if (stack + stackSize > t.mm.layout.maxAddress) return -EINVAL;
  let cgroup: Cgroup | null = null;
  if ((high & INTO_CGROUP_HI) !== 0) {
    const found = size < CLONE_ARGS_SIZE_VER2 ? -EINVAL : groupAt(t, word(at.cgroup));
    if (typeof found === "number") return found;
    cgroup = found;
  }
  if (setTidSize === 0) return cloneTask(t, { ...request, cgroup });
  const tids = readTids(t, setTid, setTidSize);
  return typeof tids === "number" ? tids : cloneTask(t, { ...request, cgroup, tids });
}

/** The version 2 group of a directory's descriptor; -EBADF. */
function groupAt(t: Task, fd: number): Cgroup | number {
  const file = fd > 0x7fffffff ? null : t.files.getAny(fd);
  const node = file === null ? null : groupNodeOf(file.inode);
  return node instanceof Cgroup && node.hierarchy.isUnified ? node : -EBADF;
}

/** Reads set_tid: wanted ids, one for each PID namespace of the child, the innermost first. */
function readTids(t: Task, addr: number, count: number): number[] | number {
  const tids: number[] = [];
  for (let i = 0; i < count; i++) {
    const tid = t.mm.load32(addr + 4 * i);
    if (tid < 0) return -EFAULT;
    tids.push(tid | 0);
  }
  return tids;
}
