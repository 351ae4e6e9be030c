/**
 * The host namespaces of a container (`linux.namespaces` of config.json), which the proxy makes or
 * enters.
 *
 * The guest sees namespaces of the sandbox's own kernel. Those of the host matter for the sockets
 * of host networking, and to clients, which enter containers by the paths `/proc/PID/ns/TYPE`.
 */

import { CAP_SYS_ADMIN } from "../../ffi/abi/capability.ts";
import { EINVAL } from "../../ffi/abi/errno.ts";
import { NS_GET_NSTYPE } from "../../ffi/abi/ioctl.ts";
import {
  CLONE_NEWCGROUP,
  CLONE_NEWIPC,
  CLONE_NEWNET,
  CLONE_NEWNS,
  CLONE_NEWPID,
  CLONE_NEWUSER,
  CLONE_NEWUTS,
} from "../../ffi/abi/sched.ts";
import { check, SyscallError } from "../../ffi/sys/errors.ts";
import { close, ioctl } from "../../ffi/sys/files.ts";
import { hasCapability } from "../host/privileges.ts";
import { type Entered, openNamespace } from "../launch/proxy_process.ts";
import type { SharedNamespaces } from "../protocol/control_protocol.ts";
import type { NamespaceEntry, NamespaceType } from "../spec/linux_section.ts";
import type { ContainerRecord } from "../state/record.ts";
import { UserError } from "../user_error.ts";

/**
 * The proxy's namespaces. Its mount namespace shows the container's files (launch/proxy_root.ts).
 * It makes a new time namespace itself, but cannot enter an existing one while it shares memory
 * with this process.
 */
const FLAGS: Partial<Record<NamespaceType, number>> = {
  user: CLONE_NEWUSER,
  pid: CLONE_NEWPID,
  network: CLONE_NEWNET,
  ipc: CLONE_NEWIPC,
  uts: CLONE_NEWUTS,
  mount: CLONE_NEWNS,
  cgroup: CLONE_NEWCGROUP,
};

/** Names of files in /proc/PID/ns that are recorded. */
const RECORDED = ["pid", "net", "ipc", "uts"];

/**
 * The file of a running process's time namespace for its children; a namespace that a process made
 * is there.
 */
const TIME_FILE = "time_for_children";

interface HostNamespaces {
  /** CLONE_NEW* */
  readonly created: number;
  readonly entered: readonly Entered[];
  close(): void;
}

/** @throws UserError naming the entry with a path that cannot be used */
export function openNamespaces(entries: readonly NamespaceEntry[]): HostNamespaces {
  let created = 0;
  const entered: Entered[] = [];
  const closeAll = () => entered.forEach((ns) => close(ns.fd));
  entries.forEach(({ type, path }, i) => {
    const flag = FLAGS[type];
    if (flag === undefined) return;
    if (path === null) {
      created += flag;
      return;
    }
    try {
      const fd = openNamespace(path);
      entered.push({ flag, fd });
      if (check(ioctl(fd, NS_GET_NSTYPE, 0), "NS_GET_NSTYPE") !== flag) {
        throw new SyscallError(`${path} is no namespace of type ${type}`, EINVAL);
      }
    } catch (error) {
      closeAll();
      if (!(error instanceof SyscallError)) throw error;
      throw new UserError(`config.json: linux.namespaces[${i}].path`, undefined, error);
    }
  });
  // A user namespace comes first, because it owns the others.
  entered.sort((a, b) => Number(b.flag === CLONE_NEWUSER) - Number(a.flag === CLONE_NEWUSER));
  return { created, entered, close: closeAll };
}

/** Whether the container has a user namespace of its own. */
export function hasOwnUsers(entries: readonly NamespaceEntry[]): boolean {
  return entries.some(({ type }) => type === "user");
}

/** The namespaces of a process, from /proc, for further processes of its container. */
export function processNamespaces(pid: number): HostNamespaces {
  const entered: Entered[] = [];
  const kinds = [["user", CLONE_NEWUSER], ["mnt", CLONE_NEWNS], ["pid", CLONE_NEWPID]] as const;
  for (const [name, flag] of kinds) {
    const path = `/proc/${pid}/ns/${name}`;
    // Only a privileged process can start children in another PID namespace.
    if (flag === CLONE_NEWPID && !hasCapability(CAP_SYS_ADMIN)) continue;
    // Entering the namespace that the process is in needs privilege too.
    if (namespaceInode(path) === namespaceInode(`/proc/self/ns/${name}`)) continue;
    entered.push({ flag, fd: openNamespace(path) });
  }
  return { created: 0, entered, close: () => entered.forEach((ns) => close(ns.fd)) };
}

/** Inode number of a namespace's file; 0 if it is gone. */
export function namespaceInode(path: string): number {
  try {
    return Deno.statSync(path).ino ?? 0;
  } catch {
    return 0;
  }
}

/** The namespaces of a process, for its record. */
export function namespaceInodes(pid: number): Record<string, number> {
  const inodes: Record<string, number> = {};
  for (const name of RECORDED) inodes[name] = namespaceInode(`/proc/${pid}/ns/${name}`);
  inodes["time"] = namespaceInode(`/proc/${pid}/ns/${TIME_FILE}`);
  return inodes;
}

/** Annotations by which clients put a container into the sandbox of another one, by client. */
const SANDBOX_ANNOTATIONS = [
  { kind: "io.kubernetes.cri.container-type", id: "io.kubernetes.cri.sandbox-id" },
  { kind: "io.kubernetes.cri-o.ContainerType", id: "io.kubernetes.cri-o.SandboxID" },
] as const;

/**
 * The container whose sandbox a new one joins, or null. Annotations name it, or the new container
 * wants the PID or IPC namespace of a container of this runtime.
 */
export function findSandbox(
  annotations: ReadonlyMap<string, string>,
  entries: readonly NamespaceEntry[],
  others: () => readonly ContainerRecord[],
): ContainerRecord | null {
  const named = sandboxName(annotations);
  const joined = entries.filter(({ type, path }) =>
    path !== null && (type === "pid" || type === "ipc")
  );
  if (named === null && joined.length === 0) return null;
  const records = others();
  const byName = records.find((record) => record.id === named);
  if (byName !== undefined) return byName;
  for (const { type, path } of joined) {
    const inode = namespaceInode(path ?? "");
    const owner = records.find((record) => inode !== 0 && record.namespaces[type] === inode);
    if (owner !== undefined) return owner;
  }
  return null;
}

/** The id of the sandbox's first container, unless this is it. Podman writes only the id. */
function sandboxName(annotations: ReadonlyMap<string, string>): string | null {
  for (const { kind, id } of SANDBOX_ANNOTATIONS) {
    if (annotations.get(kind) === "sandbox") return null;
    const name = annotations.get(id);
    if (name !== undefined && (annotations.get(kind) ?? "container") === "container") return name;
  }
  return null;
}

/**
 * A line for each host namespace that config.json names and the guest is not in: its processes and
 * its IPC belong to the sandbox's kernel.
 */
export function foreignNamespaces(
  entries: readonly NamespaceEntry[],
  sandbox: ContainerRecord | null,
): string[] {
  return entries.flatMap(({ type, path }, i) => {
    if (path === null || sandbox !== null || type !== "pid" && type !== "ipc") return [];
    const where = `config.json: linux.namespaces[${i}].path`;
    return [
      `${where}: a sandbox shares its ${type} namespace with containers of this runtime alone`,
    ];
  });
}

/** The containers of the sandbox whose PID, IPC and UTS namespaces this container uses. */
export function sharedNamespaces(
  entries: readonly NamespaceEntry[],
  members: readonly ContainerRecord[],
): SharedNamespaces {
  const ownerOf = (type: NamespaceType): string | null => {
    const path = entries.find((entry) => entry.type === type)?.path ?? null;
    const inode = path === null ? 0 : namespaceInode(path);
    return members.find((m) => inode !== 0 && m.namespaces[type] === inode)?.id ?? null;
  };
  const time = entries.find(({ type }) => type === "time")?.path ?? null;
  // Without an entry of its own the container has the host's.
  const isOwn = time !== null && namespaceInode(time) !== namespaceInode("/proc/self/ns/time");
  return {
    pid: ownerOf("pid"),
    ipc: ownerOf("ipc"),
    uts: ownerOf("uts"),
    time: isOwn ? ownerOf("time") : null,
  };
}
