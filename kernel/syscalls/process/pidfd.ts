/** pidfd_open(2), pidfd_getfd(2), ioctl(2) on their descriptors. */

import { RLIMIT_NOFILE } from "../../../ffi/abi/resource.ts";
import { EACCES, EBADF, EINVAL, ENOTTY, EPERM, ESRCH } from "../../../ffi/abi/errno.ts";
import {
  PIDFD_GET_CGROUP_NAMESPACE,
  PIDFD_GET_IPC_NAMESPACE,
  PIDFD_GET_MNT_NAMESPACE,
  PIDFD_GET_NET_NAMESPACE,
  PIDFD_GET_PID_FOR_CHILDREN_NAMESPACE,
  PIDFD_GET_PID_NAMESPACE,
  PIDFD_GET_TIME_FOR_CHILDREN_NAMESPACE,
  PIDFD_GET_TIME_NAMESPACE,
  PIDFD_GET_USER_NAMESPACE,
  PIDFD_GET_UTS_NAMESPACE,
  PIDFD_NONBLOCK,
  PIDFD_THREAD,
} from "../../../ffi/abi/system.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import type { Namespace } from "../../cred/namespace.ts";
import { PidFd } from "../../task/pidfd.ts";
import { mayAccessByFs, mayAccessByReal } from "../../ptrace/access.ts";
import { DEAD, type Task } from "../../task/task.ts";

/** pidfd_open(2). */
export function sysPidfdOpen(t: Task, a: SyscallArgs): number {
  const pid = a.i32(0), flags = a.u32(1), { pids } = t;
  if ((flags & ~(PIDFD_NONBLOCK | PIDFD_THREAD)) !== 0 || pid <= 0) return -EINVAL;
  const thread = pids.tasks.get(pid), isThread = (flags & PIDFD_THREAD) !== 0;
  const group = pids.groups.get(pid) ?? (isThread ? thread?.group : undefined);
  // Without PIDFD_THREAD the id of a thread that leads no process is -EINVAL.
  if (group === undefined) return thread === undefined ? -ESRCH : -EINVAL;
  const file = new PidFd(
    t.account,
    t.kernel.anon,
    group,
    isThread ? thread ?? null : null,
    flags & PIDFD_NONBLOCK,
  );
  const fd = t.files.install(file, true, t.group.limits.get(RLIMIT_NOFILE));
  if (fd < 0) file.drop();
  return fd;
}

/** pidfd_getfd(2): requires PTRACE_MODE_ATTACH_REALCREDS. */
export function sysPidfdGetfd(t: Task, a: SyscallArgs): number {
  if (a.u32(2) !== 0) return -EINVAL;
  const pidfd = t.files.get(a.i32(0));
  if (!(pidfd instanceof PidFd)) return -EBADF;
  const target = pidfd.thread ?? pidfd.group.leader;
  if (target === null || pidfd.group.isZombie) return -ESRCH;
  if (!mayAccessByReal(t, target)) return -EPERM;
  const file = target.files.getAny(a.i32(1));
  if (file === null) return -EBADF;
  const fd = t.files.install(file.hold(), true, t.group.limits.get(RLIMIT_NOFILE));
  if (fd < 0) file.drop();
  return fd;
}

/**
 * ioctl(2) on a pidfd: a descriptor for a namespace of the process, for callers that may inspect
 * it.
 *
 * DIFFERS: an unknown request is ENOTTY whatever its argument, as in later kernels; 6.12 has EINVAL
 * for most.
 */
export function pidfdRequest(t: Task, file: PidFd, request: number, arg: number): number {
  if (request < PIDFD_GET_CGROUP_NAMESPACE || request > PIDFD_GET_UTS_NAMESPACE) return -ENOTTY;
  if (arg !== 0) return -EINVAL;
  const target = file.thread ?? file.group.leader;
  if (target === null || file.group.isZombie || target.state === DEAD) return -ESRCH;
  if (!mayAccessByFs(t, target)) return -EACCES;
  const namespace = namespaceOf(target, request);
  return namespace === null ? -ENOTTY : t.kernel.namespaceFiles.openFor(namespace);
}

function namespaceOf(target: Task, request: number): Namespace | null {
  const { ns } = target;
  switch (request) {
    case PIDFD_GET_CGROUP_NAMESPACE:
      return ns.cgroup;
    case PIDFD_GET_IPC_NAMESPACE:
      return ns.ipc;
    case PIDFD_GET_MNT_NAMESPACE:
      return target.fs.namespace;
    case PIDFD_GET_NET_NAMESPACE:
      return ns.net;
    case PIDFD_GET_PID_NAMESPACE:
      return target.pids;
    case PIDFD_GET_PID_FOR_CHILDREN_NAMESPACE:
      return ns.pidForChildren;
    case PIDFD_GET_TIME_NAMESPACE:
      return ns.time;
    case PIDFD_GET_TIME_FOR_CHILDREN_NAMESPACE:
      return ns.timeForChildren;
    case PIDFD_GET_USER_NAMESPACE:
      return target.cred.userNs;
    case PIDFD_GET_UTS_NAMESPACE:
      return ns.uts;
    default:
      return null;
  }
}
