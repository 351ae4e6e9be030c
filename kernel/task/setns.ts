/**
 * Entering existing namespaces: setns(2). Everything is checked before anything changes. If the set
 * begins with a user namespace, its capabilities count for the other kinds.
 */

import { CAP_SYS_ADMIN, CAP_SYS_CHROOT } from "../../ffi/abi/capability.ts";
import { EINVAL, EPERM, EUSERS } from "../../ffi/abi/errno.ts";
import { type Credentials, hasCapIn, hasOwnCap } from "../cred/credentials.ts";
import type { Namespace } from "../cred/namespace.ts";
import { credentialsIn } from "../cred/user_credentials.ts";
import { UserNamespace } from "../cred/user_namespace.ts";
import { IpcNamespace } from "../ipc/ipc_namespace.ts";
import { blankClock } from "../loader/vdso.ts";
import { NetNamespace } from "../net/net_namespace.ts";
import { MountNamespace } from "../vfs/mounts.ts";
import { CgroupNamespace } from "../cgroup/namespace.ts";
import { changeCredentials } from "./change_credentials.ts";
import type { NamespaceSet } from "./namespaces.ts";
import { PidNamespace } from "./pid_namespace.ts";
import type { Task } from "./task.ts";
import { TimeNamespace } from "../cred/time_namespace.ts";
import { UtsNamespace } from "./uts.ts";

/** The parts of a set that change, while the set is put together. */
type Changes = { -readonly [K in keyof NamespaceSet]?: NamespaceSet[K] };

/**
 * Enters all of these, a user namespace first if there is one: 0, or -errno and nothing has
 * changed.
 */
export function enterNamespaces(task: Task, targets: readonly Namespace[]): number {
  const changes: Changes = {};
  let cred = task.cred, mounts: MountNamespace | null = null;
  for (const target of targets) {
    const r = checkEntry(task, cred, target);
    if (r < 0) return r;
    if (target instanceof UserNamespace) cred = credentialsIn(cred, target);
    else if (target instanceof MountNamespace) mounts = target;
    else addTo(changes, target);
  }
  if (cred !== task.cred) changeCredentials(task, cred);
  if (mounts !== null) {
    const root = mounts.rootPath();
    task.fs.enter(mounts, root, root);
  }
  const old = task.ns;
  task.ns = old.with(changes);
  old.drop();
  if (task.ns.time.isShifted) blankClock(task.mm);
  return 0;
}

function checkEntry(task: Task, cred: Credentials, target: Namespace): number {
  if (target instanceof UserNamespace) {
    if (target === cred.userNs) return -EINVAL;
    if (task.group.tasks.length > 1 || task.fs.refs > 1) return -EINVAL;
    return hasCapIn(cred, target, CAP_SYS_ADMIN) ? 0 : -EPERM;
  }
  if (target instanceof TimeNamespace && task.group.tasks.length > 1) return -EUSERS;
  if (!mayEnter(cred, target)) return -EPERM;
  if (target instanceof MountNamespace) {
    if (!hasOwnCap(cred, CAP_SYS_CHROOT)) return -EPERM;
    return task.fs.refs > 1 ? -EINVAL : 0;
  }
  if (target instanceof PidNamespace) return task.pids.encloses(target) ? 0 : -EINVAL;
  return 0;
}

/** CAP_SYS_ADMIN in the target's owner and in the caller's user namespace. */
function mayEnter(cred: Credentials, target: Namespace): boolean {
  const { owner } = target;
  return owner !== null && hasCapIn(cred, owner, CAP_SYS_ADMIN) && hasOwnCap(cred, CAP_SYS_ADMIN);
}

function addTo(changes: Changes, target: Namespace): void {
  if (target instanceof UtsNamespace) changes.uts = target;
  else if (target instanceof IpcNamespace) changes.ipc = target;
  else if (target instanceof NetNamespace) changes.net = target;
  else if (target instanceof CgroupNamespace) changes.cgroup = target;
  else if (target instanceof PidNamespace) changes.pidForChildren = target;
  else if (target instanceof TimeNamespace) {
    target.isFrozen = true;
    changes.time = target;
    changes.timeForChildren = target;
  }
}
