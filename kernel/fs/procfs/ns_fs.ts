/**
 * nsfs: the files that stand for namespaces (namespaces(7), ioctl_ns(2)). Nobody mounts it; the links of /proc/PID/ns
 * lead here.
 */

import { EACCES, EINVAL, ENOENT, ENOTTY, EPERM } from "../../../ffi/abi/errno.ts";
import { O_RDONLY } from "../../../ffi/abi/fcntl.ts";
import {
  NS_GET_NSTYPE,
  NS_GET_OWNER_UID,
  NS_GET_PARENT,
  NS_GET_USERNS,
} from "../../../ffi/abi/ioctl.ts";
import {
  CLONE_NEWCGROUP,
  CLONE_NEWIPC,
  CLONE_NEWNET,
  CLONE_NEWNS,
  CLONE_NEWPID,
  CLONE_NEWTIME,
  CLONE_NEWUSER,
  CLONE_NEWUTS,
} from "../../../ffi/abi/sched.ts";
import { S_IFREG } from "../../../ffi/abi/stat.ts";
import { NSFS_MAGIC } from "../../../ffi/abi/statfs.ts";
import type { Credentials } from "../../cred/credentials.ts";
import type { UserMemory } from "../../mm/user_memory.ts";
import { Dentry, type Mount, Path } from "../../vfs/dentry.ts";
import type { AttrChange, Inode } from "../../vfs/inode.ts";
import { internalMount, type MountNamespace } from "../../vfs/mounts.ts";
import { OpenFile } from "../../vfs/open_file.ts";
import { FixedDir } from "../generated/generated_dir.ts";
import { GeneratedFs } from "../generated/generated_fs.ts";
import { GeneratedInode } from "../generated/generated_inode.ts";
import type { ProcSource } from "./source.ts";

const USER_NAMESPACE = 4026531837;
const RLIMIT_NOFILE = 7;
/** Names in the order of the directory, with the kind and the number of what they lead to. */
export const NAMESPACES: readonly (readonly [name: string, kind: string, ino: number])[] = [
  ["cgroup", "cgroup", 4026531835],
  ["ipc", "ipc", 4026531839],
  ["mnt", "mnt", 0],
  ["net", "net", 4026531840],
  ["pid", "pid", 4026531836],
  ["pid_for_children", "pid", 4026531836],
  ["time", "time", 4026531834],
  ["time_for_children", "time", 4026531834],
  ["user", "user", USER_NAMESPACE],
  ["uts", "uts", 4026531838],
];
/** Number of the first mount namespace. */
const FIRST_MOUNT_NAMESPACE = 4026531841;

/** The files that stand for namespaces; one file system a kernel. */
export class NsFs extends GeneratedFs {
  override readonly type = "nsfs";
  override readonly root: Inode;
  override readonly magic = NSFS_MAGIC;
  override readonly createError = -EACCES;
  override readonly makeError = -EPERM;
  private mount: Mount | null = null;
  private readonly nodes: Map<number, Dentry> = new Map();
  private lastMountNamespace: number = FIRST_MOUNT_NAMESPACE - 1;

  private readonly procSource: ProcSource;

  constructor(source: ProcSource) {
    super(source.host);
    this.procSource = source;
    this.source = "nsfs";
    this.root = new FixedDir(this, null, 0o555);
  }

  /** Number of a mount namespace, given when it is first asked for. */
  inoOf(namespace: MountNamespace): number {
    if (namespace.ino === 0) namespace.ino = ++this.lastMountNamespace;
    return namespace.ino;
  }

  /** Where the file for a namespace is. */
  pathOf(kind: string, ino: number, around: MountNamespace): Path {
    this.mount ??= internalMount(around.vfs, this);
    let dentry = this.nodes.get(ino);
    if (dentry === undefined) {
      dentry = new Dentry(this, null, `${kind}:[${ino}]`, new NsInode(this, ino, kind));
      this.nodes.set(ino, dentry);
    }
    return new Path(this.mount, dentry);
  }

  /** A new descriptor of the caller for the user namespace, or -errno. */
  openUserNamespace(): number {
    const task = this.procSource.current();
    if (task === null || task.files === null || task.fs === null) return -ENOENT;
    const path = this.pathOf("user", USER_NAMESPACE, task.fs.namespace);
    const inode = path.dentry.inode;
    if (!(inode instanceof NsInode)) return -ENOENT;
    const file = new NsFile(inode, O_RDONLY, this);
    file.attach(path, task.cred);
    const fd = task.files.install(file, true, task.limits.soft[RLIMIT_NOFILE] ?? 0);
    if (fd < 0) file.drop();
    return fd;
  }
}

class NsInode extends GeneratedInode {
  readonly kind: string;
  private readonly namespaces: NsFs;

  constructor(fs: NsFs, ino: number, kind: string) {
    super(fs, ino, S_IFREG | 0o444);
    this.kind = kind;
    this.namespaces = fs;
    this.blockSize = 4096;
  }

  override setattr(_change: AttrChange, _cred: Credentials): number {
    return -EPERM;
  }
  override open(_dentry: Dentry, flags: number, _cred: Credentials): OpenFile | number {
    return new NsFile(this, flags, this.namespaces);
  }
}

/** CLONE_NEW* of each kind. */
const TYPES: Readonly<Record<string, number>> = {
  cgroup: CLONE_NEWCGROUP,
  ipc: CLONE_NEWIPC,
  mnt: CLONE_NEWNS,
  net: CLONE_NEWNET,
  pid: CLONE_NEWPID,
  time: CLONE_NEWTIME,
  user: CLONE_NEWUSER,
  uts: CLONE_NEWUTS,
};

class NsFile extends OpenFile {
  readonly inode: NsInode;
  private readonly namespaces: NsFs;

  constructor(inode: NsInode, flags: number, namespaces: NsFs) {
    super(flags);
    this.inode = inode;
    this.namespaces = namespaces;
  }

  /** ioctl_ns(2). All namespaces belong to the first user namespace, which has no parent. */
  override ioctl(request: number, arg: number, user: UserMemory): number {
    const { kind } = this.inode;
    switch (request) {
      case NS_GET_NSTYPE:
        return TYPES[kind] ?? -EINVAL;
      case NS_GET_USERNS:
        return kind === "user" ? -EPERM : this.namespaces.openUserNamespace();
      case NS_GET_PARENT:
        return kind === "user" || kind === "pid" ? -EPERM : -EINVAL;
      case NS_GET_OWNER_UID:
        return kind === "user" ? user.store32(arg, 0) : -EINVAL;
      default:
        return -ENOTTY;
    }
  }
}
