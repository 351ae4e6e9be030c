/** pidfd_open(2), pidfd_getfd(2). */

import { CAP_SYS_PTRACE } from "../../../ffi/abi/capability.ts";
import { EBADF, EINVAL, EPERM, ESRCH } from "../../../ffi/abi/errno.ts";
import { PIDFD_NONBLOCK, PIDFD_THREAD } from "../../../ffi/abi/system.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { isSubset } from "../../cred/cap_set.ts";
import { hasCapIn } from "../../cred/credentials.ts";
import { isWithin } from "../../cred/landlock.ts";
import { RLIMIT_NOFILE } from "../../task/limits.ts";
import { PidFd } from "../../task/pidfd.ts";
import type { Task } from "../../task/task.ts";

/** pidfd_open(2). */
export function sysPidfdOpen(t: Task, a: SyscallArgs): number {
  const pid = a.i32(0), flags = a.u32(1), { pids } = t;
  if ((flags & ~(PIDFD_NONBLOCK | PIDFD_THREAD)) !== 0 || pid <= 0) return -EINVAL;
  const thread = pids.tasks.get(pid), isThread = (flags & PIDFD_THREAD) !== 0;
  const group = pids.groups.get(pid) ?? (isThread ? thread?.group : undefined);
  // Without PIDFD_THREAD the id of a thread that leads no process is no process.
  if (group === undefined) return thread === undefined ? -ESRCH : -EINVAL;
  const file = new PidFd(group, isThread ? thread ?? null : null, flags & PIDFD_NONBLOCK);
  const fd = t.files.install(file, true, t.group.limits.get(RLIMIT_NOFILE));
  if (fd < 0) file.drop();
  return fd;
}

/** pidfd_getfd(2): needs what PTRACE_MODE_ATTACH_REALCREDS asks for. */
export function sysPidfdGetfd(t: Task, a: SyscallArgs): number {
  if (a.u32(2) !== 0) return -EINVAL;
  const pidfd = t.files.get(a.i32(0));
  if (!(pidfd instanceof PidFd)) return -EBADF;
  const target = pidfd.thread ?? pidfd.group.leader ?? pidfd.group.tasks[0];
  if (target === undefined || pidfd.group.isZombie) return -ESRCH;
  if (!mayAttach(t, target)) return -EPERM;
  const file = target.files.getAny(a.i32(1));
  if (file === null) return -EBADF;
  const fd = t.files.install(file, true, t.group.limits.get(RLIMIT_NOFILE));
  if (fd >= 0) file.hold();
  return fd;
}

/**
 * PTRACE_MODE_ATTACH_REALCREDS of ptrace(2): same ids all over, dumpable, and no capability that the caller lacks; or
 * CAP_SYS_PTRACE.
 */
export function mayAttach(t: Task, target: Task): boolean {
  if (t.group === target.group) return true;
  if (!isWithin(target.cred.domain, t.cred.domain)) return false;
  if (hasCapIn(t.cred, target.cred.userNs, CAP_SYS_PTRACE)) return true;
  const { uid, gid } = t.cred, to = target.cred;
  return uid === to.uid && uid === to.euid && uid === to.suid && gid === to.gid &&
    gid === to.egid && gid === to.sgid && target.group.dumpable &&
    to.userNs === t.cred.userNs && isSubset(to.permitted, t.cred.permitted);
}
