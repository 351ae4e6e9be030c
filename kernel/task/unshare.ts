/**
 * New namespaces for the caller of unshare(2) and the child of clone(2) (namespaces(7)). Checks
 * have Linux's order: the user namespace comes first, and its capabilities count for all the
 * others.
 *
 * Neighbours: namespaces.ts (the set), setns.ts (existing namespaces), user_credentials.ts.
 */

import { CAP_SYS_ADMIN } from "../../ffi/abi/capability.ts";
import { EINVAL, ENOSPC, EPERM } from "../../ffi/abi/errno.ts";
import {
  CLONE_FS,
  CLONE_NEWCGROUP,
  CLONE_NEWIPC,
  CLONE_NEWNET,
  CLONE_NEWNS,
  CLONE_NEWPID,
  CLONE_NEWTIME,
  CLONE_NEWUSER,
  CLONE_NEWUTS,
  CLONE_SYSVSEM,
  CLONE_VM,
} from "../../ffi/abi/sched.ts";
import { type Credentials, hasOwnCap } from "../cred/credentials.ts";
import type { Namespace } from "../cred/namespace.ts";
import type { UserNamespace } from "../cred/user_namespace.ts";
import { newUserNamespace } from "../cred/user_credentials.ts";
import type { FsContext } from "../vfs/fs_context.ts";
import type { NamespaceCopy } from "../vfs/mounts.ts";
import { CgroupNamespace } from "../cgroup/namespace.ts";
import type { Namespaces, NamespaceSet } from "./namespaces.ts";
import { PID_NAMESPACE_LEVELS, PidNamespace } from "./pid_namespace.ts";
import type { Task } from "./task.ts";
import { TimeNamespace } from "../cred/time_namespace.ts";
import { UtsNamespace } from "./uts.ts";

/** The flags that change the set of Namespaces. */
const SET_FLAGS = CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWCGROUP |
  CLONE_NEWTIME;
export const NAMESPACE_FLAGS = SET_FLAGS | CLONE_NEWNS | CLONE_NEWUSER;

/**
 * Namespaces, file system context and credentials of a child; `drop` releases them if there is no
 * child.
 */
export class ChildWorld {
  readonly ns: Namespaces;
  readonly fs: FsContext;
  readonly cred: Credentials;

  constructor(ns: Namespaces, fs: FsContext, cred: Credentials) {
    this.ns = ns;
    this.fs = fs;
    this.cred = cred;
  }

  drop(): void {
    this.ns.drop();
    this.fs.drop();
    if (this.cred.userNs.refs === 0) this.cred.userNs.discard();
  }
}

/** Makes the namespaces, file system context and credentials of a new task; -errno. */
export function worldForChild(task: Task, flags: number): ChildWorld | number {
  if ((flags & NAMESPACE_FLAGS) === 0) {
    const fs = (flags & CLONE_FS) !== 0 ? task.fs.hold() : task.fs.copy();
    return new ChildWorld(inheritNamespaces(task, flags), fs, task.cred);
  }
  const both = CLONE_NEWIPC | CLONE_SYSVSEM;
  const cred = userCredentials(task, flags);
  if (typeof cred === "number") return cred;
  const made = !mayMake(cred, flags)
    ? -EPERM
    : (flags & both) === both
    ? -EINVAL
    : newNamespaces(task, flags, cred.userNs);
  if (typeof made === "number") {
    discardNew(task, cred);
    return made;
  }
  const { changes, mounts } = made;
  const time = (flags & CLONE_VM) !== 0 ? {} : { time: bornInto(changes, task.ns) };
  const ns = task.ns.with({ ...changes, ...time });
  const fs = (flags & CLONE_FS) !== 0 ? task.fs.hold() : task.fs.copy();
  if (mounts !== null) enterMountCopy(fs, mounts);
  return new ChildWorld(ns, fs, cred);
}

/**
 * The parent's namespaces; but a process is born in the parent's time namespace for children. HOT
 */
function inheritNamespaces(task: Task, flags: number): Namespaces {
  const { ns } = task;
  if (ns.time === ns.timeForChildren || (flags & CLONE_VM) !== 0) return ns.hold();
  return ns.with({ time: bornInto({}, ns) });
}

function bornInto(changes: Partial<NamespaceSet>, ns: Namespaces): TimeNamespace {
  const time = changes.timeForChildren ?? ns.timeForChildren;
  time.isFrozen = true;
  return time;
}

/**
 * execve(2): a process that shared its parent's memory until now enters the time namespace for
 * children.
 */
export function enterTimeForChildren(task: Task): void {
  const { ns } = task;
  if (ns.time === ns.timeForChildren) return;
  task.ns = inheritNamespaces(task, 0);
  ns.drop();
}

function hasSetFlags(flags: number): boolean {
  return (flags & (SET_FLAGS | CLONE_NEWNS)) !== 0;
}

function mayMake(cred: Credentials, flags: number): boolean {
  return !hasSetFlags(flags) || hasOwnCap(cred, CAP_SYS_ADMIN);
}

/** The task's credentials, in a new user namespace if one was requested; -EPERM, -ENOSPC. */
function userCredentials(task: Task, flags: number): Credentials | number {
  if ((flags & CLONE_NEWUSER) === 0) return task.cred;
  const { root, namespace } = task.fs, top = namespace.rootPath();
  const isChrooted = root.mount !== top.mount || root.dentry !== top.dentry;
  return newUserNamespace(task.cred, isChrooted, task.account, task.kernel.userCounts);
}

/** Releases credentials that no task gets, and a namespace that was made for them. */
function discardNew(task: Task, cred: Credentials): void {
  if (cred !== task.cred) cred.userNs.discard();
}

interface NewNamespaces {
  readonly changes: Partial<NamespaceSet>;
  /** Null: no new mount namespace. */
  readonly mounts: NamespaceCopy | null;
}

/**
 * Makes all namespaces that the flags request, charged to the caller, or none: -EINVAL, -ENOSPC.
 */
function newNamespaces(task: Task, flags: number, owner: UserNamespace): NewNamespaces | number {
  const { euid } = task.cred;
  const mounts = (flags & CLONE_NEWNS) === 0 ? null : task.fs.namespace.copy(owner, task.account);
  if (typeof mounts === "number") return mounts;
  const changes = newSet(task, flags, owner);
  if (typeof changes === "number") {
    mounts?.namespace.discard();
    return changes;
  }
  const all: Namespace[] = Object.values(changes);
  if (mounts !== null) all.push(mounts.namespace);
  if (all.every((ns) => ns.countFor(euid, task.account, task.kernel.userCounts))) {
    return { changes, mounts };
  }
  for (const ns of all) ns.discard();
  return -ENOSPC;
}

/** Makes the new namespaces of the set. */
function newSet(task: Task, flags: number, owner: UserNamespace): Partial<NamespaceSet> | number {
  const { kernel, ns } = task;
  const { pidForChildren } = ns;
  if ((flags & CLONE_NEWPID) !== 0) {
    // Linux makes no PID namespace while another one waits for the caller's children.
    if (pidForChildren !== task.pids) return -EINVAL;
    if (pidForChildren.level >= PID_NAMESPACE_LEVELS) return -ENOSPC;
    if (pidForChildren.owner?.encloses(owner) === false) return -EINVAL;
  }
  const { account } = task;
  return {
    ...((flags & CLONE_NEWUTS) !== 0 && {
      uts: new UtsNamespace(owner, false, ns.uts.hostname, ns.uts.domainname),
    }),
    ...((flags & CLONE_NEWIPC) !== 0 && { ipc: kernel.newIpcNamespace(owner, account) }),
    ...((flags & CLONE_NEWNET) !== 0 && { net: kernel.newNetNamespace(owner, account) }),
    ...((flags & CLONE_NEWCGROUP) !== 0 &&
      { cgroup: new CgroupNamespace(owner, false, task.cgroups) }),
    ...((flags & CLONE_NEWPID) !== 0 && {
      pidForChildren: new PidNamespace(pidForChildren, owner),
    }),
    ...((flags & CLONE_NEWTIME) !== 0 && { timeForChildren: newTime(ns.timeForChildren, owner) }),
  };
}

/** A time namespace with the offsets of the one it is made from. */
function newTime(from: TimeNamespace, owner: UserNamespace): TimeNamespace {
  const time = new TimeNamespace(owner, false);
  time.monotonicNs = from.monotonicNs;
  time.boottimeNs = from.boottimeNs;
  return time;
}

/** Moves `fs` into a copy of all mounts, with root and working directory at the same places. */
function enterMountCopy(fs: FsContext, copy: NamespaceCopy): void {
  const { root, cwd } = fs;
  fs.enter(copy.namespace, copy.translate(root), copy.translate(cwd));
}

/**
 * The namespaces of unshare(2): all of them or none. `fs` is the caller's own, unshared, when
 * CLONE_NEWNS is among the flags.
 */
export function unshareNamespaces(task: Task, flags: number): Credentials | number {
  const cred = userCredentials(task, flags);
  if (typeof cred === "number") return cred;
  if (!hasSetFlags(flags)) return cred;
  const made = mayMake(cred, flags) ? newNamespaces(task, flags, cred.userNs) : -EPERM;
  if (typeof made === "number") {
    discardNew(task, cred);
    return made;
  }
  const { changes, mounts } = made;
  const old = task.ns;
  task.ns = old.with(changes);
  old.drop();
  if (mounts !== null) enterMountCopy(task.fs, mounts);
  return cred;
}
