/**
 * Containers of one kernel: making one, with namespaces of its own or of another container, and
 * what a runtime does to it. `startIn` of init.ts starts processes in it; the caller of
 * `newContainer` mounts its file systems.
 *
 * Example:
 *
 *     const mounts = MountNamespace.of(kernel.vfs, rootFs, 0, "rootfs");
 *     const container = newContainer(kernel, { id: "web", mounts, hostname: "web", shares: {} });
 *     const caller = new ContainerCaller(container, rootCredentials(), 0); // mounts /proc
 *     const task = startIn(kernel, container, spec, listener); // calls listener.onProcessEnd
 */

import { SIGKILL } from "../ffi/abi/signal.ts";
import { SI_USER } from "../ffi/abi/siginfo.ts";
import type { ContainerAccounts } from "./task/accounts.ts";
import { killGroup } from "./task/exit_request.ts";
import type { TimeNamespace } from "./cred/time_namespace.ts";
import { INITIAL_USER_NAMESPACE } from "./cred/user_namespace.ts";
import type { SandboxKernel } from "./kernel.ts";
import { GroupSet } from "./cgroup/group_set.ts";
import { Cgroups } from "./cgroup/hierarchy.ts";
import { CgroupNamespace } from "./cgroup/namespace.ts";
import { Container } from "./task/container.ts";
import { PidNamespace } from "./task/pid_namespace.ts";
import { SigInfo } from "./signal/pending.ts";
import { sendToGroup } from "./signal/send.ts";
import { UtsNamespace } from "./task/uts.ts";
import type { MountNamespace } from "./vfs/mounts.ts";

interface ContainerSpec {
  readonly id: string;
  /** Accounts of the container, which it closes at its end. */
  readonly accounts: ContainerAccounts;
  /** Mounts of the container, which takes a reference. */
  readonly mounts: MountNamespace;
  /** Host name in its UTS namespace, unless it shares one. */
  readonly hostname: string;
  readonly domainname?: string;
  /**
   * The container whose namespaces it shares. Kinds that are absent are new. The network is always
   * shared.
   */
  readonly shares: {
    readonly pid?: Container;
    readonly ipc?: Container;
    readonly uts?: Container;
    readonly time?: Container;
  };
  /** Its own time namespace, unless it shares one; absent: the kernel's clocks. */
  readonly time?: TimeNamespace;
}

/** A process of a container, for `ps`. */
interface ContainerProcess {
  /** Process id in the container's PID namespace. */
  readonly pid: number;
  readonly ppid: number;
  /** User id as the sandbox counts it. */
  readonly uid: number;
  readonly comm: string;
  readonly threads: number;
  readonly startNs: number;
}

/** Makes a further container, without processes. */
export function newContainer(kernel: SandboxKernel, spec: ContainerSpec): Container {
  const { accounts, shares } = spec, base = kernel.namespaces, owner = INITIAL_USER_NAMESPACE;
  const time = shares.time?.ns.time ?? spec.time ?? base.time;
  const pids = shares.pid?.pids ?? new PidNamespace(kernel.pids);
  const uts = shares.uts?.ns.uts ??
    new UtsNamespace(owner, false, spec.hostname, spec.domainname ?? "(none)");
  const ipc = shares.ipc?.ns.ipc ?? kernel.newIpcNamespace(owner, accounts.all);
  const cgroups = new Cgroups(kernel, accounts.all), roots = new GroupSet(cgroups.unified.root, []);
  const cgroup = new CgroupNamespace(owner, false, roots);
  const ns = base.with({ uts, ipc, cgroup, pidForChildren: pids, time, timeForChildren: time });
  return new Container(spec.id, pids, spec.mounts.hold(), ns, accounts);
}

/** The container's processes, init first. */
export function processesOf(container: Container): ContainerProcess[] {
  const { pids } = container, list: ContainerProcess[] = [];
  for (const group of container.groups) {
    const task = group.leader ?? group.tasks[0];
    if (task === undefined) continue;
    list.push({
      pid: group.id.numberIn(pids),
      ppid: group.parent?.id.numberIn(pids) ?? 0,
      uid: task.cred.uid,
      comm: task.comm,
      threads: group.tasks.length,
      startNs: group.startNs,
    });
  }
  return list.sort((a, b) => a.pid - b.pid);
}

/**
 * Sends a signal from outside to the container's init, or to all its processes; false when it has
 * none. SIGKILL and SIGSTOP reach an init too; other signals only if it has a handler
 * (pid_namespaces(7)).
 */
export function signalContainer(container: Container, signo: number, all: boolean): boolean {
  const { init } = container;
  const targets = all ? [...container.groups] : init === null ? [] : [init];
  for (const group of targets) {
    if (signo === SIGKILL) {
      killGroup(group, signo);
      continue;
    }
    const info = new SigInfo(signo, SI_USER);
    info.isFromOutside = true;
    sendToGroup(group, info);
  }
  return targets.length > 0;
}

/** Releases what a container holds, when no process runs in it any more. */
export function dropContainer(container: Container): void {
  container.template?.destroy();
  container.template = null;
  container.ns.cgroup.roots.unified.hierarchy.owner.release();
  container.ns.drop();
  container.mounts.drop();
  container.layouts.close();
  container.accounts.close(container.mounts.vfs.deferred);
}
