/** Sharing between tasks: unshare(2), setns(2), kcmp(2). */

import { EBADF, EFAULT, EINVAL, ENOENT, ENOMEM, EPERM, ESRCH } from "../../../ffi/abi/errno.ts";
import {
  CLONE_FILES,
  CLONE_FS,
  CLONE_NEWIPC,
  CLONE_NEWNS,
  CLONE_NEWUSER,
  CLONE_SIGHAND,
  CLONE_SYSVSEM,
  CLONE_THREAD,
  CLONE_VM,
} from "../../../ffi/abi/sched.ts";
import {
  KCMP_EPOLL_TFD,
  KCMP_FILE,
  KCMP_FILES,
  KCMP_FS,
  KCMP_IO,
  KCMP_SIGHAND,
  KCMP_SYSVSEM,
  KCMP_VM,
} from "../../../ffi/abi/system.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import type { Namespace } from "../../cred/namespace.ts";
import { EpollFile } from "../../epoll/epoll_file.ts";
import { NAMESPACE_TYPES, NsFile } from "../../proc/fs/ns_fs.ts";
import { changeCredentials } from "../../task/change_credentials.ts";
import { dropSemUndo } from "../../task/exit.ts";
import { PidFd } from "../../task/pidfd.ts";
import { enterNamespaces } from "../../task/setns.ts";
import type { Task } from "../../task/task.ts";
import { NAMESPACE_FLAGS, unshareNamespaces } from "../../task/unshare.ts";
import { mayAccessByReal } from "../../ptrace/access.ts";

/** `struct kcmp_epoll_slot`: the set, the descriptor, the index among several. */
const EPOLL_SLOT_BYTES = 12;

/** unshare(2): performs all requests, or none. */
export function sysUnshare(t: Task, a: SyscallArgs): number {
  const asked = a.u32(0),
    known = CLONE_THREAD | CLONE_FS | CLONE_SIGHAND | CLONE_VM | CLONE_FILES |
      CLONE_SYSVSEM | NAMESPACE_FLAGS;
  if ((asked & ~known) !== 0) return -EINVAL;
  const flags = withImplied(asked);
  if ((flags & (CLONE_THREAD | CLONE_SIGHAND | CLONE_VM)) !== 0 && t.group.tasks.length > 1) {
    return -EINVAL;
  }
  if ((flags & (CLONE_SIGHAND | CLONE_VM)) !== 0 && t.sighand.refs > 1) return -EINVAL;
  if ((flags & CLONE_VM) !== 0 && t.mm.users > 1) return -EINVAL;
  if ((flags & CLONE_FILES) !== 0 && t.files.refs > 1 && !t.files.mayCopy(t.account)) {
    return -ENOMEM;
  }
  // The copy of the mounts needs an unshared file system context, and is the last step that can
  // fail.
  const shared = (flags & CLONE_FS) !== 0 && t.fs.refs > 1 ? t.fs : null;
  if (shared !== null) t.fs = shared.copy();
  const cred = unshareNamespaces(t, flags);
  if (typeof cred === "number") {
    if (shared !== null) {
      t.fs.drop();
      t.fs = shared;
    }
    return cred;
  }
  shared?.drop();
  if ((flags & (CLONE_SYSVSEM | CLONE_NEWIPC)) !== 0) dropSemUndo(t);
  if ((flags & CLONE_FILES) !== 0 && t.files.refs > 1) {
    const files = t.files.copy(t.account);
    t.files.drop();
    t.files = files;
  }
  changeCredentials(t, cred);
  return 0;
}

/** Adds the flags that the requested ones imply. */
function withImplied(asked: number): number {
  let flags = asked;
  if ((flags & CLONE_NEWUSER) !== 0) flags |= CLONE_THREAD | CLONE_FS;
  if ((flags & CLONE_VM) !== 0) flags |= CLONE_SIGHAND;
  if ((flags & CLONE_SIGHAND) !== 0) flags |= CLONE_THREAD;
  if ((flags & CLONE_NEWNS) !== 0) flags |= CLONE_FS;
  return flags;
}

/** setns(2): enters the namespace of an nsfs file, or several of a process by its pidfd. */
export function sysSetns(t: Task, a: SyscallArgs): number {
  const file = t.files.get(a.i32(0)), kinds = a.u32(1);
  if (file === null) return -EBADF;
  if (file instanceof NsFile) {
    const { namespace } = file;
    if (kinds !== 0 && kinds !== NAMESPACE_TYPES[namespace.kind]) return -EINVAL;
    return enterNamespaces(t, [namespace]);
  }
  if (!(file instanceof PidFd) || kinds === 0 || (kinds & ~NAMESPACE_FLAGS) !== 0) return -EINVAL;
  const target = file.thread ?? file.group.leader;
  if (target === null || file.group.isZombie) return -ESRCH;
  if (!mayAccessByReal(t, target)) return -EPERM;
  return enterNamespaces(t, namespacesOf(target, kinds));
}

/** In Linux's order: the user namespace is first. */
function namespacesOf(target: Task, kinds: number): Namespace[] {
  const { ns, cred, fs, pids } = target;
  const all: readonly Namespace[] = [
    cred.userNs,
    fs.namespace,
    ns.uts,
    ns.ipc,
    pids,
    ns.cgroup,
    ns.net,
    ns.time,
  ];
  return all.filter((one) => (kinds & NAMESPACE_TYPES[one.kind]) !== 0);
}

/** kcmp(2): the order of objects is that of their first comparisons. */
export function sysKcmp(t: Task, a: SyscallArgs): number {
  const { pids, kernel: { ranks } } = t;
  const one = pids.tasks.get(a.i32(0)), two = pids.tasks.get(a.i32(1));
  if (one === undefined || two === undefined) return -ESRCH;
  if (!mayAccessByReal(t, one) || !mayAccessByReal(t, two)) return -EPERM;
  switch (a.i32(2)) {
    case KCMP_FILE: {
      const x = one.files.getAny(a.i32(3)), y = two.files.getAny(a.i32(4));
      return x === null || y === null ? -EBADF : ranks.compare(x, y);
    }
    case KCMP_EPOLL_TFD:
      return compareEpollTarget(t, one, two, a.u32(3), a.u64(4));
    case KCMP_VM:
      return ranks.compare(one.mm, two.mm);
    case KCMP_FILES:
      return ranks.compare(one.files, two.files);
    case KCMP_FS:
      return ranks.compare(one.fs, two.fs);
    case KCMP_SIGHAND:
      return ranks.compare(one.sighand, two.sighand);
    case KCMP_SYSVSEM:
      return ranks.compare(one.semUndo, two.semUndo);
    case KCMP_IO:
      return 0; // no task has an I/O context
    default:
      return -EINVAL;
  }
}

/** KCMP_EPOLL_TFD: compares a file with one that an epoll set of the other process watches. */
function compareEpollTarget(t: Task, one: Task, two: Task, fd: number, addr: number): number {
  const { scratch: { u8, dv }, ranks } = t.kernel;
  if (t.mm.copyIn(u8, 0, addr, EPOLL_SLOT_BYTES) !== 0) return -EFAULT;
  const x = one.files.getAny(fd | 0), set = two.files.getAny(dv.getInt32(0, true));
  if (x === null || set === null) return -EBADF;
  if (!(set instanceof EpollFile)) return -EINVAL;
  const y = set.targetOf(dv.getInt32(4, true), dv.getUint32(8, true));
  return y === null ? -ENOENT : ranks.compare(x, y);
}
