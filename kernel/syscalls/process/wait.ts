/** wait4(2), waitid(2): decodes arguments and stores results. The work is in task/wait.ts. */

import { SIGCHLD } from "../../../ffi/abi/signal.ts";
import { EAGAIN, EBADF, EFAULT, EINVAL, ESRCH } from "../../../ffi/abi/errno.ts";
import { Rusage } from "../../../ffi/abi/resource.ts";
import { SiginfoChld } from "../../../ffi/abi/siginfo.ts";
import {
  __WALL,
  __WCLONE,
  __WNOTHREAD,
  P_ALL,
  P_PGID,
  P_PID,
  P_PIDFD,
  WCONTINUED,
  WEXITED,
  WNOHANG,
  WNOWAIT,
  WUNTRACED,
} from "../../../ffi/abi/wait.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { BLOCK } from "../../core/result.ts";
import { PidFd } from "../../task/pidfd.ts";
import type { Task } from "../../task/task.ts";
import { type Selection, Waited, waitForChild } from "../../task/wait.ts";
import { fillRusage } from "../rusage.ts";

/** Offset in the scratch buffer, and the bytes of a siginfo_t that waitid(2) fills. */
const INFO_AT = 256, INFO_SIZE = SiginfoChld.at.status + 4;
const waited = new Waited();

/** wait4(2). */
export function sysWait4(t: Task, a: SyscallArgs): number {
  const pid = a.i32(0), options = a.u32(2);
  const known = WNOHANG | WUNTRACED | WCONTINUED | __WNOTHREAD | __WCLONE | __WALL;
  if ((options & ~known) !== 0) return -EINVAL;
  if (pid === -0x80000000) return -ESRCH;
  const which: Selection = {
    kind: pid === -1 ? P_ALL : pid > 0 ? P_PID : P_PGID,
    id: Math.abs(pid),
    group: null,
    options: options | WEXITED,
  };
  const r = waitForChild(t, which, waited);
  if (r !== 1) return r;
  if (a.u64(1) !== 0 && t.mm.store32(a.u64(1), waited.status) !== 0) return -EFAULT;
  return storeRusage(t, a.u64(3)) === 0 ? waited.pid : -EFAULT;
}

/** waitid(2). Linux stores an empty siginfo_t with each error, too. */
export function sysWaitid(t: Task, a: SyscallArgs): number {
  const r = waitById(t, a);
  if (r === BLOCK) return BLOCK;
  if (r === 1 && storeRusage(t, a.u64(4)) !== 0) return -EFAULT;
  if (a.u64(2) !== 0 && storeInfo(t, a.u64(2), r === 1) !== 0) return -EFAULT;
  return Math.min(r, 0);
}

/** 1: `waited` has a child; 0: there is none yet; -errno or BLOCK. */
function waitById(t: Task, a: SyscallArgs): number {
  const kind = a.i32(0), id = a.i32(1), options = a.u32(3);
  const events = WEXITED | WUNTRACED | WCONTINUED;
  const known = WNOHANG | WNOWAIT | events | __WNOTHREAD | __WCLONE | __WALL;
  if ((options & ~known) !== 0 || (options & events) === 0) return -EINVAL;
  const which = selection(t, kind, id, options);
  if (typeof which === "number") return which;
  const r = waitForChild(t, which, waited);
  // A wait for a non-blocking pidfd fails instead (pidfd_open(2), PIDFD_NONBLOCK).
  return r === 0 && (options & WNOHANG) === 0 ? -EAGAIN : r;
}

function selection(t: Task, kind: number, id: number, options: number): Selection | number {
  const which = { kind, id, group: null, options };
  switch (kind) {
    case P_ALL:
      return which;
    case P_PID:
      return id <= 0 ? -EINVAL : which;
    case P_PGID:
      return id < 0 ? -EINVAL : which;
    case P_PIDFD: {
      if (id < 0) return -EINVAL;
      const file = t.files.get(id);
      if (!(file instanceof PidFd)) return -EBADF;
      const wait = file.isNonblocking ? options | WNOHANG : options;
      return { ...which, group: file.group, options: wait };
    }
    default:
      return -EINVAL;
  }
}

function storeRusage(t: Task, addr: number): number {
  if (addr === 0) return 0;
  const { scratch } = t.kernel;
  fillRusage(scratch, waited.usage);
  return t.mm.copyOut(addr, scratch.u8, 0, Rusage.size);
}

/** Stores the fields that waitid(2) fills; without a child signo and pid are 0. */
function storeInfo(t: Task, addr: number, isFound: boolean): number {
  const { u8, dv } = t.kernel.scratch, at = SiginfoChld.at;
  if (t.mm.copyIn(u8, INFO_AT, addr, INFO_SIZE) !== 0) return -EFAULT;
  dv.setInt32(INFO_AT + at.signo, isFound ? SIGCHLD : 0, true);
  dv.setInt32(INFO_AT + at.errno, 0, true);
  dv.setInt32(INFO_AT + at.code, isFound ? waited.code : 0, true);
  dv.setInt32(INFO_AT + at.pid, isFound ? waited.pid : 0, true);
  dv.setUint32(INFO_AT + at.uid, isFound ? waited.uid : 0, true);
  dv.setInt32(INFO_AT + at.status, isFound ? waited.value : 0, true);
  return t.mm.copyOut(addr, u8, INFO_AT, INFO_SIZE) === 0 ? 0 : -EFAULT;
}
