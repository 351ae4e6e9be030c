/**
 * /proc/PID/ns: links to the namespaces of a task (namespaces(7)). Following one leads to a file of nsfs that stands for
 * the namespace; all of them but mount namespaces exist once.
 */

import { EACCES, ENOENT, ENXIO, EPERM, ESRCH } from "../../../ffi/abi/errno.ts";
import { S_IFLNK, S_IFREG } from "../../../ffi/abi/stat.ts";
import { NSFS_MAGIC } from "../../../ffi/abi/statfs.ts";
import type { Host } from "../../core/host.ts";
import type { Credentials } from "../../cred/credentials.ts";
import { Dentry, type Mount, Path } from "../../vfs/dentry.ts";
import type { AttrChange, Inode } from "../../vfs/inode.ts";
import { internalMount, type MountNamespace } from "../../vfs/mounts.ts";
import { OpenFile } from "../../vfs/open_file.ts";
import { FIRST_OFFSET, FixedDir, GeneratedDir, type Listed } from "../generated/generated_dir.ts";
import { GeneratedFs } from "../generated/generated_fs.ts";
import { GeneratedInode } from "../generated/generated_inode.ts";
import { MagicLink } from "./magic_link.ts";
import { AREA_PROCESS, AREA_THREAD, type TaskRef } from "./task_ref.ts";

/** Names in the order of the directory, with the kind and the number of what they lead to. */
const NAMESPACES: readonly (readonly [name: string, kind: string, ino: number])[] = [
  ["cgroup", "cgroup", 4026531835],
  ["ipc", "ipc", 4026531839],
  ["mnt", "mnt", 0],
  ["net", "net", 4026531840],
  ["pid", "pid", 4026531836],
  ["pid_for_children", "pid", 4026531836],
  ["time", "time", 4026531834],
  ["time_for_children", "time", 4026531834],
  ["user", "user", 4026531837],
  ["uts", "uts", 4026531838],
];
/** Number of the first mount namespace. */
const FIRST_MOUNT_NAMESPACE = 4026531841;
/** Index of a namespace link among the inode numbers of a task: behind its other entries. */
const INO_INDEX = 1000;

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

  constructor(host: Host) {
    super(host);
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
}

class NsInode extends GeneratedInode {
  readonly kind: string;

  constructor(fs: NsFs, ino: number, kind: string) {
    super(fs, ino, S_IFREG | 0o444);
    this.kind = kind;
    this.blockSize = 4096;
  }

  override setattr(_change: AttrChange, _cred: Credentials): number {
    return -EPERM;
  }
  override open(_dentry: Dentry, flags: number, _cred: Credentials): OpenFile | number {
    return new NsFile(this, flags);
  }
}

class NsFile extends OpenFile {
  readonly inode: NsInode;

  constructor(inode: NsInode, flags: number) {
    super(flags);
    this.inode = inode;
  }
}

class NsLink extends MagicLink {
  private readonly index: number;
  private readonly namespaces: NsFs;

  constructor(fs: GeneratedFs, ref: TaskRef, ino: number, index: number, namespaces: NsFs) {
    super(fs, ref, ino);
    this.index = index;
    this.namespaces = namespaces;
  }

  override followMagic(): Path | number {
    const task = this.inspected();
    if (typeof task === "number") return task;
    const [, kind, ino] = NAMESPACES[this.index]!;
    const around = task.fs?.namespace ?? this.ref.source.current()?.fs?.namespace;
    if (around === undefined) return -ENXIO;
    if (kind === "mnt" && task.fs === null) return -ENOENT;
    return this.namespaces.pathOf(kind, ino === 0 ? this.namespaces.inoOf(around) : ino, around);
  }

  override readlink(): string | number {
    const path = this.followMagic();
    return typeof path === "number" ? path : path.dentry.name;
  }
}

export class NsDir extends GeneratedDir {
  readonly ref: TaskRef;
  private readonly parent: GeneratedDir;
  private readonly namespaces: NsFs;

  constructor(
    fs: GeneratedFs,
    ref: TaskRef,
    parent: GeneratedDir,
    ino: number,
    namespaces: NsFs,
  ) {
    super(fs, ino, 0o511);
    this.ref = ref;
    this.parent = parent;
    this.namespaces = namespaces;
    ref.own(this);
  }

  protected override get isModeFixed(): boolean {
    return true;
  }
  override get parentIno(): number {
    return this.parent.ino;
  }
  override get dentriesAreStable(): boolean {
    return false;
  }
  override refresh(): number {
    this.ref.own(this);
    return 0;
  }

  private inoOf(index: number): number {
    return this.ref.ino(this.ref.isThread ? AREA_THREAD : AREA_PROCESS, INO_INDEX + index);
  }

  override lookup(name: string): Inode | number {
    const index = NAMESPACES.findIndex(([n]) => n === name);
    if (index < 0) return -ENOENT;
    if (this.ref.get() === null) return -ESRCH;
    return new NsLink(this.generated, this.ref, this.inoOf(index), index, this.namespaces);
  }

  override relookup(name: string, cached: Inode | null): Inode | number {
    if (cached === null) return this.lookup(name);
    if (!this.ref.own(cached)) return -ESRCH;
    return cached;
  }

  override list(): readonly Listed[] | number {
    const task = this.ref.get();
    if (task === null) return -ENOENT;
    if (!this.ref.mayInspect(task)) return -EACCES;
    return NAMESPACES.map(([name], i) => ({
      name,
      ino: this.inoOf(i),
      type: S_IFLNK >> 12,
      offset: FIRST_OFFSET + i,
    }));
  }
}
