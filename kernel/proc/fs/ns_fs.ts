/**
 * nsfs: the files of namespaces (namespaces(7), ioctl_ns(2)). It is never mounted as such; the
 * links of /proc/PID/ns lead here, and a file can be bound elsewhere.
 */

import { RLIMIT_NOFILE } from "../../../ffi/abi/resource.ts";
import type { Account } from "../../core/account.ts";
import { EACCES, EINVAL, ENOENT, EPERM } from "../../../ffi/abi/errno.ts";
import { FS_IMMUTABLE_FL } from "../../../ffi/abi/fs.ts";
import { O_RDONLY } from "../../../ffi/abi/fcntl.ts";
import {
  NS_GET_MNTNS_ID,
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
import type { Namespace, NamespaceKind } from "../../cred/namespace.ts";
import { PidSpace } from "../../cred/pid.ts";
import { INITIAL_USER_NAMESPACE, UserNamespace } from "../../cred/user_namespace.ts";
import type { UserMemory } from "../../mm/user_memory.ts";
import { Dentry, type Mount, Path } from "../../vfs/dentry.ts";
import { MountNamespace } from "../../vfs/mounts.ts";
import type { AttrChange, Inode } from "../../vfs/inode.ts";
import { internalMount } from "../../vfs/mount_links.ts";
import { OpenFile } from "../../vfs/open_file.ts";
import type { Vfs } from "../../vfs/vfs.ts";
import { FixedDir } from "../../fs/generated/generated_dir.ts";
import { GeneratedFs } from "../../fs/generated/generated_fs.ts";
import { GeneratedInode } from "../../fs/generated/generated_inode.ts";
import { namespaceRequest } from "./mount_ns_requests.ts";
import type { CallerSource } from "./source.ts";

/** Inode numbers of the initial namespaces. */
const INITIAL: Readonly<Record<NamespaceKind, number>> = {
  time: 4026531834,
  cgroup: 4026531835,
  pid: 4026531836,
  user: 4026531837,
  uts: 4026531838,
  ipc: 4026531839,
  net: 4026531840,
  mnt: 4026531841,
};
/** Inode number of the first namespace that is made later. */
const FIRST_NUMBER = 4026532200;

/** CLONE_NEW* of each kind. */
export const NAMESPACE_TYPES: Readonly<Record<NamespaceKind, number>> = {
  cgroup: CLONE_NEWCGROUP,
  ipc: CLONE_NEWIPC,
  mnt: CLONE_NEWNS,
  net: CLONE_NEWNET,
  pid: CLONE_NEWPID,
  time: CLONE_NEWTIME,
  user: CLONE_NEWUSER,
  uts: CLONE_NEWUTS,
};

/** The files of namespaces; one file system a kernel. */
export class NsFs extends GeneratedFs {
  override readonly type = "nsfs";
  override isInternal = true;
  override readonly root: Inode;
  override readonly magic = NSFS_MAGIC;
  override readonly createError = -EACCES;
  override readonly makeError = -EPERM;
  private mount: Mount | null = null;
  private lastNumber: number = FIRST_NUMBER - 1;
  /**
   * Initial namespaces with the fixed numbers; a second one of a kind (of another container) gets a
   * later number.
   */
  private readonly numbered: Map<NamespaceKind, Namespace> = new Map();
  readonly callers: CallerSource;
  private readonly account: Account;
  /** Of the first user namespace, which is no object of this kernel. */
  private firstUser: Dentry | null = null;

  constructor(account: Account, vfs: Vfs, callers: CallerSource) {
    super(vfs);
    this.account = account;
    this.callers = callers;
    this.source = "nsfs";
    this.root = new FixedDir(this, null, 0o555);
  }

  /** The path of the file of a namespace. */
  pathOf(namespace: Namespace, vfs: Vfs): Path {
    this.mount ??= internalMount(this.account, vfs, this);
    const isFirst = namespace === INITIAL_USER_NAMESPACE;
    const known = isFirst ? this.firstUser : namespace.file;
    if (known instanceof Dentry && known.inode?.fs === this) return new Path(this.mount, known);
    const inode = new NsInode(this, this.numberFor(namespace), namespace);
    const dentry = new Dentry(this, null, `${namespace.kind}:[${inode.ino}]`, inode);
    if (isFirst) this.firstUser = dentry;
    else namespace.file = dentry;
    return new Path(this.mount, dentry);
  }

  /** "net:[4026532200]": lsns(8) finds mounted namespaces by it. */
  override rootText(root: Dentry): string {
    return root.name;
  }

  private numberFor(namespace: Namespace): number {
    const { kind } = namespace;
    if (!namespace.isInitial || this.numbered.has(kind)) return ++this.lastNumber;
    this.numbered.set(kind, namespace);
    return INITIAL[kind];
  }

  /** Installs a descriptor of a namespace for the caller, or -errno. */
  openFor(namespace: Namespace): number {
    const task = this.callers.current();
    if (task === null || task.files === null || task.fs === null) return -ENOENT;
    const path = this.pathOf(namespace, task.fs.namespace.vfs), { inode } = path.dentry;
    if (!(inode instanceof NsInode)) return -ENOENT;
    const file = new NsFile(task.account, inode, O_RDONLY, this);
    file.attach(path, task.cred);
    const fd = task.files.install(file, true, task.limits.soft[RLIMIT_NOFILE] ?? 0);
    if (fd < 0) file.drop();
    return fd;
  }
}

export class NsInode extends GeneratedInode {
  readonly namespace: Namespace;
  private readonly files: NsFs;

  constructor(fs: NsFs, ino: number, namespace: Namespace) {
    super(fs, ino, S_IFREG | 0o444);
    this.namespace = namespace;
    this.files = fs;
    this.blockSize = 4096;
    this.fileFlags = FS_IMMUTABLE_FL;
  }

  override setattr(_change: AttrChange, _cred: Credentials): number {
    return -EPERM;
  }
  override open(
    _dentry: Dentry,
    flags: number,
    _cred: Credentials,
    account: Account,
  ): OpenFile | number {
    return new NsFile(account, this, flags, this.files);
  }
  override get standsFor(): Namespace {
    return this.namespace;
  }
  /** A mounted namespace stays alive. */
  override onMounted(): void {
    this.namespace.hold();
  }
  override onUnmounted(): void {
    this.namespace.drop();
  }
}

/** An open namespace, which lives as long as the file. */
export class NsFile extends OpenFile {
  readonly inode: NsInode;
  private readonly files: NsFs;

  constructor(account: Account, inode: NsInode, flags: number, files: NsFs) {
    super(account, flags);
    this.inode = inode;
    this.files = files;
    inode.namespace.hold();
  }

  get namespace(): Namespace {
    return this.inode.namespace;
  }

  protected override release(): void {
    this.inode.namespace.drop();
  }

  /** ioctl_ns(2). */
  override ioctl(request: number, arg: number, user: UserMemory): number {
    const { namespace, files } = this;
    switch (request) {
      case NS_GET_NSTYPE:
        return NAMESPACE_TYPES[namespace.kind];
      case NS_GET_USERNS:
        return this.openVisible(namespace.owner);
      case NS_GET_PARENT:
        if (namespace.kind !== "user" && namespace.kind !== "pid") return -EINVAL;
        return this.openVisible(namespace.parentNamespace);
      case NS_GET_OWNER_UID: {
        if (!(namespace instanceof UserNamespace)) return -EINVAL;
        const task = files.callers.current();
        return user.store32(arg, task?.cred.userNs.shownUid(namespace.ownerUid) ?? 0);
      }
      case NS_GET_MNTNS_ID:
        return namespace instanceof MountNamespace ? user.store64(arg, namespace.id) : -EINVAL;
      default:
        return namespaceRequest(this.files, namespace, request, arg, user);
    }
  }

  /** A namespace that contains the caller's own cannot be opened. */
  private openVisible(target: Namespace | null): number {
    const task = this.files.callers.current();
    if (target === null || task === null) return -EPERM;
    const isVisible = target instanceof UserNamespace
      ? task.cred.userNs.encloses(target)
      : target instanceof PidSpace && task.pidSpace.encloses(target);
    return isVisible ? this.files.openFor(target) : -EPERM;
  }
}
