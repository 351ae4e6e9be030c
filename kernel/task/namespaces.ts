/**
 * The namespaces of a task (struct nsproxy). Three kinds are elsewhere: its mount namespace is in
 * FsContext, its user namespace in its credentials, its own PID namespace in its id. This set has
 * the PID namespace that children are born in.
 *
 * The object is immutable: unshare(2) and setns(2) give the task another one.
 */

import { INITIAL_USER_NAMESPACE } from "../cred/user_namespace.ts";
import type { IpcNamespace } from "../ipc/ipc_namespace.ts";
import type { NetNamespace } from "../net/net_namespace.ts";
import type { Caller } from "../vfs/caller.ts";
import { GroupSet } from "../cgroup/group_set.ts";
import type { Cgroups } from "../cgroup/hierarchy.ts";
import { CgroupNamespace } from "../cgroup/namespace.ts";
import type { PidNamespace } from "./pid_namespace.ts";
import { TimeNamespace } from "../cred/time_namespace.ts";
import { UtsNamespace } from "./uts.ts";

export interface NamespaceSet {
  readonly uts: UtsNamespace;
  readonly ipc: IpcNamespace;
  readonly net: NetNamespace;
  readonly cgroup: CgroupNamespace;
  readonly pidForChildren: PidNamespace;
  readonly time: TimeNamespace;
  readonly timeForChildren: TimeNamespace;
}

export class Namespaces implements NamespaceSet {
  readonly uts: UtsNamespace;
  readonly ipc: IpcNamespace;
  readonly net: NetNamespace;
  readonly cgroup: CgroupNamespace;
  readonly pidForChildren: PidNamespace;
  readonly time: TimeNamespace;
  readonly timeForChildren: TimeNamespace;
  /** Number of tasks and containers that hold it. */
  private refs: number = 1;

  constructor(set: NamespaceSet) {
    this.uts = set.uts.hold();
    this.ipc = set.ipc.hold();
    this.net = set.net.hold();
    this.cgroup = set.cgroup.hold();
    this.pidForChildren = set.pidForChildren.hold();
    this.time = set.time.hold();
    this.timeForChildren = set.timeForChildren.hold();
  }

  hold(): this {
    this.refs++;
    return this;
  }

  drop(): void {
    if (--this.refs > 0) return;
    this.uts.drop();
    this.ipc.drop();
    this.net.drop();
    this.cgroup.drop();
    this.pidForChildren.drop();
    this.time.drop();
    this.timeForChildren.drop();
  }

  /** A copy with some of the namespaces replaced. */
  with(changes: Partial<NamespaceSet>): Namespaces {
    return new Namespaces({
      uts: changes.uts ?? this.uts,
      ipc: changes.ipc ?? this.ipc,
      net: changes.net ?? this.net,
      cgroup: changes.cgroup ?? this.cgroup,
      pidForChildren: changes.pidForChildren ?? this.pidForChildren,
      time: changes.time ?? this.time,
      timeForChildren: changes.timeForChildren ?? this.timeForChildren,
    });
  }
}

/** The namespaces of a new kernel. */
export function initialNamespaces(start: {
  readonly hostname: string;
  readonly ipc: IpcNamespace;
  readonly net: NetNamespace;
  readonly pids: PidNamespace;
  readonly cgroups: Cgroups;
}): Namespaces {
  const owner = INITIAL_USER_NAMESPACE;
  const time = new TimeNamespace(owner, true);
  time.isFrozen = true;
  return new Namespaces({
    uts: new UtsNamespace(owner, true, start.hostname, "(none)"),
    ipc: start.ipc,
    net: start.net,
    cgroup: new CgroupNamespace(owner, true, new GroupSet(start.cgroups.unified.root, [])),
    pidForChildren: start.pids,
    time,
    timeForChildren: time,
  });
}

/** A caller that has namespaces: a task, or a process before it starts. */
export interface NamespaceCaller extends Caller {
  readonly ns: Namespaces;
  /** The PID namespace in which its process ids are looked up. */
  readonly pids: PidNamespace;
}

export function hasNamespaces(caller: Caller): caller is NamespaceCaller {
  return "ns" in caller && "pids" in caller;
}
